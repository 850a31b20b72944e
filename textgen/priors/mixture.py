"""Mixture of Gaussians, fitted to codes by expectation maximisation (Dempster et al. 1977) with scikit-learn.

Each Gaussian has its logarithm of standard deviations, or the Cholesky factor of its covariance with the logarithm of
the diagonal, so that whatever numbers a file holds make a density.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Distribution, Independent, MixtureSameFamily, MultivariateNormal, Normal

from corpora.errors import InputError
from corpora.settings import Settings, setting
from textgen.core.prior import Prior, held_out

STRIDE = 5  # EM iterations between two looks at the held-out codes


@dataclass(frozen=True)
class Config(Settings):
    components: int = setting(20, "mixture prior: how many Gaussians", 1, 4096)
    covariance: str = setting(
        "diagonal", "mixture prior: covariance of each Gaussian, diagonal or full", choices=("diagonal", "full")
    )


@dataclass(frozen=True)
class Fit(Settings):
    """Settings of the fit; none of it is part of the model."""

    iterations: int = setting(200, "EM iterations at most; they end when held-out codes gain nothing more", 1, 100_000)


class Mixture(Prior):
    """sum_k pi_k N(z; m_k, S_k). Fresh: every Gaussian is N(0, I)."""

    def __init__(self, components: int, full: bool, latent: int) -> None:
        super().__init__()
        self.full, self.latent, self.numbers = full, latent, latent + 1
        kind = "full" if full else "diagonal"
        self.title = f"mixture of {components} Gaussians ({kind})"
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.zeros(components, latent))
        self.log_std = nn.Parameter(torch.zeros(components, latent))  # log of the deviations, or of the diagonal of L
        self.lower = nn.Parameter(torch.zeros(components, latent, latent)) if full else None

    def roots(self) -> Tensor:
        """L with S = L L^T, lower triangular, of each Gaussian: (K, Z, Z)."""
        diagonal = torch.diag_embed(self.log_std.exp())
        return diagonal if self.lower is None else self.lower.tril(-1) + diagonal

    def forward(self) -> MixtureSameFamily:
        parts: Distribution
        if self.full:
            parts = MultivariateNormal(self.means, scale_tril=self.roots(), validate_args=False)
        else:
            normal = Normal(self.means, self.log_std.exp(), validate_args=False)
            parts = Independent(normal, 1, validate_args=False)
        shares = Categorical(logits=self.logits, validate_args=False)
        return MixtureSameFamily(shares, parts, validate_args=False)

    def draw(self, numbers: Tensor) -> Tensor:
        """The last number, through the normal distribution function, chooses the Gaussian; the others are its noise."""
        shares, means, log_std = (weight.detach().to(numbers) for weight in (self.logits, self.means, self.log_std))
        heights = shares.softmax(0).cumsum(0)
        chosen = torch.searchsorted(heights, torch.special.ndtr(numbers[:, -1]) * heights[-1], right=True)
        chosen = chosen.clamp(max=len(heights) - 1)
        codes = torch.empty_like(numbers[:, :-1])
        for number in chosen.unique():
            rows = chosen == number
            noise = numbers[rows, :-1]
            if self.lower is None:
                spread = noise * log_std[number].exp()
            else:
                lower = self.lower[number].detach().to(numbers)
                spread = noise @ (lower.tril(-1) + log_std[number].exp().diag()).T
            codes[rows] = means[number] + spread
        return codes


def build(config: Config, latent: int) -> Mixture:
    return Mixture(config.components, config.covariance == "full", latent)


def fit(
    prior: Mixture,
    codes: Callable[[int], Tensor],
    unseen: Tensor,
    settings: Fit,
    *,
    seed: int,
    tell: Callable[[int, int, float], None],
) -> None:
    """EM on the codes `codes(0)` (N, Z), begun by k-means, until held-out codes `unseen` (M, Z) gain no more nats.

    The best mixture is kept. `tell(done, of, nats)` hears of every look. Raises InputError for fewer codes than
    Gaussians.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    rows, count = codes(0).cpu().double().numpy(), len(prior.logits)
    if len(rows) < max(2, count):
        raise InputError(f"{len(rows)} codes are too few for {count} Gaussians: give more rows or components=N")
    em = GaussianMixture(
        count,
        covariance_type="full" if prior.full else "diag",
        reg_covar=1e-4,
        warm_start=True,
        max_iter=min(STRIDE, settings.iterations),
        tol=1e-4,
        random_state=seed,
    )
    best, kept = -math.inf, prior.state_dict()
    for done in range(0, settings.iterations, STRIDE):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # it is we who say when to end
            em.fit(rows)
        _take(prior, em)
        nats = held_out(prior, unseen)
        tell(min(done + STRIDE, settings.iterations), settings.iterations, nats)
        if not nats > best + 1e-3:
            break
        best, kept = nats, {name: value.clone() for name, value in prior.state_dict().items()}
    prior.load_state_dict(kept)


@torch.no_grad()
def _take(prior: Mixture, em: Any) -> None:
    """Set a prior to the Gaussians of scikit-learn's."""
    covariances = torch.from_numpy(em.covariances_)
    roots = torch.linalg.cholesky(covariances) if prior.full else covariances.sqrt()  # (K, Z, Z) or (K, Z)
    prior.logits.copy_(torch.from_numpy(em.weights_).clamp(min=1e-30).log())
    prior.means.copy_(torch.from_numpy(em.means_))
    prior.log_std.copy_((roots.diagonal(dim1=1, dim2=2) if prior.full else roots).log())
    if prior.lower is not None:
        prior.lower.copy_(roots.tril(-1))

"""Annealed importance sampling (Neal 2001) of log p(x) for models with codes: slow, and tighter than importance
sampling where the posterior is far from the true one (Wu et al. 2017, "On the quantitative analysis of decoder-based
generative models").

Chains start at codes from the posterior, widened, and a few from the prior. They pass `steps` densities,
f(z)^(1 - b) p(x, z)^b with b from 0 to 1, f being the mixture that they start from. At each they take a move of
Hamiltonian Monte Carlo that leaves it as it is (Duane et al. 1987). The mean of the weights has the expectation p(x)
whatever the number of steps and of chains, so -log of it lies above -log p(x) in expectation, as that of importance
sampling does. The sizes of the moves are set by a trial run with numbers of its own, so that the chains that count do
not depend on their own past in any other way.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from textgen.core.model import Latent
from textgen.core.randomness import normals

WIDTH = 1.1  # of the deviations of the posterior, where chains start
FAR = 0.1  # share of the chains that start at codes from the prior
LEAPS = 3  # gradients of a move
TRIALS = 4  # chains of the trial run
ACCEPTED = 0.65  # share of the moves that should be accepted (Beskos et al. 2013)
FIRST, RATIO = 0.1, 1.15  # size of the first move, in deviations of the posterior; its change from step to step


class _Place(NamedTuple):
    """Where chains are, (K, B, Z), in coordinates (z - mean) / deviation of the posterior; with the logarithms of the
    start's density and of p(x, z) there, (K, B), and their gradients."""

    away: Tensor
    start: Tensor
    joint: Tensor
    start_slope: Tensor
    joint_slope: Tensor

    def force(self, share: float) -> Tensor:
        """The gradient of the logarithm of the density between the two."""
        return share * self.joint_slope + (1 - share) * self.start_slope

    def log_density(self, share: float) -> Tensor:
        """The logarithm of that density, (K, B)."""
        return share * self.joint + (1 - share) * self.start


@dataclass(frozen=True)
class _Landscape:
    """The densities of the start and of p(x, z) for rows of tokens."""

    model: Latent
    tokens: Tensor  # (B, L)
    labels: Tensor | None
    means: Tensor  # (B, Z)
    deviations: Tensor
    far: int  # chains, the first, that start at codes from the prior
    share: float  # of the prior in the mixture of the start
    at_once: int

    def begin(self, numbers: Tensor) -> Tensor:
        """Where chains start, (K, B, Z), by standard normal numbers (K, B, N)."""
        size, prior = self.means.shape[1], self.model.prior
        away = WIDTH * numbers[..., :size]
        if self.far:
            some = numbers[: self.far, :, : prior.numbers]
            codes = prior.draw(some.flatten(0, 1)).reshape(self.far, -1, size)
            away[: self.far] = (codes - self.means) / self.deviations
        return away

    def at(self, away: Tensor) -> _Place:
        """The place of chains (K, B, Z)."""
        parts = [self._at(some) for some in away.split(max(1, self.at_once // away.shape[1]))]
        return _Place(*(torch.cat(some) for some in zip(*parts, strict=True)))

    def _at(self, away: Tensor) -> _Place:
        count, rows, size = away.shape
        with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN's LSTM has no gradient now
            here = away.detach().requires_grad_()
            codes = (self.means + self.deviations * here).reshape(-1, size)
            classes = None if self.labels is None else self.labels.repeat(count)
            context = self.model.given(len(codes), classes, codes)
            distortion = self.model.distortion(self.tokens.repeat(count, 1), context)
            log_prior = self.model.prior().log_prob(codes).reshape(count, rows)
            scale = (self.deviations.log() + math.log(WIDTH * math.sqrt(2 * math.pi))).sum(1)
            near = -(here / WIDTH).square().sum(-1) / 2 - scale
            start = near
            if self.share:
                start = torch.logaddexp(near + math.log(1 - self.share), log_prior + math.log(self.share))
            joint = log_prior - distortion.reshape(count, rows)
            start_slope = torch.autograd.grad(start.sum(), here, retain_graph=True)[0]
            joint_slope = torch.autograd.grad(joint.sum(), here)[0]
        return _Place(away, start.detach(), joint.detach(), start_slope, joint_slope)


@torch.inference_mode(False)
@torch.no_grad()
def log_weights(
    model: Latent,
    tokens: Tensor,
    *,
    steps: int,
    chains: int,
    seed: int,
    first: int = 0,
    labels: Tensor | None = None,
    at_once: int = 256,
) -> Tensor:
    """Logarithms of the weights of `chains` chains of `steps` moves for each of (B, L) tokens: (K, B) float64.

    The logarithm of their mean is a lower bound on log p(x) in expectation (`estimators.weighed`). Rows are numbered
    from `first`, and each has a stream of random numbers of its own. `at_once`: rows x chains decoded together.
    """
    tokens, labels = tokens.clone(), None if labels is None else labels.clone()  # no longer of inference mode
    posterior = model.posterior(tokens)
    means, deviations = posterior.mean, posterior.stddev
    sizes = torch.full((steps, len(tokens)), FIRST, device=means.device)
    total, far = torch.empty(0), round(FAR * chains)
    for seeded, count, some, trial in ((seed + 2**33, TRIALS, min(far, 1), True), (seed, chains, far, False)):
        land = _Landscape(model, tokens, labels, means, deviations, some, far / chains, at_once)
        total = _run(land, _numbers(land, steps, count, seeded, first), sizes, trial)
    return total


def _numbers(land: _Landscape, steps: int, chains: int, seed: int, first: int) -> Iterator[Tensor]:
    """Standard normal numbers (K, B, N + 1): for the start; for each move its momentum and, last, its acceptance."""
    rows, size = land.means.shape
    most = max(size, land.model.prior.numbers) + 1
    every = normals(seed, first, rows, (steps + 1) * chains * most)
    every = every.view(rows, steps + 1, chains, most).permute(1, 2, 0, 3)
    return (some.to(land.means.device) for some in every)


def _run(land: _Landscape, numbers: Iterator[Tensor], sizes: Tensor, trial: bool) -> Tensor:
    """The weights of chains, (K, B); in a trial the sizes of moves (steps, B) are set on the way, in place."""
    steps, dimensions = len(sizes), land.means.shape[1]
    place = land.at(land.begin(next(numbers)))
    total = torch.zeros_like(place.joint, dtype=torch.double)
    for step, drawn in enumerate(numbers):
        total += (place.joint - place.start).double() / steps
        if step + 1 == steps:
            break  # a last move would change no weight
        if trial and step:
            sizes[step] = sizes[step - 1]
        place, accepted = _move(land, place, drawn[..., :dimensions], drawn[..., -1], sizes[step], (step + 1) / steps)
        if trial:
            better = accepted.float().mean(0) > ACCEPTED
            sizes[step] *= torch.where(better, RATIO, 1 / RATIO)
    return total


def _move(
    land: _Landscape, place: _Place, momentum: Tensor, number: Tensor, sizes: Tensor, share: float
) -> tuple[_Place, Tensor]:
    """A move of Hamiltonian Monte Carlo at the density `share` of the way, and which chains took it, (K, B)."""
    size = sizes[:, None]
    here, push = place, momentum + size * place.force(share) / 2
    for leap in range(LEAPS):
        here = land.at(here.away + size * push)
        push = push + size * here.force(share) * (0.5 if leap + 1 == LEAPS else 1.0)
    gain = here.log_density(share) - place.log_density(share)
    gain = gain - (push.square().sum(-1) - momentum.square().sum(-1)) / 2
    accepted = torch.special.log_ndtr(number) < gain  # the logarithm of a uniform number; NaN is refused
    new, old = here, place
    kept = (
        torch.where(accepted[..., None] if one.dim() > accepted.dim() else accepted, one, other)
        for one, other in zip(new, old, strict=True)
    )
    return _Place(*kept), accepted

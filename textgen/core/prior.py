"""Prior: the density of codes before anything is read. N(0, I) while a model is trained; fitted to its codes after."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from corpora.settings import require
from textgen.core.randomness import normals


class Prior(nn.Module):
    """p(z) over codes of Z numbers. Its weights are part of the model's.

    A prior that can be fitted has in its file `Fit`, the settings, and `fit(prior, codes, unseen, settings, *, seed,
    tell)`: `codes(turn)` (N, Z) are drawn anew for each pass over them, `unseen` (M, Z) are held out to choose by.
    """

    title: str  # its name beside a figure computed under it
    latent: int  # Z
    numbers: int  # standard normal numbers that one code is made of
    standard = False  # whether it is N(0, I), to which the rate has a closed form

    def forward(self) -> Distribution:
        """The distribution: events (Z,), `log_prob` in nats."""
        raise NotImplementedError(f"{type(self).__name__} must define forward, or draw and log_prob")

    def draw(self, numbers: Tensor) -> Tensor:
        """Codes (N, Z) from standard normal numbers (N, `numbers`): row i from row i alone.

        The first Z numbers are noise, which a temperature may scale; the others make a choice. The arithmetic is done
        in the precision and on the device of `numbers`, whatever those of the weights are.
        """
        raise NotImplementedError(f"{type(self).__name__} must define draw")

    def log_prob(self, codes: Tensor) -> Tensor | None:
        """log p of codes (N, Z), (N,) nats; None for a prior without a density."""
        return self().log_prob(codes)


@torch.no_grad()
def draw_codes(prior: Prior, seed: int, first: int, rows: int, temperature: float = 1.0) -> Tensor:
    """Codes for rows first, first + 1, ...: (rows, Z), float32, one stream of random numbers per row.

    `temperature`: the noise times so much (Kingma and Dhariwal 2018 draw from Glow at 0.7). Below 1 codes lie
    nearer to the middle of the prior, or of one of its Gaussians, and are no draws from it any more.
    Raises InputError for a temperature out of range.

    Computed in float64 on the processor, so that rounding, which depends on how many rows there are, leaves no trace.
    """
    require(0 <= temperature <= 100, "code_temperature", temperature, "a number from 0 to 100")
    numbers = normals(seed, first, rows, prior.numbers).double()
    numbers[:, : prior.latent] *= temperature
    return prior.draw(numbers).float()


@torch.no_grad()
def held_out(prior: Prior, codes: Tensor) -> float:
    """The mean of log p over codes (N, Z), nats per code."""
    parts = [prior.log_prob(some) for some in codes.split(1000)]
    return float(torch.cat([part for part in parts if part is not None]).double().mean())

"""Prior: the density of codes before anything is read. N(0, I) while a model is trained; fitted to its codes after."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.distributions import Distribution

from corpora.settings import require
from textgen.core.randomness import normals


class Prior(nn.Module):
    """p(z) over codes of Z numbers. Its weights are part of the model's."""

    title: str  # what a figure computed under it calls it
    latent: int  # Z
    numbers: int  # standard normal numbers that one code is made of
    standard = False  # whether it is N(0, I), to which the rate has a closed form

    def forward(self) -> Distribution:
        """The distribution: events (Z,), `log_prob` in nats."""
        raise NotImplementedError(f"{type(self).__name__} must define forward")

    def codes(self, numbers: Tensor) -> Tensor:
        """Codes (N, Z) out of standard normal numbers (N, `numbers`): row i out of row i alone.

        The first Z numbers are noise, which a temperature may scale; what follows makes a choice.
        """
        raise NotImplementedError(f"{type(self).__name__} must define codes")

    @torch.no_grad()
    def draw(self, seed: int, first: int, rows: int, temperature: float = 1.0) -> Tensor:
        """Codes for rows first, first + 1, ...: (rows, Z), float32, one stream of random numbers per row.

        `temperature`: the noise times so much (Kingma and Dhariwal 2018 draw from Glow at 0.7). Below 1 codes lie
        nearer to the middle of the prior, or of one of its Gaussians, and are no draws from it any more.
        Raises InputError for a temperature out of range.

        In float64 on the processor, so that rounding, which hangs on how many rows there are, leaves no trace.
        """
        require(0 <= temperature <= 100, "code_temperature", temperature, "a number from 0 to 100")
        exact = copy.deepcopy(self).cpu().double()
        numbers = normals(seed, first, rows, self.numbers).double()
        numbers[:, : self.latent] *= temperature
        return exact.codes(numbers)

"""N(0, I), the prior that a VAE is trained under (Kingma and Welling 2014)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from textgen.core.prior import Prior


@dataclass(frozen=True)
class Config:
    pass


class StandardNormal(Prior):
    """N(0, I) over codes (Z,); it has no weights."""

    title = "N(0, I)"
    standard = True

    def __init__(self, latent: int) -> None:
        super().__init__()
        self.latent = self.numbers = latent
        self.register_buffer("mean", torch.zeros(latent), persistent=False)  # on the device of the model
        self.mean: Tensor

    def forward(self) -> Independent:
        return Independent(Normal(self.mean, torch.ones_like(self.mean), validate_args=False), 1, validate_args=False)

    def draw(self, numbers: Tensor) -> Tensor:
        return numbers


def build(config: Config, latent: int) -> StandardNormal:
    return StandardNormal(latent)

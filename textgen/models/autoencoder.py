"""The plain autoencoder: the VAE with its noise and its rate off. It reconstructs; it has no likelihood."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from textgen.models import vae
from textgen.models.vae import build

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config(vae.Config):
    rate: float | None = setting(None, "has no meaning here: there is no noise whose rate could be held")
    noise: bool = setting(False, "on would make it the VAE again")

"""The plain autoencoder of pictures: the VAE with its noise and its rate off."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from textgen.models import autoencoder
from textgen.models.autoencoder import build

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config(autoencoder.Config):
    backbone: str = setting("deconv", "the decoder")
    encoder: str = setting("conv", "reads the picture for the posterior")
    latent: int = setting(10, "size of the code", 1, 4096)

"""VAE of pictures: a code for each, and a decoder that looks back at nothing (Kingma and Welling 2014)."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from textgen.models import vae
from textgen.models.vae import build

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config(vae.Config):
    backbone: str = setting("deconv", "the decoder")
    encoder: str = setting("conv", "reads the picture for the posterior")
    latent: int = setting(10, "size of the code", 1, 4096)

"""PixelVAE: a code for each picture, and a PixelCNN for a decoder (Gulrajani et al. 2017)."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from imagegen.models import vae
from imagegen.models.vae import build

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config(vae.Config):
    backbone: str = setting("pixelcnn", "the decoder")

"""PixelCNN: pixel by pixel in raster order, by gated convolutions (van den Oord et al. 2016)."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from textgen.models import lm
from textgen.models.lm import build

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config(lm.Config):
    backbone: str = setting("pixelcnn", "predicts the next pixel", choices=("pixelcnn",))

"""Pixelformer: pixel by pixel in raster order, by a Transformer that sees the pixels around and copies colours."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from textgen.models import lm
from textgen.models.lm import build

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config(lm.Config):
    backbone: str = setting("pixelformer", "predicts the next pixel", choices=("pixelformer",))

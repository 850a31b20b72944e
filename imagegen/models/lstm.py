"""LSTM: pixel by pixel in raster order, as a language model reads text."""

from __future__ import annotations

from dataclasses import dataclass

from corpora.settings import setting
from textgen.models import lm
from textgen.models.lm import build

__all__ = ["Config", "build"]


@dataclass(frozen=True)
class Config(lm.Config):
    backbone: str = setting("lstm", "predicts the next pixel", choices=("lstm",))

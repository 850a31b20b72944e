"""Verbs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from textgen.runs.begin import begin
from textgen.runs.screen import Screen
from textgen.sentences import preset


def train(inputs: Sequence[str | Path], out: str | Path, *, screen: Screen | None = None, **options: Any) -> Path:
    """Train a model on text, or on a folder that `corpora build` made, and return its best checkpoint."""
    return begin(inputs, out, sizer=preset.Auto, screen=screen, **options).train(screen)

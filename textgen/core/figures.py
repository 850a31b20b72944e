"""Figures: numbers that say their unit, how they were estimated, and their standard error."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from torch import Tensor

from textgen.core.model import Model


@dataclass(frozen=True)
class Figure:
    """One number: its name, its unit, its estimator, and its standard error over the rows where it has one."""

    name: str
    value: float
    unit: str
    estimator: str
    error: float | None = None


@dataclass(frozen=True)
class Figures:
    """All figures of a model on some rows."""

    model: str
    data: str
    rows: int
    seed: int
    figures: list[Figure]
    kind: str = "sentences"

    def __getitem__(self, name: str) -> float:
        return next(figure.value for figure in self.figures if figure.name == name)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        lines = [f"{self.model} on {self.data}: {self.rows:,} {self.kind}, seed {self.seed}"]
        for figure in self.figures:
            error = "" if figure.error is None else f" +- {figure.error:.2f}"
            whole = float(figure.value).is_integer() and figure.unit.startswith("of ")
            number = f"{figure.value:.0f}" if whole else f"{figure.value:.2f}"
            lines.append(f"  {figure.name:<28} {number + error:>16} {figure.unit:<20} {figure.estimator}")
        return "\n".join(lines)


def mean(name: str, values: Tensor, estimator: str, unit: str) -> Figure:
    """The mean of a number per row, with its standard error."""
    error = standard_error(values) if len(values) > 1 else None
    return Figure(name, float(values.mean()), unit, estimator, error)


def standard_error(values: Tensor) -> float:
    """The standard error of a mean over two values or more."""
    return float(values.std()) / math.sqrt(len(values))


def picked(draw: np.random.Generator, count: int, rows: int) -> np.ndarray:
    """The numbers of `rows` of so many rows, drawn, in order; of all of them if `rows` is 0, or as many or more."""
    return np.sort(draw.choice(count, rows, replace=False)) if 0 < rows < count else np.arange(count)


def of_classes(model: Model, labels: Tensor) -> str:
    """A note beside an estimator on the classes (N,) of rows, which a model may know; -1: not known."""
    lacking = int((labels < 0).sum())
    if model.classes is None:
        return ""
    if lacking == len(labels):
        return ", no class known"
    return ", given the class" + (f", which {lacking:,} of {len(labels):,} rows lack" if lacking else "")

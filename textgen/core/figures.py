"""Figures: numbers that say their unit, how they were estimated, and their standard error."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from torch import Tensor

from textgen.core.estimators import Bounds
from textgen.core.model import Model
from textgen.core.numbers import shown

ENOUGH = 20  # effective codes of a row; with fewer the bound may be loose by more than its standard error
FEW = 30  # groups: with fewer, an interval of a normal distribution is too narrow


@dataclass(frozen=True)
class Figure:
    """One number: its name, its unit, its estimator, and its standard error over the rows where it has one.

    `apart`: a heading under which it stands, where it does not belong to the figures before it.
    """

    name: str
    value: float
    unit: str
    estimator: str
    error: float | None = None
    apart: str = ""


@dataclass(frozen=True)
class Figures:
    """All figures of a model on some rows; `notes` are lines that a reader of them should know."""

    model: str
    data: str
    rows: int
    seed: int
    figures: list[Figure]
    kind: str = "sentences"
    notes: list[str] = field(default_factory=list)

    def __getitem__(self, name: str) -> float:
        return next(figure.value for figure in self.figures if figure.name == name)

    def to_dict(self) -> dict[str, Any]:
        """JSON values: a number beyond floating point is the text `inf`, which JSON has no number for."""
        facts = asdict(self)
        for figure in facts["figures"]:
            for key in ("value", "error"):
                number = figure[key]
                figure[key] = number if number is None or math.isfinite(number) else str(number)
        return facts

    def __str__(self) -> str:
        lines, heading = [f"{self.model} on {self.data}: {self.rows:,} {self.kind}, seed {self.seed}"], ""
        for figure in self.figures:
            if figure.apart != heading:
                lines.append(f"  {figure.apart}:")
                heading = figure.apart
            error = "" if figure.error is None else f" +- {shown(figure.error)}"
            whole = float(figure.value).is_integer() and figure.unit.startswith("of ")
            number = f"{figure.value:.0f}" if whole else shown(figure.value)
            lines.append(f"  {figure.name:<28} {number + error:>16} {figure.unit:<20} {figure.estimator}")
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def mean(name: str, values: Tensor, estimator: str, unit: str, groups: Sequence[str] | None = None) -> Figure:
    """The mean of a number per row, with its standard error; over the groups that the rows are of, if they are named.

    Rows of one author, book or speaker are alike, so that their number says too much; where there are groups, they are
    what was drawn.
    """
    if groups is None or len(set(groups)) < 2:
        error = standard_error(values) if len(values) > 1 else None
        return Figure(name, float(values.mean()), unit, estimator, error)
    return Figure(name, float(values.mean()), unit, estimator, clustered_error(values, groups))


def standard_error(values: Tensor) -> float:
    """The standard error of a mean over two values or more."""
    return float(values.std()) / math.sqrt(len(values))


def clustered_error(values: Tensor, groups: Sequence[str]) -> float:
    """The standard error of the mean of values (N,) whose rows come in two groups or more, drawn as wholes.

    sqrt(G / (G - 1) sum_g (sum_i (x_i - mean))^2) / N (Cameron and Miller 2015, "A practitioner's guide to
    cluster-robust inference", eq. 11 for a mean). With a row in each group it is the usual one.
    """
    names, places = np.unique(np.asarray(groups), return_inverse=True)
    away = (values - values.mean()).double().cpu().numpy()
    sums = np.bincount(places, away, len(names))
    return float(math.sqrt(len(names) / (len(names) - 1) * float(np.square(sums).sum())) / len(values))


def of_groups(groups: Sequence[str] | None) -> str:
    """A note beside an estimator on the groups that its error is over."""
    count = 0 if groups is None else len(set(groups))
    if count < 2:
        return ""
    return f", error over {count:,} groups" + (" (few: take it for rough)" if count < FEW else "")


def of_weights(bounds: Bounds, samples: int, annealed: bool = False) -> tuple[list[Figure], list[str]]:
    """The evenness of importance weights, and a warning where few of the codes carry all of it.

    Of `annealed` chains, which are few by design, half of them are enough. To first order the bound lies above the
    true value by (1 / effective - 1 / samples) / 2 nats: 0.02 of 20 out of 500 codes, 0.03 of 8 out of 16 chains.
    """
    effective, greatest = (values.double() * scale for values, scale in zip(bounds[4:], (samples, 100), strict=True))
    what, enough = ("chains", min(ENOUGH, samples / 2)) if annealed else ("codes", ENOUGH)
    few, median = int((effective < enough).sum()), float(effective.median())
    spread = f"median; the least {float(effective.min()):.1f}, {few:,} of {len(effective):,} rows below {enough:g}"
    most = f"median; at most {float(greatest.max()):.1f}"
    figures = [
        Figure("effective sample size", median, f"of {samples} {what}", spread),
        Figure("greatest weight", float(greatest.median()), "% of a row's", most),
    ]
    notes = []
    if median < enough:
        remedy = "more steps (--ais) or chains (--samples) lower it"
        if not annealed:
            remedy = "more --samples lower it, and --ais 100 lowers it further, slowly"
        notes = [
            f"the effective sample size is {median:.1f} of {samples:,}, below {enough:g}: the NLL is a bound from "
            f"above, and lies above the true value by more than its standard error tells; {remedy}"
        ]
    return figures, notes


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

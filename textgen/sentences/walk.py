"""Walks between two sentences: paths between codes, the pace at which points are taken, and how a walk is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import groupby, pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from textgen.sentences.units import difference, mixed

MOST_POINTS = 64  # of a path whose number of points is found by bisection
PACES = ("text", "code")  # points where the text changes evenly, or evenly along the code
TRIED, MOST_TRIED = 3, 256  # points decoded for each step of a walk at the pace of the text, and for all at most
ROUNDS, FINEST = 3, 2e-3  # they come in so many rounds, each where the text changes most; the finest gap looked into


@dataclass(frozen=True)
class Point:
    """One decoded sentence of a path."""

    position: float  # 0 at the first sentence, 1 at the second
    text: str
    distortion: float  # -log p(text | z), nats: how sure the decoder was
    drift: float  # distance from z to where the sentence encodes back, in standard deviations of its posterior
    repeats: bool = False  # the same sentence as the point before
    tokens: int = 0  # that the decoder wrote, the end counted


@dataclass(frozen=True)
class Walk:
    """A walk from one sentence to another: the two as given, and the points decoded between them, ends included."""

    start: str
    end: str
    kind: str
    points: list[Point] = field(default_factory=list)
    start_exact: bool = True  # the first point is the first sentence word for word, as the codec spells it
    end_exact: bool = True  # the same of the last
    notes: list[str] = field(default_factory=list)  # what a person should know of the two sentences

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, number: int) -> Point:
        return self.points[number]

    @property
    def distinct(self) -> int:
        """The number of different sentences of the path."""
        return len({point.text for point in self.points})

    def to_dict(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "end": self.end,
            "path": self.kind,
            "distinct": self.distinct,
            "start_exact": self.start_exact,
            "end_exact": self.end_exact,
            "notes": self.notes,
            "points": [asdict(point) for point in self],
        }

    def __str__(self) -> str:
        """A line for each sentence with its position, or the positions from the first to the last that repeat it."""
        runs = [list(run) for _, run in groupby(self.points, key=lambda point: point.text)]
        places = [_span(run) for run in runs]
        width = max(map(len, places), default=0)
        lines = [f" {place:<{width}}  {run[0].text}" for place, run in zip(places, runs, strict=True)]
        for number, exact in ((0, self.start_exact), (-1, self.end_exact)):
            if lines and not exact and not lines[number].endswith(_OTHER):
                lines[number] += _OTHER
        notes = [f"note: {note}" for note in self.notes]
        return "\n".join([*notes, f"given  {self.start}", *lines, f"given  {self.end}"])


_OTHER = "  (not the sentence given)"


def _span(run: Sequence[Point]) -> str:
    first, last = run[0].position, run[-1].position
    return f"{first:.2f}" if len(run) == 1 else f"{first:.2f}-{last:.2f}"


def joined(
    start: str, end: str, kind: str, points: Sequence[Point], normalise: Callable[[str], str], notes: Sequence[str] = ()
) -> Walk:
    """A walk of these points, repeats and ends that did not come back marked; `normalise` is that of the codec."""
    marked = [replace(point, repeats=point.text == before.text) for before, point in pairwise(points)]
    exact = normalise(start) == points[0].text, normalise(end) == points[-1].text
    return Walk(start, end, kind, [points[0], *marked], *exact, list(notes))


# -------------------------------------------------------------------------------------------------------- paths


def line(first: Tensor, last: Tensor, position: float) -> Tensor:
    """The point at `position` in [0, 1] of the straight line between two codes (Z,)."""
    return torch.lerp(first, last, position)


def arc(first: Tensor, last: Tensor, position: float) -> Tensor:
    """The same on an arc that keeps the norm between those of the ends (Shoemake 1985); a line if they nearly align.

    Half way along a line two independent codes of many dimensions come closer to the origin than a code ever is.
    """
    norms = first.norm(), last.norm()
    if position in (0, 1) or float(norms[0]) == 0 or float(norms[1]) == 0:
        return line(first, last, position)
    one, other = first / norms[0], last / norms[1]
    angle = torch.arccos((one @ other).clamp(-1, 1))
    if float(angle.sin()) < 0.05:
        return line(first, last, position)
    direction = ((1 - position) * angle).sin() * one + (position * angle).sin() * other
    return direction / angle.sin() * (norms[0] + position * (norms[1] - norms[0]))


PATHS = {"line": line, "arc": arc}


# --------------------------------------------------------------------------------------------------------- paces


def bisected(decode: Callable[[Sequence[float]], list[Point]]) -> list[Point]:
    """Points of a path, halved where neighbours share less than half of their words; no sentence twice in a row.

    `decode` gives the points at some positions. At most `MOST_POINTS` are asked for.
    """
    points = decode([0.0, 1.0])
    for _ in range(6):
        gaps = [
            (left.position + right.position) / 2
            for left, right in pairwise(points)
            if left.text != right.text and difference(left.text, right.text) > 0.5
        ]
        gaps = gaps[: MOST_POINTS - len(points)]
        if not gaps:
            break
        points = sorted(points + decode(gaps), key=lambda point: point.position)
    kept = [points[0]]  # of a run of equal sentences the first, and at the end of the path the last, say it all
    for point in points[1:-1]:
        if point.text not in (kept[-1].text, points[-1].text):
            kept.append(point)
    return [*kept, points[-1]]


def paced(
    decode: Callable[[list[tuple[int, float]]], list[Point]], paths: int, steps: int, pace: str
) -> list[list[Point]]:
    """The points of several paths, `steps` of each, those of all paths decoded together.

    `decode` gives the points at some (path, position). At the pace of the text `TRIED` times as many are decoded,
    most of them where the text changes most (`halves`), and those kept between which it changes evenly (`spread`).
    """
    extra = max(0, min(MOST_TRIED, TRIED * (steps - 1) + 1) - steps) if pace == "text" else 0
    places = [(path, number / (steps - 1)) for path in range(paths) for number in range(steps)]
    points: list[list[Point]] = [[] for _ in range(paths)]
    while places:
        for (path, _), point in zip(places, decode(places), strict=True):
            points[path].append(point)
        points = [sorted(several, key=lambda point: point.position) for several in points]
        room = [min(-(-extra // ROUNDS), steps + extra - len(several)) for several in points]
        places = [(path, place) for path, several in enumerate(points) for place in halves(several, room[path])]
    kept = [spread([p.text for p in several], steps, [p.position for p in several]) for several in points]
    return [[several[place] for place in some] for several, some in zip(points, kept, strict=True)]


def halves(points: Sequence[Point], most: int) -> list[float]:
    """Positions half way between neighbours whose texts differ, at most `most`: where they differ most, then where the
    gap is widest; the same for a path backwards."""
    gaps = [
        (-difference(one.text, other.text), one.position - other.position, sorted((one.text, other.text)), one, other)
        for one, other in pairwise(points)
        if one.text != other.text and other.position - one.position > FINEST
    ]
    gaps.sort(key=lambda gap: (gap[0], round(gap[1], 9), gap[2]))
    return [(one.position + other.position) / 2 for *_, one, other in gaps[: max(0, most)]]


def spread(texts: Sequence[str], count: int, positions: Sequence[float] | None = None) -> list[int]:
    """`count` places along a path of texts, the first and the last among them, between which it changes evenly.

    As few places as can be repeat the text before them. Then they have the least sum of squared differences between
    neighbours; of places with the same text, those that lie most evenly, by `positions` from 0 to 1 (without them, by
    number). By dynamic programming over the places, O(count x N^2). The places of a path backwards are the same.
    """
    size = len(texts)
    if size == count:
        return list(range(size))
    if list(texts[::-1]) < list(texts):  # of several that are as good, the same either way
        back = None if positions is None else [1 - position for position in positions[::-1]]
        return [size - 1 - place for place in reversed(spread(texts[::-1], count, back))]
    kinds = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    table = differences([*kinds]) ** 2
    np.fill_diagonal(table, float(count))  # a repeat costs more than any sum of differences
    numbers = [kinds[text] for text in texts]
    where = np.arange(size) / max(1, size - 1) if positions is None else np.asarray(positions)
    gaps = np.subtract.outer(where, where)
    costs = np.where(gaps > 0, table[np.ix_(numbers, numbers)] + 1e-3 * gaps**2, np.inf)  # (to, from)
    return cheapest(costs, count, count)[0]


def cheapest(costs: np.ndarray, least: int, most: int) -> list[list[int]]:
    """The cheapest walks of `least`, ..., `most` places from the first place to the last, by dynamic programming.

    `costs` (N, N) of a step to a place (row) from another (column).
    """
    size = len(costs)
    best = np.where(np.arange(size) == 0, 0.0, np.inf)
    before: list[np.ndarray] = []
    walks = []
    for count in range(2, most + 1):
        sums = costs + best
        before.append(sums.argmin(1))
        best = sums.min(1)
        if count >= least:
            places = [size - 1]
            for step in reversed(before):
                places.append(int(step[places[-1]]))
            walks.append(places[::-1])
    return walks


def differences(texts: Sequence[str]) -> np.ndarray:
    """`difference` between any two of several texts, (N, N), all of them at once."""
    numbers: dict[str, int] = {}
    rows = [[numbers.setdefault(word, len(numbers)) for word in mixed(text)] for text in texts]
    sizes = np.array([len(row) for row in rows], np.int64)
    longest = int(sizes.max(initial=0))
    table = np.full((len(rows), longest), -1, np.int64)
    for numbered, line in zip(rows, table, strict=True):
        line[: len(numbered)] = numbered
    one, other = np.tril_indices(len(rows), -1)
    left, right = table[one], table[other]  # (P, longest)
    edited = np.zeros(len(one), np.int64)
    row = np.repeat(np.arange(longest + 1, dtype=np.int16)[:, None], len(one), 1)  # (longest + 1, P), as in `edits`
    for number in range(longest + 1):
        if number:
            corner, row[0] = row[0].copy(), number
            for place in range(longest):
                change = corner + (left[:, number - 1] != right[:, place])
                corner = row[place + 1].copy()
                row[place + 1] = np.minimum(np.minimum(corner, row[place]) + 1, change)
        done = np.flatnonzero(sizes[one] == number)
        edited[done] = row[sizes[other[done]], done]
    shares = edited / np.maximum(1, np.maximum(sizes[one], sizes[other]))
    for pair in np.flatnonzero((sizes[one] <= 1) & (sizes[other] <= 1)):  # single words, by their characters
        shares[pair] = difference(texts[one[pair]], texts[other[pair]])
    result = np.zeros((len(rows), len(rows)))
    result[one, other] = result[other, one] = shares
    return result

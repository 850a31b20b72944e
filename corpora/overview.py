"""An overview of a corpus for people: how long its rows are, how often each label and each colour occurs, and a contact
sheet of its pictures.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from corpora.codecs.palette import Palette
from corpora.corpus import Corpus, Rows
from corpora.pictures import sheet

BARS = 12  # of a histogram at most, the last one open
WIDTH = 40  # characters of the longest bar
_STEP = 1 << 22  # tokens that are counted at a time
_MOST_LABELS = 24  # of a contact sheet with a line for each label
_COLUMNS = 12  # pictures of each label
_BETWEEN = np.array([190, 190, 190, 255], np.uint8)  # the colour between pictures, that white ones keep their edge


class Bar(NamedTuple):
    """Rows whose lengths lie in a range."""

    low: int
    high: int  # the longest of them
    rows: int


def histogram(lengths: np.ndarray) -> list[Bar]:
    """Count rows by their lengths: at most `BARS` ranges of equal size up to the 99th percentile, the last one open."""
    if not len(lengths):
        return []
    low, high = int(lengths.min()), int(lengths.max())
    usual = int(np.percentile(lengths, 99))
    step = _round(-(-(usual - low + 1) // (BARS - 1)))
    start = low // step * step
    edges = np.arange(start, usual + 1, step)
    places = np.searchsorted(edges, lengths, side="right") - 1
    counts = np.bincount(places, minlength=len(edges)).tolist()
    ends = [*(edges[1:] - 1).tolist(), max(high, int(edges[-1]) + step - 1)]
    return [
        Bar(max(low, int(edge)), min(high, end), count) for edge, end, count in zip(edges, ends, counts, strict=True)
    ]


def _round(step: int) -> int:
    """The next of 1, 2, 5, 10, 20, 50, ... that is no smaller."""
    size = 1
    while True:
        for digit in (1, 2, 5):
            if digit * size >= step:
                return digit * size
        size *= 10


def bars(counts: Mapping[str, int]) -> list[str]:
    """A line for each name: the name, a bar of `WIDTH` characters at most, how many."""
    most, wide = max(counts.values(), default=0), max(map(len, counts), default=0)
    return [
        f"  {name:>{wide}}  {'#' * -(-count * WIDTH // max(1, most)):<{WIDTH}} {count:>9,}"
        for name, count in counts.items()
    ]


def labels(corpus: Corpus) -> dict[str, dict[str, int]]:
    """Rows of each split by label, the most frequent label first; those without one last, as `(none)`."""
    names = corpus.manifest["label_names"]
    if not names:
        return {}
    counts = {
        split: np.bincount(rows.labels + 1, minlength=len(names) + 1).tolist()
        for split, rows in corpus.splits.items()
        if rows.labels is not None
    }
    totals = np.sum(list(counts.values()), 0)[1:]
    order = [number + 1 for number in np.argsort(-totals, kind="stable").tolist()]
    order += [0] if any(one[0] for one in counts.values()) else []
    named = ["(none)", *names]
    return {named[number]: {split: one[number] for split, one in counts.items()} for number in order}


def shares(rows: Rows, vocab_size: int) -> list[float]:
    """The share of each token among all of a split."""
    counts = np.zeros(vocab_size, np.int64)
    for start in range(0, len(rows.tokens), _STEP):
        counts += np.bincount(rows.tokens[start : start + _STEP], minlength=vocab_size)
    return (counts / max(1, counts.sum())).tolist()


def colour_name(colour: tuple[int, int, int, int]) -> str:
    """A colour as `#rrggbb`, with its alpha behind where it is half transparent; `transparent`."""
    if colour[3] == 0:
        return "transparent"
    return "#" + "".join(f"{part:02x}" for part in (colour[:3] if colour[3] == 255 else colour))


def spread(count: int, wanted: int) -> list[int]:
    """A few row numbers, evenly spread."""
    wanted = max(0, min(count, wanted))
    return [i * count // wanted for i in range(wanted)]


class Contact(NamedTuple):
    """A contact sheet, and the labels of its lines from the top (none where lines have none)."""

    pixels: np.ndarray  # (H, W, 4) uint8
    lines: list[str]


def contact_sheet(corpus: Corpus, count: int) -> Contact:
    """Pictures of train, evenly spread, and the colours of the palette under them.

    With labels, up to 24 of them, each has a line of its own. Raises InputError if the rows are not pictures.
    """
    rows, codec = corpus.rows("train"), corpus.codec
    rows.picture(0)  # refuses what is none
    assert isinstance(codec, Palette)
    used = [] if rows.labels is None else [name for name in labels(corpus) if name in rows.label_names]
    lines: dict[str, list[int]] = {}
    if rows.labels is not None and 1 < len(used) <= _MOST_LABELS:
        each = max(1, min(_COLUMNS, count // len(used)))
        for name in used:
            own = np.flatnonzero(rows.labels == rows.label_names.index(name))
            if len(own):
                lines[name] = [int(own[place]) for place in spread(len(own), each)]
        grid = list(lines.values())
    else:
        every = spread(len(rows), count)
        wide = max(1, round((len(every) * codec.height / codec.width) ** 0.5))
        grid = [every[start : start + wide] for start in range(0, len(every), wide)]
    pictures = _laid([[rows.picture(row) for row in line] for line in grid])
    side = max(3, min(codec.width, codec.height) // 2)
    colours = np.array(codec.colours, np.uint8)
    fit = max(1, (pictures.shape[1] - 1) // (side + 1))
    squares = [np.broadcast_to(colour, (side, side, 4)) for colour in colours]
    swatches = _laid([squares[start : start + fit] for start in range(0, len(squares), fit)])
    wide = max(pictures.shape[1], swatches.shape[1])
    out = np.empty((pictures.shape[0] + swatches.shape[0], wide, 4), np.uint8)
    out[:] = _BETWEEN
    out[: pictures.shape[0], : pictures.shape[1]] = pictures
    out[pictures.shape[0] :, : swatches.shape[1]] = swatches
    return Contact(out, list(lines))


def _laid(lines: list[list[np.ndarray]]) -> np.ndarray:
    """Pictures of one size in lines, a pixel apart and around."""
    height, width = lines[0][0].shape[:2]
    columns = max(map(len, lines))
    out = np.empty((len(lines) * (height + 1) + 1, columns * (width + 1) + 1, 4), np.uint8)
    out[:] = _BETWEEN
    for row, line in enumerate(lines):
        for column, picture in enumerate(line):
            top, left = 1 + row * (height + 1), 1 + column * (width + 1)
            out[top : top + height, left : left + width] = picture
    return out


def png(contact: Contact, scale: int) -> bytes:
    """A contact sheet as a PNG file: pixels `scale` times as large, transparent ones as a board of two light greys."""
    flat = sheet.flat(sheet.enlarged(contact.pixels, scale))
    return sheet.png(np.concatenate([flat, np.full((*flat.shape[:2], 1), 255, np.uint8)], -1))


def to_json(every: list[Bar]) -> list[dict[str, Any]]:
    """The bars of a histogram for JSON."""
    return [bar._asdict() for bar in every]

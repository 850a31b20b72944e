"""Sheets of pictures cut into tiles, whose margin and spacing are guessed where lines of one colour show them; and the
empty edges of pictures trimmed.

A picture is (H, W, 4) uint8, red, green, blue and alpha.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

Size = tuple[int, int]  # height and width in pixels
_WIDEST = 32  # pixels of a margin or spacing that are guessed


class Grid(NamedTuple):
    """The places of tiles on a sheet."""

    margin: int  # pixels before the first tile
    spacing: int  # pixels between two
    rows: int
    columns: int
    scale: int = 1  # by which the sheet is enlarged
    lines: tuple[int, int, int, int] | None = None  # the colour of the lines between the tiles, where they were guessed
    over: bool = False  # whether more than lines is left at the right or below


def grid_of(pixels: np.ndarray, tile: Size, margin: int | None, spacing: int | None) -> Grid:
    """The grid of tiles of this size; where margin or spacing are None, those that lines of one colour show, else 0.

    Lines are taken for a grid where all of them, and none of a tile's own, are of one colour, so that no tile of the
    sheet would be cut by it; and only where cutting without them leaves pixels over, or cuts through what is drawn. A
    sheet on which no grid shows is looked at once more at its own size if it was enlarged.
    """
    plain = _grid(pixels.shape[:2], tile, margin or 0, spacing or 0)
    if margin is not None and spacing is not None:
        return plain
    shown, scale = _shown(pixels, tile, margin, spacing, plain), scale_of(pixels)
    if (shown is None or not shown.spacing) and scale > 1:
        small = pixels[::scale, ::scale]
        if min(small.shape[0] - tile[0], small.shape[1] - tile[1]) >= 0:
            whole = _grid(small.shape[:2], tile, margin or 0, spacing or 0)
            own = _shown(small, tile, margin, spacing, whole)
            if own is not None and (shown is None or own.spacing):
                return own._replace(scale=scale)
            through = any(side % scale for side in tile)  # tiles of the file would cut the squares of its pixels
            if shown is None and through and _divides((small.shape[0], small.shape[1]), tile, whole):
                return whole._replace(scale=scale)
    return plain if shown is None else shown


def cut(pixels: np.ndarray, tile: Size, grid: Grid) -> Iterator[tuple[int, int, np.ndarray]]:
    """(row, column, pixels) of each tile. Where lines of a colour that is not transparent showed the grid, cells of
    that colour at the end are left out."""
    sheet = pixels[:: grid.scale, :: grid.scale]
    (height, width), step = tile, grid.spacing
    cells = [
        (row, column, sheet[top : top + height, left : left + width])
        for row, top in enumerate(grid.margin + np.arange(grid.rows) * (height + step))
        for column, left in enumerate(grid.margin + np.arange(grid.columns) * (width + step))
    ]
    if grid.lines is not None and grid.lines[3]:
        while len(cells) > 1 and (cells[-1][2] == np.array(grid.lines, np.uint8)).all():
            cells.pop()
    yield from cells


def scale_of(pixels: np.ndarray) -> int:
    """The largest number by which a picture is enlarged: all of it is squares of so many pixels. 1 for one colour."""
    height, width = pixels.shape[:2]
    changes = [
        np.flatnonzero((pixels[1:] != pixels[:-1]).any((1, 2))) + 1,
        np.flatnonzero((pixels[:, 1:] != pixels[:, :-1]).any((0, 2))) + 1,
    ]
    return int(np.gcd.reduce(np.concatenate([*changes, [height, width]]))) if sum(map(len, changes)) else 1


def trimmed(pixels: np.ndarray) -> np.ndarray:
    """The picture without the rows and columns at its edges that are empty: transparent, or, of a picture without any
    transparent pixel, of the one colour that its four corners have. One that is empty all over stays as it is."""
    if (pixels[..., 3] > 0).all():
        corners = pixels[[0, 0, -1, -1], [0, -1, 0, -1]]
        drawn = (pixels != corners[0]).any(2) if (corners == corners[0]).all() else np.ones(pixels.shape[:2], bool)
    else:
        drawn = pixels[..., 3] > 0
    down, across = np.flatnonzero(drawn.any(1)), np.flatnonzero(drawn.any(0))
    return pixels[down[0] : down[-1] + 1, across[0] : across[-1] + 1] if len(down) else pixels


# ----------------------------------------------------------------------------------------------- guessing a grid


def _grid(size: Size, tile: Size, margin: int, spacing: int) -> Grid:
    counts = [max(0, (side - margin + spacing) // (own + spacing)) for side, own in zip(size, tile, strict=True)]
    ends = [margin + n * (own + spacing) - spacing for n, own in zip(counts, tile, strict=True)]
    over = any(side - end > max(margin, spacing) for side, end in zip(size, ends, strict=True))
    return Grid(margin, spacing, counts[0], counts[1], over=over)


class _Lines(NamedTuple):
    """The rows, or columns, of a sheet: the colour of each that has but one, as a number; -1 for the others."""

    colours: np.ndarray  # (n,) int64

    @staticmethod
    def of(numbers: np.ndarray) -> _Lines:
        return _Lines(np.where((numbers == numbers[:, :1]).all(1), numbers[:, 0].astype(np.int64), -1))


def _shown(pixels: np.ndarray, tile: Size, margin: int | None, spacing: int | None, plain: Grid) -> Grid | None:
    """The grid that lines of one colour show, or None."""
    numbers = np.where(pixels[..., 3] > 0, np.ascontiguousarray(pixels).view(">u4")[..., 0], 0)
    axes = (_Lines.of(numbers), _Lines.of(numbers.T))
    best: dict[bool, tuple[tuple[int, int], Grid]] = {}  # without and with space between the tiles
    size = (pixels.shape[0], pixels.shape[1])
    for step in range(_WIDEST + 1) if spacing is None else [spacing]:
        for edge in range(_WIDEST + 1) if margin is None else [margin]:
            grid = _grid(size, tile, edge, step)
            if not (edge or step) or grid.over or min(grid.rows, grid.columns) < 1 or grid.rows * grid.columns < 2:
                continue
            last = [
                n - edge - count * (own + step) + step
                for n, own, count in zip(size, tile, (grid.rows, grid.columns), strict=True)
            ]
            uneven = sum(one != edge for one in last)
            colour = _clean(axes, tile, grid)
            inner = [lines.colours[edge] for lines in axes] if uneven else []
            if colour is None or (not step and colour in inner):  # a margin alone is as wide as the lines are
                continue
            rank = (uneven, step + edge)
            if (step > 0) not in best or rank < best[step > 0][0]:
                best[step > 0] = (rank, grid._replace(lines=_parts(colour)))
    if len(best) == 2:  # tiles that touch, unless they would be cut through
        del best[not _through(axes, tile, best[False][1], best[True][1])]
    chosen = next((grid for _, grid in best.values()), None)
    if chosen is None or (_divides(size, tile, plain) and not _through(axes, tile, plain, chosen)):
        return None
    return chosen


def _clean(axes: tuple[_Lines, _Lines], tile: Size, grid: Grid) -> int | None:
    """The one colour of all lines around and between the tiles of a grid; None if they are not of one colour."""
    colours: set[int] = set()
    for lines, own, count in zip(axes, tile, (grid.rows, grid.columns), strict=True):
        between = np.ones(len(lines.colours), bool)
        for number in range(count):
            start = grid.margin + number * (own + grid.spacing)
            between[start : start + own] = False
        colours |= set(lines.colours[between].tolist())
    return colours.pop() if len(colours) == 1 and -1 not in colours else None


def _divides(size: Size, tile: Size, plain: Grid) -> bool:
    """Whether tiles without lines fill the sheet."""
    counts = (plain.rows, plain.columns)
    ends = [plain.margin + n * (own + plain.spacing) - plain.spacing for n, own in zip(counts, tile, strict=True)]
    return all(side == end for side, end in zip(size, ends, strict=True))


def _through(axes: tuple[_Lines, _Lines], tile: Size, plain: Grid, grid: Grid) -> bool:
    """Whether the tiles of the plain grid are cut through what is drawn: somewhere both sides of a cut are, while the
    lines of the other grid are not."""
    assert grid.lines is not None
    line = sum(part << shift for part, shift in zip(grid.lines, (24, 16, 8, 0), strict=True))
    for lines, own, count in zip(axes, tile, (plain.rows, plain.columns), strict=True):
        step = own + plain.spacing
        for cut_at in range(plain.margin + step, plain.margin + count * step, step):
            if (lines.colours[[cut_at - 1 - plain.spacing, cut_at]] != line).all():
                return True
    return False


def _parts(colour: int) -> tuple[int, int, int, int]:
    return colour >> 24 & 255, colour >> 16 & 255, colour >> 8 & 255, colour & 255

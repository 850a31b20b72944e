"""The sprites of a lecture on generation: `pixel_color.txt`, 400 colour numbers on each line, and `colormap.txt`.

H.-y. Lee, Machine Learning (2016), lecture 17: 792 pictures of 20x20 in 167 colours. Give `lecture:FOLDER`, or the path
of the file of pixels with the map beside it. The palette is the map in its order, so tokens are the numbers of the
file. The 792 rows are split as in the homework 4 of Machine Learning 2025 of the same course: rows 0 to 631 are train,
632 to 711 valid, 712 to 791 test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora.codecs import palette
from corpora.errors import InputError, quoted
from corpora.files import quoted_path
from corpora.pictures.colour import lab_of, pack, unpack
from corpora.row import Picture, items_alone
from corpora.settings import Settings, setting
from corpora.sources.text import lines

MODALITY = "picture"
PIXELS, MAP = "pixel_color.txt", "colormap.txt"
SIDE = 20
_ROWS, _VALID, _TEST = 792, 632, 712
_DARK = 30  # lightness L* of outlines at most
_UNLIKE = 12.0  # mean difference, of 255, that may be between the channels of a row and the centre of its original


@dataclass(frozen=True)
class Config(Settings):
    """Settings of the sprites of the lecture."""

    repair: bool = setting(False, "make coloured backgrounds white: those of seven of the sprites, left from a mistake")
    originals: str | None = setting(
        None, "folder or .npz of the larger sprites that these are the centres of: with shift, views see beyond the cut"
    )


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    if address.startswith("lecture:"):
        return True
    path = Path(address)
    if path.is_dir():
        return (path / PIXELS).is_file() and (path / MAP).is_file()
    return path.name.startswith("pixel_color") and path.suffix == ".txt" and (path.parent / MAP).is_file()


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The file of pixels and the map. Raises InputError unless there is one of each."""
    path = Path(inputs[0].removeprefix("lecture:")) if len(inputs) == 1 else None
    if path is None:
        raise InputError(f"the lecture source reads one folder, or one file of pixels, not {len(inputs)}")
    pixels = path / PIXELS if path.is_dir() else path
    for file in (pixels, pixels.parent / MAP):
        if not file.is_file():
            raise InputError(f"{quoted_path(file)}: no such file: the lecture source needs {PIXELS} and {MAP}")
    return [pixels, pixels.parent / MAP]


def colours(inputs: Sequence[str]) -> list[tuple[int, int, int]]:
    """The colours of the map, in its order. Raises InputError if several inputs have different ones."""
    maps = [palette.read_palette(files_of([address])[1]) for address in inputs]
    if any(one != maps[0] for one in maps):
        raise InputError("the inputs have different colour maps: build a corpus of each")
    return maps[0]


def about(inputs: Sequence[str]) -> dict[str, list[tuple[int, int, int]]]:
    """The colours of the map, for the palette."""
    return {"colours": colours(inputs)}


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture]:
    """The pictures in the order of the file, with their split if there are 792.

    Raises InputError naming the line for a row that has not 400 numbers, or one the map does not have.
    """
    pixels, _ = files_of(inputs)
    table = np.array([(*colour, 255) for colour in colours(inputs)], np.uint8)
    white = next(iter(np.flatnonzero((table == 255).all(1))), None)
    if config.repair and white is None:
        raise InputError(f"{quoted_path(pixels.parent / MAP)}: repair=true needs white (255 255 255) among the colours")
    rows = []
    for number, (line, _) in enumerate(lines(str(pixels), "strict"), 1):
        if line.strip():
            rows.append(_row(line, f"{quoted_path(pixels)}: line {number}", len(table)))
    if not rows:
        raise InputError(f"{quoted_path(pixels)}: the file is empty")
    wholes = None if config.originals is None else _originals(config.originals, table)
    for number, row in enumerate(rows):
        done: tuple[str, ...] = ()
        if config.repair:
            repaired = _repaired(row, int(white or 0), table)
            done = () if (repaired == row).all() else ("got a white background",)
            row = repaired
        place = "train" if number < _VALID else "valid" if number < _TEST else "test"
        within = None if wholes is None else _within(row, wholes, table, number)
        split = place if len(rows) == _ROWS else None
        yield Picture(table[row], None, f"{quoted_path(pixels)}, row {number}", split, done, within)


def _originals(address: str, table: np.ndarray) -> np.ndarray:
    """The larger sprites in the colours of the map, (N, H, W) numbers; what is transparent is white."""
    from corpora.sources import arrays, images

    source = arrays if arrays.accepts(address) else images
    larger = [picture.pixels for picture in items_alone(source.read([address], source.Config()))]
    where = f"originals={quoted_path(address)}"
    if len({one.shape for one in larger}) > 1 or min(larger[0].shape[:2]) < SIDE:
        raise InputError(f"{where}: expected pictures of one size, at least {SIDE}x{SIDE}")
    flat = np.stack(larger).reshape(-1, 4).copy()
    flat[flat[:, 3] < 128] = 255
    colours, places = np.unique(pack(flat), return_inverse=True)
    apart = np.abs(unpack(colours).astype(np.int64)[:, None] - table[None, :, :3]).sum(2)  # as the map was made
    return apart.argmin(1)[places].reshape(len(larger), *larger[0].shape[:2])


def _within(row: np.ndarray, wholes: np.ndarray, table: np.ndarray, number: int) -> tuple[np.ndarray, int, int]:
    """The original whose centre is this row, with the row itself in its place."""
    top, left = ((side - SIDE) // 2 for side in wholes.shape[1:])
    centre = (slice(top, top + SIDE), slice(left, left + SIDE))
    apart = np.abs(table[:, None, :3].astype(np.int64) - table[None, :, :3]).mean(2)  # of each colour and each
    unlike = apart[wholes[:, *centre], row].mean((1, 2))
    nearest = int(unlike.argmin())
    if unlike[nearest] > _UNLIKE:
        raise InputError(f"originals: no picture has row {number} of the pixels in its centre")
    whole = wholes[nearest].copy()
    whole[centre] = row
    return table[whole], top, left


def _row(line: str, where: str, count: int) -> np.ndarray:
    """The numbers of a line: (20, 20)."""
    parts = line.split()
    if len(parts) != SIDE * SIDE:
        raise InputError(f"{where}: {len(parts):,} numbers, expected {SIDE * SIDE} ({SIDE}x{SIDE} pixels)")
    for part in parts:
        if not (part.isascii() and part.isdigit() and len(part) < 6 and int(part) < count):
            raise InputError(f"{where}: {quoted(part, 20)}: expected the number of a colour, 0 to {count - 1}")
    return np.array(parts, np.int64).reshape(SIDE, SIDE)


def _repaired(row: np.ndarray, white: int, table: np.ndarray) -> np.ndarray:
    """The picture with its background white, if that is of another colour.

    Such a background is the one region of a colour that reaches the edge, spans half of the picture and makes up most
    of the rim of its own rectangle (0.68 or more in the seven; in no other picture more than 0.29). If it is as dark
    as the outlines of the sprites, the outline has run together with it: what touches the sprite is then kept as one.
    """
    from scipy.ndimage import binary_dilation, label

    for colour in np.unique(row[row != white]):
        regions, _ = label(row == colour)
        edge = np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]])
        background = np.isin(regions, edge[edge > 0])
        if not background.any():
            continue
        down, across = (np.flatnonzero(background.any(axis)) for axis in (1, 0))
        box = background[down[0] : down[-1] + 1, across[0] : across[-1] + 1]
        rim = np.concatenate([box[0], box[-1], box[1:-1, 0], box[1:-1, -1]])
        if box.size < row.size // 2 or rim.mean() < 0.5:
            continue
        if lab_of(table[colour, :3])[0] < _DARK:
            background &= ~binary_dilation((row != colour) & (row != white))
        out = row.copy()
        out[background] = white
        return out
    return row

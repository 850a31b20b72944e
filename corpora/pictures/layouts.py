"""Sheets that say where their pictures lie: by a text in the PNG file, as `imagegen` writes it, or by a file of JSON
beside it in the layout of Aseprite, which TexturePacker and others write too.

Aseprite: `{"frames": [{"filename": ..., "frame": {"x", "y", "w", "h"}, "rotated", "trimmed", "spriteSourceSize",
"sourceSize"}], "meta": {"image": "x.png"}}`, or the frames as an object by their names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from corpora import files
from corpora.errors import InputError
from corpora.folder import KINDS
from corpora.pictures import sheet
from corpora.pictures.decoding import Frame
from corpora.row import Picture

_LARGEST = 32 << 20  # bytes of a file of JSON


class Cell(NamedTuple):
    """The place of a picture on a sheet, in pixels of the file."""

    name: str
    top: int
    left: int
    height: int
    width: int
    scale: int = 1  # by which the sheet is enlarged
    rotated: bool = False  # a quarter turn clockwise on the sheet
    whole: tuple[int, int, int, int] | None = None  # top, left, height, width in the picture before it was trimmed
    source: str = ""  # where the layout is from, for notes


def is_of_picture(path: Path) -> bool:
    """Whether a file is the layout of a sheet beside it."""
    return path.suffix.lower() == ".json" and any(
        sibling.exists() and _stored(path, sibling.name) is not None
        for sibling in (path.with_suffix(ending) for ending in KINDS["picture"])
    )


def of(path: Path, frame: Frame) -> list[Cell] | None:
    """The places of the pictures on a sheet, or None where nothing says them.

    Raises InputError for a layout that leads beyond the picture.
    """
    if frame.tiles is not None:
        return _own(frame.tiles)
    beside = path.with_suffix(".json")
    stored = _stored(beside, path.name) if beside.is_file() else None
    if stored is None:
        return None
    height, width = frame.pixels.shape[:2]
    cells = [_cell(name, entry, f"{beside.name} beside them") for name, entry in stored]
    for cell in cells:
        size = (cell.width, cell.height) if cell.rotated else (cell.height, cell.width)
        beyond = cell.top < 0 or cell.left < 0 or cell.top + size[0] > height or cell.left + size[1] > width
        if beyond or min(size) < 1:
            raise InputError(
                f"{files.quoted_path(beside)}: {cell.name} lies outside of the sheet of {height}x{width}: export both "
                "again, or take sheets=false"
            )
    return cells


def cut(picture: Picture, cells: Sequence[Cell]) -> Iterator[Picture]:
    """The pictures on a sheet."""
    for number, cell in enumerate(cells):
        size = (cell.width, cell.height) if cell.rotated else (cell.height, cell.width)
        middle = cell.scale // 2
        pixels = picture.pixels[cell.top : cell.top + size[0], cell.left : cell.left + size[1]]
        pixels = pixels[middle :: cell.scale, middle :: cell.scale]
        if cell.rotated:
            pixels = np.rot90(pixels)
        if cell.whole is not None:
            top, left, height, width = cell.whole
            trimmed, pixels = pixels, np.zeros((height, width, 4), np.uint8)
            pixels[top : top + trimmed.shape[0], left : left + trimmed.shape[1]] = trimmed
        done = (*picture.done, f"cut from a sheet as {cell.source} says")
        yield picture._replace(pixels=np.ascontiguousarray(pixels), name=f"{picture.name}, picture {number}", done=done)


def _own(tiles: sheet.Tiles) -> list[Cell]:
    """The places of the pictures on a sheet that says them itself."""
    corners = (tiles.corner(number) for number in range(tiles.total))
    scale, size = tiles.scale, (tiles.height * tiles.scale, tiles.width * tiles.scale)
    return [Cell("", scale * top, scale * left, *size, scale, source="its own file") for top, left in corners]


def _stored(path: Path, image: str) -> tuple[tuple[str, Mapping[str, Any]], ...] | None:
    """(name, entry) of each frame of a layout that is for this picture; None where the file is something else."""
    try:
        value = files.from_json(files.read_bytes(path, _LARGEST), path)
    except InputError:
        return None
    frames, meta = value.get("frames"), value.get("meta")
    named = meta.get("image") if isinstance(meta, dict) else None
    if isinstance(named, str) and named.replace("\\", "/").rpartition("/")[2] != image:
        return None
    if isinstance(frames, dict):
        entries = list(frames.items())
    elif isinstance(frames, list):
        entries = [(one.get("filename", "") if isinstance(one, dict) else "", one) for one in frames]
    else:
        return None
    return tuple(entries) if entries and all(_is_frame(one) for _, one in entries) else None


def _is_frame(entry: Any) -> bool:
    return isinstance(entry, dict) and _box(entry.get("frame")) is not None


def _box(value: Any) -> tuple[int, int, int, int] | None:
    """Top, left, height and width of `{"x", "y", "w", "h"}`; None for anything else."""
    if not isinstance(value, dict):
        return None
    sides = tuple(value.get(key) for key in ("y", "x", "h", "w"))
    whole = all(type(side) is int or (type(side) is float and side.is_integer()) for side in sides)
    return (int(sides[0]), int(sides[1]), int(sides[2]), int(sides[3])) if whole else None  # type: ignore[arg-type]


def _cell(name: str, entry: Mapping[str, Any], source: str) -> Cell:
    top, left, height, width = _box(entry["frame"]) or (0, 0, 0, 0)
    inside, size = _box(entry.get("spriteSourceSize")), entry.get("sourceSize")
    outer = _box({"x": 0, "y": 0, **size}) if isinstance(size, dict) else None
    whole = None
    if inside is not None and outer is not None and outer[2:] != (height, width):
        fits = inside[0] >= 0 and inside[1] >= 0 and inside[0] + height <= outer[2] and inside[1] + width <= outer[3]
        whole = (*inside[:2], *outer[2:]) if fits and max(outer[2:]) <= 1 << 13 else None
    return Cell(str(name), top, left, height, width, rotated=entry.get("rotated") is True, whole=whole, source=source)

"""Indexed pictures for other programs: PNG and GIF whose colour table is a palette in its order, and sheets with JSON.

A game engine or a painting program that opens such a file finds the colours of the model under the numbers of its
tokens, and the transparent one as such. A file holds 256 colours; with more, `png` writes full colour, `gif` refuses.
"""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np

from corpora.codecs.palette import OPAQUE
from corpora.errors import InputError
from corpora.pictures.sheet import TILES, Tiles, enlarged

MOST = 256  # colours of an indexed file
_LONGEST = 65_535  # pixels of a GIF's side, and hundredths of a second
Colour = tuple[int, ...]


def indices(pictures: Sequence[np.ndarray], colours: Sequence[Sequence[int]]) -> tuple[list[np.ndarray], list[Colour]]:
    """Pictures (H, W, 4) as numbers of their colours, (H, W) int64 each, and the colours: those listed, in their order
    and all of them, then those that the pictures show besides."""
    table = {tuple(map(int, colour)): number for number, colour in reversed([*enumerate(colours)])}
    known = [tuple(map(int, colour)) for colour in colours]
    numbered = []
    for picture in pictures:
        flat = np.ascontiguousarray(picture).reshape(-1, 4)
        different, places = np.unique(flat, axis=0, return_inverse=True)
        for colour in map(tuple, different.tolist()):
            if colour not in table:
                table[colour] = len(known)
                known.append(colour)
        numbers = np.array([table[colour] for colour in map(tuple, different.tolist())], np.int64)
        numbered.append(numbers[places.reshape(picture.shape[:2])])
    return numbered, known


def png(picture: np.ndarray, colours: Sequence[Sequence[int]], scale: int = 1, tiles: Tiles | None = None) -> bytes:
    """A picture (H, W, 4) as an indexed PNG with these colours in their order, and others that it shows behind them.

    With more than 256 the file is full colour (RGBA). `tiles`: where the pictures lie if it is a sheet, as for
    `corpora.pictures.sheet.png`.
    """
    from PIL import Image, PngImagePlugin

    (numbers,), table = indices([picture], colours)
    out, text = io.BytesIO(), PngImagePlugin.PngInfo()
    if tiles is not None:
        text.add_text(TILES, tiles._replace(scale=scale).to_json())
    if len(table) > MOST:
        Image.fromarray(enlarged(picture, scale), "RGBA").save(out, "PNG", optimize=True, pnginfo=text)
        return out.getvalue()
    image = Image.fromarray(enlarged(numbers.astype(np.uint8), scale), "P")
    image.putpalette([part for colour in table for part in colour[:3]])
    alphas = bytes(colour[3] for colour in table)
    clear: dict[str, Any] = {"transparency": alphas} if min(alphas) < 255 else {}
    image.save(out, "PNG", optimize=True, pnginfo=text, **clear)
    return out.getvalue()


def gif(
    frames: Sequence[np.ndarray], colours: Sequence[Sequence[int]], scale: int = 1, seconds: Sequence[float] = (0.1,)
) -> bytes:
    """Frames (H, W, 4) as a GIF that repeats without end: each whole, in one colour table, as for `png`.

    `seconds` says how long each is shown; the last number holds for all further ones. A GIF pixel is opaque or not: it
    is transparent below an alpha of 128. Raises InputError for no frame, and for more than 256 colours.
    """
    if not len(frames):
        raise InputError("there is no frame to show")
    numbered, table = indices(frames, colours)
    if len(table) > MOST:
        raise InputError(f"{len(table):,} colours: a GIF holds {MOST}; write .webp, or build with colours={MOST - 1}")
    clear = [number for number, colour in enumerate(table) if colour[3] < OPAQUE]
    height, width = frames[0].shape[0] * scale, frames[0].shape[1] * scale
    if max(height, width) > _LONGEST:
        raise InputError(f"{height} x {width} pixels: a GIF has at most {_LONGEST:,} on a side; choose a smaller scale")
    bits = max(1, math.ceil(math.log2(len(table))))
    colour_table = b"".join(bytes(colour[:3]) for colour in table).ljust(3 << bits, b"\0")
    head = struct.pack("<6sHHBBB", b"GIF89a", width, height, 0xF0 | (bits - 1), clear[0] if clear else 0, 0)
    parts = [head, colour_table, b"\x21\xff\x0bNETSCAPE2.0\x03\x01\x00\x00\x00"]
    for number, frame in enumerate(numbered):
        frame = np.where(np.isin(frame, clear), clear[0], frame) if clear else frame
        time = min(_LONGEST, max(1, round(100 * seconds[min(number, len(seconds) - 1)])))
        disposal = 2 if clear else 1  # back to transparent, or left as it is
        control = struct.pack("<BHBB", disposal << 2 | bool(clear), time, clear[0] if clear else 0, 0)
        parts += [b"\x21\xf9\x04", control, struct.pack("<BHHHHB", 0x2C, 0, 0, width, height, 0)]
        parts.append(_packed(enlarged(frame.astype(np.uint8), scale)))
    return b"".join([*parts, b"\x3b"])


def _packed(numbers: np.ndarray) -> bytes:
    """The image data of a GIF frame, packed by Pillow; its own writer of animations merges frames that are equal."""
    from PIL import Image

    out = io.BytesIO()
    image = Image.fromarray(np.ascontiguousarray(numbers), "P")
    image.putpalette([number // 3 for number in range(3 * MOST)])
    image.save(out, "GIF", optimize=False, interlace=0)
    data = out.getvalue()
    place = 13 + (3 << (data[10] & 7) + 1)
    while data[place] == 0x21:  # an extension: its blocks, each behind its length
        place += 2
        while data[place]:
            place += data[place] + 1
        place += 1
    place += 10 + ((3 << (data[place + 9] & 7) + 1) if data[place + 9] & 0x80 else 0)
    return data[place:-1]


# ------------------------------------------------------------------------------------------------------- sheets


def columns_of(count: int) -> int:
    """Pictures in a row of a sheet of so many: near a square, and so that all cells are filled where that can be."""
    square = math.ceil(math.sqrt(count))
    return next((columns for columns in range(square, 2 * square + 1) if count % columns == 0), square)


def gapless(pictures: Sequence[np.ndarray], columns: int) -> np.ndarray:
    """Pictures of one size (H, W, 4) as one without gaps, row after row; transparent after the last."""
    height, width = pictures[0].shape[:2]
    rows = -(-len(pictures) // columns)
    page = np.zeros((rows * height, columns * width, 4), np.uint8)
    for number, picture in enumerate(pictures):
        row, column = divmod(number, columns)
        page[row * height : (row + 1) * height, column * width : (column + 1) * width] = picture
    return page


def frames_of(names: Sequence[str], tiles: Tiles, image: str, format: str, milliseconds: int = 100) -> str:
    """The JSON beside a sheet, in Aseprite's layout (`--format json-array`): the rectangle of each picture."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        release = version("stroll")
    except PackageNotFoundError:
        release = "0"
    size = {"w": tiles.width, "h": tiles.height}
    frames = []
    for number, name in enumerate(names):
        top, left = tiles.corner(number)
        whole = {"rotated": False, "trimmed": False, "spriteSourceSize": {"x": 0, "y": 0, **size}, "sourceSize": size}
        frames.append({"filename": name, "frame": {"x": left, "y": top, **size}, **whole, "duration": milliseconds})
    height, width = tiles.size
    meta = {"app": "stroll", "version": release, "image": image, "format": format, "size": {"w": width, "h": height}}
    return json.dumps({"frames": frames, "meta": meta | {"scale": "1"}}, ensure_ascii=False, indent=1) + "\n"

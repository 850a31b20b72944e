"""Pictures for people: grids and strips as PNG, changes as GIF, and a preview in the terminal.

A picture is an array (H, W, 4) of uint8, red, green, blue and opacity.
"""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from corpora import files
from corpora.errors import InputError

GAP = 1  # pixels of the original size between two pictures of a grid
TILES = "stroll-sheet"  # the name under which a PNG file says where the pictures of a sheet lie
SMALLEST = 96  # screen pixels that the longer side of a picture is enlarged to at least
_PAPER = np.array([255, 255, 255, 255], np.uint8)
_GREYS = (np.array([235, 235, 235], np.uint8), np.array([250, 250, 250], np.uint8))


def enlarged(picture: np.ndarray, scale: int) -> np.ndarray:
    """Every pixel as a square of `scale` by `scale`. (H, W, 4) -> (scale H, scale W, 4)"""
    return picture.repeat(scale, 0).repeat(scale, 1)


def scale_for(height: int, width: int) -> int:
    """The factor by which pictures of this size are enlarged, so that a person sees their pixels."""
    return max(1, math.ceil(SMALLEST / max(height, width)))


def flat(picture: np.ndarray) -> np.ndarray:
    """The picture without transparency: over a board of two light greys, 4 pixels a square. (H, W, 4) -> (H, W, 3)"""
    height, width = picture.shape[:2]
    squares = (np.arange(height)[:, None] // 4 + np.arange(width) // 4) % 2
    board = np.where(squares[..., None] == 0, *_GREYS).astype(np.float64)
    cover = picture[..., 3:].astype(np.float64) / 255
    return (picture[..., :3] * cover + board * (1 - cover)).round().astype(np.uint8)


class Tiles(NamedTuple):
    """The places of the pictures on a sheet, in pixels of their own size. A PNG file carries this, so that a build
    reads the same pictures back."""

    height: int  # of each picture
    width: int
    columns: int
    total: int  # pictures
    margin: int = GAP  # around all of them
    spacing: int = GAP  # between two
    scale: int = 1  # by which the file is enlarged

    def corner(self, number: int) -> tuple[int, int]:
        """The first row and column of a picture on a sheet that is not enlarged."""
        row, column = divmod(number, self.columns)
        return self.margin + row * (self.height + self.spacing), self.margin + column * (self.width + self.spacing)

    def to_json(self) -> str:
        """As a PNG file carries it: `{"tile": [H, W], "columns": ..., "count": ...}`."""
        own = {"columns": self.columns, "count": self.total, "margin": self.margin, "spacing": self.spacing}
        return json.dumps({"tile": [self.height, self.width], **own, "scale": self.scale})

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of a sheet that is not enlarged."""
        rows = -(-self.total // self.columns)
        sides = (rows, self.height), (self.columns, self.width)
        down, across = (2 * self.margin + n * side + (n - 1) * self.spacing for n, side in sides)
        return down, across


def layout(pictures: Sequence[np.ndarray], columns: int | None = None, gap: int = GAP) -> Tiles:
    """The places of pictures of one size on the sheet that `grid` makes of them.

    Raises InputError for none, or for several sizes.
    """
    if not len(pictures):
        raise InputError("there is no picture to show")
    height, width = pictures[0].shape[:2]
    if any(picture.shape != pictures[0].shape for picture in pictures):
        raise InputError("pictures of several sizes do not fit into one grid")
    columns = min(len(pictures), columns or math.ceil(math.sqrt(len(pictures))))
    return Tiles(height, width, columns, len(pictures), gap, gap)


def grid(pictures: Sequence[np.ndarray], columns: int | None = None, gap: int = GAP) -> np.ndarray:
    """Pictures of one size side by side, row after row, on white. Raises InputError for none, or for several sizes."""
    tiles = layout(pictures, columns, gap)
    sheet = np.empty((*tiles.size, 4), np.uint8)
    sheet[:] = _PAPER
    for number, picture in enumerate(pictures):
        down, right = tiles.corner(number)
        sheet[down : down + tiles.height, right : right + tiles.width] = picture
    return sheet


def png(picture: np.ndarray, scale: int = 1, tiles: Tiles | None = None) -> bytes:
    """The picture as a PNG file. `tiles`: where the pictures lie on it if it is a sheet, so that a build can cut it."""
    from PIL import Image, PngImagePlugin

    out, about = io.BytesIO(), PngImagePlugin.PngInfo()
    if tiles is not None:
        about.add_text(TILES, tiles._replace(scale=scale).to_json())
    Image.fromarray(enlarged(picture, scale), "RGBA").save(out, "PNG", optimize=True, pnginfo=about)
    return out.getvalue()


def tiles_of(text: object, size: tuple[int, int]) -> Tiles | None:
    """The places of the pictures, as a PNG file of height and width `size` carries them; None if it does not, or if the
    picture was changed since, so that they cannot be right."""
    try:
        stored = json.loads(str(text))
        height, width = stored["tile"]
        own = (stored[key] for key in ("columns", "count", "margin", "spacing", "scale"))
        tiles = Tiles(height, width, *own)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    if not all(type(value) is int and 0 <= value <= 1 << 20 for value in tiles):
        return None
    if min(tiles.height, tiles.width, tiles.columns, tiles.total, tiles.scale) < 1:
        return None
    return tiles if tuple(side * tiles.scale for side in tiles.size) == size else None


def gif(frames: Sequence[np.ndarray], scale: int = 1, seconds: float = 0.1, pause: float = 1.0) -> bytes:
    """Frames as an animated GIF without end, over a board of grey; the last one stays for `pause` seconds.

    A GIF has 256 colours at most: all frames share the palette of the last one, exact where it has no more.
    """
    from PIL import Image

    if not len(frames):
        raise InputError("there is no frame to show")
    images = [Image.fromarray(enlarged(np.ascontiguousarray(flat(frame)), scale), "RGB") for frame in frames]
    times = [round(1000 * seconds)] * (len(images) - 1) + [round(1000 * (pause if len(images) > 1 else seconds))]
    out = io.BytesIO()
    images[0].save(out, "GIF", save_all=True, append_images=images[1:], duration=times, loop=0, disposal=1)
    return out.getvalue()


PICTURES = {".png": "PNG", ".gif": "GIF", ".jpg": "JPEG", ".jpeg": "JPEG", ".webp": "WEBP"}
ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}


def format_of(path: str | Path, formats: Mapping[str, str] = PICTURES) -> str:
    """The format that a file's name asks for; without an ending the first. Raises InputError for an unknown one."""
    ending = Path(path).suffix.lower()
    if ending and ending not in formats:
        what = "an animation" if formats is ANIMATIONS else "a picture"
        raise InputError(f"{path}: {what} can be written as {', '.join(formats)}: choose another ending")
    return formats[ending] if ending else next(iter(formats.values()))


def encoded(path: str | Path, picture: np.ndarray, scale: int = 1, tiles: Tiles | None = None) -> bytes:
    """The picture in the format that the file's name asks for. GIF and JPEG have no half opacity: over a board of grey;
    JPEG blurs the edges of pixels. `tiles` as for `png`, which alone can carry them."""
    from PIL import Image

    kind = format_of(path)
    if kind == "PNG":
        return png(picture, scale, tiles)
    if kind == "GIF":
        return gif([picture], scale)
    out, large = io.BytesIO(), enlarged(picture, scale)
    if kind == "JPEG":
        Image.fromarray(flat(large), "RGB").save(out, kind, quality=95, subsampling=0)
    else:
        Image.fromarray(large, "RGBA").save(out, kind, lossless=True)
    return out.getvalue()


def animated(
    path: str | Path, frames: Sequence[np.ndarray], scale: int = 1, seconds: float = 0.1, pause: float = 1.0
) -> bytes:
    """Frames as an animation without end, in the format that the file's name asks for; the last stays for `pause`."""
    from PIL import Image

    if format_of(path, ANIMATIONS) == "GIF":
        return gif(frames, scale, seconds, pause)
    images = [Image.fromarray(enlarged(frame, scale), "RGBA") for frame in frames]
    times, out = [round(1000 * seconds)] * (len(images) - 1) + [round(1000 * pause)], io.BytesIO()
    images[0].save(out, "WEBP", save_all=True, append_images=images[1:], duration=times, loop=0, lossless=True)
    return out.getvalue()


def write(path: str | Path, data: bytes) -> Path:
    """Write a picture file whole or not at all. Raises InputError where it cannot be written."""
    path = Path(path)
    with files.explained(path):
        files.replace_file(path, data)
    return path


def preview(picture: np.ndarray, columns: int | None = None) -> str:
    """The picture in the terminal: two pixels a character, the upper one its foreground (24-bit colours).

    One that is wider than `columns` characters is shrunk: of several pixels that share a place one is shown.
    """
    colours = flat(picture)
    height, width = colours.shape[:2]
    if columns is not None and width > columns:
        rows = np.arange(max(1, height * columns // width)) * width // columns
        colours = colours[rows][:, np.arange(columns) * width // columns]
    if len(colours) % 2:
        colours = np.concatenate([colours, np.full_like(colours[:1], 255)])
    lines = []
    for upper, lower in zip(colours[::2].tolist(), colours[1::2].tolist(), strict=True):
        cells = (
            f"\x1b[38;2;{a[0]};{a[1]};{a[2]};48;2;{b[0]};{b[1]};{b[2]}m\u2580"
            for a, b in zip(upper, lower, strict=True)
        )
        lines.append("".join(cells) + "\x1b[0m")
    return "\n".join(lines)

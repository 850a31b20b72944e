"""Results of verbs on pictures: a grid for people, an animation, and files for other programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from corpora import files
from corpora.errors import InputError
from corpora.pictures import sheet
from imagegen.pictures import indexed

MARK = (214, 40, 90, 255)  # of the frame around the picture of its own values
_FRAME = 0.5  # seconds of each picture of an animation


@dataclass(frozen=True)
class Drawing:
    """Pictures of one size side by side, with a line about them and the figures behind it."""

    pictures: list[np.ndarray]  # (H, W, 4) each
    columns: int | None
    text: str
    facts: dict[str, Any]
    sheet: np.ndarray | None = None  # a grid of its own, in place of the pictures side by side
    colours: Sequence[Sequence[int]] = ()  # of the model's palette, (red, green, blue, alpha) each
    single: Mapping[str, np.ndarray] = field(default_factory=dict)  # names of files, and a picture for each
    frames: Sequence[np.ndarray] = ()  # of the animation
    marked: Sequence[int] = ()  # pictures with a frame around them, by number

    @property
    def grid(self) -> np.ndarray:
        """All pictures as one, (rows, columns, 4)."""
        if self.sheet is not None:
            return self.sheet
        page = sheet.grid(self.pictures, columns=self.columns)
        tiles = sheet.layout(self.pictures, self.columns)
        for number in self.marked:
            top, left = tiles.corner(number)
            bottom, right = top + tiles.height + 1, left + tiles.width + 1
            page[[top - 1, bottom - 1], left - 1 : right] = MARK
            page[top - 1 : bottom, [left - 1, right - 1]] = MARK
        return page

    @property
    def scale(self) -> int:
        """The factor by which pixels are enlarged so that a person sees them."""
        return sheet.scale_for(*self.pictures[0].shape[:2])

    def save(self, path: str | Path, scale: int | None = None) -> Path:
        """Write a picture in the format that the name says: PNG, JPEG or WebP of the grid; GIF of the pictures, one
        after the other. A PNG keeps the palette of the model, and says where its pictures lie."""
        scale, kind = scale or self.scale, sheet.format_of(path)
        if kind == "GIF" and self.frames:
            return sheet.write(path, _gif(path, self.frames, self.colours, scale, _FRAME, _FRAME))
        if kind != "PNG":
            return sheet.write(path, sheet.encoded(path, self.grid, scale))
        tiles = sheet.layout(self.pictures, self.columns) if self.sheet is None else None
        return sheet.write(path, indexed.png(self.grid, self.colours, scale, tiles))

    def save_animation(self, path: str | Path, scale: int | None = None) -> Path:
        """Write the pictures one after the other, there and back, as GIF or WebP."""
        frames = [*self.pictures, *self.pictures[-2:0:-1]]
        return sheet.write(path, _animated(path, frames, self.colours, scale or self.scale, 0.15, 0.15))

    def save_pictures(self, folder: str | Path, *, force: bool = False) -> list[str]:
        """Write each picture to a file of its own at true size: an indexed PNG, in the model's palette in its order.

        Returns the names. Raises InputError for a folder that holds something, unless `force` lets files of the same
        names be replaced, and where there is nothing to write.
        """
        folder = new_pictures(folder, force)
        single = self._single()
        if folder.is_dir() and any(folder.iterdir()):
            for name, picture in single.items():
                sheet.write(folder / name, indexed.png(picture, self.colours))
            return list(single)
        with files.explained(folder):
            if folder.is_dir():
                folder.rmdir()
        with files.new_folder(folder) as unfinished:
            for name, picture in single.items():
                files.write_file(unfinished / name, indexed.png(picture, self.colours))
        return list(single)

    def save_sheet(self, path: str | Path) -> Path:
        """Write the pictures without gaps at true size as one indexed PNG, and beside it a JSON file, in Aseprite's
        layout, that says where each lies."""
        path, single = Path(path), self._single()
        columns = self.columns if self.columns and len(single) == len(self.pictures) else None
        pictures = list(single.values())
        tiles = sheet.layout(pictures, columns or indexed.columns_of(len(single)), gap=0)
        data = indexed.png(indexed.gapless(pictures, tiles.columns), self.colours, tiles=tiles)
        kind = "I8" if data[25] == 3 else "RGBA8888"  # the colour type of the PNG's head
        about = indexed.frames_of(list(single), tiles, path.name, kind)
        sheet.write(path, data)
        sheet.write(path.with_suffix(".json"), about.encode())
        return path

    def _single(self) -> Mapping[str, np.ndarray]:
        if not self.single:
            raise InputError("there is no picture by itself here: leave out --out-dir and --sheet")
        return self.single

    def to_dict(self) -> dict[str, Any]:
        return self.facts

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Animation:
    """Frames, (H, W, 4) each, with the figures behind them."""

    frames: list[np.ndarray]
    scale: int
    facts: dict[str, Any]
    colours: Sequence[Sequence[int]] = ()

    def save(self, path: str | Path, scale: int | None = None) -> Path:
        """Write them as GIF or WebP, as the name says."""
        return sheet.write(path, sheet.animated(path, self.frames, scale or self.scale, seconds=0.04, pause=2))

    def to_dict(self) -> dict[str, Any]:
        return self.facts

    def __str__(self) -> str:
        return f"{len(self.frames)} frames"


def new_pictures(folder: str | Path, force: bool = False) -> Path:
    """A folder to write pictures into. Raises InputError for a file, and for a folder that holds something, unless
    `force`."""
    folder = Path(folder)
    with files.explained(folder):
        if folder.is_dir() and any(folder.iterdir()) and not force:
            raise InputError(f"{folder} holds files already: choose another --out-dir, or give --force to write in it")
        if not folder.is_dir() and (folder.exists() or folder.is_symlink()):
            raise InputError(f"{folder} is no folder: choose another --out-dir")
    return folder


def _animated(
    path: str | Path, frames: Sequence[np.ndarray], colours: Sequence[Sequence[int]], scale: int, seconds: float,
    pause: float,
) -> bytes:  # fmt: skip
    if sheet.format_of(path, sheet.ANIMATIONS) == "GIF":
        return _gif(path, frames, colours, scale, seconds, pause)
    return sheet.animated(path, frames, scale, seconds=seconds, pause=pause)


def _gif(
    path: str | Path, frames: Sequence[np.ndarray], colours: Sequence[Sequence[int]], scale: int, seconds: float,
    pause: float,
) -> bytes:  # fmt: skip
    """Frames as an indexed GIF in the palette's order; with more than 256 colours in those that suit best."""
    if len(indexed.indices(frames, colours)[1]) > indexed.MOST:
        return sheet.animated(path, frames, scale, seconds=seconds, pause=pause)
    times = [seconds] * (len(frames) - 1) + [pause]
    return indexed.gif(frames, colours, scale, times)

"""Any picture brought to any size: cut, padded or resized; by area where it looks like a photograph.

    fitting.fit(pixels, (24, 24), "resize", name="cat.jpg").pixels  # (24, 24, 4)

A picture is (H, W, 4) uint8: red, green, blue and alpha, not premultiplied.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from corpora.errors import InputError, choose
from corpora.pictures.colour import pack

Size = tuple[int, int]  # height and width in pixels
WAYS = ("crop", "pad", "resize", "area", "nearest")
_MANY = 256  # pixel art has no more colours
_SOME = 64  # with more, a picture is a photograph if it is grey, or if a quarter of its pixels has a colour of its own
_CHANGES = {"crop": "cropped to", "pad": "padded to", "area": "resized by area to", "nearest": "resized to"}
_REASONS = {
    "area": ", as photographs, of many colours",
    "nearest": " by the nearest pixel, as pixel art, of few colours",
}


class Fitted(NamedTuple):
    """A picture in the size that was wanted."""

    pixels: np.ndarray  # (H, W, 4) uint8
    change: str = ""  # what was done, as a phrase: `cropped to 16x16`; empty if nothing was
    corner: Size | None = None  # of a cropped one: where its first row and column lie in the whole picture


def fit(pixels: np.ndarray, size: Size, how: str, *, name: str = "the picture") -> Fitted:
    """The picture (H, W, 4) in `size`, height and width.

    `how`: `crop` takes the centre, `pad` lays it on transparent, `area` averages the pixels under each new one,
    `nearest` takes the one under its middle; `resize` is `area` for photographs (`photographic`) and
    `nearest` for pixel art.
    Raises InputError, with `name` and the other ways, where a picture is too small to crop or too large to pad.
    """
    choose("fit", how, WAYS)
    height, width = size
    tall, wide = pixels.shape[:2]
    if (tall, wide) == (height, width):
        return Fitted(pixels)
    way = how if how != "resize" else "area" if photographic(pixels) else "nearest"
    wanted = f"{height}x{width}"
    change = f"{_CHANGES[way]} {wanted}{_REASONS[way] if how == 'resize' else ''}"
    if way == "crop":
        top, left = (tall - height) // 2, (wide - width) // 2
        if top < 0 or left < 0:
            raise InputError(
                f"{name} is {tall}x{wide}, too small to crop to {height}x{width}: use fit=pad or fit=resize"
            )
        return Fitted(pixels[top : top + height, left : left + width], change, (top, left))
    if way == "pad":
        if tall > height or wide > width:
            raise InputError(f"{name} is {tall}x{wide}, too large to pad to {wanted}: use fit=crop or fit=resize")
        return Fitted(_padded(pixels, size), change)
    if tall * width != wide * height:
        change += "; their sides were not in proportion"
    return Fitted(_averaged(pixels, size) if way == "area" else _nearest(pixels, size), change)


def photographic(pixels: np.ndarray) -> bool:
    """Whether a picture (H, W, 4) has so many colours that it is a photograph, or was smoothed, and not pixel art:
    more than 256; or more than 64, and all of them grey, or one for every four pixels that are not transparent."""
    seen = pixels.reshape(-1, 4)
    seen = seen[seen[:, 3] > 0]
    colours = np.unique(pack(seen))
    if len(colours) <= _SOME:
        return False
    grey = bool((seen[:, :1] == seen[:, 1:3]).all())
    return len(colours) > _MANY or grey or 4 * len(colours) > len(seen)


def _padded(pixels: np.ndarray, size: Size) -> np.ndarray:
    """The picture in the middle of a transparent one."""
    tall, wide = pixels.shape[:2]
    out = np.zeros((*size, 4), np.uint8)
    top, left = (size[0] - tall) // 2, (size[1] - wide) // 2
    out[top : top + tall, left : left + wide] = pixels
    return out


def _nearest(pixels: np.ndarray, size: Size) -> np.ndarray:
    """For each new pixel the one that lies under its middle."""
    down, across = ((2 * np.arange(new) + 1) * old // (2 * new) for new, old in zip(size, pixels.shape, strict=False))
    return pixels[down[:, None], across]


def _averaged(pixels: np.ndarray, size: Size) -> np.ndarray:
    """For each new pixel the mean of those under it, weighted by the area they share and by their alpha."""
    weights = _shares(size[1], pixels.shape[1])  # (W', W)
    out = np.empty((*size, 4), np.float64)
    for row, own in enumerate(_shares(size[0], pixels.shape[0])):
        under = np.flatnonzero(own)
        some = pixels[under].astype(np.float64)
        some[..., :3] *= some[..., 3:] / 255
        out[row] = weights @ np.tensordot(own[under], some, 1)
    alpha = out[..., 3:]
    out[..., :3] *= np.divide(255, alpha, out=np.zeros_like(alpha), where=alpha > 0)
    return np.rint(out).clip(0, 255).astype(np.uint8)


def _shares(new: int, old: int) -> np.ndarray:
    """The share of each old pixel in each new one, along one side: (new, old), rows add up to 1."""
    ends = np.arange(new + 1) * (old / new)
    places = np.arange(old)
    shared = np.minimum(ends[1:, None], places + 1) - np.maximum(ends[:-1, None], places)
    shared = np.where(shared > 1e-9, shared, 0)
    return shared / shared.sum(1, keepdims=True)

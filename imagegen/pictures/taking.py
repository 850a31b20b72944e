"""Pictures as a model takes them: brought to its size, in the colours of its palette, with the distance that this is.

A model draws pictures of one size in one palette. Any other picture is cut, padded or resized, and recoloured; the
result is the nearest picture that the model can speak of, and not the one that a person has.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from torch import Tensor

from corpora.errors import InputError, choose
from corpora.pictures import fitting
from corpora.pictures.colour import lab_of, on_white
from imagegen.pictures.picture_model import PictureModel

FITS = ("crop", "pad", "resize")
SCALE = "Delta E (CIE76)"


class Recoloured(NamedTuple):
    """The distance of a picture in a model's palette from the one given, over its pixels, both laid on white."""

    mean: float  # Delta E (CIE76)
    most: float

    def __str__(self) -> str:
        return f"{SCALE} {self.mean:.1f} on average, {self.most:.1f} at most"


class Taken(NamedTuple):
    """Pictures in the size and the palette of a model."""

    pixels: list[np.ndarray]  # (H, W, 4) each, in the model's size and in their own colours
    tokens: Tensor  # (N, L)
    recoloured: list[Recoloured]
    changes: list[str]  # what brought each to the size: `cropped to 16x16`; empty if nothing did

    @property
    def exact(self) -> bool:
        """Whether all have just the colours of the palette."""
        return all(one.most == 0 for one in self.recoloured)

    @property
    def note(self) -> str:
        """A phrase on what was done to the pictures; empty if nothing was."""
        parts = sorted({change for change in self.changes if change})
        return "; ".join(f"{self.changes.count(part)} of {len(self.changes)} {part}" for part in parts)

    @property
    def whole(self) -> Recoloured:
        """The mean over all pixels of all pictures, and the most of all."""
        means = [one.mean for one in self.recoloured]
        return Recoloured(sum(means) / len(means), max(one.most for one in self.recoloured))


def take(model: PictureModel, pictures: Sequence[np.ndarray], names: Sequence[str], fit: str | None = None) -> Taken:
    """Pictures (H, W, 4) as the model takes them; `fit` (crop, pad or resize) brings those of another size to its own.

    Raises InputError, with the name, for a picture of another size without `fit`, and where `fit` cannot be done.
    """
    if fit is not None:
        choose("fit", fit, FITS)
    size, pixels, changes = (model.height, model.width), [], []
    for picture, name in zip(pictures, names, strict=True):
        if fit is None and picture.shape[:2] != size:
            raise InputError(
                f"{name} has {picture.shape[0]} x {picture.shape[1]} pixels (height x width); this model draws "
                f"{size[0]} x {size[1]}: add --fit crop, pad or resize"
            )
        fitted = fitting.fit(picture, size, fit or "crop", name=name)
        pixels.append(fitted.pixels)
        changes.append(fitted.change)
    tokens = model.tokens(pixels)
    shown = model.pictures(tokens)
    return Taken(pixels, tokens, [recoloured(*pair) for pair in zip(shown, pixels, strict=True)], changes)


def recoloured(shown: np.ndarray, original: np.ndarray) -> Recoloured:
    """The distance of a picture from another, both (H, W, 4) uint8, pixel by pixel."""
    one, other = (lab_of(on_white(picture)[..., :3]) for picture in (shown, original))
    apart = np.sqrt(((one - other) ** 2).sum(-1))
    return Recoloured(float(apart.mean()), float(apart.max()))

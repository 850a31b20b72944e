"""Arrays of pictures: .npy and .npz files with (N, H, W), (N, H, W, 3) or (N, H, W, 4) numbers of 0 to 255."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpora.errors import InputError, quoted
from corpora.files import explained, quoted_path
from corpora.row import Picture
from corpora.settings import Settings, setting

MODALITY = "picture"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of arrays."""

    array: str | None = setting(None, ".npz: the array of pictures; by default the only one that can be")
    label_array: str | None = setting(None, ".npz: the array with a label for each picture")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    return not address.startswith("hf:") and Path(address).suffix.lower() in (".npy", ".npz")


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture]:
    """The pictures of the arrays in order; grey ones in three equal channels, and opaque without a fourth.

    Raises InputError, naming file and array, for what is not such an array, and for labels that are not as many.
    """
    for address in inputs:
        where = quoted_path(address)
        pixels, labels = _loaded(address, config)
        if not len(pixels):
            raise InputError(f"{where}: the array holds no picture")
        for number, one in enumerate(pixels):
            yield Picture(coloured(one), None if labels is None else str(labels[number]), f"{where}, picture {number}")


def coloured(pixels: np.ndarray) -> np.ndarray:
    """A picture (H, W), (H, W, 3) or (H, W, 4) as (H, W, 4), uint8: grey in three equal channels, opaque without a
    fourth."""
    shades = pixels[..., None] if pixels.ndim == 2 else pixels
    out = np.full((*pixels.shape[:2], 4), 255, np.uint8)
    out[..., : max(3, shades.shape[2])] = shades
    return out


def _loaded(address: str, config: Config) -> tuple[np.ndarray, np.ndarray | None]:
    """The array of pictures, and that of labels."""
    where = quoted_path(address)
    with explained(Path(address)), Path(address).open("rb") as file:
        try:
            stored = np.load(file, allow_pickle=False)  # objects could run code
            if isinstance(stored, np.ndarray):
                if config.array is not None or config.label_array is not None:
                    raise InputError(f"{where}: a single array without a name: leave out array and label_array")
                return _pictures(stored, where), None
            with stored:
                return _of_archive(stored, where, config)
        except InputError:
            raise
        except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError) as error:
            raise InputError(f"{where}: not a readable .npy or .npz file: {quoted(str(error), 100)}") from error


def _of_archive(stored: Mapping[str, Any], where: str, config: Config) -> tuple[np.ndarray, np.ndarray | None]:
    if config.array is not None:
        pixels = _pictures(_named(stored, config.array, where), f"{where}: {config.array}")
    else:
        fitting = [name for name in stored if _shape_of(stored[name]) is None]
        if len(fitting) != 1:
            shapes = ", ".join(f"{name} {stored[name].shape} {stored[name].dtype}" for name in stored)
            raise InputError(
                f"{where}: several arrays could be pictures: say array=NAME; arrays: {', '.join(stored)}"
                if fitting
                else f"{where}: none of the arrays could be pictures: expected (N, H, W), (N, H, W, 3) or (N, H, W, "
                f"4), uint8; arrays: {shapes}"
            )
        pixels = stored[fitting[0]]
    if config.label_array is None:
        return pixels, None
    labels = _named(stored, config.label_array, where).astype(str)
    if labels.shape != (len(pixels),):
        raise InputError(
            f"{where}: {config.label_array} has the shape {labels.shape}: expected a label for each of the "
            f"{len(pixels):,} pictures"
        )
    return pixels, labels


def _named(stored: Mapping[str, Any], name: str, where: str) -> np.ndarray:
    if name not in stored:
        raise InputError(f"{where}: no array {quoted(name)}: choose from {', '.join(stored)}")
    return np.asarray(stored[name])


def _pictures(pixels: np.ndarray, where: str) -> np.ndarray:
    wrong = _shape_of(pixels)
    if wrong is not None:
        raise InputError(
            f"{where}: an array of shape {pixels.shape}, {pixels.dtype}, {wrong}: expected (N, H, W), (N, H, W, 3) or "
            "(N, H, W, 4), uint8"
        )
    return pixels


def _shape_of(pixels: np.ndarray) -> str | None:
    """Why an array cannot be pictures; None if it can."""
    if pixels.dtype != np.uint8:
        return "is not uint8"
    shape = pixels.shape
    return None if len(shape) == 3 or (len(shape) == 4 and shape[3] in (3, 4)) else "has not the shape of pictures"

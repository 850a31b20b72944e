"""Grey pictures in IDX files, the format of MNIST (Y. LeCun): `NAME-images-idx3-ubyte`, beside it
`NAME-labels-idx1-ubyte`, each plain or with .gz. Give one of the files of pictures, or the folder of several.

Files whose name begins with t10k or test are the test split; of the others the last pictures are the valid split.
"""

from __future__ import annotations

import gzip
import math
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from corpora.errors import InputError
from corpora.files import explained, quoted_path
from corpora.row import Picture
from corpora.settings import Settings, setting
from corpora.sources.arrays import coloured

MODALITY = "picture"
_IMAGES, _LABELS = "-images-idx3-ubyte", "-labels-idx1-ubyte"
_UBYTE = 8  # the type of element in the header of the format
_MOST = 1 << 31  # bytes in an array


@dataclass(frozen=True)
class Config(Settings):
    """Settings of IDX files."""

    valid_last: int = setting(10_000, "so many of the last pictures that are not test are the valid split", low=0)
    binary: int = setting(
        0,
        "IDX: so many black-and-white draws of each training picture, its greys the probabilities of white (dynamic "
        "binarisation); 0: the greys themselves",
        low=0,
        high=1000,
        unit="draws",
    )
    binary_held: int = setting(
        10, "the same, of each picture held out, where binary is not 0", low=1, high=1000, unit="draws"
    )
    binary_seed: int = setting(0, "which draws")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    path = Path(address)
    return bool(_found(path)) if path.is_dir() else path.name.removesuffix(".gz").endswith(_IMAGES)


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files of pictures and those of labels beside them."""
    images = _images(inputs)
    return images + [labels for labels in map(_labels_of, images) if labels is not None]


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture]:
    """The pictures in order, labelled where there are labels.

    Raises InputError, naming the file, for what is not an IDX file of pictures, and for labels that are not as many.
    """
    for path in _images(inputs):
        pictures, beside = _array(path, 3), _labels_of(path)
        labels = None if beside is None else _array(beside, 1)
        if labels is not None and len(labels) != len(pictures):
            raise InputError(f"{quoted_path(beside or '')}: {len(labels):,} labels for {len(pictures):,} pictures")
        test = path.name.startswith(("t10k", "test"))
        for number, greys in enumerate(pictures):
            split = "test" if test else "valid" if number >= len(pictures) - config.valid_last else "train"
            label = None if labels is None else str(labels[number])
            name = f"{quoted_path(path)}, picture {number}"
            if not config.binary:
                yield Picture(coloured(greys), label, name, split)
                continue
            draw = np.random.default_rng([config.binary_seed, test, number])
            for _ in range(config.binary if split == "train" else config.binary_held):
                white = draw.integers(0, 255, greys.shape) < greys  # with probability grey / 255
                yield Picture(coloured(255 * white.astype(np.uint8)), label, name, split)


def _found(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.name.removesuffix(".gz").endswith(_IMAGES))


def _images(inputs: Sequence[str]) -> list[Path]:
    paths: list[Path] = []
    for path in map(Path, inputs):
        with explained(path):
            paths += _found(path) if path.is_dir() else [path]
    return paths


def _labels_of(images: Path) -> Path | None:
    """The file of labels beside a file of pictures, if there is one."""
    name = images.name.removesuffix(".gz").removesuffix(_IMAGES) + _LABELS
    return next((path for path in (images.with_name(name), images.with_name(name + ".gz")) if path.is_file()), None)


def _array(path: Path, axes: int) -> np.ndarray:
    """The array of an IDX file: two zero bytes, the type, the number of axes, the axes' lengths in four bytes each (the
    most significant first), the elements."""
    where = quoted_path(path)
    with explained(path), path.open("rb") as plain:
        packed = plain.read(2) == b"\x1f\x8b"
        plain.seek(0)
        try:
            with gzip.GzipFile(fileobj=plain) if packed else plain as file:
                head = file.read(4 + 4 * axes)
                if len(head) != 4 + 4 * axes or head[:4] != bytes((0, 0, _UBYTE, axes)):
                    raise InputError(f"{where}: not an IDX file of unsigned bytes with {axes} axes")
                shape = tuple(int(side) for side in np.frombuffer(head[4:], ">u4"))
                size = math.prod(shape)
                if not 0 < size <= _MOST:
                    raise InputError(f"{where}: an array of {' x '.join(map(str, shape))}: nothing, or too large")
                data = file.read(size + 1)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{where}: a broken .gz file: {error}") from error
    if len(data) != size:
        raise InputError(
            f"{where}: {'more' if len(data) > size else 'fewer'} bytes than the {size:,} that it announces"
        )
    return np.frombuffer(data, np.uint8).reshape(shape)

"""Pictures: PNG, GIF, JPEG and WebP files, and folders of them; the label is the name of the sub-folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora import decoding
from corpora.decoding import ENDINGS
from corpora.files import is_of, listed, quoted_path
from corpora.row import Picture
from corpora.settings import Settings, setting

MODALITY = "picture"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of picture files."""

    frames: str = setting("first", "of an animation: the first picture alone, or all", choices=("first", "all"))


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named: for picture files, and folders that hold some and no text."""
    return is_of(address, ENDINGS)


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the pictures in it by their endings, sorted, at any depth.

    Raises InputError for one that is missing, and for a folder without pictures.
    """
    return listed(inputs, ENDINGS, "picture")


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture]:
    """The pictures of the inputs in order, each as it is meant to be seen.

    Of a folder with sub-folders, the label of a picture is the name of the sub-folder it is in. Raises InputError,
    naming the file, for one that is missing, no picture, cut off or too large.
    """
    for address in inputs:
        folder = Path(address)
        for path in files_of([address]):
            inside = path.relative_to(folder).parts if folder.is_dir() else ()
            label = inside[0] if len(inside) > 1 else None
            for frame in decoding.frames(path, config.frames == "all"):
                name = quoted_path(path) + (f", frame {frame.number}" if frame.number else "")
                yield Picture(frame.pixels, label, name, None, frame.done)

"""Pictures: files of PNG, GIF, JPEG, WebP, BMP, TGA, TIFF and others, and folders of them; sub-folders are labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora import folder
from corpora.errors import InputError
from corpora.files import explained, quoted_path
from corpora.folder import Listing
from corpora.naming import by_name, labels_of, named_splits_setting
from corpora.pictures import decoding, layouts
from corpora.row import Picture, Told
from corpora.settings import Settings, setting

MODALITY = "picture"
_LECTURE = ("pixel_color.txt", "colormap.txt")  # a folder of both is for another source


@dataclass(frozen=True)
class Config(Settings):
    """Settings of picture files."""

    frames: str = setting("first", "of an animation: the first picture alone, or all", choices=("first", "all"))
    sheets: bool = setting(
        True,
        "cut sheets that say where their pictures lie: those of imagegen, and those with Aseprite's .json beside them",
    )
    named_splits: bool = named_splits_setting()


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named: for picture files, and for folders of more pictures than texts.

    Raises InputError for a folder of as many of both.
    """
    path = Path(address)
    if not path.is_dir():
        return _is_picture_by_name(path) or decoding.is_picture(path)
    if all((path / name).is_file() for name in _LECTURE):
        return False
    number = folder.counts(path)
    pictures, texts = number["picture"], number["text"]
    if pictures and pictures == texts:
        raise InputError(
            f"{quoted_path(path)}: {pictures:,} pictures and as many text files: say --source images or --source text"
        )
    return pictures > texts or (not texts and any(map(_is_picture_by_name, folder.inside(path))))


def _is_picture_by_name(path: Path) -> bool:
    """Whether a file's name ends as those of pictures do, be they read or not."""
    return folder.kind_of_name(path.name) == "picture" or path.suffix.lower() in decoding.OTHER_ENDINGS


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the pictures in it by their endings, sorted, at any depth.

    Raises InputError for one that is missing, and for a folder without pictures, naming what it holds.
    """
    return [file for address in inputs for file in _listing(address).files]


def _listing(address: str) -> Listing:
    return folder.files_in(address, "picture", layouts.is_of_picture)


def refuse(address: str) -> None:
    """Raise InputError, naming what was met and what is read, for a file that is neither text nor a picture,
    and for a folder with none of either."""
    path = Path(address)
    if path.is_dir():
        if not folder.counts(path)["text"]:
            files_of([address])
        return
    with explained(path), path.open("rb") as file:
        kind = decoding.kind_of(file.read(512), path)
    if kind not in decoding.KINDS and not kind.startswith(decoding.TEXT):
        raise InputError(f"{quoted_path(path)}: {kind}")


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture | Told]:
    """The pictures of the inputs in order, each as it is meant to be seen.

    Of a folder with sub-folders, the label of a picture is the name of the sub-folder it is in (`naming.labels_of`),
    but for one that names a split. Frames of one animation are a group. Raises InputError, naming the file, for one
    that is missing, no picture, cut off or too large.
    """
    files, remarks = by_name(inputs, files_of, config.named_splits)
    yield from remarks
    for address in inputs:
        yield from _listing(address).remarks()
    labels, remarks = labels_of(files)
    yield from remarks
    every = config.frames == "all"
    for (path, split, _), label in zip(files, labels, strict=True):
        for frame in decoding.frames(path, every):
            name = quoted_path(path) + (f", frame {frame.number}" if frame.number else "")
            group = str(path) if every and frame.animated else None
            whole = Picture(frame.pixels, label, name, split, frame.done, group=group)
            cells = layouts.of(path, frame) if config.sheets and not frame.number else None
            yield from [whole] if cells is None else layouts.cut(whole, cells)

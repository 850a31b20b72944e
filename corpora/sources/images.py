"""Pictures: files of PNG, GIF, JPEG, WebP, BMP, TGA, TIFF and others, and folders of them; sub-folders are labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora.errors import InputError
from corpora.files import explained, quoted_path
from corpora.naming import by_name, named_splits_setting
from corpora.pictures import decoding, layouts
from corpora.pictures.decoding import ENDINGS, OTHER_ENDINGS
from corpora.row import Picture, Told
from corpora.settings import Settings, setting

MODALITY = "picture"
_TEXTS = (".txt", ".txt.gz")
_LECTURE = ("pixel_color.txt", "colormap.txt")  # a folder of both is for another source
_NAMED = 6  # endings in a message


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
        return path.suffix.lower() in (*ENDINGS, *OTHER_ENDINGS) or decoding.is_picture(path)
    if all((path / name).is_file() for name in _LECTURE):
        return False
    every = _inside(path)
    pictures, texts = (sum(file.name.lower().endswith(endings) for file in every) for endings in (ENDINGS, _TEXTS))
    if pictures and pictures == texts:
        raise InputError(
            f"{quoted_path(path)}: {pictures:,} pictures and as many text files: say --source images or --source text"
        )
    return pictures > texts or (not texts and any(file.suffix.lower() in OTHER_ENDINGS for file in every))


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the pictures in it by their endings, sorted, at any depth.

    Raises InputError for one that is missing, and for a folder without pictures, naming what it holds.
    """
    listed: list[Path] = []
    for address in inputs:
        path = Path(address)
        with explained(path):
            path.stat()
        every = _inside(path) if path.is_dir() else [path]
        pictures = [file for file in every if file.suffix.lower() in ENDINGS] if path.is_dir() else every
        if not pictures:
            held = f"it holds {_kinds(every)}" if every else "it is empty"
            raise InputError(f"{quoted_path(path)}: no picture that can be read in this folder: {held}; {_READ}")
        listed += pictures
    return listed


def refuse(address: str) -> None:
    """Raise InputError, naming what was met and what is read, for a file that is neither text nor a picture,
    and for a folder with none of either."""
    path = Path(address)
    if path.is_dir():
        if not any(file.name.lower().endswith(_TEXTS) for file in _inside(path)):
            files_of([address])
        return
    with explained(path), path.open("rb") as file:
        kind = decoding.kind_of(file.read(512), path)
    if kind not in decoding.KINDS and not kind.startswith(decoding.TEXT):
        raise InputError(f"{quoted_path(path)}: {kind}")


_READ = f"pictures are {', '.join(ENDINGS)}"


def _inside(folder: Path) -> list[Path]:
    """The files in a folder, at any depth, sorted; hidden ones left out."""
    with explained(folder):
        return sorted(file for file in folder.rglob("*") if not file.name.startswith(".") and file.is_file())


def _kinds(every: Sequence[Path]) -> str:
    """The endings of files and how many have each: `.bmp 12, .tga 2`."""
    kinds = Counter(file.suffix.lower() or file.name for file in every).most_common()
    more = f", {len(kinds) - _NAMED} other kinds" if len(kinds) > _NAMED else ""
    return ", ".join(f"{kind} {count:,}" for kind, count in kinds[:_NAMED]) + more


def _left_alone(inputs: Sequence[str]) -> Iterator[Told]:
    """A remark on the files in the folders that are no pictures."""
    others = [file for address in inputs if Path(address).is_dir() for file in _inside(Path(address))]
    others = [file for file in others if file.suffix.lower() not in ENDINGS and not layouts.is_of_picture(file)]
    if others:
        what = "file of another kind is" if len(others) == 1 else "files of other kinds are"
        yield Told(f"{what} left alone ({_kinds(others)})", len(others))


def read(inputs: Sequence[str], config: Config) -> Iterator[Picture | Told]:
    """The pictures of the inputs in order, each as it is meant to be seen.

    Of a folder with sub-folders, the label of a picture is the name of the sub-folder it is in, but for one that names
    a split. Frames of one animation are a group. Raises InputError, naming the file, for one that is missing, no
    picture, cut off or too large.
    """
    files, remarks = by_name(inputs, files_of, config.named_splits)
    yield from remarks
    yield from _left_alone(inputs)
    for path, split, folders in files:
        label, every = folders[0] if folders else None, config.frames == "all"
        for frame in decoding.frames(path, every):
            name = quoted_path(path) + (f", frame {frame.number}" if frame.number else "")
            animated = every and any("of an animation" in phrase for phrase in frame.done)
            group = str(path) if animated else None
            whole = Picture(frame.pixels, label, name, split, frame.done, group=group)
            cells = layouts.of(path, frame) if config.sheets and not frame.number else None
            yield from [whole] if cells is None else layouts.cut(whole, cells)

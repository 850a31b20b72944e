"""Folders as inputs: the kinds of files that are read, which of a folder's files are, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from corpora.errors import InputError
from corpora.files import explained, quoted_path
from corpora.row import Told

# Kinds of files that are read, by the endings of their names.
KINDS = {
    "text": (".txt",),
    "table": (".csv", ".tsv", ".tab", ".psv", ".jsonl", ".ndjson", ".jsonlines", ".json", ".parquet"),
    "picture": (
        *(".png", ".apng", ".gif", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".bmp", ".dib", ".tga", ".tif", ".tiff"),
        *(".pcx", ".ppm", ".pgm", ".pbm", ".pnm", ".qoi", ".ico"),
    ),
    "sound": (".wav", ".flac"),
}
_PACKED = ("text", "table")  # kinds that may end in .gz as well
_OF_READERS = ("readme", "license", "licence", "copying", "credits", "changelog", "notice", "attribution")
_NAMED = 6  # endings in a message


class Listing(NamedTuple):
    """The files of one kind behind an input, and how many others were left out, by ending."""

    files: list[Path]
    left: Counter[str]
    hidden: int = 0

    def remarks(self) -> list[Told]:
        """Remarks on the files that were left out."""
        remarks = []
        if self.left:
            remarks.append(Told(f"of other kinds left out ({_some(self.left)})", self.left.total(), "file"))
        if self.hidden:
            remarks.append(Told("left out", self.hidden, "hidden file"))
        texts = [file.name for file in self.files if kind_of_name(file.name) == "text" and _is_about(file)]
        if texts and len(texts) < len(self.files):
            remarks.append(Told(f"read as well, though its name says it is about the data: {', '.join(texts[:3])}"))
        return remarks


def kind_of_name(name: str) -> str | None:
    """The kind of a file, of those that are read, by the ending of its name; None for any other."""
    name = name.lower()
    for kind, endings in KINDS.items():
        if name.removesuffix(".gz" if kind in _PACKED else "").endswith(endings):
            return kind
    return None


def counts(folder: Path) -> Counter[str]:
    """The number of files of each kind in a folder, at any depth, hidden ones left out."""
    return Counter(kind for file in inside(folder) if (kind := kind_of_name(file.name)))


def kind_of(address: str) -> str | None:
    """The kind of file that a folder holds most of; None for what is no folder, or holds nothing that is read."""
    number = counts(Path(address)) if Path(address).is_dir() else Counter[str]()
    return max(KINDS, key=lambda kind: number[kind]) if number else None


def files_in(address: str, kind: str, beside: Callable[[Path], bool] = lambda file: False) -> Listing:
    """The files of a kind behind an input: the file itself, or those in the folder, sorted, at any depth.

    Files that are `beside` them, and are read with them, are not counted as left out. Raises InputError for one that is
    missing, and for a folder without any, naming what it holds.
    """
    path = Path(address)
    if address == "-":
        return Listing([], Counter())
    with explained(path):
        if not path.is_dir():
            path.stat()
            return Listing([path], Counter())
    every = _every(path)
    seen = [file for file in every if not _is_hidden(file, path)]
    files = [file for file in seen if kind_of_name(file.name) == kind]
    others = Counter(_ending(file) for file in seen if kind_of_name(file.name) != kind and not beside(file))
    if not files:
        raise InputError(f"{quoted_path(path)}: {_nothing(kind)} in this folder; {_holds(others)}")
    return Listing(files, others, len(every) - len(seen))


def files_of(inputs: Sequence[str], kind: str) -> list[Path]:
    """The files of a kind behind inputs, as `files_in` lists them."""
    return [file for address in inputs for file in files_in(address, kind).files]


def inside(folder: Path) -> list[Path]:
    """The files in a folder, sorted, at any depth; hidden ones, and those in hidden folders, left out."""
    return [file for file in _every(folder) if not _is_hidden(file, folder)]


def refuse_empty(address: str) -> None:
    """Raise InputError for a folder with nothing in it that is read, naming what it holds."""
    path = Path(address)
    if path.is_dir() and kind_of(address) is None:
        held = _holds(Counter(map(_ending, inside(path))))
        raise InputError(
            f"{quoted_path(path)}: nothing that is read is in this folder; {held}; "
            "text with another ending is read where its files are named, as in FOLDER/*.md"
        )


def _holds(others: Counter[str]) -> str:
    kinds = "; ".join(f"{kind}: {' '.join(endings)}" for kind, endings in KINDS.items())
    return f"it holds {_some(others) or 'no file'}; read are {kinds}"


def _some(endings: Counter[str]) -> str:
    """The most frequent endings of files, and how many have each: `.md 12, .pdf 2`."""
    shown = sorted(endings.items(), key=lambda one: (-one[1], one[0]))[:_NAMED]
    more = len(endings) - len(shown)
    return ", ".join(f"{ending} {count:,}" for ending, count in shown) + (f", and {more:,} other kinds" if more else "")


def _nothing(kind: str) -> str:
    return {"text": "no .txt or .txt.gz file"}.get(kind, f"no {kind}")


def _is_about(file: Path) -> bool:
    """Whether a text is about the data, by its name."""
    return file.name.lower().split(".")[0] in _OF_READERS


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _ending(file: Path) -> str:
    """The ending of a file's name, as a word of a message."""
    several = file.suffixes[-2:] if file.suffix.lower() == ".gz" else file.suffixes[-1:]
    return "".join(several).lower() or "without ending"


def _every(path: Path) -> list[Path]:
    with explained(path):
        return sorted(file for file in path.rglob("*") if file.is_file())

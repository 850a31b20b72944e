"""Folders as inputs: which of their files are read, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from corpora.errors import InputError
from corpora.files import KINDS, explained, kind_of, kind_of_name, quoted_path
from corpora.row import Told

_OF_READERS = ("readme", "license", "licence", "copying", "credits", "changelog", "notice", "attribution")


class Listing(NamedTuple):
    """The files of one kind behind an input, and how many others were left out, by ending."""

    files: list[Path]
    left: Counter[str]
    hidden: int = 0

    def remarks(self) -> list[Told]:
        """Remarks on the files that were left out."""
        endings = ", ".join(f"{ending} {count:,}" for ending, count in sorted(self.left.items()))
        count = self.left.total()
        what = "file of another kind was" if count == 1 else "files of other kinds were"
        remarks = [Told(f"{what} left out ({endings})", count)] if count else []
        if self.hidden:
            remarks.append(Told(f"hidden {'file was' if self.hidden == 1 else 'files were'} left out", self.hidden))
        texts = [file.name for file in self.files if _stem(file).lower().split(".")[0] in _OF_READERS]
        if texts and len(texts) < len(self.files):
            remarks.append(Told(f"read as well, though its name says it is about the data: {', '.join(texts[:3])}"))
        return remarks


def files_in(address: str, kind: str, read_too: Collection[Path] = ()) -> Listing:
    """The files of a kind behind an input: the file itself, or those in the folder, sorted, at any depth. Those
    that are `read_too`, such as labels, are neither of them nor left out.

    Raises InputError for one that is missing, and for a folder without any, naming what it holds.
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
    away = {file.absolute() for file in read_too}
    files = [file for file in seen if kind_of_name(file.name) == kind]
    others = Counter(_ending(file) for file in seen if kind_of_name(file.name) != kind and file.absolute() not in away)
    if not files:
        raise InputError(f"{quoted_path(path)}: {_nothing(kind)} in this folder; {_holds(others)}")
    return Listing(files, others, len(every) - len(seen))


def refuse_empty(address: str) -> None:
    """Raise InputError for a folder with nothing in it that is read, naming what it holds."""
    path = Path(address)
    if path.is_dir() and kind_of(address) is None:
        every = Counter(_ending(file) for file in _every(path) if not _is_hidden(file, path))
        raise InputError(
            f"{quoted_path(path)}: nothing that is read is in this folder; {_holds(every)}; text with another ending "
            "is read where its files are named, as in FOLDER/*.md"
        )


def _holds(others: Counter[str]) -> str:
    held = ", ".join(f"{ending} {count:,}" for ending, count in others.most_common(6))
    kinds = "; ".join(f"{kind}: {' '.join(endings)}" for kind, endings in KINDS.items())
    return f"it holds {held or 'no file'}; read are {kinds}"


def _nothing(kind: str) -> str:
    return {"text": "no .txt or .txt.gz file", "table": "no table"}.get(kind, f"no {kind}")


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def _stem(file: Path) -> str:
    return file.name.removesuffix(".gz").removesuffix(".GZ")


def _ending(file: Path) -> str:
    """The ending of a file's name, as a word of a message."""
    return (
        "".join(file.suffixes[-2:] if file.suffix.lower() == ".gz" else file.suffixes[-1:]).lower() or "without ending"
    )


def _every(path: Path) -> tuple[Path, ...]:
    with explained(path):
        return tuple(sorted(file for file in path.rglob("*") if file.is_file()))

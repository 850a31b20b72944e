"""Plain text: files, folders of .txt and .txt.gz, .gz files, or `-` for standard input; one row per line or block."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from corpora import folder
from corpora.errors import InputError, counted
from corpora.files import quoted_path
from corpora.naming import File, by_name, labels_of, named_splits_setting, some
from corpora.row import Row, Told
from corpora.settings import Settings, setting
from corpora.texts import cut, plain
from corpora.texts.cut import sentences as sentences  # where it always was
from corpora.texts.plain import LONGEST as LONGEST
from corpora.texts.plain import Part, Reading
from corpora.texts.plain import lines as lines

_ENDING = re.compile(r"(\.txt)?\.[^./\\]*$", re.I)  # of a file name
_ENOUGH = 10  # lines that show whether all have as many tabs

MODALITY = "text"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of text files."""

    unit: str = cut.unit_setting("line", more=("file",))
    window: int = cut.window_setting()
    window_of: str = cut.window_of_setting()
    errors: str = plain.errors_setting()
    encoding: str | None = plain.encoding_setting()
    as_is: bool = setting(False, "read HTML, XML, RTF and the like with all their signs")
    labels: str | None = setting(None, "a file with the label of each row on a line; *.label: of each input its own")
    label_from: str = setting(
        "none", "the label of a row: none, or folder (the sub-folder that its file is in)", choices=("none", "folder")
    )
    named_splits: bool = named_splits_setting()

    def check(self) -> None:
        """Raise InputError for labels from two places."""
        if self.labels is not None and self.label_from == "folder":
            raise InputError("labels and label_from=folder each decide the labels: leave out one of the two")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named. Text is what remains when no other one is."""
    return False


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the .txt and .txt.gz files in it, sorted, at any depth."""
    return folder.files_of(inputs, "text")


def read(inputs: Sequence[str], config: Config) -> Iterator[Row | Told]:
    """Rows of the inputs in order. Memory stays below a few times `LONGEST`.

    Raises InputError, naming file and line, for a file that is missing, empty, binary, not UTF-8 or cut off.
    """
    files, remarks = by_name(inputs, files_of, config.named_splits)
    yield from remarks
    beside = {file.absolute() for file in _files_of_labels([file.path for file in files], config.labels)}
    for address in inputs:
        yield from folder.files_in(address, "text", lambda file: file.absolute() in beside).remarks()
    reading = Reading(config.errors, config.encoding, as_is=config.as_is)
    names = [str(file.path) for file in files]
    tabs = _Tabs()
    labels, remarks = labels_of(files)
    classes = sorted({label for label in labels if label is not None})
    if config.label_from == "none":
        unread = f"sub-folders are not read as labels ({some(classes)}): label_from=folder reads them"
        labels, remarks = [None] * len(files), [Told(unread)] * (len(classes) > 1 and config.labels is None)
    yield from remarks
    each = (
        (str(file.path), _of_file(file, label, _rows(str(file.path), config, reading, tabs)))
        for file, label in zip(files, labels, strict=True)
    )
    rows: Iterator[Row]
    if config.labels is None:
        rows = (row for _, some in each for row in some)
    elif "*" in config.labels:
        rows = (row for name, some in each for row in _labelled(some, _beside(name, config.labels), config.unit))
    else:
        rows = _labelled((row for _, some in each for row in some), config.labels, config.unit)
    first = next(rows, None)
    if first is None:
        what = "standard input" if names == ["-"] else ", ".join(map(quoted_path, names[:3]))
        raise InputError(
            f"{what}: {'all files are' if len(names) > 1 else 'the file is' if names != ['-'] else 'it is'} empty"
        )
    blank = True
    for row in itertools.chain([first], rows):
        blank = blank and not row.dropped and not row.text.strip()
        yield row
    if blank:
        raise InputError(f"{', '.join(map(plain.shown, names[:3]))}: nothing but white space: a row is a line of text")
    yield from reading.remarks()
    yield from tabs.remarks()


def _of_file(file: File, label: str | None, rows: Iterable[Row]) -> Iterator[Row]:
    """The rows of a file with its split and label."""
    return (row._replace(split=file.split, label=label) for row in rows)


class _Tabs:
    """Whether every line has the same number of tabs, as the lines of a table have."""

    def __init__(self) -> None:
        self._count = 0
        self._tabs: int | None = None

    def seen(self, parts: Iterable[Part]) -> Iterator[Part]:
        """The lines, once they are counted."""
        for part in parts:
            if self._tabs != 0 and part.text.strip():
                tabs = part.text.count("\t")
                self._tabs = tabs if self._tabs in (None, tabs) else 0
                self._count += 1
            yield part

    def remarks(self) -> list[Told]:
        """A remark on what looks like a table."""
        if not self._tabs or self._count < _ENOUGH:
            return []
        return [
            Told(
                f"each of the {self._count:,} lines has {counted(self._tabs, 'tab')}: if these are "
                "columns, say column=N and label_column=N (numbers from 1)"
            )
        ]


def _rows(name: str, config: Config, reading: Reading, tabs: _Tabs) -> Iterator[Row]:
    """The lines or blocks of a file, without labels."""
    long = config.unit in ("sentence", "window")
    if long:
        parts = plain.parts(name, reading)
    else:
        parts = tabs.seen(itertools.starmap(Part, plain.lines(name, reading=reading)))
    rows = cut.rows(parts, plain.shown(name), config.unit, config.window, config.window_of)
    return (Row(text, None, dropped) for text, dropped in rows)


def _beside(name: str, pattern: str) -> str:
    """The file of labels for an input: `*` in the pattern stands for its name without the ending."""
    path = Path(name)
    return str(path.parent / pattern.replace("*", _ENDING.sub("", path.name)))


def _files_of_labels(files: Iterable[Path], labels: str | None) -> list[Path]:
    """The files that hold the labels of the inputs."""
    if labels is None:
        return []
    return [Path(_beside(str(file), labels)) for file in files] if "*" in labels else [Path(labels)]


def _labelled(rows: Iterable[Row], name: str, unit: str) -> Iterator[Row]:
    """Rows with the labels that a second file holds, one on each line."""
    labels = (label.strip() for label, _ in lines(name, "strict"))
    hint = (
        f"there should be one label on a line for each {unit} (labels=*.label takes a file of its own for each input)"
    )
    count = 0
    for count, row in enumerate(rows, 1):
        label = next(labels, None)
        if label is None:
            raise InputError(f"{quoted_path(name)}: only {count - 1:,} labels, but there are more rows: {hint}")
        yield row._replace(label=label or None)
    if next(labels, None) is not None:
        raise InputError(f"{quoted_path(name)}: more labels than the {count:,} rows: {hint}")

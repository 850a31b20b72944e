"""Plain text: files, folders of .txt and .txt.gz, .gz files, or `-` for standard input; one row per line or block."""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO, cast

from corpora.errors import InputError
from corpora.files import explained, quoted_path
from corpora.naming import by_name, named_splits_setting
from corpora.row import Row, Told
from corpora.settings import Settings, setting

LONGEST = 1 << 20  # bytes in a line or block
_MAGIC = {
    b"\x1f\x8b": "gzip data (rename it to end in .gz)",
    b"\x89PNG": "a PNG picture",
    b"PK\x03\x04": "a zip archive (unpack it first)",
    b"PAR1": "Parquet (rename it to end in .parquet)",
    b"\xff\xfe": "UTF-16 (convert it: iconv -f UTF-16 -t UTF-8)",
    b"\xfe\xff": "UTF-16 (convert it: iconv -f UTF-16 -t UTF-8)",
}


_CLOSING = r"(?:[\"'”’)\]」』）]|\s?»)*"
_STOP = re.compile(
    rf"[.!?…]+{_CLOSING}\s+(?=[\"'“‘«„¿¡(\[—–-]*\s?[^\sa-zß-öø-ÿ,;:»”’)\]])|[。！？]+[」』”’）]*(?![」』”’）とっ、，])"
)
_FULL_STOP = re.compile(rf"[.!?…。！？]{_CLOSING}$")
_NO_STOP = re.compile(r"(?:[A-Z]|M[rs]|Mrs|Dr|St|Mme|Mlle|MM|Prof|Rev|Hon|Sr|Sra|Hr|Fr|Nr|No|vs|cf|etc)\.")
_ENDING = re.compile(r"(\.txt)?\.[^./\\]*$")  # of a file name

MODALITY = "text"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of text files."""

    unit: str = setting(
        "line",
        "a row is a line, a sentence (of running text), a paragraph (lines joined) or a stanza (joined by ' / ')",
        choices=("line", "sentence", "paragraph", "stanza"),
    )
    errors: str = setting(
        "strict",
        "bytes that are not UTF-8: strict (an error), replace (by U+FFFD) or skip (the row)",
        choices=("strict", "replace", "skip"),
    )
    labels: str | None = setting(None, "a file with the label of each row on a line; *.label: of each input its own")
    named_splits: bool = named_splits_setting()


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named. Text is what remains when no other one is."""
    return False


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the .txt and .txt.gz files in it, sorted, at any depth."""
    listed: list[Path] = []
    for address in inputs:
        path = Path(address)
        if address == "-":
            continue
        with explained(path):
            if not path.is_dir():
                path.stat()
                listed.append(path)
                continue
            inside = sorted(
                file
                for file in path.rglob("*")
                if file.name.endswith((".txt", ".txt.gz")) and not file.name.startswith(".") and file.is_file()
            )
        if not inside:
            raise InputError(f"{quoted_path(path)}: no .txt or .txt.gz file in this folder")
        listed.extend(inside)
    return listed


def read(inputs: Sequence[str], config: Config) -> Iterator[Row | Told]:
    """Rows of the inputs in order. Memory stays below a few times `LONGEST`.

    Raises InputError, naming file and line, for a file that is missing, empty, binary, not UTF-8 or cut off.
    """
    files, told = by_name(inputs, files_of, config.named_splits)
    yield from told
    names = [str(file.path) for file in files]
    each = (
        (str(file.path), (row._replace(split=file.split) for row in _rows(str(file.path), config))) for file in files
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
    yield first
    yield from rows


def _rows(name: str, config: Config) -> Iterator[Row]:
    """The lines or blocks of a file, without labels."""
    if config.unit == "line":
        blocks = lines(name, config.errors)
    elif config.unit == "sentence":
        blocks = _blocks(lines(name, config.errors), name, " ", _FULL_STOP)
    else:
        blocks = _blocks(lines(name, config.errors), name, " " if config.unit == "paragraph" else " / ")
    for text, dropped in blocks:
        parts = sentences(text) if config.unit == "sentence" and dropped is None else [text]
        yield from (Row(part, None, dropped) for part in parts)


def _beside(name: str, pattern: str) -> str:
    """The file of labels for an input: `*` in the pattern stands for its name without the ending."""
    path = Path(name)
    return str(path.parent / pattern.replace("*", _ENDING.sub("", path.name)))


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


def sentences(text: str) -> list[str]:
    """Cut running text into sentences: after a full stop, question or exclamation mark with its closing quotes.

    A stop cuts where a space and something that may begin a sentence follow, and not after initials and the commonest
    titles; those of Chinese and Japanese cut where they stand, unless a quotation goes on behind them.
    """
    cut = [0]
    for stop in _STOP.finditer(text):
        before = text[cut[-1] : stop.start() + 1].rpartition(" ")[2].strip("\"'([“‘«„")
        if not _NO_STOP.fullmatch(before):
            cut.append(stop.end())
    parts = [text[start:end].strip() for start, end in pairwise([*cut, len(text)])]
    return [part for part in parts if part]


def _blocks(
    rows: Iterable[tuple[str, str | None]], name: str, joint: str, last: re.Pattern[str] | None = None
) -> Iterator[tuple[str, str | None]]:
    """Lines between blank lines, joined; a line that `last` finds an end in is the last of its block as well."""
    block: list[str] = []
    reason: str | None = None
    size = 0
    for number, (text, dropped) in enumerate(rows, 1):
        stripped = text.strip()
        if stripped or dropped:
            block.append(stripped)
            reason = reason or dropped
            size += len(stripped)
            if size > LONGEST:
                raise InputError(
                    f"{_shown(name)}: line {number}: a block of lines without a blank line has over "
                    f"{LONGEST:,} characters; use unit=line"
                )
        if block and (not (stripped or dropped) or (last is not None and last.search(stripped))):
            yield ("" if reason else joint.join(block), reason)
            block, reason, size = [], None, 0
    if block:
        yield ("" if reason else joint.join(block), reason)


def lines(name: str, errors: str) -> Iterator[tuple[str, str | None]]:
    """(line without its end, None), or ("", reason) for one that is skipped, of one text file.

    `name` is a path, which may end in .gz, or `-`. Raises InputError as `read` does.
    """
    start = 0
    with _opened(name) as file:
        number = 0
        while True:
            try:
                line = file.readline(LONGEST + 1)
            except EOFError as error:
                raise InputError(
                    f"{_shown(name)}: the gzip data end early: the file is cut off; get it again"
                ) from error
            except (gzip.BadGzipFile, zlib.error) as error:
                raise InputError(
                    f"{_shown(name)}: damaged gzip data after line {number}; get the file again"
                ) from error
            except OSError as error:
                raise InputError(f"{_shown(name)}: {error.strerror or error}") from error
            if not line:
                return
            number += 1
            if len(line) > LONGEST:
                raise InputError(
                    f"{_shown(name)}: line {number} is longer than {LONGEST:,} bytes; put one sentence on each line"
                )
            body = line[3:] if number == 1 and line.startswith(b"\xef\xbb\xbf") else line
            try:
                yield body.decode("utf-8").rstrip("\r\n"), None
            except UnicodeDecodeError as error:
                if errors == "strict":
                    where = start + len(line) - len(body) + error.start
                    raise InputError(
                        f"{_shown(name)}: line {number}, byte {where}: not UTF-8 (0x{body[error.start]:02x}); "
                        "use errors=replace to go on"
                    ) from error
                if errors == "replace":
                    yield body.decode("utf-8", "replace").rstrip("\r\n"), None
                else:
                    yield "", "not UTF-8"
            start += len(line)


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """A text file as bytes, refused when it is plainly something else."""
    with contextlib.ExitStack() as stack:
        if name == "-":
            raw: Any = sys.stdin.buffer
        else:
            with explained(Path(name)):
                if Path(name).is_dir():
                    raise InputError(f"{quoted_path(name)}: this is a folder, not a file")
                raw = stack.enter_context(open(name, "rb"))  # noqa: PTH123 - accepts /dev/fd/63 as well
        buffered = raw if hasattr(raw, "peek") else io.BufferedReader(raw)
        packed = name.endswith(".gz")
        with explained(Path(name)):
            start = buffered.peek(8192)[:8192]
        if packed:
            if start and not start.startswith(b"\x1f\x8b"):
                raise InputError(f"{_shown(name)}: the name ends in .gz but this is not gzip data")
            yield cast(BinaryIO, stack.enter_context(gzip.GzipFile(fileobj=buffered)))
            return
        for magic, what in _MAGIC.items():
            if start.startswith(magic):
                raise InputError(f"{_shown(name)}: not a text file but {what}")
        if b"\0" in start:
            raise InputError(f"{_shown(name)}: not a text file: it holds NUL bytes (byte {start.index(0)})")
        yield buffered


def _shown(name: str) -> str:
    return "standard input" if name == "-" else quoted_path(os.fspath(name))

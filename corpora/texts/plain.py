"""Text files as lines: encodings, line ends, gzip, and what is plainly no text.

Bytes become UTF-8 first, whatever they were, and are cut at CR LF, LF or CR alone. What is changed on the way is told.
"""

from __future__ import annotations

import codecs
import contextlib
import gzip
import itertools
import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from corpora.errors import InputError
from corpora.files import explained, quoted_path
from corpora.row import Told
from corpora.settings import setting
from corpora.texts import encodings, foreign

LONGEST = 1 << 20  # bytes in a line of text
NOT_READ = "not UTF-8"  # why a row is dropped
_BLOCK = 1 << 16
_START = 1 << 12  # bytes that show what kind of file it is
_FEW = 500  # lines that show an encoding
_SAMPLE = 20_000  # bytes that show an encoding
_MARK = "\ufeff"  # the byte order mark
codecs.register_error("corpora-bad-byte", lambda error: ("\udcff", getattr(error, "end", 0)))  # no UTF-8 holds it


class Part(NamedTuple):
    """A line, or a part of a long one."""

    text: str
    dropped: str | None = None  # why it cannot be used
    ended: bool = True  # False: the line goes on in the next part


@dataclass
class Reading:
    """Ways of reading text files, and a count of what was seen on the way."""

    errors: str = "strict"
    encoding: str | None = None  # None: UTF-8, or as a byte order mark says
    longest: int = LONGEST  # bytes in a line
    tables: bool = False  # whether they are tables, which may be JSON
    as_is: bool = False  # formats that are text themselves, such as HTML, are read as they are
    seen: Counter[tuple[str, str]] = field(default_factory=Counter)  # a noun and a remark on things of that kind

    def remarks(self) -> list[Told]:
        """Remarks on what was read so far, each once."""
        remarks = [Told(remark, count, noun) for (noun, remark), count in self.seen.items()]
        self.seen.clear()
        return remarks


def errors_setting() -> Any:
    """The setting `errors` of a source that reads text files."""
    return setting(
        "strict",
        "bytes that are not UTF-8: strict (an error), replace (by U+FFFD) or skip (the row)",
        choices=("strict", "replace", "skip"),
    )


def encoding_setting() -> Any:
    """The setting `encoding` of a source that reads text files."""
    return setting(None, "how characters are written: cp1252, shift_jis ...; by default UTF-8, or UTF-16 with its mark")


def lines(name: str, errors: str = "strict", reading: Reading | None = None) -> Iterator[tuple[str, str | None]]:
    """(line without its end, None), or ("", reason) for one that is skipped, of one text file.

    `name` is a path, which may end in .gz, or `-`. Memory stays below a few times `LONGEST`. Raises InputError, naming
    file and line, for a file that is missing, binary, not in its encoding or cut off, and for a longer line.
    """
    reading = reading or Reading(errors)
    return ((part.text, part.dropped) for part in _Lines(name, reading).parts(whole=True))


def parts(name: str, reading: Reading) -> Iterator[Part]:
    """As `lines`, but a long line comes in parts, so that it may be of any length."""
    return _Lines(name, reading).parts(whole=False)


def shown(name: str) -> str:
    """An input for a message."""
    return "standard input" if name == "-" else quoted_path(os.fspath(name))


def refuse(name: str) -> None:
    """Raise InputError for a file that is there and is plainly no text, whatever its encoding."""
    if not Path(name).is_file():
        return
    with _opened(name) as file:
        what = foreign.binary(_Lines(name, Reading()).block(file)[:_START], name)
        if what is not None:
            raise InputError(f"{shown(name)}: not a text file but {what}")


class _Lines:
    """The lines of one file."""

    def __init__(self, name: str, reading: Reading) -> None:
        self.name, self.reading = name, reading
        self.encoding: str | None = None  # where it is not UTF-8
        self.number = 0  # of the line
        self.start = 0  # bytes before it
        self._carriage = self._inner = 0
        self._pieces: list[bytes] = []  # lines of the block that is read

    def parts(self, *, whole: bool) -> Iterator[Part]:
        """The lines, or parts of them; `whole`: an error for a long one."""
        with _opened(self.name) as file:
            first = self.block(file)
            self.check(first)
            blocks = itertools.chain([first], iter(lambda: self.block(file), b""))
            for body, ended in self._cut(self._recoded(blocks), whole):
                try:
                    text, dropped = body.decode(), None
                except UnicodeDecodeError as error:
                    text, dropped = self._undecoded(body, error)
                if not text.isascii() and _MARK in text:
                    self._inner += self.start > 0  # the first one is no part of the text
                    text = text.replace(_MARK, "")
                yield Part(text, dropped, ended)
        seen, file_name = self.reading.seen, Path(self.name).name
        if self._carriage:
            seen["line", f"ended with CR alone in {file_name}, as on an old Macintosh"] += self._carriage
        if self._inner:
            seen["line", f"held a byte order mark inside, which was taken out, in {file_name}"] += self._inner

    def block(self, file: BinaryIO) -> bytes:
        """Bytes as they come out of the file."""
        try:
            return file.read(_BLOCK)
        except EOFError as error:
            why = "the gzip data end early: the file is cut off; get it again"
            raise InputError(f"{shown(self.name)}: {why}") from error
        except (gzip.BadGzipFile, zlib.error) as error:
            why = f"damaged gzip data after line {self.number}; get the file again"
            raise InputError(f"{shown(self.name)}: {why}") from error
        except OSError as error:
            raise InputError(f"{shown(self.name)}: {error.strerror or error}") from error

    def check(self, start: bytes) -> None:
        """Settle the encoding by the first bytes. Raises InputError for a file that is plainly something else."""
        where, start = shown(self.name), start[:_START]
        named = self.reading.encoding
        self.encoding = encodings.checked(named) if named is not None else encodings.marked(start)
        if self.encoding in ("utf-8", "utf-8-sig"):
            self.encoding = None
        if named is None and self.encoding is not None:
            remark = f"in {self.encoding.upper()}, as its byte order mark says: {Path(self.name).name}"
            self.reading.seen["file", remark] += 1
        what = foreign.binary(start, self.name)
        if what is not None:
            raise InputError(f"{where}: not a text file but {what}")
        if b"\0" in start and (self.encoding is None or encodings.plain(self.encoding)):
            guess = encodings.unmarked(start)
            hint = f"; perhaps UTF-16 without a mark: say encoding={guess}" if guess else ""
            raise InputError(f"{where}: not a text file: it holds NUL bytes (byte {start.index(0)}){hint}")
        what = foreign.textual(start.decode(self.encoding or "utf-8", "ignore"), self.name)
        if what is not None and not self.reading.as_is:
            if not self.reading.tables:
                raise InputError(f"{where}: not plain text but {what}, or say as_is=true to read all of its signs)")
            if not what.startswith("JSON"):
                raise InputError(f"{where}: not a table but {what})")

    def _recoded(self, blocks: Iterator[bytes]) -> Iterator[bytes]:
        """Blocks in UTF-8; a byte that its encoding does not know becomes one that UTF-8 does not know."""
        if self.encoding is None:
            yield from blocks
            return
        decoder = codecs.getincrementaldecoder(self.encoding)("corpora-bad-byte")
        for block in itertools.chain(blocks, [b""]):
            text = decoder.decode(block, final=not block)
            if text:
                yield text.encode("utf-8", "surrogatepass")

    def _cut(self, blocks: Iterator[bytes], whole: bool) -> Iterator[tuple[bytes, bool]]:
        """(a line or a part of one, whether it ends here)."""
        longest = self.reading.longest if whole else sys.maxsize
        held: list[bytes] = []  # the beginning of a line that is not over
        size = before = 0  # of what is held, and of the parts of the line that are out already
        for block in itertools.chain(blocks, [b""]):
            held.append(block)
            size += len(block)
            goes_on = bool(block) and b"\n" not in block and b"\r" not in block and not held[0].endswith(b"\r")
            if goes_on and whole and size <= longest:
                continue
            pieces = b"".join(held).splitlines(keepends=True)
            # What has no end yet, or a CR that may be followed by LF, waits for the next block.
            rest = pieces.pop() if pieces and block and not pieces[-1].endswith(b"\n") else b""
            self._pieces, number = pieces, self.number - (before > 0)
            before = 0
            for piece in pieces:
                number += 1
                self.number = number
                if len(piece) > longest:
                    self._refuse_long(number)
                if piece.endswith(b"\r"):
                    self._carriage += 1
                yield piece.rstrip(b"\r\n"), True
                self.start += len(piece)
            if len(rest) > longest:
                self._refuse_long(number + 1)
            if not whole and len(rest) >= _BLOCK:
                cut = _boundary(rest)
                self.number += not before
                before += cut
                self._pieces = [rest[:cut]]
                yield rest[:cut], False
                self.start += cut
                rest = rest[cut:]
            held, size = [rest] if rest else [], len(rest)
        if before:
            yield b"", True

    def _refuse_long(self, number: int) -> None:
        raise InputError(
            f"{shown(self.name)}: line {number} is longer than {self.reading.longest:,} bytes; put one sentence "
            "on each line, or say unit=sentence or unit=window to cut running text"
        )

    def _undecoded(self, body: bytes, error: UnicodeDecodeError) -> tuple[str, str | None]:
        """The text of a line that is not in its encoding, and None; or nothing, and why it is dropped."""
        if self.reading.errors == "replace":
            return body.decode("utf-8", "replace" if self.encoding is None else _REPLACED), None
        if self.reading.errors == "skip":
            return "", NOT_READ
        where = f"{shown(self.name)}: line {self.number}"
        if self.encoding is not None:
            raise InputError(
                f"{where}: not {self.encoding}; say another encoding, or errors=replace to go on"
            ) from error
        sample = b"\n".join(line for line in [body, *self._pieces[:_FEW]] if not line.isascii())[:_SAMPLE]
        guess = encodings.likely(sample.rpartition(b"\n")[0] or sample)
        perhaps = f", perhaps {guess}: say encoding={guess}, or" if guess else "; say encoding=NAME, or"
        byte = f"byte {self.start + error.start}: not UTF-8 (0x{body[error.start]:02x})"
        raise InputError(f"{where}, {byte}{perhaps} errors=replace to go on") from error


def _replace_marked(error: UnicodeError) -> tuple[str, int]:
    """One U+FFFD for the three bytes that `_recoded` puts in the place of a byte it cannot read."""
    assert isinstance(error, UnicodeDecodeError)
    whole = error.object[error.start : error.start + 3] == b"\xed\xb3\xbf"
    return "\ufffd", error.start + 3 if whole else error.end


_REPLACED = "corpora-replaced"
codecs.register_error(_REPLACED, _replace_marked)


def _boundary(text: bytes) -> int:
    """Where UTF-8 can be cut, near its end: behind a space where there is one, but never within a character."""
    space = text.rfind(b" ")
    if space > len(text) // 2:
        return space + 1
    cut = len(text) - text.endswith(b"\r")
    for _ in range(4):
        last = text[cut - 1]
        if last < 0x80:
            return cut
        cut -= 1
        if last >= 0xC0:
            return cut
    return cut


@contextlib.contextmanager
def _opened(name: str) -> Iterator[BinaryIO]:
    """A file as bytes, unpacked where its name ends in .gz."""
    with contextlib.ExitStack() as stack:
        if name == "-":
            raw: Any = sys.stdin.buffer
        else:
            with explained(Path(name)):
                if Path(name).is_dir():
                    raise InputError(f"{quoted_path(name)}: this is a folder, not a file")
                raw = stack.enter_context(open(name, "rb"))  # noqa: PTH123 - accepts /dev/fd/63 as well
        if not name.lower().endswith(".gz"):
            yield raw
            return
        with explained(Path(name)):
            start = raw.peek(2)[:2]
        if start and start != b"\x1f\x8b":
            raise InputError(f"{shown(name)}: the name ends in .gz but this is not gzip data")
        yield stack.enter_context(gzip.GzipFile(fileobj=raw))  # type: ignore[misc]

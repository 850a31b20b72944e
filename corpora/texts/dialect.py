"""The dialect of a table of text: the sign between cells, quotes, a header; and the column that holds the text.

What a person does not say is guessed from the first records, and every guess can be told.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from corpora.errors import InputError, quoted

SAMPLE = 1000  # records that a guess is made from
_DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|", "space": " ", "\\t": "\t"}
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a pipe", " ": "a space"}
_GUESSED = (",", ";", "\t", "|")
_HEADERS = frozenset((
    "text", "texts", "sentence", "sentences", "content", "body", "review", "reviews", "comment", "message", "title",
    "id", "idx", "index", "label", "labels", "class", "category", "target", "sentiment", "stars", "rating", "score",
    "author", "name", "date", "url", "source", "lang", "language", "quote", "joke", "poem", "line", "lyrics", "tweet",
    "question", "answer", "summary", "headline", "description",
))  # fmt: skip
_SEPARATOR = re.compile(r"sep=(.)\s*$", re.I)  # the first line of a table that Excel is to read
_NUMBER = re.compile(r"[-+]?[\d.,:/%eE+\- ]*\d[\d.,:/%eEZT+\- ]*$")
_UNSPACED = re.compile("[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]")
_WORDS_OF_ROW = 4  # so many words in the first line, and it reads like a row


class Dialect(NamedTuple):
    """The way in which the cells of a table are written."""

    delimiter: str
    quotes: bool
    escape: str | None = None  # the sign before a quotation mark in quotes, where it is not doubled
    header: bool = True
    skip: int = 0  # lines before the table
    guesses: tuple[str, ...] = ()  # a phrase for each thing that was guessed


class Span(NamedTuple):
    """A record, and the lines that it stands on."""

    cells: list[str]
    line: int  # the last one, from 1
    lines: int


def delimiter_of(setting: str) -> str:
    """The delimiter that a setting names. Raises InputError for more than one sign."""
    sign = _DELIMITERS.get(setting.lower(), setting)
    if len(sign) != 1 or sign in '"\r\n':
        raise InputError(f"delimiter={quoted(setting, 40)}: expected one sign, or {', '.join(list(_DELIMITERS)[:5])}")
    return sign


def name_of(delimiter: str) -> str:
    """A delimiter in words."""
    return _NAMES.get(delimiter, f"`{delimiter}`")


def records(lines: Iterable[str], dialect: Dialect) -> Iterator[Span]:
    """The records of lines, which are without their ends. Raises csv.Error, and nothing else."""
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if dialect.quotes else csv.QUOTE_NONE
    table = csv.reader(
        (f"{line}\n" for line in lines),
        delimiter=dialect.delimiter,
        strict=True,
        quoting=quoting,
        doublequote=dialect.escape is None,
        escapechar=dialect.escape,
        skipinitialspace=dialect.quotes and dialect.delimiter != " ",
    )
    before = 0
    for cells in table:
        yield Span(cells, table.line_num, table.line_num - before)
        before = table.line_num


def sniff(
    lines: Sequence[str],
    usual: str,
    *,
    delimiter: str | None,
    quotes: bool | None,
    header: bool | None,
    wanted: Sequence[str],
    whole: bool,
) -> Dialect:
    """The dialect of a table by its first lines; what is not None is as it is said.

    `usual`: the delimiter that the file's name calls for. `wanted`: columns that are asked for by name. `whole`: the
    lines are all of the table. Raises InputError where quotes seem to swallow rows.
    """
    guesses, skip = [], 0
    if lines and delimiter is None and (said := _SEPARATOR.match(lines[0])):
        delimiter, skip = said[1], 1
        guesses.append(f"{name_of(delimiter)} between cells, as its first line says")
    body = list(lines[skip:])
    if delimiter is not None:
        read = _read(body, delimiter, quotes, whole)
    else:
        order = [usual, *(sign for sign in _GUESSED if sign != usual)]
        every = {sign: _read(body, sign, quotes, whole) for sign in order}
        fitting = [sign for sign in order if _share(every[sign][1]) == 1] or [
            sign for sign in order if _share(every[sign][1]) >= 0.9
        ]
        delimiter = min(fitting or [usual], key=lambda sign: _in_prose(body, sign))  # the first of equals
        read = every[delimiter]
        if delimiter != usual:
            guesses.append(f"{name_of(delimiter)} between cells")
    dialect, spans = read
    if quotes is None:
        guesses += [_of_quotes(dialect)] * _differs(dialect)
        _refuse_swallowed(spans, body, dialect, skip)
    rows = [span.cells for span in spans if span.cells]
    if header is None and rows:
        header, why = _header(rows, wanted)
        guesses += [why] if why else []
    return dialect._replace(header=header is not False, skip=skip, guesses=tuple(guesses))


def _in_prose(lines: Sequence[str], sign: str) -> bool:
    """Whether a sign mostly stands before a space, as it does between words."""
    every = sum(line.count(sign) for line in lines)
    return 2 * sum(line.count(f"{sign} ") for line in lines) > every


def _read(lines: list[str], delimiter: str, quotes: bool | None, whole: bool) -> tuple[Dialect, list[Span]]:
    """The first records with a delimiter, in the way of quoting that fits."""
    if quotes is None and delimiter == "\t":
        quotes = _quoting(lines, delimiter)
    plain = Dialect(delimiter, quotes is not False)
    spans, good = _parsed(lines, plain, whole)
    if not good and plain.quotes:
        escaped = plain._replace(escape="\\")
        others, fits = _parsed(lines, escaped, whole)
        if fits and _share(others) == 1:
            return escaped, others
    return plain, spans


def _parsed(lines: list[str], dialect: Dialect, whole: bool) -> tuple[list[Span], bool]:
    """The records up to the first mistake, and whether there is none."""
    spans: list[Span] = []
    try:
        spans.extend(records(lines, dialect))
    except csv.Error as error:
        return spans, not whole and "unexpected end" in str(error)
    return spans, True


def _share(spans: Sequence[Span]) -> float:
    """The share of the records that have as many cells as the first one; 0 where that is one."""
    rows = [span.cells for span in spans if span.cells]
    if not rows or len(rows[0]) < 2:
        return 0.0
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def _quoting(lines: Sequence[str], delimiter: str) -> bool:
    """Whether cells between tabs stand in quotes as in CSV: some double those inside, and none begins with one only."""
    doubled = False
    for line in lines:
        for cell in line.split(delimiter):
            if cell.startswith('"'):
                if not in_quotes(cell):
                    return False
                doubled |= '""' in cell[1:-1]
    return doubled


def in_quotes(cell: str) -> bool:
    """Whether a cell begins and ends with a quotation mark, those inside being doubled."""
    return len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")


def _differs(dialect: Dialect) -> bool:
    return dialect.escape is not None or (dialect.delimiter == "\t" and dialect.quotes)


def _of_quotes(dialect: Dialect) -> str:
    if dialect.escape is not None:
        return "cells in double quotes, with \\ before those inside"
    return "cells in double quotes, as in CSV"


def _refuse_swallowed(spans: Sequence[Span], lines: Sequence[str], dialect: Dialect, skip: int) -> None:
    """Raise InputError where cells in quotes go on over lines that are all records of their own."""
    if not dialect.quotes or not spans:
        return
    count = len(spans[0].cells)
    inner, first = 0, None
    for span in spans:
        between = lines[span.line - span.lines + 1 : span.line - 1]
        if any(line.count(dialect.delimiter) != count - 1 for line in between):
            return
        inner += len(between)
        first = first or (span if between else None)
    if count < 2 or inner < 10 or first is None:
        return
    raise InputError(
        f"lines {skip + first.line - first.lines + 1} to {skip + first.line}: a cell in quotes goes on over lines that "
        "could each be a row: say quotes=false if quotes mean nothing here, quotes=true if they do"
    )


def _header(rows: Sequence[Sequence[str]], wanted: Sequence[str]) -> tuple[bool, str | None]:
    """Whether the first record names the columns; and a phrase, unless that is plain."""
    first, body = [cell.strip() for cell in rows[0]], rows[1:]
    names = {cell.lower() for cell in first}
    if not body or names & _HEADERS or set(wanted) & {*first}:
        return True, None
    columns = [[row[place].strip() for row in body if place < len(row)] for place in range(len(first))]
    for name, cells in zip(first, columns, strict=True):
        below = [cell for cell in cells if cell]
        if below and name and all(map(_NUMBER.match, below)) and not _NUMBER.match(name):
            return True, None
    shown = quoted(max(first, key=len), 60)
    reads = f"no header: the first line, {shown}, reads like a row (header=true if it names the columns)"
    for name, cells in zip(first, columns, strict=True):
        below = [cell for cell in cells if cell]
        if not below or not name:
            continue
        if _NUMBER.match(name) and all(map(_NUMBER.match, below)):
            return False, reads
        if name in below and len({*below}) <= len(below) / 2 and len(first) > 1:
            return False, reads
    longest = max(range(len(first)), key=lambda place: len(first[place]))
    usual = sorted(len(cell) for cell in columns[longest])[len(columns[longest]) // 2] if columns[longest] else 0
    if words(first[longest]) >= _WORDS_OF_ROW and len(first[longest]) >= 0.4 * usual:
        return False, reads
    return True, f"column names in the first line, {shown} (header=false if it is a row)"


def words(text: str) -> float:
    """The number of words, about: two characters make one where none stands between spaces."""
    return len(text.split()) + len(_UNSPACED.findall(text)) / 2


def column_of_text(names: Sequence[str], sample: Sequence[Mapping[str, Any]]) -> tuple[str | None, str | None]:
    """The column that holds the text, and a phrase on why, or None where it is not plain.

    `text` by name; else the only column of text; else the only one whose cells hold several words.
    """
    for name in names:
        if name.strip().lower() == "text":
            return name, None
    texts = []
    for name in names:
        values = [value for record in sample if (value := record.get(name)) not in (None, "")]
        if values and all(isinstance(value, str) for value in values) and not all(map(_NUMBER.match, values)):
            texts.append((name, values))
    if len(texts) == 1:
        return texts[0][0], "the only one of text"
    several = [name for name, values in texts if sum(map(words, values)) >= 2 * len(values)]
    if len(several) == 1 and len(sample) > 1:
        return several[0], "the only one of several words"
    return None, None

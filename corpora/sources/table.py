"""Tables with a column of text: .csv, .tsv, JSON lines (.jsonl, .ndjson), each also .gz, and .parquet; streamed."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from corpora.errors import InputError, choose, quoted
from corpora.files import explained, quoted_path
from corpora.row import Row
from corpora.settings import Settings, setting
from corpora.sources.text import LONGEST, lines

_KINDS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "json", ".ndjson": "json", ".parquet": "parquet"}

MODALITY = "text"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of tables."""

    column: str | None = setting(None, "the column with the text; by default `text`, or the only one that holds text")
    label_column: str | None = setting(None, "the column with the labels")
    errors: str = setting(
        "strict",
        "bytes that are not UTF-8: strict (an error), replace (by U+FFFD) or skip (the row)",
        choices=("strict", "replace", "skip"),
    )
    quotes: bool = setting(True, "CSV and TSV: a cell may stand in double quotes, and then hold line breaks")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    return not address.startswith("hf:") and _kind(address) is not None


def read(inputs: Sequence[str], config: Config) -> Iterator[Row]:
    """The rows of the tables in order. Raises InputError, naming file and line, for what cannot be read."""
    for address in inputs:
        kind = _kind(address)
        if kind is None:
            raise InputError(f"{quoted_path(address)}: not a table: a name should end in {', '.join(_KINDS)} (or .gz)")
        with explained(Path(address)):
            Path(address).stat()
        records = (
            _parquet(address)
            if kind == "parquet"
            else _json(address, config)
            if kind == "json"
            else _csv(address, "," if kind == "csv" else "\t", config)
        )
        yield from rows_of(records, address, config.column, config.label_column)


def rows_of(
    records: Iterable[Mapping[str, Any] | None], where: str, column: str | None, label_column: str | None
) -> Iterator[Row]:
    """Rows of records (column -> value; None for a record that could not be read).

    Raises InputError naming the columns if the wanted one is not there, or if none is wanted and it is not plain.
    """
    stream = iter(records)
    first: list[Mapping[str, Any] | None] = []
    for record in stream:
        first.append(record)
        if record is not None:
            break
    if not first or first[-1] is None:
        raise InputError(f"{quoted_path(where)}: the table has no rows")
    chosen = _column(first[-1], where, column)
    if label_column is not None:
        _named(first[-1], where, label_column)
    for number, record in enumerate(itertools.chain(first, stream), 1):
        if record is None:
            yield Row("", None, "not UTF-8")
            continue
        text = record.get(chosen)
        if text is not None and not isinstance(text, str):
            raise InputError(
                f"{quoted_path(where)}: row {number}: column {chosen!r} holds {quoted(text, 40)}, which is not text"
            )
        label = record.get(label_column) if label_column is not None else None
        yield Row(text or "", None if label is None or label == "" else str(label))


def _kind(address: str) -> str | None:
    name = address.lower()
    return _KINDS.get(Path(name.removesuffix(".gz")).suffix) if not name.endswith(".parquet.gz") else None


def _column(record: Mapping[str, Any], where: str, column: str | None) -> str:
    if column is not None:
        return _named(record, where, column)
    if isinstance(record.get("text"), str):
        return "text"
    texts = [name for name, value in record.items() if isinstance(value, str)]
    if len(texts) == 1:
        return texts[0]
    raise InputError(
        f"{quoted_path(where)}: which column holds the text? say column=NAME; columns: {', '.join(map(str, record))}"
    )


def _named(record: Mapping[str, Any], where: str, column: str) -> str:
    try:
        return choose("column", column, map(str, record))
    except InputError as error:
        raise InputError(f"{quoted_path(where)}: {error}") from error


def _csv(name: str, delimiter: str, config: Config) -> Iterator[Mapping[str, Any] | None]:
    """Records of a CSV file with a header. A cell in quotes may hold line breaks."""
    skipped = 0

    def decoded() -> Iterator[str]:
        nonlocal skipped
        for line, dropped in lines(name, config.errors):
            if dropped:
                skipped += 1
            else:
                yield line + "\n"

    csv.field_size_limit(LONGEST)
    quoting: Literal[0, 3] = csv.QUOTE_MINIMAL if config.quotes else csv.QUOTE_NONE
    table = csv.reader(decoded(), delimiter=delimiter, strict=True, quoting=quoting)
    header: list[str] | None = None
    try:
        for cells in table:
            yield from [None] * skipped
            skipped = 0
            if not cells:
                continue
            if header is None:
                header = cells
                if len(set(header)) != len(header):
                    raise InputError(f"{quoted_path(name)}: line 1: two columns have the same name; rename one")
            elif len(cells) != len(header):
                raise InputError(
                    f"{quoted_path(name)}: line {table.line_num}: {len(cells)} cells, but the header has {len(header)}"
                )
            else:
                yield dict(zip(header, cells, strict=True))
    except csv.Error as error:
        raise InputError(
            f"{quoted_path(name)}: line {table.line_num}: {error}; if quotes mean nothing here, say quotes=false"
        ) from error


def _json(name: str, config: Config) -> Iterator[Mapping[str, Any] | None]:
    for number, (line, dropped) in enumerate(lines(name, config.errors), 1):
        if dropped:
            yield None
        elif line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                raise InputError(f"{quoted_path(name)}: line {number}: not valid JSON: {quoted(str(error))}") from error
            if not isinstance(record, dict):
                raise InputError(
                    f"{quoted_path(name)}: line {number}: expected a JSON object, found {quoted(line, 40)}"
                )
            yield record


def _parquet(name: str) -> Iterator[Mapping[str, Any]]:
    import pyarrow
    import pyarrow.parquet

    try:
        with pyarrow.parquet.ParquetFile(name) as table:
            for batch in table.iter_batches(batch_size=1000):
                yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{quoted_path(name)}: not readable as Parquet: {quoted(str(error), 120)}") from error

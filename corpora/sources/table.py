"""Tables with a column of text: .csv, .tsv, .jsonl, .ndjson, .json (each also .gz), .parquet; folders of one kind."""

from __future__ import annotations

import csv
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from corpora import folder
from corpora.errors import InputError, choose, counted, quoted
from corpora.files import explained, quoted_path
from corpora.naming import by_name, named_splits_setting
from corpora.row import Row, Told
from corpora.settings import Settings, setting
from corpora.texts import cut, dialect, plain
from corpora.texts.plain import Part, Reading

_KINDS = {
    ".csv": ",", ".tsv": "\t", ".tab": "\t", ".psv": "|",
    ".jsonl": "json", ".ndjson": "json", ".jsonlines": "json", ".json": "json", ".parquet": "parquet",
}  # fmt: skip
_LINE_END = re.compile(r"\r\n|\r|\n")
_FEW = 20  # lines that show what a file is
_LONGEST = 1 << 26  # bytes in a line: a record may hold a book
_MOST_JSON = 1 << 28  # characters of a file with one JSON value

MODALITY = "text"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of tables."""

    column: str | None = setting(
        None, "the column with the text, by name or number from 1; by default `text`, or the only one"
    )
    label_column: str | None = setting(None, "the column with the labels, by name or number from 1")
    delimiter: str | None = setting(
        None, "CSV: the sign between cells, or comma, semicolon, tab, pipe; by default guessed, and told"
    )
    header: bool | None = setting(None, "CSV: the first line names the columns; by default guessed, and told")
    quotes: bool | None = setting(
        None, "CSV: cells may stand in double quotes, and then hold line ends; by default yes, but not between tabs"
    )
    unit: str = cut.unit_setting("cell", more=("cell",))
    window: int = cut.window_setting()
    window_of: str = cut.window_of_setting()
    errors: str = plain.errors_setting()
    encoding: str | None = plain.encoding_setting()
    named_splits: bool = named_splits_setting()


class Pick(NamedTuple):
    """The cells of a record that are wanted."""

    where: str  # the table, for messages
    column: str | None
    label_column: str | None


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named: for tables, and folders with more of them than of others."""
    return not address.startswith("hf:") and (_kind(address) is not None or folder.kind_of(address) == "table")


def files_of(inputs: Sequence[str]) -> list[Path]:
    """The files behind the inputs: a folder stands for the tables in it, sorted, at any depth."""
    return folder.files_of(inputs, "table")


def read(inputs: Sequence[str], config: Config) -> Iterator[Row | Told]:
    """The rows of the tables in order. Raises InputError, naming file and line, for what cannot be read."""
    files, remarks = by_name(inputs, files_of, config.named_splits)
    yield from remarks
    for address in inputs:
        yield from folder.files_in(address, "table").remarks()
    guesses: dict[str, list[str]] = {}
    for file in files:
        table = _Table(str(file.path), config)
        for item in table.rows():
            yield item if isinstance(item, Told) else item._replace(split=file.split)
        for guess in table.guesses:
            guesses.setdefault(guess, []).append(file.path.name)
    for guess, names in guesses.items():
        yield Told(f"{names[0]}{f' and {len(names) - 1:,} more' if len(names) > 1 else ''}: {guess}")


class _Table:
    """One table, read once."""

    def __init__(self, name: str, config: Config) -> None:
        self.name, self.config, self.where = name, config, plain.shown(name)
        self.reading = Reading(config.errors, config.encoding, _LONGEST, tables=True)
        self.guesses: list[str] = []
        self._spans: Counter[str] = Counter()

    def rows(self) -> Iterator[Row | Told]:
        """The rows, and what is to be told of them."""
        kind = _kind(self.name)
        if self.name != "-":
            with explained(Path(self.name)):
                Path(self.name).stat()
        if kind == "parquet":
            yield from self._cut(_parquet(self.name, self.config, self.guesses))
        else:
            lines = self._lines()
            first = list(itertools.islice(lines, _FEW))
            lines = itertools.chain(first, lines)
            begins = next((line.strip() for line in first if line and line.strip()), "")
            if kind is None:  # the name says nothing: what begins as JSON does is JSON
                kind = "json" if begins.startswith(('{"', "[")) else "\t"
            records = self._json(lines, begins, len(first) == _FEW) if kind == "json" else self._csv(lines, kind)
            pick = Pick(self.name, self.config.column, self.config.label_column)
            yield from self._cut(rows_of(records, pick, self.guesses))
        yield from self.reading.remarks()
        if self._spans["rows"]:
            rows, over = counted(self._spans["rows"], "row"), self._spans["lines"]
            yield Told(
                f"{Path(self.name).name}: {rows} over {over:,} lines, as cells in quotes may (if quotes "
                "mean nothing here, say quotes=false)"
            )
        if self._spans["in quotes"]:
            yield Told(
                f"of {Path(self.name).name} kept with quotation marks around a cell; quotes=true takes them off",
                self._spans["in quotes"],
                "row",
            )

    def _cut(self, rows: Iterable[Row | Told]) -> Iterator[Row | Told]:
        return cut_cells(rows, self.config.unit, self.config.window, self.config.window_of, self.where)

    def _lines(self) -> Iterator[str | None]:
        """The lines; None for one that could not be read."""
        return (None if dropped else line for line, dropped in plain.lines(self.name, reading=self.reading))

    def _csv(self, every: Iterable[str | None], usual: str) -> Iterator[Mapping[str, Any] | None]:
        """Records of a file of cells. A cell in quotes may hold line ends."""
        skipped = 0
        config = self.config

        def readable() -> Iterator[str]:
            nonlocal skipped
            for line in every:
                if line is None:
                    skipped += 1
                else:
                    yield line

        lines = readable()
        first = list(itertools.islice(lines, dialect.SAMPLE))
        delimiter = None if config.delimiter is None else dialect.delimiter_of(config.delimiter)
        named = [column for column in (config.column, config.label_column) if column and not column.isdecimal()]
        try:
            way = dialect.sniff(
                first, usual, delimiter=delimiter, quotes=config.quotes, header=config.header, wanted=named,
                whole=len(first) < dialect.SAMPLE,
            )  # fmt: skip
        except InputError as error:
            raise InputError(f"{self.where}: {error}") from error
        self.guesses += way.guesses
        csv.field_size_limit(_LONGEST)
        names: list[str] | None = None
        reached = way.skip
        try:
            for span in dialect.records(itertools.chain(first[way.skip :], lines), way):
                reached = way.skip + span.line
                yield from [None] * skipped
                skipped = 0
                if not span.cells:
                    continue
                if names is None:
                    names = self._names(span.cells, header=way.header)
                    if way.header:
                        continue
                yield self._record(names, span, reached, quotes=way.quotes)
            yield from [None] * skipped
        except csv.Error as error:
            hint = "if quotes mean nothing here, say quotes=false" if way.quotes else "is it a table?"
            why = "a cell in quotes never ends" if "unexpected end" in str(error) else str(error)
            raise InputError(f"{self.where}: line {reached + 1}: {why}; {hint}") from error

    def _names(self, cells: list[str], *, header: bool) -> list[str]:
        """The names of the columns: their numbers where there is no header, or a name is empty."""
        names = [(cell.strip() if header else "") or str(number) for number, cell in enumerate(cells, 1)]
        if len({*names}) != len(names):
            raise InputError(
                f"{self.where}: line 1: two columns have the same name; rename one, or say header=false if it is a row"
            )
        return names

    def _record(self, names: list[str], span: dialect.Span, line: int, *, quotes: bool) -> Mapping[str, str]:
        cells = span.cells
        while len(cells) > len(names) and not cells[-1].strip():
            cells.pop()
        if len(cells) != len(names):
            raise InputError(
                f"{self.where}: line {line}: {len(cells)} cells, but the header has {len(names)}: "
                f"{self._remedy(quotes)}"
            )
        if span.lines > 1:
            self._spans["rows"] += 1
            self._spans["lines"] += span.lines
        if not quotes:
            self._spans["in quotes"] += any(map(dialect.in_quotes, cells))
        return dict(zip(names, cells, strict=True))

    def _remedy(self, quotes: bool) -> str:
        if not quotes:
            return "if cells in quotes may hold line ends or tabs, say quotes=true"
        return "put a cell that holds the delimiter in quotes, say delimiter=, or for a text on each line --source text"

    def _json(self, lines: Iterable[str | None], begins: str, several: bool) -> Iterator[Mapping[str, Any] | None]:
        """Records of JSON lines, or of one JSON value, by how they begin; `several`: more than a few lines."""
        if _is_one_value(begins, self.name):
            yield from self._one_value(lines)
            return
        if not several and not self.name.lower().removesuffix(".gz").endswith("l"):
            lines = list(lines)
            if sum(bool(line and line.strip()) for line in lines) == 1:
                yield from self._one_value(lines)
                return
        for number, line in enumerate(lines, 1):
            if line is None:
                yield None
            elif line.strip():
                record = self._loaded(line, f"line {number}")
                if not isinstance(record, dict):
                    raise InputError(f"{self.where}: line {number}: expected a JSON object, found {quoted(line, 40)}")
                yield record

    def _loaded(self, text: str, place: str) -> Any:
        try:
            return json.loads(text)
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.where}: {place}: not valid JSON: {quoted(str(error))}") from error

    def _one_value(self, lines: Iterable[str | None]) -> Iterator[Mapping[str, Any]]:
        """Records of a file that is one JSON value: a list of objects or texts, or an object of columns or a list."""
        held, size = [], 0
        for line in lines:
            if line is None:
                raise InputError(f"{self.where}: not UTF-8: errors=skip leaves out lines, and this is one JSON value")
            held.append(line)
            size += len(line)
            if size > _MOST_JSON:
                raise InputError(
                    f"{self.where}: one JSON value of over {_MOST_JSON:,} characters: make it JSON lines (.jsonl)"
                )
        value = self._loaded("\n".join(held), "the JSON value")
        if isinstance(value, dict):
            value = self._of_object(value)
        if not isinstance(value, list):
            raise InputError(f"{self.where}: expected a list of JSON objects, found {quoted(value, 40)}")
        for number, record in enumerate(value, 1):
            if isinstance(record, str):
                yield {"text": record}
            elif isinstance(record, list):
                yield {str(place): cell for place, cell in enumerate(record, 1)}
            elif isinstance(record, dict):
                yield record
            else:
                raise InputError(
                    f"{self.where}: entry {number} of the list: expected an object, found {quoted(record, 40)}"
                )

    def _of_object(self, value: dict[str, Any]) -> list[Any]:
        """The records of an object: its only list of objects, or its columns."""
        lists = [key for key, one in value.items() if isinstance(one, list) and one]
        tables = [key for key in lists if all(isinstance(record, dict) for record in value[key])]
        if len(tables) == 1:
            self.guesses.append(f"rows from its list {quoted(tables[0], 40)}")
            return value[tables[0]]
        columns = {key: [*one.values()] if isinstance(one, dict) else one for key, one in value.items()}
        sizes = {len(one) if isinstance(one, list) else -1 for one in columns.values()}
        if len(sizes) == 1 and -1 not in sizes and not tables:
            self.guesses.append("an object of columns")
            return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]
        if not lists and not any(isinstance(one, dict) for one in value.values()):
            return [value]  # one record
        raise InputError(
            f"{self.where}: one JSON object with {', '.join(map(str, list(value)[:8]))}: expected a list of objects, "
            "or an object on each line"
        )


def rows_of(
    records: Iterable[Mapping[str, Any] | None], pick: Pick, guesses: list[str], columns: Sequence[str] = ()
) -> Iterator[Row | Told]:
    """Rows of records (column -> value; None for a record that could not be read).

    `columns`: the names, where they are known; else they are those of the first records. What is guessed is added to
    `guesses`. Raises InputError naming the columns if the wanted one is not there, or if none is wanted and it is not
    plain.
    """
    stream = iter(records)
    sample = list(itertools.islice(stream, dialect.SAMPLE))
    seen = [record for record in sample if record is not None]
    if not seen:
        raise InputError(f"{quoted_path(pick.where)}: the table has no rows")
    names = list(columns) or list(dict.fromkeys(str(name) for record in seen for name in record))
    chosen = column_for(names, seen, pick, guesses)
    label_column = None if pick.label_column is None else _named(names, pick.where, pick.label_column)
    missing = 0
    for number, record in enumerate(itertools.chain(sample, stream), 1):
        if record is None:
            yield Row("", None, plain.NOT_READ)
            continue
        missing += chosen not in record
        text = record.get(chosen)
        place = f"{quoted_path(pick.where)}: row {number}"
        if text is not None and not isinstance(text, str):
            if not (isinstance(text, float) and math.isnan(text)):
                raise InputError(f"{place}: column {chosen!r} holds {quoted(text, 40)}, which is not text")
            text = None
        label = record.get(label_column) if label_column is not None else None
        yield Row(text or "", label_of(label, place))
    if missing:
        yield Told(f"of {Path(pick.where).name} without the field {chosen!r}: taken as empty", missing, "record")


def column_for(names: Sequence[str], sample: Sequence[Mapping[str, Any]], pick: Pick, guesses: list[str]) -> str:
    """The column with the text. Raises InputError, naming the columns, where it is not plain."""
    if pick.column is not None:
        return _named(names, pick.where, pick.column)
    chosen, why = dialect.column_of_text(names, sample)
    if chosen is None:
        raise InputError(
            f"{quoted_path(pick.where)}: which column holds the text? say column=NAME; columns: {', '.join(names)}"
        )
    if why is not None and len(names) > 1:
        guesses.append(f"the text is column {quoted(chosen, 60)}, {why} of {len(names):,}")
    return chosen


def label_of(value: Any, place: str) -> str | None:
    """A label as text: None for an empty one and for NaN, whole numbers without a point."""
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dict | list | bytes):
        raise InputError(f"{place}: the label is {quoted(value, 40)}: expected a word or a number")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def cut_cells(rows: Iterable[Row | Told], unit: str, window: int, window_of: str, where: str) -> Iterator[Row | Told]:
    """Rows of the text in cells, which may hold line ends; each has the label of its cell."""
    if unit == "cell":
        yield from rows
        return
    for row in rows:
        if isinstance(row, Told) or row.dropped:
            yield row
            continue
        lines = list(map(Part, _LINE_END.split(row.text)))
        blank = True
        for text, dropped in cut.rows(lines, where, unit, window, window_of):
            yield row._replace(text=text, dropped=dropped)
            blank = False
        if blank:
            yield row._replace(text="")


def _kind(address: str) -> str | None:
    name = address.lower()
    return _KINDS.get(Path(name.removesuffix(".gz")).suffix) if not name.endswith(".parquet.gz") else None


def _named(names: Sequence[str], where: str, column: str) -> str:
    """A column by its name or, where none has it, by its number from 1."""
    if column not in names and column.isdecimal() and 1 <= int(column) <= len(names):
        return names[int(column) - 1]
    try:
        return choose("column", column, names)
    except InputError as error:
        raise InputError(f"{quoted_path(where)}: {error}") from error


def _is_one_value(beginning: str, name: str) -> bool:
    """Whether a file that begins so is one JSON value, not an object on each line."""
    if beginning.startswith("["):
        return True
    if not beginning.startswith("{"):
        return False
    try:
        json.loads(beginning)
    except (ValueError, RecursionError):
        return ".json" in Path(name.lower()).suffixes and not beginning.endswith("}")
    return False


def _parquet(name: str, config: Config, guesses: list[str]) -> Iterator[Row | Told]:
    """Rows of a Parquet file, of which the wanted columns alone are read."""
    import pyarrow
    import pyarrow.parquet

    where = quoted_path(name)
    pick = Pick(name, config.column, config.label_column)
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(name) as table:
            schema = table.schema_arrow
            columns = _of_parquet(table, schema, pick, guesses)
            for batch in table.iter_batches(batch_size=1000, columns=[*dict.fromkeys(columns)]):
                texts = _texts(batch.column(columns[0]))
                labels = batch.column(columns[1]).to_pylist() if len(columns) > 1 else itertools.repeat(None)
                for text, label in zip(texts, labels, strict=False):
                    number += 1
                    place = f"{where}: row {number}"
                    if isinstance(text, bytes):
                        text = _decoded(text, config.errors, place)
                    yield Row(text or "", label_of(label, place), plain.NOT_READ if text is False else None)
    except (pyarrow.ArrowException, OSError) as error:
        raise InputError(f"{where}: not readable as Parquet: {quoted(str(error), 120)}") from error
    except (OverflowError, ValueError, TypeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"{where}: row {number + 1} or below holds what cannot be read: {quoted(str(error), 120)}; choose other "
            "columns by column= and label_column="
        ) from error
    if not number:
        raise InputError(f"{where}: the table has no rows")


def _of_parquet(table: Any, schema: Any, pick: Pick, guesses: list[str]) -> list[str]:
    """The column with the text and, where one is wanted, that with the labels."""
    import pyarrow

    def of_text(kind: Any) -> bool:
        kind = kind.value_type if pyarrow.types.is_dictionary(kind) else kind
        return pyarrow.types.is_string(kind) or pyarrow.types.is_large_string(kind) or "string_view" in str(kind)

    names = list(schema.names)
    texts = [name for name in names if of_text(schema.field(name).type)]
    if pick.column is None and not texts:
        raise InputError(f"{quoted_path(pick.where)}: no column holds text; columns: {', '.join(names)}")
    if pick.column is None and len(texts) > 1 and not any(name.strip().lower() == "text" for name in texts):
        first = next(table.iter_batches(batch_size=dialect.SAMPLE, columns=texts), None)
        sample = [] if first is None else [
            {name: cell.decode("utf-8", "replace") if cell else cell for name, cell in zip(texts, cells, strict=True)}
            for cells in zip(*(_texts(first.column(name)) for name in texts), strict=True)
        ]  # fmt: skip
        column = column_for(texts, sample, pick, guesses)
    elif pick.column is None:
        column = next((name for name in texts if name.strip().lower() == "text"), texts[0])
        if column.strip().lower() != "text" and len(names) > 1:
            guesses.append(f"the text is column {quoted(column, 60)}, the only one of text of {len(names):,}")
    else:
        column = _named(names, pick.where, pick.column)
        if column not in texts:
            kind = schema.field(column).type
            raise InputError(
                f"{quoted_path(pick.where)}: column {column!r} holds {quoted(str(kind), 40)}, which is not text; "
                f"columns of text: {', '.join(texts) or 'none'}"
            )
    return [column] if pick.label_column is None else [column, _named(names, pick.where, pick.label_column)]


def _texts(column: Any) -> list[bytes | None]:
    """The cells of a column of text as bytes: text that is not UTF-8 must not stop the reading of others."""
    import pyarrow

    if pyarrow.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    return column.cast(pyarrow.large_binary()).to_pylist()


def _decoded(data: bytes, errors: str, place: str) -> Any:
    """The text of a cell; False where it is to be skipped."""
    try:
        return data.decode("utf-8", "replace" if errors == "replace" else "strict")
    except UnicodeDecodeError as error:
        if errors == "skip":
            return False
        raise InputError(f"{place}: not UTF-8 (0x{data[error.start]:02x}); use errors=replace to go on") from error

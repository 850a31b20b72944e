"""Cases of tables."""

from __future__ import annotations

import gzip
import json
from typing import Any

import numpy as np
from cases import group
from desk import Desk, lines

# ----------------------------------------------------------------------------------------------- Tables (CSV, TSV)

case = group("Tables (CSV, TSV)")

LABELLED = [(row, ("neg", "pos")[i % 2]) for i, row in enumerate(lines())]


def _delimited(delimiter: str, header: str = "text{}label") -> list[str]:
    return [header.format(delimiter), *(f"{text}{delimiter}{label}" for text, label in LABELLED)]


@case("a CSV with a column `text`", "read: a cell is a row")
def csv_text(desk):
    desk.put("a.csv", ["id,text,stars", *(f"{i},{row},5" for i, row in enumerate(lines()))])
    assert desk.text("a.csv").texts() == sorted(lines())


@case("a CSV with one column", "read: that column")
def csv_one_column(desk):
    assert desk.text(desk.put("a.csv", ["joke", *lines()])).texts() == sorted(lines())


@case("several columns of text and none named `text`", "refused: lists the columns")
def csv_which_column(desk):
    error = desk.refused(desk.put("a.csv", ["title,body", *(f"{row},{row}" for row in lines())]))
    assert "column=" in error and "title, body" in error


@case("`column=body label_column=stars`", "read: text and labels of these columns")
def csv_columns(desk):
    desk.put("a.csv", ["title,body,stars", *(f"no,{text},{label}" for text, label in LABELLED)])
    assert desk.text("a.csv", column="body", label_column="stars").pairs() == sorted(LABELLED)


@case("a column name that is not there", "refused: the nearest name")
def csv_no_such_column(desk):
    error = desk.refused(desk.put("a.csv", _delimited(",")), column="txt")
    assert "txt" in error and "did you mean 'text'" in error


@case("`.csv.gz`", "read")
def csv_gzip(desk):
    desk.put("a.csv.gz", gzip.compress("\n".join(_delimited(",")).encode()))
    assert desk.text("a.csv.gz", column="text", label_column="label").pairs() == sorted(LABELLED)


@case("cells in quotes that hold commas and doubled quotes", "read: as RFC 4180 says")
def csv_quotes(desk):
    rows = [f'“{row}”, he said, "{row}"' for row in lines()]
    desk.put("a.csv", ["text,label", *('"' + row.replace('"', '""') + '",x' for row in rows)])
    assert desk.text("a.csv", column="text").texts() == sorted(rows)


@case("cells in quotes over several lines (tweets, reviews)", "told: so many rows over so many lines")
def csv_lines_in_cells(desk):
    rows = [f'"{row}\nand more",x' for row in lines()]
    built = desk.text(desk.put("a.csv", ["text,label", *rows]), column="text")
    assert built.read == 30 and all("and more" in text for text in built.texts())
    built.tells("lines")


@case("a quotation mark that nothing closes", "refused: the line, and `quotes=false`")
def csv_open_quote(desk):
    rows = [f"{row},x" for row in lines()]
    rows[4] = f'"{rows[4]}'
    assert "quotes=false" in desk.refused(desk.put("a.csv", ["text,label", *rows]), column="text")


@case("the same with `quotes=false`", "read: quotation marks are characters")
def csv_quotes_false(desk):
    rows = [f'"{row}' if i % 5 == 0 else row for i, row in enumerate(lines())]
    desk.put("a.csv", ["text,label", *(f"{row},x" for row in rows)])
    assert desk.text("a.csv", column="text", quotes=False).texts() == sorted(rows)


@case(
    "TSV with quotation marks at the ends of cells (speech over rows)",
    "read: they mean nothing, a line is a row",
)
def tsv_quotes(desk):
    rows = [f'"{row}' if i % 10 == 0 else f'{row}"' if i % 10 == 3 else row for i, row in enumerate(lines(100))]
    desk.put("a.tsv", ["text\tlabel", *(f"{row}\tx{i % 2}" for i, row in enumerate(rows))])
    built = desk.text("a.tsv", column="text", label_column="label")
    assert built.pairs() == sorted((row, f"x{i % 2}") for i, row in enumerate(rows))


@case("a CSV with such quotation marks: cells would swallow rows", "refused: the lines, and `quotes=`")
def csv_speech(desk):
    rows = [f'"{row}' if i % 10 == 0 else f'{row}"' if i % 10 == 3 else row for i, row in enumerate(lines(100))]
    name = desk.put("a.csv", ["text,label", *(f"{row},x" for row in rows)])
    assert "quotes=false" in desk.refused(name, column="text")
    assert desk.text(name, column="text", quotes=False).texts() == sorted(rows)


@case("`;` between cells (European Excel)", "told: the delimiter that was taken")
def csv_semicolons(desk):
    built = desk.text(desk.put("a.csv", _delimited(";")), column="text", label_column="label")
    assert built.pairs() == sorted(LABELLED)
    built.tells("';'|`;`|;")


@case("vertical bars between cells", "told: the delimiter that was taken")
def csv_pipes(desk):
    desk.put("a.csv", _delimited("|"))
    built = desk.text("a.csv", column="text", label_column="label")
    assert built.pairs() == sorted(LABELLED)
    built.tells("pipe")
    assert desk.text("a.csv", column="text", label_column="label", delimiter="|").pairs() == sorted(LABELLED)


@case("tabs in a file named `.csv`", "told: the delimiter that was taken")
def csv_tabs(desk):
    built = desk.text(desk.put("a.csv", _delimited("\t")), column="text", label_column="label")
    assert built.pairs() == sorted(LABELLED)
    built.tells("tab")


@case("no header", "told: the first line reads like a row, so it is one; `header=true`")
def csv_no_header(desk):
    built = desk.text(desk.put("a.csv", lines()))
    assert built.texts() == sorted(lines())
    built.tells("header=true")


@case("no header, `header=false`, columns by number", "read: every line")
def csv_header_false(desk):
    assert desk.text(desk.put("a.csv", lines()), header=False).texts() == sorted(lines())
    desk.put("b.csv", [f"{label},{text}" for text, label in LABELLED])
    assert desk.text("b.csv", header=False, column=2, label_column=1).pairs() == sorted(LABELLED)


@case("label, tab, text in a `.txt` (no header)", "told: every line has as many tabs; `--source table` reads it")
def txt_of_tabs(desk):
    desk.put("a.txt", [f"{label}\t{text}" for text, label in LABELLED])
    built = desk.text("a.txt")
    built.tells("tab")
    built = desk.text("a.txt", "--source", "table", header=False, column=2, label_column=1, delimiter="tab")
    assert built.pairs() == sorted(LABELLED)


@case("a byte order mark (CSV UTF-8 of Excel)", "read: the mark is no part of the first name")
def csv_mark(desk):
    desk.put("a.csv", "\ufeff" + "\r\n".join(_delimited(",")))
    assert desk.text("a.csv", column="text", label_column="label").pairs() == sorted(LABELLED)


@case("`sep=;` on the first line (Excel)", "told: the delimiter that it says; it is no row")
def csv_sep(desk):
    desk.put("a.csv", "\r\n".join(["sep=;", *_delimited(";")]))
    built = desk.text("a.csv", column="text", label_column="label")
    assert built.pairs() == sorted(LABELLED)
    built.tells("semicolon|;")


@case("a CSV in Windows-1252 (Excel)", "refused: line, byte, `encoding=`; read with `encoding=cp1252`")
def csv_cp1252(desk):
    rows = [f"{row} café" for row in lines()]
    assert "encoding=" in desk.refused(desk.put("a.csv", ["text", *rows], "cp1252"))
    assert desk.text("a.csv", encoding="cp1252").texts() == sorted(rows)


@case("“Unicode text” of Excel (UTF-16, tabs)", "told: read as UTF-16, with tabs")
def csv_utf16(desk):
    desk.put("a.csv", "\r\n".join(_delimited("\t")), "utf-16")
    built = desk.text("a.csv", column="text", label_column="label")
    assert built.pairs() == sorted(LABELLED)
    built.tells("UTF-16", "tab")


@case("lines that end in CR alone", "read")
def csv_cr(desk):
    desk.put("a.csv", "\r".join(_delimited(",")) + "\r")
    assert desk.text("a.csv", column="text", label_column="label").pairs() == sorted(LABELLED)


@case("a row with more or fewer cells than the header", "refused: the line, both numbers")
def csv_ragged(desk):
    rows = _delimited(",")
    rows[5] += ",more"
    error = desk.refused(desk.put("a.csv", rows), column="text")
    assert "line 6" in error and "3 cells" in error and "2" in error


@case("empty cells, blank lines", "told: dropped as empty, with their number")
def csv_empty_cells(desk):
    rows = [f"{i},{row if i % 3 else ''}" for i, row in enumerate(lines())]
    built = desk.text(desk.put("a.csv", "id,text\n" + "\n\n".join(rows) + "\n\n"), column="text")
    assert built.texts() == sorted(row for i, row in enumerate(lines()) if i % 3)
    assert built.dropped == {"empty": 10}


@case("two columns of one name", "refused: rename one")
def csv_same_names(desk):
    assert "same name" in desk.refused(desk.put("a.csv", ["text,text", *(f"{row},x" for row in lines())]))


@case("the index column of pandas (`,text`)", "read: it has no name")
def csv_index_column(desk):
    desk.put("a.csv", [",text", *(f"{i},{row}" for i, row in enumerate(lines()))])
    assert desk.text("a.csv").texts() == sorted(lines())


@case("a header and no row, or an empty file", "refused: the table has no rows")
def csv_header_alone(desk):
    assert "no rows" in desk.refused(desk.put("a.csv", "text,label\n"), column="text")
    error = desk.refused(desk.put("b.csv", ""))
    assert "no rows" in error or "empty" in error


@case("a CSV with NUL bytes", "refused: not a text file")
def csv_nul(desk):
    assert "NUL" in desk.refused(desk.put("a.csv", "text\n" + "a\0b\n" * 30))


@case("six columns without a header, in Windows-1252 (Sentiment140)", "read: with `encoding=`, columns by number")
def csv_tweets(desk):
    rows = [
        f'"{4 * (i % 2)}","{i}","Mon Apr 06","NO_QUERY","user{i}","@you {row} café"' for i, row in enumerate(lines())
    ]
    desk.put("a.csv", rows, "cp1252")
    built = desk.text("a.csv", encoding="cp1252", column=6, label_column=1)
    assert built.pairs() == sorted((f"@you {row} café", str(4 * (i % 2))) for i, row in enumerate(lines()))


@case("an index, a review with commas, quotes and line ends, a label (Kaggle)", "told: rows over lines, line ends kept")
def csv_reviews(desk):
    cells = [f'{row}, <br /> said "he"\nand then {row}' for row in lines()]
    quoted = ['"' + cell.replace('"', '""') + '"' for cell in cells]
    desk.put("a.csv", [",review,sentiment", *(f"{i},{cell},{('neg', 'pos')[i % 2]}" for i, cell in enumerate(quoted))])
    built = desk.text("a.csv", column="review", label_column="sentiment")
    assert built.pairs() == sorted((cell, ("neg", "pos")[i % 2]) for i, cell in enumerate(cells))
    built.tells("30 rows over 60 lines")


@case("several columns of which one holds several words", "told: that one is the text")
def csv_guessed_column(desk):
    desk.put("a.csv", ["author,quote,year", *(f"A{i % 3},{row},{1900 + i}" for i, row in enumerate(lines()))])
    built = desk.text("a.csv")
    assert built.texts() == sorted(lines())
    built.tells("'quote'")


@case("several tables of the same columns", "read: one after the other")
def csv_several(desk):
    first, second = desk.put("a.csv", ["text", *lines(60)[:30]]), desk.put("b.csv", ["text", *lines(60)[30:]])
    assert desk.text(first, second).texts() == sorted(lines(60))


@case("numbers in a CSV as labels: `1`, `5.0`", "read: as they are written")
def csv_number_labels(desk):
    desk.put("a.csv", ["text,stars", *(f"{row},{(1, 5.0)[i % 2]}" for i, row in enumerate(lines()))])
    assert desk.text("a.csv", column="text", label_column="stars").labels == ["1", "5.0"]


@case("sentences or windows of the cells: `unit=sentence` of a table", "read: cut as text files are, labels stay")
def csv_units(desk):
    desk.put("a.csv", ["text,label", *(f"It was {text}. It was so.,{label}" for text, label in LABELLED)])
    built = desk.text("a.csv", column="text", label_column="label", unit="sentence")
    expected = [(part, label) for text, label in LABELLED for part in (f"It was {text}.", "It was so.")]
    assert built.pairs() == sorted(expected)


# ------------------------------------------------------------------------------------------------------------ JSON

case = group("JSON")

RECORDS = [{"id": i, "text": text, "label": label} for i, (text, label) in enumerate(LABELLED)]


def _jsonl(records: list[Any]) -> list[str]:
    return [json.dumps(one, ensure_ascii=False) for one in records]


@case("JSON lines, `.jsonl` or `.ndjson`, also `.gz`", "read: an object is a row")
def json_lines(desk):
    for name in ("a.jsonl", "a.ndjson"):
        assert desk.text(desk.put(name, _jsonl(RECORDS)), label_column="label").pairs() == sorted(LABELLED)
    packed = gzip.compress("\n".join(_jsonl(RECORDS)).encode())
    assert desk.text(desk.put("a.jsonl.gz", packed), label_column="label").pairs() == sorted(LABELLED)


@case("a JSON array of objects, `.json`, on one line or many", "read: a table")
def json_array(desk):
    for indent in (None, 2):
        desk.put("a.json", json.dumps(RECORDS, indent=indent))
        assert desk.text("a.json", column="text", label_column="label").pairs() == sorted(LABELLED)


@case("JSON lines named `.json`", "read: a table")
def json_lines_named_json(desk):
    desk.put("a.json", _jsonl(RECORDS))
    assert desk.text("a.json", column="text", label_column="label").pairs() == sorted(LABELLED)


@case("a JSON array named `.jsonl`", "read: a table")
def json_array_named_jsonl(desk):
    desk.put("a.jsonl", json.dumps(RECORDS))
    assert desk.text("a.jsonl", column="text", label_column="label").pairs() == sorted(LABELLED)


@case("a JSON array of strings", "read: a string is a row")
def json_strings(desk):
    assert desk.text(desk.put("a.json", json.dumps(lines(), indent=1))).texts() == sorted(lines())


@case("one JSON object with a list in it (a chat export, `messages`)", "told: the list is the table")
def json_object(desk):
    desk.put("a.json", json.dumps({"name": "chat", "messages": RECORDS}, indent=1))
    built = desk.text("a.json", column="text", label_column="label")
    assert built.pairs() == sorted(LABELLED)
    built.tells("messages")


@case("a JSON object of columns (pandas `to_json`)", "read: a table")
def json_columns(desk):
    columns = {"text": dict(enumerate(lines())), "label": {i: label for i, (_, label) in enumerate(LABELLED)}}
    desk.put("a.json", json.dumps(columns))
    assert desk.text("a.json", column="text", label_column="label").pairs() == sorted(LABELLED)


@case("one JSON object that holds no rows (settings)", "refused: names what it holds")
def json_settings(desk):
    assert "lr, steps" in desk.refused(desk.put("a.json", json.dumps({"lr": 0.1, "steps": 7})))


@case("a JSON array that is cut off", "refused: not valid JSON")
def json_cut(desk):
    error = desk.refused(desk.put("a.json", json.dumps(RECORDS)[:-30]), column="text")
    assert "JSON" in error or "cut off" in error


@case("an empty JSON array, `[]`", "refused: the table has no rows")
def json_empty(desk):
    error = desk.refused(desk.put("a.json", "[]"))
    assert "no rows" in error or "found []" in error


@case("a line that is not JSON", "refused: the line")
def json_bad_line(desk):
    rows = _jsonl(RECORDS)
    rows[6] = rows[6][:-3]
    assert "line 7: not valid JSON" in desk.refused(desk.put("a.jsonl", rows), column="text")


@case("a line that is no object", "refused: the line, and what it holds")
def json_no_object(desk):
    error = desk.refused(desk.put("a.jsonl", [*_jsonl(RECORDS), "[1, 2]"]), column="text")
    assert "line 31" in error and "object" in error


@case('the first record has `"text": null`, and another column of text', "read: `text` is the text, never the other")
def json_null_first(desk):
    records = [{"author": "x", "text": None if i == 0 else row} for i, row in enumerate(lines())]
    built = desk.text(desk.put("a.jsonl", _jsonl(records)))
    assert (built.texts(), built.dropped) == (sorted(lines()[1:]), {"empty": 1})


@case("a field that some records lack", "told: empty cells, counted")
def json_missing_field(desk):
    records = [{"id": i} | ({"text": row} if i % 3 else {}) for i, row in enumerate(lines())]
    built = desk.text(desk.put("a.jsonl", _jsonl(records)), column="text")
    assert built.texts() == sorted(row for i, row in enumerate(lines()) if i % 3)
    assert sum(built.dropped.values()) == 10


@case("a number or an object where text should be", "refused: the row, and what it holds")
def json_not_text(desk):
    records = [*RECORDS, {"id": 30, "text": 7, "label": "x"}]
    assert "31" in desk.refused(desk.put("a.jsonl", _jsonl(records)), column="text")
    error = desk.refused(desk.put("b.jsonl", _jsonl([{"text": {"de": row}} for row in lines()])), column="text")
    assert "not text" in error


@case("escapes, also half a surrogate pair (`\\ud83d`)", "read: half a pair becomes U+FFFD")
def json_escapes(desk):
    rows = [json.dumps({"text": f"{row} \u00e9 \U0001f642"}) for row in lines()]
    assert desk.text(desk.put("a.jsonl", rows)).texts() == sorted(f"{row} é 🙂" for row in lines())
    rows = ['{"text": "' + row + ' \\ud83d"}' for row in lines()]
    assert desk.text(desk.put("b.jsonl", rows)).texts() == sorted(f"{row} \ufffd" for row in lines())


@case("labels that are numbers or true and false", "read: as JSON writes them, or as Python")
def json_labels(desk):
    records = [{"text": row, "label": (1, True)[i % 2]} for i, row in enumerate(lines())]
    built = desk.text(desk.put("a.jsonl", _jsonl(records)), label_column="label")
    assert len(built.labels) == 2 and "1" in built.labels


@case("a byte order mark", "read")
def json_mark(desk):
    assert desk.text(desk.put("a.jsonl", "\ufeff" + "\n".join(_jsonl(RECORDS))), column="text").texts() == sorted(
        lines()
    )
    assert desk.text(desk.put("a.json", "\ufeff" + json.dumps(RECORDS)), column="text").texts() == sorted(lines())


# --------------------------------------------------------------------------------------------------------- Parquet

case = group("Parquet")


def _parquet(desk: Desk, name: str, **columns: Any) -> str:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), desk.folder / name)
    return name


@case("a column `text`, and labels", "read")
def parquet_text(desk):
    name = _parquet(desk, "a.parquet", text=lines(), label=[label for _, label in LABELLED])
    assert desk.text(name, column="text", label_column="label").pairs() == sorted(LABELLED)


@case("dictionary-encoded and large strings", "read")
def parquet_strings(desk):
    import pyarrow

    text = pyarrow.array(lines(), pyarrow.large_string())
    label = pyarrow.array([label for _, label in LABELLED]).dictionary_encode()
    assert desk.text(_parquet(desk, "a.parquet", text=text, label=label), label_column="label").pairs() == sorted(
        LABELLED
    )


@case("dates and durations that Python cannot hold, in another column", "read: only the wanted columns are")
def parquet_far_dates(desk):
    import pyarrow

    far = pyarrow.array([2**62] * 30, pyarrow.timestamp("us"))
    long = pyarrow.array([2**62] * 30, pyarrow.duration("us"))
    assert desk.text(_parquet(desk, "a.parquet", text=lines(), date=far, took=long)).texts() == sorted(lines())


@case("bytes that are not UTF-8 in a wanted column", "refused: one line")
def parquet_bad_text(desk):
    import pyarrow

    rows = [row.encode() for row in lines()[:-1]] + [b"bad \xff"]
    offsets = np.cumsum([0, *map(len, rows)]).astype(np.int32)
    text = pyarrow.StringArray.from_buffers(30, pyarrow.py_buffer(offsets), pyarrow.py_buffer(b"".join(rows)))
    assert "UTF-8" in desk.refused(_parquet(desk, "a.parquet", text=text))


@case("NaN as a label", "read: a row without a label")
def parquet_nan_label(desk):
    name = _parquet(desk, "a.parquet", text=lines(), label=[1.0, float("nan")] * 15)
    built = desk.text(name, label_column="label")
    assert built.labels in (["1"], ["1.0"]) and sum(label is None for _, label in built.pairs()) == 15


@case("null in the first row", "read: `text` is the text")
def parquet_null_first(desk):
    name = _parquet(desk, "a.parquet", author=["x"] * 30, text=[None, *lines()[1:]])
    built = desk.text(name)
    assert (built.texts(), built.dropped) == (sorted(lines()[1:]), {"empty": 1})


@case("a file that is no Parquet, or is cut off", "refused: not readable as Parquet")
def parquet_damaged(desk):
    whole = (desk.folder / _parquet(desk, "a.parquet", text=lines())).read_bytes()
    assert "not readable as Parquet" in desk.refused(desk.put("b.parquet", whole[:-9]))
    assert "not readable as Parquet" in desk.refused(desk.put("c.parquet", "text\n" * 20))


@case("a column of lists", "refused: which is not text")
def parquet_lists(desk):
    assert "not text" in desk.refused(_parquet(desk, "a.parquet", text=[[row] for row in lines()]), column="text")

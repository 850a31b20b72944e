"""Tables as people have them: delimiters, headers, quotes, columns, JSON, Parquet; every guess is told."""

from __future__ import annotations

import csv
import datetime
import io
import itertools
import json
import math
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as how
from hypothesis import strategies as st

from corpora import settings
from corpora.build import build, source_of
from corpora.errors import InputError
from corpora.row import Told, as_note, items_alone
from corpora.sources import hub, table

TEXTS = [f"the {one} cat sees, a {two} dog" for one in ("old", "red", "big", "wet") for two in ("sad", "odd", "shy")]
LABELS = ["good", "bad"] * 6
PAIRS = list(zip(TEXTS, LABELS, strict=True))
LABELLED = {"column": "text", "label_column": "label"}


def read(path: Any, module: Any = table, **words: object) -> tuple[list[tuple[str, str | None]], list[str]]:
    """The (text, label) of the rows, and the notes."""
    (config,) = settings.override([module.Config()], words)
    items = list(module.read([str(path)], config))
    told = [item for item in items if isinstance(item, Told)]
    notes = [as_note(one) for one in told]
    return [(row.text, row.label) for row in items_alone(items)], notes


def texts(path: Any, **words: object) -> list[str]:
    return [text for text, _ in read(path, **words)[0]]


def refused(path: Any, **words: object) -> str:
    with pytest.raises(InputError) as caught:
        read(path, **words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def cells(rows: list[list[str]], **dialect: Any) -> str:
    out = io.StringIO()
    csv.writer(out, **dialect).writerows(rows)
    return out.getvalue()


# Delimiters

NAMES = {";": "a semicolon", "\t": "a tab", "|": "a pipe"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("ending", ["csv", "tsv", "tab", "psv"])
def test_the_delimiter_is_guessed_and_told(delimiter, ending, write):
    path = write(
        f"x.{ending}",
        cells([["id", "text", "label"], *([str(i), *pair] for i, pair in enumerate(PAIRS))], delimiter=delimiter),
    )
    rows, notes = read(path, **LABELLED)
    assert rows == PAIRS
    usual = {"csv": ",", "psv": "|"}.get(ending, "\t")
    names = {**NAMES, ",": "a comma"}
    assert notes == ([] if delimiter == usual else [f"x.{ending}: {names[delimiter]} between cells"])


def test_a_delimiter_that_is_said(write):
    path = write("x.csv", "text~label\na, b; c~1\nd~2\n")
    assert read(path, delimiter="~", **LABELLED) == ([("a, b; c", "1"), ("d", "2")], [])
    assert read(write("y.csv", "text\tlabel\na\t1\n"), delimiter="tab", **LABELLED)[0] == [("a", "1")]
    assert refused(path, delimiter="ab").startswith("delimiter='ab': expected one sign, or comma, semicolon")


def test_european_numbers_do_not_hide_a_semicolon(write):
    assert texts(write("x.csv", "text;n\n" + "".join(f"hello, you {i};{i},5\n" for i in range(9))))[0] == "hello, you 0"


def test_the_first_line_of_a_table_for_excel(write):
    rows, notes = read(write("x.csv", "sep=;\r\nid;text\r\n1;a, b\r\n"))
    assert rows == [("a, b", None)]
    assert notes == ["x.csv: a semicolon between cells, as its first line says"]


def test_spaces_after_the_delimiter(write):
    assert read(write("x.csv", 'id, "text", label\n1, "a, b", "x"\n'), **LABELLED)[0] == [("a, b", "x")]


# Headers


def test_a_table_without_a_header(write, tmp_path):
    rows, notes = read(write("jokes.csv", "".join(f"{text.replace(',', '')}\n" for text in TEXTS)))
    assert [text for text, _ in rows] == [text.replace(",", "") for text in TEXTS]
    first = "'the old cat sees a sad dog'"
    assert notes == [
        f"jokes.csv: no header: the first line, {first}, reads like a row (header=true if it names the columns)"
    ]
    assert len(texts(tmp_path / "jokes.csv", header=True)) == 11
    assert read(tmp_path / "jokes.csv", header=False)[1] == []


@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_labels_and_text_without_a_header(delimiter, write):
    numbers = write("a.csv", cells([[str(i % 5), text] for i, text in enumerate(TEXTS)], delimiter=delimiter))
    rows, notes = read(numbers, label_column="1")
    assert rows == [(text, str(i % 5)) for i, text in enumerate(TEXTS)]
    assert "a.csv: the text is column '2', the only one of text of 2" in notes
    assert (
        read(write("b.csv", cells([[b, a] for a, b in PAIRS], delimiter=delimiter)), column="2", label_column="1")[0]
        == PAIRS
    )


def test_numbers_of_columns_do_not_make_a_first_line_of_numbers_a_header(write):
    path = write("x.csv", "".join(f'"{i % 2 + 1}","Great CD {i}","{text}"\n' for i, text in enumerate(TEXTS)))
    assert read(path, column="3", label_column="1")[0] == [(text, str(i % 2 + 1)) for i, text in enumerate(TEXTS)]
    assert "which column holds the text? say column=NAME; columns: 1, 2, 3" in refused(path, label_column="1")


def test_a_first_line_of_short_names_is_a_header_and_that_is_told(write):
    rows, notes = read(write("x.csv", "Alice\nBob\nCarol\n"))
    assert rows == [("Bob", None), ("Carol", None)]
    assert notes == ["x.csv: column names in the first line, 'Alice' (header=false if it is a row)"]
    assert texts(write("y.csv", "Alice\nBob\n"), header=False) == ["Alice", "Bob"]


def test_questions_of_a_form_are_a_header(write):
    path = write(
        "x.csv",
        "Timestamp,What is your favourite joke?\n"
        + "".join(f"2020/01/0{i} 10:00:00,why {i} and not\n" for i in range(1, 9)),
    )
    rows, notes = read(path)
    assert len(rows) == 8
    assert notes == ["x.csv: the text is column 'What is your favourite joke?', the only one of text of 2"]


def test_a_column_without_a_name_has_its_number(write):
    path = write("x.csv", ",review,sentiment\n" + "".join(f'{i},"{a}",{b}\n' for i, (a, b) in enumerate(PAIRS)))
    rows, notes = read(path, label_column="sentiment")
    assert rows == PAIRS
    assert notes == ["x.csv: the text is column 'review', the only one of several words of 3"]
    assert texts(path, column="1") == [str(i) for i in range(12)]
    assert read(path, column="2", label_column="3")[0] == PAIRS


# Quotes


def test_between_tabs_quotes_mean_nothing(write):
    speech = [('"One,' if i % 4 == 0 else f"row {i}" if i % 4 < 3 else 'end."', "01"[i % 2]) for i in range(40)]
    path = write("x.tsv", "text\tlabel\n" + "".join(f"{a}\t{b}\n" for a, b in speech))
    assert read(path, **LABELLED) == (speech, [])
    whole = write("y.tsv", 'text\tn\n"Hello."\t1\nbye\t2\n')
    assert read(whole)[0] == [('"Hello."', None), ("bye", None)]
    assert read(whole)[1] == ["1 row of y.tsv kept with quotation marks around a cell; quotes=true takes them off"]
    assert texts(whole, quotes=True) == ["Hello.", "bye"]


def test_quotes_between_tabs_that_are_plainly_those_of_csv(write):
    rows = [["text", "label"], *([f'say "{text}"', label] for text, label in PAIRS)]
    read_rows, notes = read(write("x.tsv", cells(rows, delimiter="\t")), **LABELLED)
    assert read_rows == [(f'say "{text}"', label) for text, label in PAIRS]
    assert notes == ["x.tsv: cells in double quotes, as in CSV"]


def test_cells_over_several_lines_are_told(write):
    path = write("x.csv", "text,label\n" + "".join(f'"roses {i},\nviolets\n\nsugar",p\n' for i in range(9)) + "one,q\n")
    rows, notes = read(path, **LABELLED)
    assert rows == [*((f"roses {i},\nviolets\n\nsugar", "p") for i in range(9)), ("one", "q")]
    assert notes == [
        "x.csv: 9 rows over 36 lines, as cells in quotes may (if quotes mean nothing here, say quotes=false)"
    ]


def test_quotes_that_swallow_rows_are_refused(write):
    quote = {3: ('"', ""), 8: ("", '"')}
    opened, closed = zip(*(quote.get(i % 10, ("", "")) for i in range(60)), strict=True)
    lines = [f"{i % 2},{opened[i]}the cat sees dog {i}{closed[i]}\n" for i in range(60)]
    path = write("x.csv", "label,text\n" + "".join(lines))
    said = (
        "lines 5 to 10: a cell in quotes goes on over lines that could each be a row: say quotes=false if quotes mean"
    )
    assert said in refused(path)
    assert len(texts(path, quotes=False)) == 60
    assert len(texts(path, quotes=True)) == 30


def test_a_cell_in_quotes_that_never_ends(write):
    assert "x.csv: line 3: a cell in quotes never ends; if quotes mean nothing here, say quotes=false" in refused(
        write("x.csv", 'text,label\nok,1\n"never,2\nx,3\n')
    )


def test_quotes_behind_a_backslash(write):
    path = write(
        "x.csv",
        cells(
            [["text", "label"], *PAIRS, ['he "said" so', "x"]],
            escapechar="\\",
            doublequote=False,
            quoting=csv.QUOTE_ALL,
        ),
    )
    rows, notes = read(path, **LABELLED)
    assert rows[-1] == ('he "said" so', "x")
    assert notes == ["x.csv: cells in double quotes, with \\ before those inside"]


def test_records_of_other_lengths(write):
    assert "x.csv: line 3: 1 cells, but the header has 2: put a cell" in refused(write("x.csv", "text,n\na b,1\nc d\n"))
    assert "line 2: 2 cells, but the header has 1" in refused(write("x.csv", "text\nhello, there\n"))
    assert (
        texts(write("x.csv", "text,n,\na b,1,\nc d,2,\n"))
        == texts(write("y.csv", "text,n\na b,1,\nc d,2,,\n"))
        == ["a b", "c d"]
    )
    assert "if cells in quotes may hold line ends or tabs, say quotes=true" in refused(
        write("x.tsv", 'text\tn\n"a\nb"\t1\n')
    )


@given(
    rows=st.lists(
        st.tuples(
            st.text(st.characters(exclude_characters="\0\r\ufeff", exclude_categories=["Cs"]), max_size=12),
            st.sampled_from(["p", "q", "r s"]),
        ),
        min_size=1,
        max_size=8,
    ),
    delimiter=st.sampled_from(",;|"),
    ends=st.sampled_from(["\n", "\r\n"]),
    quoting=st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_NONNUMERIC]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
@how(deadline=None, max_examples=60)
def test_any_table_comes_back(tmp_path_factory, rows, delimiter, ends, quoting, encoding):
    path = tmp_path_factory.mktemp("any") / "x.csv"
    written = [["text", "label"], *map(list, rows)]
    path.write_bytes(cells(written, delimiter=delimiter, lineterminator=ends, quoting=quoting).encode(encoding))
    assert read(path, delimiter=delimiter, **LABELLED)[0] == rows


# Columns


def test_numbers_are_no_text(write):
    assert texts(write("x.csv", "id,price,body\n1,2.5,a\n2,3,b\n")) == ["a", "b"]
    assert "which column holds the text? say column=NAME; columns: title, body" in refused(
        write("x.csv", "title,body\na b,c d\ne f,g h\n")
    )
    assert texts(write("y.csv", "Text,Other\na,b c\n")) == ["a"]


# JSON


def test_a_list_of_objects_is_a_table(write):
    value = [{"text": text, "label": label} for text, label in PAIRS]
    for name, data in (
        ("a.json", json.dumps(value)),
        ("b.json", json.dumps(value, indent=1)),
        ("c.jsonl", json.dumps(value)),
    ):
        assert source_of([str(write(name, data))]) == "table"
        assert read(write(name, data), **LABELLED) == (PAIRS, [])


@pytest.mark.parametrize(
    ("value", "note"),
    [
        (TEXTS, None),
        ([[text, "x"] for text in TEXTS], "the text is column '1', the only one of several words of 2"),
        ({"text": TEXTS, "n": [1] * 12}, "an object of columns"),
        ({"text": {str(i): text for i, text in enumerate(TEXTS)}}, "an object of columns"),
        ({"version": "1", "data": [{"text": text} for text in TEXTS]}, "rows from its list 'data'"),
    ],
)
def test_other_shapes_of_json(value, note, write):
    rows, notes = read(write("x.json", json.dumps(value)))
    assert [text for text, _ in rows] == TEXTS
    assert notes == ([] if note is None else [f"x.json: {note}"])


def test_a_page_of_a_web_site_in_place_of_a_table(write):
    page = "<!DOCTYPE html>\n<html><body>Not found</body></html>\n"
    for name in ("x.csv", "x.jsonl", "x.json"):
        assert f"{name}: not a table but HTML (take its text out first, as with pandoc or html2text)" in refused(
            write(name, page)
        )
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    assert "not a table but a pointer of Git LFS (get the file itself" in refused(write("y.csv", pointer))


def test_json_lines_in_a_file_named_json(write):
    assert texts(write("x.json", '{"text": "a"}\n{"text": "b"}\n')) == ["a", "b"]
    assert texts(write("x.json", '{\n "text": "a b"\n}\n')) == ["a b"]
    path = write("x.txt", '{"text": "a"}\n{"text": "b"}\n')
    assert texts(path) == ["a", "b"]  # with --source table


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("[]", "x.json: the table has no rows"),
        ('[{"text": "a"},', "x.json: the JSON value: not valid JSON"),
        ("[1, 2]", "x.json: entry 1 of the list: expected an object, found 1"),
        ('{"a": {"b": [1]}, "c": 2}', "x.json: one JSON object with a, c: expected a list of objects"),
        ('[{"text": {"a": 1}}]', "x.json: row 1: column 'text' holds {'a': 1}, which is not text"),
        ('{"text": "a"}\n[1]\n', "x.json: line 2: expected a JSON object, found '[1]'"),
    ],
)
def test_json_that_is_no_table(data, message, write):
    assert message in refused(write("x.json", data))


def test_the_column_of_text_where_the_first_record_lacks_it(write):
    body = [{"author": f"Di Lake {i}", "text": text} for i, text in enumerate(TEXTS)]
    null = [{**body[0], "text": None}, *body[1:]]
    assert texts(write("a.jsonl", "".join(json.dumps(one) + "\n" for one in null))) == ["", *TEXTS[1:]]
    lacks = [{"author": "x"}, *body[1:]]
    rows, notes = read(write("b.jsonl", "".join(json.dumps(one) + "\n" for one in lacks)))
    assert [text for text, _ in rows] == ["", *TEXTS[1:]]
    assert notes == ["1 record of b.jsonl without the field 'text': taken as empty"]


def test_records_without_the_field_are_counted(write, tmp_path):
    lines = "".join(json.dumps({"text": text} if i % 3 else {"n": 1}) + "\n" for i, text in enumerate(TEXTS))
    corpus = build([str(write("x.jsonl", lines))], tmp_path / "c")
    assert corpus.manifest["dropped"] == {"empty": 4}
    assert "4 records of x.jsonl without the field 'text': taken as empty" in corpus.manifest["notes"]


def test_labels_of_json(write):
    lines = [
        {"text": "a", "label": math.nan},
        {"text": "b", "label": 1.0},
        {"text": "c", "label": None},
        {"text": "d", "label": True},
    ]
    path = write("x.jsonl", "".join(json.dumps(one) + "\n" for one in lines))
    assert read(path, label_column="label")[0] == [("a", None), ("b", "1"), ("c", None), ("d", "True")]
    path = write("x.jsonl", '{"text": "a", "label": [1]}\n')
    assert "x.jsonl: row 1: the label is [1]: expected a word or a number" in refused(path, label_column="label")


def test_a_record_that_holds_a_book(write):
    book = "many words\n" * 150_000
    assert texts(write("x.jsonl", json.dumps({"text": book}) + "\n")) == [book]


# Parquet


def parquet(path: Path, columns: dict[str, Any]) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table(columns), path)
    return path


def test_only_the_wanted_columns_of_parquet_are_read(tmp_path):
    import pyarrow

    far = pyarrow.array([2**62] * 12, pyarrow.timestamp("us"))
    long = pyarrow.array([2**62] * 12, pyarrow.duration("s"))
    path = parquet(tmp_path / "x.parquet", {"text": TEXTS, "far": far, "long": long, "label": LABELS})
    assert read(path, label_column="label") == (PAIRS, [])
    said = refused(path, label_column="far")
    assert "x.parquet: row 1 or below holds what cannot be read" in said and "label_column=" in said
    assert "column 'far' holds 'timestamp[us]', which is not text; columns of text: text, label" in refused(
        path, column="far"
    )


def test_kinds_of_text_in_parquet(tmp_path):
    import pyarrow

    for number, kind in enumerate((pyarrow.large_string(), pyarrow.dictionary(pyarrow.int32(), pyarrow.string()))):
        path = parquet(tmp_path / f"{number}.parquet", {"n": range(12), "body": pyarrow.array(TEXTS).cast(kind)})
        rows, notes = read(path)
        assert [text for text, _ in rows] == TEXTS
        assert notes == [f"{number}.parquet: the text is column 'body', the only one of text of 2"]
    null = parquet(tmp_path / "n.parquet", {"author": [f"Di {i}" for i in range(12)], "text": [None, *TEXTS[1:]]})
    assert texts(null) == ["", *TEXTS[1:]]
    two = parquet(tmp_path / "t.parquet", {"id": [f"doc-{i}" for i in range(12)], "body": TEXTS})
    assert read(two)[1] == ["t.parquet: the text is column 'body', the only one of several words of 2"]
    assert "no column holds text; columns: n" in refused(parquet(tmp_path / "o.parquet", {"n": [1]}))


def test_bytes_of_parquet_that_are_not_utf8(tmp_path):
    import pyarrow

    data = pyarrow.array([b"good", b"caf\xe9", b"fine"])
    bad = pyarrow.Array.from_buffers(pyarrow.string(), 3, data.buffers())
    path = parquet(tmp_path / "x.parquet", {"text": bad, "n": [1, 2, 3]})
    assert refused(path).endswith("x.parquet: row 2: not UTF-8 (0xe9); use errors=replace to go on")
    assert texts(path, errors="replace") == ["good", "caf\ufffd", "fine"]
    assert texts(path, errors="skip") == ["good", "", "fine"]


def test_labels_of_parquet(tmp_path):
    days = [datetime.date(2020, 1, 1 + i) for i in range(12)]
    path = parquet(tmp_path / "x.parquet", {"text": TEXTS, "label": [math.nan, 1.0, *[0.5] * 10], "day": days})
    assert [label for _, label in read(path, label_column="label")[0]][:3] == [None, "1", "0.5"]
    assert read(path, label_column="day")[0][0][1] == "2020-01-01"


# Units


def test_units_cut_cells_which_keep_their_label(write):
    path = write("x.csv", 'text,label\n"One went. Two\ncame.\n\nThree",p\nsingle,q\n"",r\n')
    for unit, rows in {
        "cell": ["One went. Two\ncame.\n\nThree", "single", ""],
        "line": ["One went. Two", "came.", "", "Three", "single", ""],
        "sentence": ["One went.", "Two came.", "Three", "single", ""],
        "paragraph": ["One went. Two came.", "Three", "single", ""],
        "stanza": ["One went. Two / came.", "Three", "single", ""],
        "poem": ["One went. Two\ncame.", "Three", "single", ""],
        "window": ["One went.", "Two\ncame.", "Three", "single", ""],
    }.items():
        found = read(path, unit=unit, window=10, label_column="label")[0]
        assert [text for text, _ in found] == rows, unit
        assert [label for _, label in found] == ["p"] * (len(rows) - 2) + ["q", "r"]


def test_cells_of_several_lines_keep_their_lines_in_a_corpus(write, tmp_path):
    poems = [f"{one}\n{two}" for one, two in itertools.pairwise(TEXTS)]
    path = write("x.csv", cells([["text"], *([poem] for poem in poems)]))
    corpus = build([str(path)], tmp_path / "c")
    assert sorted(rows.text(i) for rows in corpus.splits.values() for i in range(len(rows))) == sorted(poems)
    assert any(note.startswith("x.csv: 11 rows over 22 lines") for note in corpus.manifest["notes"])


# Folders and standard input


def test_a_folder_of_tables(write, tmp_path):
    for number, (text, label) in enumerate(PAIRS):
        write(f"in/{number}.CSV", f'text,label\n"{text}",{label}\n')
    write("in/notes.txt", "about\n")
    rows, notes = read(tmp_path / "in", **LABELLED)
    assert sorted(rows) == sorted(PAIRS)
    assert notes == ["1 file of other kinds left out (.txt 1)"]
    assert source_of([str(tmp_path / "in")]) == "table"


def test_tables_that_are_named_as_splits(write, tmp_path):
    for name, rows in (("train", PAIRS[:8]), ("valid", PAIRS[8:10]), ("test", PAIRS[10:])):
        write(f"in/{name}.csv", cells([["text", "label"], *rows]))
    corpus = build([str(tmp_path / "in")], tmp_path / "c", settings={**LABELLED, "keep_duplicates": True})
    assert {name: len(rows) for name, rows in corpus.splits.items()} == {"train": 8, "valid": 2, "test": 2}


def test_a_table_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"0\tthe cat sees a dog\n1\tthe dog sees a cat\n")))
    assert read("-", label_column="1")[0] == [("the cat sees a dog", "0"), ("the dog sees a cat", "1")]


# The Hub


def test_the_hub_reads_the_wanted_columns_alone(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "data").mkdir()
    parquet(tmp_path / "data" / "train.parquet", {"author": ["x y"] * 12, "text": [None, *TEXTS[1:]], "label": LABELS})
    rows, notes = read(f"hf:{tmp_path / 'data'}", hub, label_column="label")
    assert rows == [("", LABELS[0]), *PAIRS[1:]]
    assert notes == []

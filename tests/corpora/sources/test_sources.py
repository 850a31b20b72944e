"""Laws of every source of text, found by name, and the text of every error. Pictures: `test_pictures`."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from pathlib import Path

import hypothesis
import pytest
from hypothesis import strategies as st

from corpora import settings
from corpora.build import build, source_of
from corpora.errors import InputError
from corpora.row import Row, items_alone
from corpora.sources import hub, table, text, toy

TEXT = [name for name in settings.names("corpora.sources") if settings.find("corpora.sources", name).MODALITY == "text"]
LINES = ["The cat sat.", "Ein Hündchen läuft.", "我喜欢吃苹果", "one, two; three", 'say "yes"', "last one"]
LABELS = ["a", "b", "a", "b", "a", "c"]
WHOLE = {"max_length": 1000, "valid_share": 0, "test_share": 0}  # a label of a held-out row alone would be none


def rows(module, inputs, **words) -> list[Row]:
    (config,) = settings.override([module.Config()], words)
    return list(items_alone(module.read([str(given) for given in inputs], config)))


def texts(module, inputs, **words) -> list[str]:
    return [row.text for row in rows(module, inputs, **words)]


def write_csv(path: Path, delimiter: str = ",", encoding: str = "utf-8") -> Path:
    with path.open("w", newline="", encoding=encoding) as file:
        csv.writer(file, delimiter=delimiter).writerows(
            [["id", "text", "kind"], *zip(range(6), LINES, LABELS, strict=True)]
        )
    return path


def write_json(path: Path) -> Path:
    path.write_text("".join(json.dumps({"text": t, "kind": k}) + "\n" for t, k in zip(LINES, LABELS, strict=True)))
    return path


def write_parquet(path: Path) -> Path:
    import pyarrow
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.table({"text": LINES, "kind": LABELS}), path)
    return path


def example(name: str, folder: Path) -> tuple[list[str], dict[str, object]]:
    """Inputs and settings with which an offline source gives rows with labels. A new source needs a line here."""
    (folder / "x.txt").write_text("\n".join(LINES) + "\n")
    (folder / "x.label").write_text("\n".join(LABELS) + "\n")
    (folder / "data").mkdir(exist_ok=True)
    if name == "hub":
        write_parquet(folder / "data" / "train.parquet")
    return {
        "text": ([str(folder / "x.txt")], {"labels": str(folder / "*.label")}),
        "table": ([str(write_csv(folder / "x.csv"))], {"label_column": "kind"}),
        "hub": ([f"hf:{folder / 'data'}"], {"label_column": "kind"}),
        "toy": (["toy"], {"count": 50}),
    }[name]


@pytest.fixture(autouse=True)
def offline(monkeypatch, tmp_path):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


@pytest.mark.parametrize("name", TEXT)
def test_every_source_gives_the_same_labelled_rows_each_time(name, tmp_path):
    inputs, words = example(name, tmp_path)
    module = settings.find("corpora.sources", name)
    assert source_of(inputs) == name
    found = rows(module, inputs, **words)
    assert found == rows(module, inputs, **words)
    assert all(isinstance(row, Row) and row.text and row.label for row in found)
    if name != "toy":
        assert [(row.text, row.label) for row in found] == list(zip(LINES, LABELS, strict=True))
    corpus = build(inputs, tmp_path / "out", settings={**words, "codec": "bytes", **WHOLE})
    assert sum(len(split) for split in corpus.splits.values()) == len(found)
    wanted = {(row.text, row.label) for row in found}
    assert {(r.text(i), r.label(i)) for r in corpus.splits.values() for i in range(len(r))} == wanted


@pytest.mark.parametrize("name", settings.names("corpora.sources"))
def test_every_source_says_what_its_settings_are(name):
    module = settings.find("corpora.sources", name)
    assert module.__doc__
    assert all(doc for _, _, doc in settings.describe(module.Config))


def test_names_choose_the_source():
    for given, name in [
        ("a.csv", "table"), ("a.TSV", "table"), ("a.jsonl.gz", "table"), ("a.ndjson", "table"), ("a.parquet", "table"),
        ("hf:ag_news", "hub"), ("toy", "toy"), ("a.txt", "text"), ("-", "text"), ("folder", "text"), ("a.gz", "text"),
    ]:  # fmt: skip
        assert source_of([given]) == name
    with pytest.raises(
        InputError, match=r"b\.csv looks like table and a.txt like text: build from one kind, or name --source"
    ):
        source_of(["b.csv", "a.txt"])
    with pytest.raises(InputError, match="nothing to read: name a file"):
        source_of([])


# Text


def test_line_ends_and_byte_order_mark(tmp_path):
    path = tmp_path / "x.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\n\nthree\r")
    assert texts(text, [path]) == ["one", "two", "", "three"]


def test_folders_gzip_and_several_files(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "z.txt").write_text("z\n")
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"a\nb"))
    (tmp_path / "c.md").write_text("no\n")
    (tmp_path / ".hidden.txt").write_text("no\n")
    assert texts(text, [tmp_path]) == ["a", "b", "z"]
    assert texts(text, [tmp_path / "b" / "z.txt", tmp_path / "a.txt.gz"]) == ["z", "a", "b"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"empty: no \.txt or \.txt\.gz file in this folder"):
        texts(text, [tmp_path / "empty"])


def test_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"one\ntwo\n")))
    assert texts(text, ["-"]) == ["one", "two"]
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(InputError, match="standard input: it is empty"):
        texts(text, ["-"])


def test_units(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text("\n\na\nb\n  \n\nc\n d \n")
    assert texts(text, [path], unit="paragraph") == ["a b", "c d"]
    assert texts(text, [path], unit="stanza") == ["a / b", "c / d"]


def test_bytes_that_are_not_utf8(tmp_path):
    path = tmp_path / "poems.txt"
    path.write_bytes(b"\xef\xbb\xbfone\ncaf\xe9 x\nthree\n")
    with pytest.raises(InputError) as caught:
        texts(text, [path])
    perhaps = "perhaps cp1252: say encoding=cp1252, or errors=replace to go on"
    assert str(caught.value) == f"{path}: line 2, byte 10: not UTF-8 (0xe9), {perhaps}"
    assert texts(text, [path], encoding="cp1252")[1] == "café x"
    assert texts(text, [path], errors="replace") == ["one", "caf\ufffd x", "three"]
    assert rows(text, [path], errors="skip")[1] == Row("", None, "not UTF-8")
    assert texts(text, [path], errors="skip", unit="paragraph") == [""]
    corpus = build([str(path)], tmp_path / "o", settings={"errors": "skip", "valid_share": 0, "test_share": 0})
    assert corpus.manifest["dropped"] == {"not UTF-8": 1}
    path.write_bytes(b"\xff\xff\nabc")
    with pytest.raises(InputError, match=r"line 1, byte 0: not UTF-8 \(0xff\)"):
        texts(text, [path])


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.txt", b"", "x.txt: the file is empty"),
        ("x.txt", b"abc\0def", "not a text file: it holds NUL bytes (byte 3)"),
        ("x.txt", gzip.compress(b"a"), "not a text file but gzip data (rename it to end in .gz)"),
        ("x.txt", b"\x89PNG\r\n\x1a\n", "not a text file but a PNG picture"),
        ("x.txt", b"PK\x03\x04....", "not a text file but a zip archive (unpack it first)"),
        ("x.txt", b"PAR1....", "not a text file but Parquet"),
        ("x.txt", "hallo".encode("utf-16-le"), "(byte 1); perhaps UTF-16 without a mark: say encoding=utf-16-le"),
        ("x.gz", b"plain text", "the name ends in .gz but this is not gzip data"),
        ("x.gz", gzip.compress(b"a\n" * 10000)[:-20], "the gzip data end early: the file is cut off; get it again"),
        ("x.gz", gzip.compress(b"a\n" * 9)[:10] + b"\xff" * 300, "damaged gzip data after line 0; get the file again"),
        (
            "x.txt",
            b"ok\n" + b"a" * ((1 << 20) + 1),
            "line 2 is longer than 1,048,576 bytes; put one sentence on each line",
        ),
    ],
)
def test_files_that_are_not_text(name, data, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        texts(text, [path])
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_block_that_never_ends(tmp_path):
    path = tmp_path / "x.txt"
    path.write_text(("a" * 1000 + "\n") * 1100)
    with pytest.raises(InputError, match=r"line 1049: a block of lines without a blank line .* use unit=line"):
        texts(text, [path], unit="stanza")


def test_missing_files(tmp_path):
    for module, name in ((text, "no.txt"), (table, "no.csv")):
        with pytest.raises(InputError, match=f"{name}: no such file or folder: check the path"):
            texts(module, [tmp_path / name])
    with pytest.raises(InputError, match=r"x\.txt: this is a folder, not a file"):
        (tmp_path / "x.txt").mkdir()
        list(text.lines(str(tmp_path / "x.txt"), "strict"))


def test_labels_beside_the_text(tmp_path):
    path, labels = tmp_path / "x.txt", tmp_path / "x.label"
    path.write_text("one\ntwo\n\nthree\n")
    labels.write_text("a\n\nb\na\n")
    assert [row.label for row in rows(text, [path], labels=str(labels))] == ["a", None, "b", "a"]
    assert [row.label for row in rows(text, [path, path], labels=str(tmp_path / "*.label"))] == [
        "a",
        None,
        "b",
        "a",
    ] * 2
    labels.write_text("a\nb\n")
    with pytest.raises(
        InputError, match=r"x\.label: only 2 labels, but there are more rows: there should be one label"
    ):
        rows(text, [path], labels=str(labels))
    labels.write_text("a\n" * 9)
    with pytest.raises(InputError, match=r"x\.label: more labels than the 4 rows"):
        rows(text, [path], labels=str(labels))


def test_wrong_settings_of_text():
    with pytest.raises(InputError, match="no unit 'word'"):
        texts(text, ["x"], unit="word")
    with pytest.raises(InputError, match="no errors 'ignore'"):
        texts(text, ["x"], errors="ignore")


# Tables


@pytest.mark.parametrize("kind", ["x.csv", "x.tsv", "x.jsonl", "x.ndjson", "x.parquet", "x.csv.gz", "x.jsonl.gz"])
def test_kinds_of_table(kind, tmp_path):
    plain = tmp_path / kind.removesuffix(".gz")
    if ".csv" in kind:
        write_csv(plain, encoding="utf-8-sig")
    elif ".tsv" in kind:
        write_csv(plain, "\t")
    elif ".parquet" in kind:
        write_parquet(plain)
    else:
        write_json(plain)
    if kind.endswith(".gz"):
        (tmp_path / kind).write_bytes(gzip.compress(plain.read_bytes()))
    found = rows(table, [tmp_path / kind], label_column="kind")
    assert [(row.text, row.label) for row in found] == list(zip(LINES, LABELS, strict=True))
    assert texts(table, [tmp_path / kind], column="kind") == LABELS
    with pytest.raises(InputError, match=rf"{kind}: no column 'txt': did you mean 'text'\? choose from"):
        texts(table, [tmp_path / kind], column="txt")
    with pytest.raises(InputError, match=rf"{kind}: no column 'label'"):
        texts(table, [tmp_path / kind], label_column="label")


def test_cells_with_line_breaks_and_quotes(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text('body\n"a\nb ""c"""\nplain "x"\n')
    assert texts(table, [path]) == ['a\nb "c"', 'plain "x"']
    path = tmp_path / "x.tsv"
    path.write_text('n\tbody\n1\t"open\n2\tx\n')
    assert texts(table, [path], column="body") == ['"open', "x"]  # between tabs, quotes mean nothing
    with pytest.raises(InputError, match=r"x\.tsv: line 2: a cell in quotes never ends; if quotes mean nothing here"):
        texts(table, [path], quotes="true", column="body")


def test_which_column(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_text('{"n": 1, "body": "hello"}\n')
    assert texts(table, [path]) == ["hello"]
    path.write_text('{"title": "t", "body": "hello"}\n')
    with pytest.raises(InputError, match=r"which column holds the text\? say column=NAME; columns: title, body"):
        texts(table, [path])
    with pytest.raises(InputError, match=r"row 1: column 'n' holds 7, which is not text"):
        path.write_text('{"n": 7}\n')
        texts(table, [path], column="n")


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("x.jsonl", b'{"text": "a"}\n{"text": \n', "x.jsonl: line 2: not valid JSON"),
        ("x.jsonl", b'{"text": "a"}\n[1]\n', "x.jsonl: line 2: expected a JSON object, found '[1]'"),
        ("x.jsonl", b'{"text": "a\xff"}\n', "x.jsonl: line 1, byte 11: not UTF-8"),
        ("x.csv", b"text,b\na,b\na\n", "x.csv: line 3: 1 cells, but the header has 2"),
        ("x.csv", b"text,text\na,b\n", "x.csv: line 1: two columns have the same name; rename one"),
        ("x.csv", b"text\n", "x.csv: the table has no rows"),
        ("x.csv", b"", "x.csv: the table has no rows"),
        ("x.parquet", b"PAR1 nonsense", "x.parquet: not readable as Parquet"),
        ("x.xlsx", b"PK\x03\x04....xl/", "not a text file but an Excel workbook (save the sheet as CSV)"),
    ],
)
def test_tables_that_cannot_be_read(name, data, message, tmp_path):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(InputError) as caught:
        texts(table, [path])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_skipped_records_are_counted(tmp_path):
    for name, data in (("x.jsonl", b'{"text": "a"}\n{"text": "\xff"}\n'), ("x.csv", b"text\na\n\xff\nb\n")):
        (tmp_path / name).write_bytes(data)
        assert [row.dropped for row in rows(table, [tmp_path / name], errors="skip")].count("not UTF-8") == 1
    assert rows(table, [tmp_path / "x.jsonl"], errors="replace")[1].text == "\ufffd"


# The Hub


@pytest.mark.parametrize("write", [write_csv, write_json, write_parquet])
@pytest.mark.parametrize("streaming", [True, False])
def test_local_datasets(write, streaming, tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    write(folder / {write_csv: "train.csv", write_json: "train.jsonl", write_parquet: "train.parquet"}[write])
    found = rows(hub, [f"hf:{folder}"], column="text", label_column="kind", streaming=streaming)
    assert [(row.text, row.label) for row in found] == list(zip(LINES, LABELS, strict=True))


def test_splits_of_a_local_dataset(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text('{"text": "a"}\n')
    (folder / "test.jsonl").write_text('{"text": "b"}\n')
    assert texts(hub, [f"hf:{folder}#test"]) == texts(hub, [f"hf:{folder}"], split="test") == ["b"]
    with pytest.raises(InputError, match="no split 'valid'"):
        texts(hub, [f"hf:{folder}#valid"])
    with pytest.raises(InputError, match="no column 'txt': did you mean 'text'"):
        texts(hub, [f"hf:{folder}"], column="txt")


def test_datasets_that_cannot_be_had(tmp_path):
    with pytest.raises(InputError, match=r"hf:/no/such: no such folder"):
        texts(hub, ["hf:/no/such"])
    with pytest.raises(InputError, match="'hf:': name a dataset, as in hf:ag_news"):
        texts(hub, ["hf:"])
    with pytest.raises(InputError) as caught:
        texts(hub, ["hf:nobody/nothing-at-all-7"])
    assert "hf:nobody/nothing-at-all-7: " in str(caught.value)
    assert "\n" not in str(caught.value)
    (tmp_path / "none").mkdir()
    with pytest.raises(InputError, match="none: "):
        texts(hub, [f"hf:{tmp_path / 'none'}"])


# The toy grammar


def test_toy_rows_follow_from_seed_and_number():
    assert rows(toy, ["toy"], count=20) == rows(toy, [], count=40)[:20]
    assert rows(toy, [], count=20, toy_seed=1) != rows(toy, [], count=20)
    found = rows(toy, [])
    assert {row.label for row in found} == {"animal", "person"}
    assert 45 <= len({word for row in found for word in row.text.split()}) <= 70
    assert len({row.text for row in found}) > 1000
    for row in found[:200]:
        subject = next(word for word in row.text.split() if word in toy.ANIMALS + toy.PEOPLE)
        assert row.label == ("animal" if subject in toy.ANIMALS else "person")
    with pytest.raises(InputError, match="the toy source reads no files"):
        rows(toy, ["x.txt"])
    with pytest.raises(InputError, match="count=2: expected 3 to"):
        rows(toy, [], count=2)


@pytest.mark.parametrize(
    ("running", "wanted"),
    [
        (
            'Mr. Hyde left. "Why?" he asked. J. K. went... Then',
            ["Mr. Hyde left.", '"Why?" he asked.', "J. K. went...", "Then"],
        ),
        (
            "Il partit. « Où vas-tu ? » dit-il. Élise pleura.",
            ["Il partit.", "« Où vas-tu ? » dit-il.", "Élise pleura."],
        ),
        (
            "吾輩は猫である。「どこで生れたか？」と言った。名前は無い！",
            ["吾輩は猫である。", "「どこで生れたか？」と言った。", "名前は無い！"],
        ),
        ("他说：“好！”然后走了。", ["他说：“好！”", "然后走了。"]),
        ("no stop at all", ["no stop at all"]),
        ("", []),
    ],
)
def test_running_text_is_cut_into_sentences(running, wanted):
    assert text.sentences(running) == wanted


@hypothesis.given(st.text(alphabet="aB .!?…\"'”。？「」\n", max_size=60))
def test_cutting_into_sentences_loses_nothing_but_white_space(running):
    assert "".join("".join(text.sentences(running)).split()) == "".join(running.split())


def test_wrapped_lines_are_joined_before_they_are_cut(tmp_path):
    file = tmp_path / "story.txt"
    file.write_text("There was\na cat. It\nslept.\n\nThe End\n\nA new day came.\nYes.\nAnd then\n")
    rows = text.read([str(file)], text.Config(unit="sentence"))
    assert [row.text for row in rows] == [
        "There was a cat.",
        "It slept.",
        "The End",
        "A new day came.",
        "Yes.",
        "And then",
    ]

"""Text files as people have them: encodings, line ends, endings, other formats; what is changed or left out is told."""

from __future__ import annotations

import gzip
import io
import itertools
import sys

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from corpora import settings
from corpora.build import build, source_of
from corpora.errors import InputError
from corpora.row import Told, as_note, items_alone
from corpora.sources import text

ROWS = [f"the {one} cat sees a {two} dog" for one in ("old", "red", "big", "wet") for two in ("sad", "odd", "shy")]

WHOLE = {"valid_share": 0, "test_share": 0}


def read(*inputs: object, **words: object) -> tuple[list[str], list[str]]:
    """The texts of the rows, and the notes."""
    (config,) = settings.override([text.Config()], words)
    items = list(text.read([str(one) for one in inputs], config))
    notes = [as_note(item) for item in items if isinstance(item, Told)]
    return [row.text for row in items_alone(items)], notes


def refused(*inputs: object, **words: object) -> str:
    with pytest.raises(InputError) as caught:
        read(*inputs, **words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


# Encodings

SAMPLES = {
    "cp1252": "L'été à la forêt\nÜber die schöne Brücke\n¿qué mañana?",
    "cp1250": "Příliš žluťoučký kůň\núpěl ďábelské ódy",
    "cp1251": "Привет, мир!\nмама мыла раму",
    "koi8-r": "Привет, мир!\nмама мыла раму",
    "cp1253": "Η γλώσσα μου\nείναι ελληνική",
    "cp1255": "שלום עולם\nזה מבחן",
    "cp1256": "مرحبا بالعالم\nهذا اختبار",
    "cp874": "สวัสดีชาวโลก\nนี่คือการทดสอบ",
    "mac_roman": "L'été à la forêt, ça va",
    "shift_jis": "私は猫が好きです。\nこれはテストです。",
    "euc_jp": "私は猫が好きです。\nこれはテストです。",
    "gb18030": "我喜欢吃苹果,这是一个测试。",
    "big5": "我喜歡吃蘋果,這是一個測試。",
    "euc_kr": "안녕하세요\n이것은 시험입니다",
}


@pytest.mark.parametrize("encoding", SAMPLES)
def test_the_error_names_the_likely_encoding_which_then_reads_the_file(encoding, write):
    path = write("x.txt", SAMPLES[encoding].encode(encoding))
    said = refused(path)
    assert "not UTF-8 (0x" in said and f"perhaps {encoding}: say encoding={encoding}, or errors=replace" in said
    rows, notes = read(path, encoding=encoding)
    assert rows == SAMPLES[encoding].split("\n")
    assert notes == []


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-8"])
def test_a_byte_order_mark_says_the_encoding(encoding, write):
    mark = "\ufeff" if encoding in ("utf-16-be", "utf-8") else ""
    path = write("x.txt", (mark + "één\r\ntwo 我\n").encode(encoding))
    rows, notes = read(path)
    assert rows == ["één", "two 我"]
    assert notes == (
        [] if encoding == "utf-8" else [f"1 file in {encoding[:6].upper()}, as its byte order mark says: x.txt"]
    )
    packed = write("x.txt.gz", gzip.compress(path.read_bytes()))
    assert read(packed)[0] == rows


def test_utf16_without_a_mark_is_named(write):
    for encoding in ("utf-16-le", "utf-16-be"):
        path = write("x.txt", "one\ntwo\n".encode(encoding))
        assert refused(path).endswith(f"perhaps UTF-16 without a mark: say encoding={encoding}")
        assert read(path, encoding=encoding)[0] == ["one", "two"]


def test_bytes_that_the_encoding_does_not_know(write):
    path = write("x.txt", b"ok\nbad \x81 here\nend\n")
    assert "x.txt: line 2: not cp1252" in refused(path, encoding="cp1252")
    assert read(path, encoding="cp1252", errors="replace")[0] == ["ok", "bad \ufffd here", "end"]
    assert read(path, encoding="cp1252", errors="skip")[0] == ["ok", "", "end"]
    for odd in ("cp12", "rot13", "hex", "idna\0"):
        assert "no such encoding; utf-8, utf-16, cp1252" in refused(path, encoding=odd)


def test_a_file_larger_than_a_block_in_another_encoding(write):
    lines = [f"ligne {number} été 我".replace("我", "") for number in range(20_000)]
    assert read(write("x.txt", "\n".join(lines).encode("cp1252")), encoding="cp1252")[0] == lines
    assert read(write("y.txt", "\n".join(lines).encode("utf-16")))[0] == lines


# Line ends and marks inside


def test_cr_alone_ends_a_line(write):
    rows, notes = read(write("mac.txt", "\r".join(ROWS) + "\r"))
    assert rows == ROWS
    assert notes == ["12 lines ended with CR alone in mac.txt, as on an old Macintosh"]
    assert read(write("x.txt", b"a\r\nb\nc\rd"))[0] == ["a", "b", "c", "d"]
    across = b"a" * ((1 << 16) - 1) + b"\r\nb\n"  # CR and LF fall into different blocks
    assert read(write("y.txt", across))[0][1:] == ["b"]


def test_byte_order_marks_inside_are_taken_out_and_told(write):
    rows, notes = read(write("x.txt", b"\xef\xbb\xbfone\n\xef\xbb\xbftwo\nthree\xef\xbb\xbf\n"))
    assert rows == ["one", "two", "three"]
    assert notes == ["2 lines held a byte order mark inside, which was taken out, in x.txt"]


plain = st.characters(exclude_characters="\0\r\n\ufeff", exclude_categories=["Cs"])


@given(
    lines=st.lists(st.text(plain | st.sampled_from("aé 我{<"), max_size=12), min_size=1, max_size=12).filter(
        lambda lines: any(line.strip() for line in lines)
    ),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "gb18030"]),
    packed=st.booleans(),
    block=st.sampled_from([5, 7, 64, 1 << 16]),
)
@how(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(lines, end, encoding, packed, block, write, monkeypatch):
    monkeypatch.setattr("corpora.texts.plain._BLOCK", block)
    data = end.join([*lines, ""]).encode(encoding)
    path = write("x.txt.gz" if packed else "x.txt", gzip.compress(data) if packed else data)
    words = {} if encoding in ("utf-8", "utf-8-sig", "utf-16") else {"encoding": encoding}
    assert read(path, as_is=True, **words)[0] == lines


# Folders


def test_sub_folders_are_labels_where_that_is_asked_for_and_are_told_otherwise(write, tmp_path):
    for number in range(40):
        write(f"in/{('art', 'sport')[number % 2]}/{number}.txt", f"{number} things are in this row of text\n")
    _, notes = read(tmp_path / "in")
    assert notes == ["sub-folders are not read as labels ('art', 'sport'): label_from=folder reads them"]
    corpus = build([str(tmp_path / "in")], tmp_path / "c", settings=WHOLE | {"label_from": "folder"})
    assert sorted(corpus.manifest["label_names"]) == ["art", "sport"]
    rows = corpus.rows("train")
    assert {(int(rows.text(i).split()[0]) % 2, rows.label(i)) for i in range(len(rows))} == {(0, "art"), (1, "sport")}
    with pytest.raises(InputError, match="each decide the labels"):
        read(tmp_path / "in", labels="x.label", label_from="folder")


def test_white_space_and_controls_that_are_taken_out_are_told(write, tmp_path):
    lines = [f"\treturn {n}" if n % 2 else f"return {'a' * n}b\x01" for n in range(40)]
    path = write("x.txt", "\n".join(lines))
    settings = WHOLE | {"codec": "bytes"}
    notes = build([str(path)], tmp_path / "c", settings=settings).manifest["notes"]
    assert "20 sentences with indents or several spaces, of which one is kept (white_space=keep keeps all)" in notes
    assert "20 sentences without their control characters" in notes
    kept = build([str(path)], tmp_path / "k", settings=settings | {"white_space": "keep"})
    assert not any("indents" in note for note in kept.manifest["notes"])
    assert sum(kept.rows("train").text(i).startswith("\t") for i in range(40)) == 20


def test_endings_in_any_case_and_what_is_left_out(write, tmp_path):
    for number, name in enumerate(("ONE.TXT", "b/Two.Txt", "three.TXT.GZ", "notes.md", "c/x.pdf", "y.PDF", "noend")):
        data = f"{ROWS[number]}\n".encode()
        write(f"in/{name}", gzip.compress(data) if name.endswith("GZ") else data)
    write("in/.hidden.txt", "no\n")
    rows, notes = read(tmp_path / "in")
    assert sorted(rows) == sorted(ROWS[:3])
    assert notes == [
        "4 files of other kinds left out (.pdf 2, .md 1, without ending 1)",
        "1 hidden file left out",
    ]
    corpus = build([str(tmp_path / "in")], tmp_path / "c", settings=WHOLE)
    assert set(notes) <= set(corpus.manifest["notes"])


def test_files_of_labels_are_not_told_as_left_out(write, tmp_path):
    for name in ("train", "test"):
        write(f"in/{name}.txt", b"one two\nthree four\n")
        write(f"in/{name}.label", b"a\nb\n")
    write("in/about.md", b"x\n")
    assert read(tmp_path / "in", labels="*.label")[1][-1] == "1 file of other kinds left out (.md 1)"
    assert "3 files of other kinds left out (.label 2, .md 1)" in read(tmp_path / "in")[1]
    labels = write("in/labels.tags", b"a\nb\na\nb\n")
    assert not any(".tags" in note for note in read(tmp_path / "in", labels=str(labels))[1])


def test_a_licence_among_the_texts_is_told(write, tmp_path):
    for name in ("a.txt", "b.txt", "License.txt"):
        write(f"in/{name}", "row\n")
    assert read(tmp_path / "in")[1] == ["read as well, though its name says it is about the data: License.txt"]


def test_a_folder_is_what_it_holds_most_of(write, tmp_path):
    for number in range(3):
        write(f"icons/{number}.png", b"\x89PNG")
        write(f"tables/{number}.csv", "text\na b\n")
        write(f"texts/{number}.txt", "a b\n")
    for folder in ("icons", "tables"):
        write(f"{folder}/License.txt", "as is\n")
    write("texts/one.csv", "text\na b\n")
    assert [source_of([str(tmp_path / one)]) for one in ("icons", "tables", "texts")] == ["images", "table", "text"]


def test_a_folder_with_nothing_to_read_is_named(write, tmp_path):
    write("in/a.bin", "x")
    write("in/b.bin", "x")
    (tmp_path / "empty").mkdir()
    for folder, holds in (("in", "it holds .bin 2"), ("empty", "it holds no file")):
        with pytest.raises(
            InputError, match=rf"{folder}: nothing that is read is in this folder; {holds}; read are text"
        ):
            source_of([str(tmp_path / folder)])
    assert "no .txt or .txt.gz file in this folder; it holds .bin 2" in refused(tmp_path / "in")


def test_blank_files(write):
    assert refused(write("x.txt", "\n \n\t\n")).endswith("x.txt: nothing but white space: a row is a line of text")
    assert refused(write("y.txt", "")).endswith("y.txt: the file is empty")


# Other formats

FORMATS = {
    "a.html": ("<p>no head</p>", "HTML"),
    "b.txt": ("\n <!DOCTYPE html>\n<html>", "HTML"),
    "c.txt": ('<?xml version="1.0"?><a/>', "XML"),
    "d.pdf": ("%PDF-1.4\n", "a PDF document (take its text out first, as with pdftotext"),
    "e.txt": ("{\\rtf1\\ansi hi}", "RTF (save it as plain text"),
    "f.txt": ("1\r\n00:00:01,000 --> 00:00:02,000\r\nHi\r\n", "SRT subtitles"),
    "g.srt": ("anything", "SRT subtitles"),
    "h.txt": ("WEBVTT\n\n", "WebVTT subtitles"),
    "i.txt": ('{"text": "a"}\n{"text": "b"}\n', "JSON (name it .json or .jsonl, or say --source table"),
    "j.txt": ('[\n {"text": "a"}]', "JSON"),
    "k.docx": (b"PK\x03\x04" + bytes(20) + b"word/document.xml", "a Word document"),
    "l.xlsx": (b"PK\x03\x04" + bytes(20), "an Excel workbook (save the sheet as CSV)"),
    "m.epub": (b"PK\x03\x04" + bytes(26) + b"mimetypeapplication/epub+zip", "an EPUB book"),
    "n.odt": (b"PK\x03\x04....", "an OpenDocument text"),
    "o.doc": (b"\xd0\xcf\x11\xe0\xa1", "an old Word or Excel document"),
    "p.zip": (b"PK\x03\x04....", "a zip archive (unpack it first)"),
    "q.txt": (b"\xff\xd8\xff\xe0", "a JPEG picture"),
    "r.txt": (b"GIF89a....", "a GIF picture"),
    "s.txt": (b"RIFF\x01\0\0\0WAVEfmt ", "sound or video"),
    "t.txt": (b"BZh91AY&SY", "bzip2 data"),
    "u.txt": (b"SQLite format 3\0", "an SQLite database (export the table as CSV)"),
    "v.txt": (b"\0" * 257 + b"ustar", "a tar archive"),
    "w.ipynb": ('{\n "cells": []}', "JSON"),
    "x.txt": (b"\xfd7zXZ\0", "xz data"),
}


@pytest.mark.parametrize("name", FORMATS)
def test_formats_that_are_no_plain_text_are_named_with_a_remedy(name, write):
    data, what = FORMATS[name]
    said = refused(write(name, data))
    assert f"{name}: not " in said and what in said


def test_marked_up_text_can_be_read_as_it_is(write):
    assert read(write("a.html", "<p>one</p>\n<p>two</p>\n"), as_is=True)[0] == ["<p>one</p>", "<p>two</p>"]


def test_words_that_only_look_like_a_format(write):
    for line in ("BMW and Rarity", "RIFFRAFF goes", "ID3 is a method", "1", "{curly} words", "[one] two", "<unk> the"):
        assert read(write("x.txt", line + "\nmore\n"))[0] == [line, "more"]


def test_what_is_no_text_is_no_source_of_text(write):
    with pytest.raises(InputError, match=r"x\.xlsx: not a text file but an Excel workbook"):
        source_of([str(write("x.xlsx", b"PK\x03\x04...."))])


# Units


def test_text_on_one_line_is_cut_into_windows(write, tmp_path):
    words = " ".join(ROWS * 20)
    path = write("text8.txt", words)
    with pytest.raises(
        InputError, match=r"all of the text is one row of 6,.* bytes: say unit=sentence, or unit=window"
    ):
        build([str(path)], tmp_path / "a")
    corpus = build([str(path)], tmp_path / "c", settings={"unit": "window", "window": 60, "codec": "characters"})
    texts = [rows.text(i) for rows in corpus.splits.values() for i in range(len(rows))]
    assert max(map(len, texts)) <= 60
    assert sorted(" ".join(texts).split()) == sorted(words.split())
    by_words = read(path, unit="window", window=35, window_of="words")[0]
    assert [len(row.split()) for row in by_words[:-1]] == [35] * (len(by_words) - 1)


def test_a_line_of_any_length_is_cut(write):
    long = "Many a word stands here. " * 90_000
    path = write("x.txt", long)
    assert "x.txt: line 1 is longer than 1,048,576 bytes" in refused(path)
    assert read(path, unit="sentence")[0] == ["Many a word stands here."] * 90_000
    assert " ".join(read(path, unit="window")[0]).split() == long.split()
    unspaced = write("y.txt", "我" * 500_000)
    assert "".join(read(unspaced, unit="window")[0]) == "我" * 500_000


def test_units_from_standard_input(monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"a b c\rd e f")))
    assert read("-", unit="window", window=2, window_of="words")[0] == ["a b", "c\nd", "e f"]


def test_columns_in_a_text_file_are_told_and_read_where_they_are_named(write, tmp_path):
    path = write("yelp.train.txt", "".join(f"{number % 2}\t{row}\n" for number, row in enumerate(ROWS)))
    rows, notes = read(path)
    assert rows[0] == f"0\t{ROWS[0]}"
    assert notes == [
        "each of the 12 lines has 1 tab: if these are columns, say column=N and label_column=N (numbers from 1)"
    ]
    corpus = build([str(path)], tmp_path / "c", settings={"column": "2", "label_column": "1"})
    kept = {(rows.text(i), rows.label(i)) for rows in corpus.splits.values() for i in range(len(rows))}
    assert kept == {(row, str(number % 2)) for number, row in enumerate(ROWS)}
    assert read(write("x.txt", "a\tb\n" * 5 + "c\n" * 5))[1] == []


# Rows of several lines


@pytest.mark.parametrize("codec", ["pieces", "words", "characters", "bytes"])
def test_poems_keep_their_line_ends_as_a_token(codec, write, tmp_path):
    poems = [f"{one}\n{two}" for one, two in itertools.pairwise(ROWS)]
    path = write("poems.txt", "\n\n".join(poems) + "\n")
    corpus = build([str(path)], tmp_path / "c", settings={"unit": "poem", "codec": codec})
    kept = [rows.text(i) for rows in corpus.splits.values() for i in range(len(rows))]
    assert sorted(kept) == sorted(poems)
    assert (
        "11 sentences with line ends inside, each of which is a token (white_space=join makes them spaces)"
        in corpus.manifest["notes"]
    )
    assert corpus.codec.white_space == "lines"
    joined = build([str(path)], tmp_path / "j", settings={"unit": "poem", "codec": codec, "white_space": "join"})
    assert sorted(r.text(i) for r in joined.splits.values() for i in range(len(r))) == sorted(
        poem.replace("\n", " ") for poem in poems
    )
    again = build([str(path)], tmp_path / "k", settings={"unit": "poem", "codec_from": str(tmp_path / "c")})
    assert sorted(r.text(i) for r in again.splits.values() for i in range(len(r))) == sorted(poems)


def test_code_keeps_its_indents(write, tmp_path):
    code = "def one(x):\n    if x:\n\treturn  1\n    return 2"
    for number in range(6):
        write(f"code/{number}.txt", code.replace("one", f"f{number}") + "\n")
    corpus = build([str(tmp_path / "code")], tmp_path / "c", settings={"unit": "file", "white_space": "keep", **WHOLE})
    kept = {rows.text(i) for rows in corpus.splits.values() for i in range(len(rows))}
    assert kept == {code.replace("one", f"f{number}") for number in range(6)}


def test_text_of_single_lines_is_built_as_ever(write, tmp_path):
    corpus = build([str(write("x.txt", "\n".join(ROWS)))], tmp_path / "c")
    assert corpus.codec.white_space == "join"
    assert "white_space" not in corpus.codec.to_dict()

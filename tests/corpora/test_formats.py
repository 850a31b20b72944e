"""docs/formats.md, row by row: what people have, and what a build makes of it.

A case is a function under `@case(situation, outcome)`. It puts its own small files on a desk, runs the real command,
and checks rows, labels, pixels, notes, or the one line of the error. The outcome begins with `read`, `refused` or
`told` (read, and a note says what was changed, left out or guessed). The table of the document is written from these:

    python tests/corpora/test_formats.py

A test of the repository holds the two together.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import struct
import tarfile
import wave
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from desk import Desk, lines, pictures
from PIL import Image
from pngs import GREY, GREY_ALPHA, INDEXED, RGB, RGBA, SIGNATURE, chunk, png, shown

from corpora import sheet

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"


class Case(NamedTuple):
    """A row of the table, and its test."""

    group: str
    situation: str
    outcome: str
    test: Callable[[Desk], None]


CASES: dict[str, Case] = {}
group = ""


def case(situation: str, outcome: str, *, name: str = "") -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function as the test of a row."""

    def register(test: Callable[..., None]) -> Callable[..., None]:
        key = name or test.__name__
        assert key not in CASES, key
        assert outcome.startswith(("read", "refused", "told")), key
        CASES[key] = Case(group, situation, outcome, test)
        return test

    return register


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize("name", CASES)
def test_format(name, desk):
    CASES[name].test(desk)


def table() -> str:
    """The tables of the document."""
    parts = []
    for title in dict.fromkeys(one.group for one in CASES.values()):
        rows = [f"| {one.situation} | {one.outcome} | `{key}` |" for key, one in CASES.items() if one.group == title]
        parts.append("\n".join([f"## {title}", "", "| you have | what happens | test |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"


# ------------------------------------------------------------------------------------------------------------ text

group = "Text files"
POEM = ["Tyger Tyger, burning bright,", "In the forests of the night;", "What immortal hand or eye,"]


@case("a `.txt` file", "read: a line is a row")
def text_lines(desk):
    assert desk.text(desk.put("a.txt", lines())).texts() == sorted(lines())


@case("`.txt.gz`, or any text in `.gz`", "read: unpacked on the way")
def text_gzip(desk):
    packed = gzip.compress("\n".join(lines()).encode())
    assert desk.text(desk.put("a.txt.gz", packed)).texts() == sorted(lines())
    assert desk.text(desk.put("b.gz", packed)).texts() == sorted(lines())


@case("text through a pipe (`-` as the input)", "read: standard input")
def text_from_standard_input(desk):
    import sys

    before = sys.stdin
    try:
        sys.stdin = io.TextIOWrapper(io.BytesIO("\n".join(lines()).encode()), "ascii")
        assert desk.text("-").texts() == sorted(lines())
        sys.stdin = io.TextIOWrapper(io.BytesIO(b""), "ascii")
        assert "standard input: it is empty" in desk.refused("-")
    finally:
        sys.stdin = before


@case("a byte order mark at the beginning (Windows Notepad)", "read: the mark is no part of the first row")
def text_mark(desk):
    assert desk.text(desk.put("a.txt", "\ufeff" + "\r\n".join(lines()))).texts() == sorted(lines())


@case("byte order marks inside a file (files put together)", "read: the marks are no part of the rows")
def text_marks_inside(desk):
    rows = lines()
    content = "\ufeff" + "\n".join(rows[:15]) + "\n\ufeff" + "\n".join(rows[15:])
    assert desk.text(desk.put("a.txt", content)).texts() == sorted(rows)


@case("lines that end in CR LF (Windows)", "read: no CR is left in a row")
def text_crlf(desk):
    assert desk.text(desk.put("a.txt", "\r\n".join(lines()) + "\r\n")).texts() == sorted(lines())


@case("lines that end in CR alone (old Macs, some exports)", "read: a CR ends a line")
def text_cr(desk):
    assert desk.text(desk.put("a.txt", "\r".join(lines()) + "\r")).texts() == sorted(lines())


@case("line ends of all three kinds in one file", "read: each ends a line")
def text_mixed_ends(desk):
    rows = lines()
    content = "".join(row + ("\n", "\r\n", "\r")[i % 3] for i, row in enumerate(rows))
    assert desk.text(desk.put("a.txt", content)).texts() == sorted(rows)


@case("no line end after the last line", "read: the last row is whole")
def text_no_last_end(desk):
    assert desk.text(desk.put("a.txt", "\n".join(lines()))).texts() == sorted(lines())


@case("tabs, many spaces, no-break and ideographic spaces, U+2028", "read: a run of white space is one space")
def text_white_space(desk):
    rows = [f"  {row} \t  again\u00a0and\u3000so\u2028on " for row in lines()]
    assert desk.text(desk.put("a.txt", rows)).texts() == sorted(f"{row} again and so on" for row in lines())


@case("control characters, colours of a terminal log", "read: they are taken out")
def text_controls(desk):
    rows = [row.replace("old", "o\x07ld\x1b\x7f\x85") for row in lines()]
    assert all("old" in text and not re.search(r"[\x00-\x1f\x7f-\x9f]", text) for text in
               desk.text(desk.put("a.txt", rows)).texts())  # fmt: skip


@case("accents in two characters (macOS)", "read: composed (Unicode NFC)")
def text_decomposed(desk):
    rows = [row.replace("old", "vie\u0301ux") for row in lines()]
    assert desk.text(desk.put("a.txt", rows)).texts() == sorted(row.replace("old", "viéux") for row in lines())


@case("blank lines between rows", "told: dropped as empty, with their number")
def text_blank_lines(desk):
    built = desk.text(desk.put("a.txt", "\n\n".join(lines()) + "\n  \n"))
    assert (built.texts(), built.dropped) == (sorted(lines()), {"empty": 30})
    built.tells("30 empty")


@case("emoji: families, flags, skin tones (tweets)", "read: every code point stays")
def text_emoji(desk):
    rows = [f"{row} 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁥󠁮󠁧󠁿 👍🏽 ☕️ #tag @you" for row in lines()]
    assert desk.text(desk.put("a.txt", rows)).texts() == sorted(rows)


@case("text from right to left (Arabic, Hebrew, with marks of direction)", "read: every code point stays")
def text_right_to_left(desk):
    rows = [f"{row} \u202bשלום עולם\u202c مرحبا\u200c بالعالم" for row in lines()]
    assert desk.text(desk.put("a.txt", rows)).texts() == sorted(rows)


@case("Thai, Chinese, Japanese: no spaces between words", "read: characters as they are")
def text_without_spaces(desk):
    rows = [
        f"{a}{b}" for a in ("床前明月光", "กำลังกิน", "春はあけぼの", "疑是地上霜") for b in "天地玄黃宇宙洪荒日月盈昃"
    ]
    assert desk.build(desk.put("a.txt", rows), codec="characters").texts() == sorted(rows)


@case("a file in Windows-1252 or Latin-1", "refused: line, byte, and `encoding=cp1252` as the remedy")
def text_cp1252(desk):
    rows = [f"{row}, café" for row in lines()]
    error = desk.refused(desk.put("a.txt", rows, "cp1252"))
    assert "line 1, byte " in error and "0xe9" in error and "encoding=" in error and "1252" in error


@case("the same with `encoding=cp1252`", "read: accents and curly quotes come out right")
def text_encoding(desk):
    rows = [f"“{row}”, café – 5 €" for row in lines()]
    assert desk.text(desk.put("a.txt", rows, "cp1252"), encoding="cp1252").texts() == sorted(rows)


@case("`encoding=` of Shift-JIS, GBK, Big5, KOI8-R, UTF-16", "read")
def text_encodings(desk):
    for encoding, word in (("shift_jis", "春はあけぼの"), ("gbk", "床前明月光"), ("big5", "床前明月光"),
                           ("koi8-r", "буря мглою"), ("utf-16", "буря")):  # fmt: skip
        rows = [f"{row} {word}" for row in lines()]
        name = desk.put(f"{encoding}.txt", "\n".join(rows), encoding)
        assert desk.text(name, encoding=encoding).texts() == sorted(rows), encoding


@case("an encoding that nobody knows: `encoding=utf9`", "refused: the name")
def text_encoding_unknown(desk):
    assert "utf9" in desk.refused(desk.put("a.txt", lines()), encoding="utf9")


@case("UTF-16 with its mark (“Unicode” of Windows Notepad)", "told: read as UTF-16")
def text_utf16(desk):
    built = desk.text(desk.put("a.txt", "\r\n".join(lines()), "utf-16"))
    assert built.texts() == sorted(lines())
    built.tells("UTF-16")


@case("bytes that are not UTF-8, `--errors replace`", "read: U+FFFD in their place")
def text_errors_replace(desk):
    data = "\n".join(lines()).encode().replace(b"old", b"\xe9ld")
    assert desk.text(desk.put("a.txt", data), "--errors", "replace").texts() == sorted(
        row.replace("old", "\ufffdld") for row in lines()
    )


@case("bytes that are not UTF-8, `--errors skip`", "told: those rows are dropped and counted")
def text_errors_skip(desk):
    data = "\n".join(lines()).encode() + b"\nbad \xff row\n"
    built = desk.text(desk.put("a.txt", data), "--errors", "skip")
    assert (built.texts(), built.dropped) == (sorted(lines()), {"not UTF-8": 1})
    built.tells("1 not UTF-8")


@case("an empty file", "refused: the file is empty")
def text_empty(desk):
    assert "a.txt" in (error := desk.refused(desk.put("a.txt", ""))) and "empty" in error


@case("a file of blank lines alone", "refused: nothing but white space")
def text_blank(desk):
    error = desk.refused(desk.put("a.txt", "\n  \n\t\n\n"))
    assert "nothing but white space" in error


@case("a file that is not there, or a misspelt one", "refused: no such file")
def text_missing(desk):
    assert "no.txt: no such file" in desk.refused("no.txt")


@case("a binary file named `.txt` (NUL bytes)", "refused: not a text file, the byte")
def text_binary(desk):
    assert "not a text file" in desk.refused(desk.put("a.txt", b"abc\0def" * 20))


@case("pictures named `.txt`", "read as pictures, by what they are; with `--source text` refused")
def text_that_is_a_picture(desk):
    for i, one in enumerate(pictures()):
        desk.put(f"in{i}.txt", sheet.png(one))
    assert len(desk.build(*(f"in{i}.txt" for i in range(24))).drawn()) == 24
    assert "PNG picture" in desk.refused("in0.txt", "--source", "text")


@case("a cut-off `.gz`", "refused: the file is cut off")
def gzip_cut(desk):
    error = desk.refused(desk.put("a.txt.gz", gzip.compress("\n".join(lines(100)).encode())[:-20]))
    assert "cut off" in error or "end early" in error


@case("a damaged `.gz`", "refused: damaged, and after which line")
def gzip_damaged(desk):
    data = bytearray(gzip.compress(bytes(np.random.default_rng(0).integers(97, 122, 5000, np.uint8))))
    data[2000] ^= 255
    error = desk.refused(desk.put("a.txt.gz", bytes(data)))
    assert "gzip" in error and ("damaged" in error or "longer" in error)


@case("a plain file named `.gz`", "refused: not gzip data")
def gzip_that_is_none(desk):
    assert "not gzip data" in desk.refused(desk.put("a.txt.gz", "plain text\n" * 30))


@case("gzip data without the ending", "refused: rename it")
def gzip_without_ending(desk):
    assert "rename it to end in .gz" in desk.refused(desk.put("a.txt", gzip.compress(b"text\n" * 30)))


@case("running text on one line (text8)", "refused: the line, and `unit=window` as the remedy")
def text_one_line(desk):
    assert "unit=window" in desk.refused(desk.put("a.txt", " ".join(lines(100))))


@case("running text on one line, `unit=window`", "read: cut by length, no word lost")
def text_window(desk):
    text = " ".join(lines(100))
    built = desk.text(desk.put("a.txt", text), unit="window")
    assert built.corpus.rows("train") is not None and len(built.texts()) > 3
    assert sorted(" ".join(built.texts()).split()) == sorted(text.split())


@case("a line longer than a megabyte", "refused: the line, and the remedy")
def text_long_line(desk):
    error = desk.refused(desk.put("a.txt", "\n".join([*lines(), "x" * (1 << 20) + "y"])))
    assert "line 31 is longer than" in error


@case("lines broken inside sentences (Project Gutenberg), `unit=sentence`", "read: a sentence is a row")
def text_sentences(desk):
    text = "It was the best of times. It\nwas the worst of\r\ntimes! “Was it?” said Mr. Pip.\n\nIt was the end; or\nnot"
    rows = desk.text(desk.put("a.txt", text), unit="sentence", valid_share=0, test_share=0).texts()
    assert rows == sorted(
        ["It was the best of times.", "It was the worst of times!", "“Was it?” said Mr. Pip.", "It was the end; or not"]
    )


def _stops(name: str, language: str, stop: str, words: str, joint: str = " ") -> None:
    @case(f"{language}, `unit=sentence`", f"read: cut after `{stop}`", name=f"sentences_{name}")
    def test(desk: Desk) -> None:
        parts = [f"{words}{joint if joint else ''}{word}{stop}" for word in (words, words[::2], words[1::2], words[:3])]
        built = desk.text(desk.put("a.txt", joint.join(parts)), unit="sentence", valid_share=0, test_share=0)
        assert built.texts() == sorted(parts)


_stops("hindi", "Hindi", "।", "राम घर गया")
_stops("urdu", "Urdu", "۔", "وہ گھر گیا")
_stops("arabic", "an Arabic question", "؟", "هل ذهبت هناك")
_stops("khmer", "Khmer", "។", "ខ្ញុំ ទៅ ផ្ទះ")
_stops("burmese", "Burmese", "။", "သူ အိမ် ပြန်")
_stops("armenian", "Armenian", "։", "Նա տուն գնաց")
_stops("ethiopic", "Amharic", "።", "እሱ ወደ ቤት")
_stops("chinese", "Chinese", "。", "床前明月光", "")


@case("running text all in lower case, `unit=sentence`", "read: a stop and a space end a sentence")
def sentences_lower(desk):
    text = "it rained all day. we stayed at home. nobody came! did they know?"
    built = desk.text(desk.put("a.txt", text), unit="sentence", valid_share=0, test_share=0)
    assert built.texts() == sorted(["it rained all day.", "we stayed at home.", "nobody came!", "did they know?"])


@case("paragraphs between blank lines, `unit=paragraph`", "read: lines joined by a space")
def text_paragraphs(desk):
    parts = [f"{row}\n{row} again" for row in lines()]
    built = desk.text(desk.put("a.txt", "\n\n".join(parts)), unit="paragraph")
    assert built.texts() == sorted(part.replace("\n", " ") for part in parts)


@case("poems, `unit=stanza`", "read: lines joined by ` / `")
def text_stanzas(desk):
    parts = ["\n".join([*POEM, row]) for row in lines()]
    built = desk.text(desk.put("a.txt", "\r\n\r\n".join(parts)), unit="stanza")
    assert built.texts() == sorted(part.replace("\n", " / ") for part in parts)


# Documents that are no plain text.


def _document(name: str, what: str, file: str, content: str | bytes, *said: str) -> None:
    @case(f"{what}", "refused: the kind is named", name=name)
    def test(desk: Desk) -> None:
        error = desk.refused(desk.put(file, content))
        assert any(word.lower() in error.lower() for word in said), error


_HTML = "<!DOCTYPE html>\n<html><head><title>Poems</title></head>\n<body>" + "<p>A line of text.</p>\n" * 40
_SUBTITLES = "".join(f"{i + 1}\n00:00:{i:02},000 --> 00:00:{i + 1:02},500\n{row}\n\n" for i, row in enumerate(lines()))
_document("html", "a web page `.html`", "a.html", _HTML, "HTML")
_document("html_in_txt", "a web page named `.txt`", "a.txt", _HTML, "HTML")
_document("pdf", "a PDF, also one named `.txt`", "a.txt", b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj\n" * 9, "PDF")
_document(
    "rtf", "an RTF document", "a.rtf", r"{\rtf1\ansi\deff0 {\fonttbl {\f0 Times;}}" + "\\f0 A line\\par\n" * 40, "RTF"
)
_document("subtitles", "subtitles `.srt`", "a.srt", _SUBTITLES, "SRT", "subtitle")
_document("webvtt", "subtitles `.vtt`", "a.vtt", "WEBVTT\n\n" + _SUBTITLES.replace(",", "."), "VTT", "subtitle")


def _zipped(**files: str | bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


_document("word", "a Word document `.docx`", "a.docx", _zipped(word__document_xml="<w:p/>" * 20), "zip", "word", "docx")
_document("excel", "an Excel workbook `.xlsx`", "a.xlsx", _zipped(xl__workbook_xml="<w/>" * 20), "zip", "excel", "xlsx")
_document("zip", "a `.zip`, also with a `.zip` inside", "a.zip",
          _zipped(a_txt="\n".join(lines()), b_zip=_zipped(c_txt="x")), "zip", "unpack")  # fmt: skip


def _tar(mode: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as archive:
        data = "\n".join(lines()).encode()
        entry = tarfile.TarInfo("a.txt")
        entry.size = len(data)
        archive.addfile(entry, io.BytesIO(data))
    return out.getvalue()


_document("tar", "a `.tar`", "a.tar", _tar("w"), "tar", "NUL")
_document("tar_gz", "a `.tar.gz`", "a.tar.gz", _tar("w:gz"), "tar", "NUL")
_document("bzip2", "`.bz2`", "a.txt.bz2", bz2.compress("\n".join(lines()).encode()), "bz")
_document("xz", "`.xz`", "a.txt.xz", lzma.compress("\n".join(lines()).encode()), "xz")
_document("seven_zip", "a `.7z`", "a.7z", b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(range(1, 99)) * 9, "7z", "NUL")
_document("rar", "a `.rar`", "a.rar", b"Rar!\x1a\x07\x01\0" + bytes(range(1, 99)) * 9, "rar", "NUL")
_document("sqlite", "an SQLite database", "a.db", b"SQLite format 3\0" + bytes(84), "SQLite", "NUL")


# --------------------------------------------------------------------------------------------------------- folders

group = "Folders"


@case("a folder of `.txt` files, at any depth", "read: sorted by name")
def folder_of_text(desk):
    rows = lines()
    desk.put("in/a.txt", rows[:10])
    desk.put("in/deep/er/b.txt", rows[10:20])
    desk.put("in/c.txt.gz", gzip.compress("\n".join(rows[20:]).encode()))
    assert desk.text("in").texts() == sorted(rows)


@case("endings in capitals: `POEMS.TXT`, `ICON.PNG`, `DATA.CSV`", "read: as the small ones")
def folder_capitals(desk):
    rows = lines(60)
    desk.put("in/ONE.TXT", rows[:30])
    desk.put("in/two.txt", rows[30:])
    assert desk.text("in").texts() == sorted(rows)
    assert desk.text(desk.put("DATA.CSV", ["text", *rows])).texts() == sorted(rows)
    for i, one in enumerate(pictures()):
        desk.draw(f"icons/{i}.{'PNG' if i % 2 else 'png'}", one)
    assert len(desk.build("icons").drawn()) == 24


@case("hidden files of macOS and Windows (`._a.txt`, `.DS_Store`, `Thumbs.db`)", "read: without them")
def folder_hidden(desk):
    rows = lines()
    desk.put("in/a.txt", rows)
    desk.put("in/._a.txt", b"\0\x05\x16\x07" + bytes(80))
    desk.put("in/.DS_Store", bytes(99))
    desk.put("in/__MACOSX/._a.txt", b"\0\x05\x16\x07" + bytes(80))
    assert desk.text("in").texts() == sorted(rows)
    for i, one in enumerate(pictures()):
        desk.draw(f"icons/{i}.png", one)
        desk.put(f"icons/._{i}.png", b"\0\x05\x16\x07" + bytes(80))
    desk.put("icons/Thumbs.db", bytes(99))
    assert len(desk.build("icons").drawn()) == 24


@case("text beside files of other kinds (`.md`, `.docx`)", "told: how many were left out, by ending")
def folder_of_mixed_text(desk):
    desk.put("in/a.txt", lines())
    for i in range(3):
        desk.put(f"in/{i}.md", "# no\n")
    desk.put("in/x.docx", b"PK\3\4")
    built = desk.text("in")
    assert built.texts() == sorted(lines())
    built.tells(r"\.md\W+3|3\W+\.md", r"\.docx")


@case("pictures beside files of other kinds (`.svg`, `.aseprite`)", "told: how many were left out, by ending")
def folder_of_mixed_pictures(desk):
    for i, one in enumerate(pictures()):
        desk.draw(f"in/{i}.png", one)
    for i in range(12):
        desk.put(f"in/{i}.svg", "<svg/>")
    desk.put("in/all.aseprite", bytes(60))
    built = desk.build("in")
    assert len(built.drawn()) == 24
    built.tells(r"\.svg\W+12|12\W+\.svg", r"\.aseprite")


@case("a sprite pack: pictures, and a licence or a read-me as `.txt`", "told: the pictures are read, the text is not")
def folder_with_licence(desk):
    for i, one in enumerate(pictures()):
        desk.draw(f"pack/{i:02}.png", one)
    desk.put("pack/License.txt", lines(10))
    desk.put("pack/readme.txt", lines(3))
    built = desk.build("pack")
    assert len(built.drawn()) == 24
    built.tells(r"\.txt")


@case("text beside a few pictures (a book with its cover)", "told: the text is read, the pictures are not")
def folder_of_text_with_cover(desk):
    for i in range(4):
        desk.put(f"book/{i}.txt", lines(40)[10 * i : 10 * i + 10])
    desk.draw("book/cover.png", pictures()[0])
    built = desk.text("book")
    assert built.texts() == sorted(lines(40))
    built.tells(r"\.png")


@case("an empty folder", "refused: nothing in it")
def folder_empty(desk):
    (desk.folder / "in").mkdir()
    assert "in" in desk.refused("in")


@case("a folder in which nothing can be read", "refused: names what is in it and what is read")
def folder_of_strangers(desk):
    desk.put("in/a.mp4", bytes(20))
    desk.put("in/b.mp4", bytes(20))
    assert ".mp4" in desk.refused("in")


@case("a folder of tables of the same columns", "read: one after the other")
def folder_of_tables(desk):
    desk.put("in/a.csv", ["text", *lines(60)[:30]])
    desk.put("in/b.csv", ["text", *lines(60)[30:]])
    assert desk.text("in").texts() == sorted(lines(60))


@case("two kinds at once, a poem and a picture", "refused: one kind, or `--source`")
def two_kinds(desk):
    error = desk.refused(desk.put("a.txt", lines()), desk.draw("b.png", pictures()[0]))
    assert "--source" in error


@case("a picture read as text: `--source text icon.png`", "refused: a PNG picture")
def picture_as_text(desk):
    assert "PNG picture" in desk.refused(desk.draw("b.png", pictures()[0]), "--source", "text")


@case("text read as pictures: `--source images poem.txt`", "refused: not a picture, and what is one")
def text_as_picture(desk):
    error = desk.refused(desk.put("a.txt", lines()), "--source", "images")
    assert "not a picture" in error and "PNG" in error


@case("names with spaces, accents, emoji, `=`", "read")
def folder_of_odd_names(desk):
    rows = lines()
    for i, name in enumerate(["my poems.txt", "été.txt", "🙂.txt", "a=b.txt", "-dash.txt"]):
        desk.put(f"in/{name}", rows[6 * i : 6 * i + 6])
    assert desk.text("in").texts() == sorted(rows)
    assert len(desk.text(desk.put("c=d.txt", rows)).texts()) == 30
    assert len(desk.text("in/my poems.txt", "in/été.txt", "in/🙂.txt").texts()) == 18


# ---------------------------------------------------------------------------------------------------------- splits

group = "Rows, splits and labels"


@case("rows that differ in digits alone: dates, sums", "read: different rows, the shares are met in rows")
def rows_of_digits(desk):
    rows = [f"{y}-{m:02}-{d:02}" for y in (1999, 2005, 2011) for m in range(1, 13) for d in range(1, 29)]
    built = desk.text(desk.put("dates.txt", rows))
    assert built.texts() == sorted(rows)
    assert 10 <= len(built.texts("valid")) <= 30 and 10 <= len(built.texts("test")) <= 30
    sums = [f"{a}+{b}={a + b}" for a in range(40) for b in range(25)]
    built = desk.text(desk.put("sums.txt", sums), valid_share=0.1, test_share=0.1)
    assert built.texts() == sorted(sums)
    assert 80 <= len(built.texts("valid")) <= 120 and 80 <= len(built.texts("test")) <= 120


@case("test sums of which none is in train, `--test`", "read: all of them")
def held_out_digits(desk):
    rows = [f"{a}+{b}={a + b}" for a in range(20) for b in range(20)]
    built = desk.text(desk.put("train.txt", rows[::2]), "--test", desk.put("test.txt", rows[1::2]))
    assert (len(built.texts("train")), len(built.texts("test"))) == (200, 200)


@case("Hindi and Thai words that differ in vowel signs", "read: different rows")
def rows_of_vowel_signs(desk):
    words = [f"{a}{b}{c}" for a in "कखगघच" for b in ("", "ा", "ि", "ी", "ु") for c in ("ल", "ली", "ले", "लो")]
    built = desk.text(desk.put("a.txt", words[::2]), "--test", desk.put("b.txt", words[1::2]))
    assert len(built.texts("test")) == 50
    words = [f"{a}{b}{c}" for a in "กขคงจ" for b in ("", "ิ", "ี", "ุ", "ู") for c in ("น", "น่", "น้", "ม")]
    built = desk.text(desk.put("c.txt", words[::2]), "--test", desk.put("d.txt", words[1::2]))
    assert len(built.texts("test")) == 50


@case("molecules (SMILES): rows that differ in signs or case", "read: different rows")
def rows_of_signs(desk):
    rows = [
        f"{a}{b}{c}"
        for a in ("C", "CC", "c1ccccc1", "N")
        for b in ("=", "#", "/", "")
        for c in ("O", "N", "Cl", "o", "n")
    ]
    built = desk.text(desk.put("a.txt", rows[::2]), "--test", desk.put("b.txt", rows[1::2]))
    assert (len(built.texts("train")), len(built.texts("test"))) == (40, 40)


@case("the same sentence in capitals, or with another full stop", "told: near-duplicates stay in one split")
def rows_near_duplicate(desk):
    rows = lines(60)
    both = [text for row in rows for text in (row, f"{row.capitalize()}!")]
    built = desk.text(desk.put("a.txt", both), valid_share=0.2, test_share=0.2)
    assert built.texts() == sorted(both)
    for name in ("train", "valid", "test"):
        kept = {text.lower().rstrip("!") for text in built.texts(name)}
        assert len(built.texts(name)) == 2 * len(kept)


@case("the same row several times", "read: all copies stay, in one split")
def rows_again(desk):
    rows = lines() * 3
    built = desk.text(desk.put("a.txt", rows), valid_share=0.2, test_share=0.2)
    assert built.texts() == sorted(rows)
    for name in ("valid", "test"):
        assert len(built.texts(name)) == 3 * len(set(built.texts(name)))


@case("held-out rows that are in train too, `--test`", "told: removed and counted; `keep_duplicates=true` keeps them")
def held_out_again(desk):
    rows = lines(40)
    words = desk.put("a.txt", rows[:30]), "--test", desk.put("b.txt", rows[25:])
    built = desk.text(*words)
    assert built.texts("test") == sorted(rows[30:])
    built.tells("5 of test that are in another split")
    assert desk.text(*words, keep_duplicates=True).texts("test") == sorted(rows[25:])


@case("two rows, or one", "refused: how many are needed")
def rows_too_few(desk):
    assert "only 2 usable" in desk.refused(desk.put("a.txt", ["one here", "two there"]))


@case("two rows, `valid_share=0 test_share=0`", "read: all of them are train")
def rows_without_held_out(desk):
    built = desk.text(desk.put("a.txt", ["one here", "two there"]), valid_share=0, test_share=0)
    assert list(built.corpus.splits) == ["train"] and len(built.texts()) == 2


@case("rows over `max_words` or `max_length`", "told: dropped and counted, never cut")
def rows_too_long(desk):
    rows = [*lines(), "word " * 50 + "end"]
    built = desk.text(desk.put("a.txt", rows), max_words=20)
    assert built.texts() == sorted(lines()) and built.dropped == {"too many words": 1}
    assert desk.text("a.txt", max_length=150).dropped == {"too long": 1}


@case("more rows than are wanted, `limit=20`", "read: the first ones")
def rows_limited(desk):
    assert desk.text(desk.put("a.txt", lines()), limit=20).texts() == sorted(lines()[:20])


@case("a folder of `ptb.train.txt`, `ptb.valid.txt`, `ptb.test.txt`", "told: the names are splits")
def split_files(desk):
    rows = lines(60)
    desk.put("ptb/ptb.train.txt", rows[:40])
    desk.put("ptb/ptb.valid.txt", rows[40:50])
    desk.put("ptb/ptb.test.txt", rows[50:])
    built = desk.text("ptb")
    assert [built.texts(name) for name in ("train", "valid", "test")] == [
        sorted(rows[:40]), sorted(rows[40:50]), sorted(rows[50:]),
    ]  # fmt: skip
    built.tells("split")


@case("other names of splits: `training`, `val`, `dev`, `validation`, `testing`", "told: the same")
def split_names(desk):
    rows = lines(60)
    for i, (valid, test) in enumerate([("val", "test"), ("dev", "testing"), ("validation", "test")]):
        desk.put(f"in{i}/training.txt" if i else f"in{i}/train.txt", rows[:40])
        desk.put(f"in{i}/{valid}.txt", rows[40:50])
        desk.put(f"in{i}/{test}.txt", rows[50:])
        built = desk.text(f"in{i}")
        assert (built.texts("valid"), built.texts("test")) == (sorted(rows[40:50]), sorted(rows[50:])), valid


@case("text in folders `train/`, `valid/`, `test/`", "told: the folders are splits")
def split_folders_of_text(desk):
    rows = lines(60)
    desk.put("in/train/a.txt", rows[:20])
    desk.put("in/train/b.txt", rows[20:40])
    desk.put("in/valid/a.txt", rows[40:50])
    desk.put("in/test/a.txt", rows[50:])
    built = desk.text("in")
    assert [built.texts(name) for name in ("train", "valid", "test")] == [
        sorted(rows[:40]), sorted(rows[40:50]), sorted(rows[50:]),
    ]  # fmt: skip


@case("pictures in `train/cat/`, `test/dog/`, ...", "told: the first level is the split, the second the label")
def split_folders_of_pictures(desk):
    every = pictures(60)
    for i, one in enumerate(every):
        split = "train" if i < 40 else "valid" if i < 50 else "test"
        desk.draw(f"in/{split}/{('cat', 'dog')[i % 2]}/{i}.png", one)
    built = desk.build("in")
    assert built.labels == ["cat", "dog"]
    assert built.pixels("test") == sorted(one.tobytes() for one in every[50:])
    assert built.pixels("valid") == sorted(one.tobytes() for one in every[40:50])
    built.tells("split")


@case("some files named as splits and some not: `train.txt`, `test.txt`, `more.txt`", "refused: what is meant?")
def split_half_said(desk):
    desk.put("in/train.txt", lines(40)[:20])
    desk.put("in/test.txt", lines(40)[20:30])
    desk.put("in/more.txt", lines(40)[30:])
    assert "more" in desk.refused("in")


@case("labels of text files, `labels=stars.txt`", "read: a label for each row")
def labels_beside(desk):
    rows = lines()
    desk.put("stars.txt", [f"{i % 3} stars" for i in range(30)])
    built = desk.text(desk.put("a.txt", rows), labels="stars.txt")
    assert built.pairs() == sorted((row, f"{i % 3} stars") for i, row in enumerate(rows))


@case("fewer or more labels than rows", "refused: both numbers")
def labels_that_do_not_fit(desk):
    desk.put("few.txt", ["x"] * 29)
    desk.put("many.txt", ["x"] * 31)
    assert "only 29 labels" in desk.refused(desk.put("a.txt", lines()), labels="few.txt")
    assert "more labels than the 30 rows" in desk.refused("a.txt", labels="many.txt")


@case("a label of valid or test that no training row has", "told: those rows have no label")
def label_not_in_train(desk):
    rows = [f"{row},{('neg', 'pos')[i % 2]}" for i, row in enumerate(lines(40))]
    desk.put("train.csv", ["text,label", *rows[:30]])
    desk.put("valid.csv", ["text,label", *rows[30:], "another row of the valid split,mixed"])
    built = desk.text("train.csv", "--valid", "valid.csv", column="text", label_column="label")
    assert built.labels == ["neg", "pos"]
    assert ("another row of the valid split", None) in built.pairs("valid")
    built.tells("mixed")


@case("labels with spaces or control characters: `neg ` and `neg`", "read: one label, cleaned as text is")
def labels_padded(desk):
    names = ["neg", " neg ", "n\x07eg", "pos"]
    rows = [f"{row}\t{names[i % 4]}" for i, row in enumerate(lines(40))]
    built = desk.text(desk.put("a.tsv", ["text\tlabel", *rows]), column="text", label_column="label")
    assert built.labels == ["neg", "pos"]


@case("empty labels, NaN", "read: rows without a label")
def labels_missing(desk):
    rows = [json.dumps({"text": row, "label": ("a", "", None, float("nan"))[i % 4]}) for i, row in enumerate(lines(40))]
    built = desk.text(desk.put("a.jsonl", rows), column="text", label_column="label")
    assert built.labels == ["a"] and sum(label is None for _, label in built.pairs()) == 30


@case("two labels that differ in case: `Pos`, `pos`", "read: two labels, as they are")
def labels_of_two_cases(desk):
    rows = [f"{row},{('Pos', 'pos')[i % 2]}" for i, row in enumerate(lines(40))]
    assert desk.text(desk.put("a.csv", ["text,label", *rows]), label_column="label", column="text").labels == [
        "Pos",
        "pos",
    ]


# ---------------------------------------------------------------------------------------------------------- tables

group = "Tables (CSV, TSV)"
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

group = "JSON"
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

group = "Parquet"


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


# -------------------------------------------------------------------------------------------------------- pictures

group = "Pictures: PNG"
SIDE = (7, 6)  # height and width of the pictures here
INDEXED_COLOURS = [
    (255, 0, 0),
    (0, 200, 0),
    (0, 0, 255),
    (250, 250, 10),
    (1, 2, 3),
    (90, 90, 90),
    (9, 200, 9),
    (7, 0, 77),
]


def _same(built: Any, expected: list[np.ndarray]) -> None:
    """Check that a corpus has these pictures; the colour under a transparent pixel does not matter."""
    plain = []
    for picture in expected:
        picture = picture.copy()
        picture[picture[..., 3] == 0] = 0
        plain.append(picture.tobytes())
    assert built.pixels() == sorted(set(plain))


def _mode(
    name: str, what: str, kind: int, depth: int, outcome: str = "read: every pixel as it is", **more: Any
) -> None:
    """A row on a mode of PNG: eight files of random pixels, with a transparent colour where `more` says so."""

    @case(what, outcome, name=f"png_{name}")
    def test(desk: Desk) -> None:
        draw, expected = np.random.default_rng(0), []
        channels = {GREY: 1, RGB: 3, INDEXED: 1, GREY_ALPHA: 2, RGBA: 4}[kind]
        for i in range(8):
            if kind == INDEXED:
                values = draw.integers(0, min(8, 1 << depth), (*SIDE, 1))
            elif depth == 16:  # the lower byte tells a transparent value from its neighbours
                values = draw.choice([0, 255, 256, 4660, 4661, 65535], (*SIDE, channels))
            else:
                values = (
                    draw.integers(0, 3 if depth > 1 else 2, (*SIDE, channels))
                    * ((1 << depth) - 1)
                    // (2 if depth > 1 else 1)
                )
            if kind in (GREY_ALPHA, RGBA):
                values[..., -1] = draw.choice([0, (1 << depth) - 1], SIDE)
            palette = INDEXED_COLOURS[: 1 << depth] if kind == INDEXED else []
            transparent = more.get("transparent", ())
            if transparent == "first":
                transparent = values[0, 0].tolist()
            desk.put(f"in/{i}.png", png(values, kind, depth, palette=palette, transparent=transparent,
                                        interlaced=more.get("interlaced", False)))  # fmt: skip
            expected.append(shown(values, kind, depth, palette, transparent))
        built = desk.build("in", valid_share=0, test_share=0)
        _same(built, expected)
        if depth == 16:
            built.tells("16 bits")


_mode("grey1", "1-bit grey (black and white)", GREY, 1)
_mode("grey2", "2-bit grey", GREY, 2)
_mode("grey4", "4-bit grey", GREY, 4)
_mode("grey8", "8-bit grey", GREY, 8)
_mode("grey16", "16-bit grey", GREY, 16, "told: cut to 8 bits")
_mode("grey_alpha8", "grey with alpha", GREY_ALPHA, 8)
_mode("grey_alpha16", "16-bit grey with alpha", GREY_ALPHA, 16, "told: cut to 8 bits")
_mode("rgb8", "8-bit colour", RGB, 8)
_mode("rgb16", "16-bit colour", RGB, 16, "told: cut to 8 bits")
_mode("rgba8", "colour with alpha", RGBA, 8)
_mode("rgba16", "16-bit colour with alpha", RGBA, 16, "told: cut to 8 bits")
_mode("indexed1", "a palette of 2 colours (1 bit)", INDEXED, 1)
_mode("indexed2", "a palette of 4 colours (2 bits)", INDEXED, 2)
_mode("indexed4", "a palette of 8 colours (4 bits)", INDEXED, 4)
_mode("indexed8", "a palette of 8 colours (8 bits)", INDEXED, 8)
_mode("indexed_clear", "a palette with a transparent colour (Aseprite)", INDEXED, 4, transparent=[0])
_mode("indexed_clear_last", "a palette whose last colour is transparent", INDEXED, 4, transparent=[255] * 7 + [0])
_mode("grey1_key", "1-bit grey with a transparent value", GREY, 1, transparent="first")
_mode("grey2_key", "2-bit grey with a transparent value", GREY, 2, transparent="first")
_mode("grey8_key", "8-bit grey with a transparent value", GREY, 8, transparent="first")
_mode("grey16_key", "16-bit grey with a transparent value", GREY, 16,
      "told: cut to 8 bits; only the exact value is transparent", transparent="first")  # fmt: skip
_mode("rgb8_key", "8-bit colour with a transparent colour", RGB, 8, transparent="first")
_mode("rgb16_key", "16-bit colour with a transparent colour", RGB, 16,
      "told: cut to 8 bits; only the exact colour is transparent", transparent="first")  # fmt: skip
_mode("interlaced", "interlaced (Adam7)", RGBA, 8, interlaced=True)
_mode("interlaced_indexed", "interlaced, with a palette", INDEXED, 2, interlaced=True, transparent=[255, 0])


def _folder(desk: Desk, count: int = 24, **more: Any) -> list[np.ndarray]:
    """A folder `in` of different pictures, which are returned."""
    every = pictures(count, *SIDE, **more)
    for i, one in enumerate(every):
        desk.draw(f"in/{i:03}.png", one)
    return every


@case("half-transparent pixels (soft edges, shadows)", "told: how many pixels, and what becomes of them")
def png_half_transparent(desk):
    every = _folder(desk)
    soft = every[0].copy()
    soft[0, :3, 3] = [40, 127, 200]
    desk.draw("in/soft.png", soft)
    desk.build("in").tells("half.transparent|translucent|alpha")


@case("half-transparent pixels, `alpha=0`", "read: laid on white")
def png_on_white(desk):
    picture = pictures(1, *SIDE)[0]
    picture[0, 0], picture[1, 1] = (0, 0, 0, 0), (255, 0, 0, 51)
    desk.draw("in/a.png", picture)
    built = desk.build("in", alpha=0, valid_share=0, test_share=0)
    assert built.drawn()[0][0][0, 0].tolist() == [255, 255, 255, 255]
    assert built.drawn()[0][0][1, 1].tolist() == [255, 204, 204, 255]


@case("a comment of two megabytes (`zTXt`)", "read: comments are not pixels")
def png_large_comment(desk):
    import zlib

    every = _folder(desk)
    extra = pictures(1, *SIDE, seed=9)[0]
    comment = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"a" * (2 << 20)))
    desk.put("in/big.png", png(extra, before=comment))
    _same(desk.build("in"), [*every, extra])


@case("a comment with a wrong checksum", "read: comments are not pixels")
def png_bad_comment(desk):
    every = _folder(desk)
    extra = pictures(1, *SIDE, seed=9)[0]
    desk.put("in/bad.png", png(extra, before=chunk(b"tEXt", b"a\0b", crc=1)))
    _same(desk.build("in"), [*every, extra])


@case("cut off in its pixels", "refused: cut off or damaged, the file")
def png_cut(desk):
    whole = sheet.png(pictures(1, 40, 40)[0])
    assert "a.png: the picture is cut off or damaged" in desk.refused(desk.put("a.png", whole[: len(whole) // 2]))


@case("no end mark, all pixels there", "read")
def png_without_end(desk):
    every = _folder(desk)
    extra = pictures(1, *SIDE, seed=9)[0]
    desk.put("in/open.png", png(extra, end=False))
    _same(desk.build("in"), [*every, extra])


@case("an index beyond the palette", "told: those pixels are black")
def png_beyond_palette(desk):
    desk.put("a.png", png(np.array([[0, 1, 7]]), INDEXED, 8, palette=INDEXED_COLOURS[:3]))
    built = desk.build("a.png", valid_share=0, test_share=0)
    _same(built, [np.array([[[255, 0, 0, 255], [0, 200, 0, 255], [0, 0, 0, 255]]], np.uint8)])
    built.tells("1 picture.*beyond.*palette")


@case("an empty file, or one of another kind, named `.png`", "refused: not a picture, and what is read")
def png_that_is_none(desk):
    assert "empty" in desk.refused(desk.put("a.png", b""))
    assert "not a picture: expected PNG" in desk.refused(desk.put("b.png", "text\n" * 20))
    assert "c.png" in desk.refused(desk.put("c.png", SIGNATURE + bytes(20)))


@case("a head that says 100,000 x 100,000 pixels", "refused: too many, before they are unpacked")
def png_bomb(desk):
    head = SIGNATURE + chunk(b"IHDR", struct.pack(">IIBBBBB", 100_000, 100_000, 8, 6, 0, 0, 0))
    assert "pixels" in desk.refused(desk.put("a.png", head + chunk(b"IDAT", b"x")))


@case("a JPEG named `.png`, a PNG named `.jpg`", "read: by what it is")
def png_by_content(desk):
    every = pictures(12, *SIDE)
    for i, one in enumerate(every):
        desk.put(f"in/{i}.jpg", sheet.png(one))
    _same(desk.build("in"), every)


group = "Pictures: GIF, JPEG, WebP and others"


def _saved(picture: np.ndarray, kind: str, mode: str = "RGBA", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(picture), "RGBA").convert(mode).save(out, kind, **options)
    return out.getvalue()


@case("WebP without loss", "read: every pixel")
def webp(desk):
    every = pictures(12, *SIDE)
    for i, one in enumerate(every):
        desk.put(f"in/{i}.webp", _saved(one, "WEBP", lossless=True))
    _same(desk.build("in"), every)


@case("JPEG, also progressive and grey", "read: near to what was saved")
def jpeg(desk):
    for i in range(12):
        flat = np.full((8, 8, 4), 255, np.uint8)
        flat[..., 0] = 20 * i
        desk.put(f"in/{i}.jpg", _saved(flat, "JPEG", "RGB", progressive=i % 2 == 0))
        desk.put(f"in/grey{i}.jpeg", _saved(flat, "JPEG", "L"))
    assert len(desk.build("in").drawn()) == 24


@case("JPEG in CMYK (print)", "told: converted")
def jpeg_cmyk(desk):
    _folder(desk)
    desk.put("in/print.jpg", _saved(pictures(1, *SIDE)[0], "JPEG", "CMYK"))
    desk.build("in").tells("1 picture converted from CMYK")


@case("a cut-off JPEG", "refused: cut off or damaged")
def jpeg_cut(desk):
    whole = _saved(np.random.default_rng(0).integers(0, 255, (64, 64, 4), np.uint8), "JPEG", "RGB")
    assert "cut off or damaged" in desk.refused(desk.put("a.jpg", whole[: len(whole) // 2]))


def _tags(entries: list[tuple[int, int, int, bytes]]) -> bytes:
    """EXIF of tags (number, kind, count, four bytes or fewer), little-endian."""
    rows = b"".join(struct.pack("<HHI", *one[:3]) + one[3].ljust(4, b"\0") for one in entries)
    return b"Exif\0\0II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + rows + bytes(4)


_TURNS = {  # the orientation of EXIF, and what makes the picture upright
    1: lambda p: p, 2: lambda p: p[:, ::-1], 3: lambda p: p[::-1, ::-1], 4: lambda p: p[::-1],
    5: lambda p: p.transpose(1, 0, 2), 6: lambda p: np.rot90(p, -1), 7: lambda p: p[::-1, ::-1].transpose(1, 0, 2),
    8: lambda p: np.rot90(p, 1),
}  # fmt: skip


@case("photographs with each of the eight EXIF orientations", "told: turned as they are meant to be seen")
def exif_orientation(desk):
    every = pictures(16, 6, 6)
    expected = []
    for i, one in enumerate(every):
        tags = _tags([(0x112, 3, 1, struct.pack("<H", i % 8 + 1))])
        desk.put(f"in/{i}.png", png(one, before=chunk(b"eXIf", tags[6:])))
        expected.append(np.ascontiguousarray(_TURNS[i % 8 + 1](one)))
    built = desk.build("in")
    _same(built, expected)
    built.tells("14 pictures turned")


@case("an orientation beside odd or broken EXIF tags", "read: turned, whatever the other tags hold")
def exif_odd(desk):
    one = pictures(1, 6, 6)[0]
    turn = (0x112, 3, 1, struct.pack("<H", 6))
    odd = [
        [(0x10F, 2, 3, b"ab\0"), turn], [turn, (0x11A, 10, 1, b"\xff\xff\xff\xff")], [turn, (0x132, 4, 1, b"abcd")],
        [turn, (0x111, 4, 900, b"\0\1\0\0")], [turn, (0x213, 3, 1, b"a"), (0x9999, 99, 1, b"x")],
        [turn, (0x11B, 5, 1, b"\x08\0\0\0")],
    ]  # fmt: skip
    for i, tags in enumerate(odd):
        desk.put(f"odd{i}.png", png(one, before=chunk(b"eXIf", _tags(tags)[6:])))
        built = desk.build(f"odd{i}.png", valid_share=0, test_share=0)
        assert built.drawn()[0][0].tolist() == np.rot90(one, -1).tolist(), i
        desk.put(f"odd{i}.jpg", _saved(one, "JPEG", "RGB", exif=_tags(tags)))
        desk.build(f"odd{i}.jpg", valid_share=0, test_share=0).tells("turned")


@case("an animated GIF, `frames=first` (the default)", "told: the first frame is taken")
def gif_first(desk):
    _folder(desk)
    frames = [Image.fromarray(one, "RGBA").convert("RGB") for one in pictures(5, *SIDE, seed=3)]
    out = io.BytesIO()
    frames[0].save(out, "GIF", save_all=True, append_images=frames[1:])
    desk.put("in/walk.gif", out.getvalue())
    built = desk.build("in")
    built.tells("1 picture .*first frame of an animation")


def _animation(desk: Desk, name: str, frames: list[np.ndarray], kind: str) -> str:
    images = [Image.fromarray(np.ascontiguousarray(one), "RGBA") for one in frames]
    out = io.BytesIO()
    images[0].save(out, kind, save_all=True, append_images=images[1:], **({"lossless": True} if kind == "WEBP" else {}))
    return desk.put(name, out.getvalue())


@case("animations, `frames=all`: GIF, WebP, APNG", "told: every frame, all of one file in one split")
def frames_all(desk):
    for kind, ending in (("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif")):
        expected = []
        for i in range(12):
            frames = pictures(5, *SIDE, seed=i)
            _animation(desk, f"{ending}/{i}.{ending}", frames, kind)
            expected += frames
        built = desk.build(ending, frames="all", valid_share=0.2, test_share=0.2)
        _same(built, expected)
        built.tells("frame of an animation")
        for name in ("train", "valid", "test"):
            files = [
                next(i for i, one in enumerate(expected) if one.tobytes() == kept) // 5 for kept in built.pixels(name)
            ]
            assert all(files.count(number) == 5 for number in files), (kind, name)


@case("frames of one long animation that hardly differ, `frames=all`", "told: all in one split")
def frames_leak(desk):
    first, frames = pictures(1, 12, 12)[0], []
    for i in range(60):
        frame = first.copy()
        frame[i // 10, i % 10] = (255, 0, 255, 255)
        frames.append(frame)
    built = desk.build(_animation(desk, "walk.png", frames, "PNG"), frames="all")
    assert len(built.drawn("train")) == 60 == len(built.drawn())
    built.tells("must stay together")


@case("an APNG whose still picture is no frame of it, `frames=all`", "read: without the still one")
def frames_hidden_still(desk):
    frames = pictures(4, *SIDE, seed=5)
    images = [Image.fromarray(one, "RGBA") for one in frames]
    out = io.BytesIO()
    images[0].save(out, "PNG", save_all=True, append_images=images[1:], default_image=True)
    built = desk.build(desk.put("a.png", out.getvalue()), frames="all", valid_share=0, test_share=0)
    _same(built, frames[1:])


@case("a GIF that is cut off, or has no picture", "refused: cut off or damaged")
def gif_cut(desk):
    whole = _saved(pictures(1, 40, 40, colours=6)[0], "GIF", "P")
    assert "a.gif" in desk.refused(desk.put("a.gif", whole[: len(whole) // 2]))
    assert "b.gif" in desk.refused(desk.put("b.gif", b"GIF89a\x05\0\x05\0\0\0\0;"))


def _other(name: str, what: str, ending: str, kind: str, mode: str = "RGB") -> None:
    @case(what, "read: every pixel", name=name)
    def test(desk: Desk) -> None:
        every = pictures(12, 16, 16)
        for i, one in enumerate(every):
            desk.put(f"in/{i}.{ending}", _saved(one, kind, mode))
        _same(desk.build("in"), every)


_other("bmp", "`.bmp`", "bmp", "BMP")
_other("tiff", "`.tif`", "tif", "TIFF")
_other("tga", "`.tga`", "tga", "TGA")
_other("pcx", "`.pcx`", "pcx", "PCX")
_other("ppm", "`.ppm`", "ppm", "PPM")
_other("ico", "`.ico`", "ico", "ICO", "RGBA")


def _stranger(name: str, what: str, file: str, content: bytes) -> None:
    @case(what, "refused: what is read", name=name)
    def test(desk: Desk) -> None:
        desk.put(f"in/{file}", content)
        assert "PNG" in desk.refused(f"in/{file}", "--source", "images")
        assert Path(file).suffix in desk.refused("in")


_stranger("svg", "`.svg`", "a.svg", b'<svg xmlns="http://www.w3.org/2000/svg"><rect width="9"/></svg>')
_stranger("aseprite", "an Aseprite file `.aseprite`", "a.aseprite", struct.pack("<IH", 200, 0xA5E0) + bytes(194))
_stranger("photoshop", "a Photoshop file `.psd`", "a.psd", b"8BPS\0\1" + bytes(200))
_stranger("heic", "`.heic` of a telephone", "a.heic", b"\0\0\0\x18ftypheic" + bytes(200))


group = "Pictures: size, colours, splits"


@case("pictures of several sizes", "refused: both sizes, and `fit=`")
def sizes_differ(desk):
    _folder(desk)
    desk.draw("in/preview.png", pictures(1, 30, 40)[0])
    error = desk.refused("in")
    assert "preview.png is 30x40" in error and "7x6" in error and "fit=" in error


@case("several sizes, `fit=pad`", "told: how many; the picture in the middle of transparent pixels")
def sizes_padded(desk):
    every = _folder(desk)
    built = desk.build("in", size="9x10", fit="pad")
    _same(built, [np.pad(one, ((1, 1), (2, 2), (0, 0))) for one in every])
    built.tells("24 pictures padded")


@case("several sizes, `fit=crop`", "told: how many; the middle is kept")
def sizes_cropped(desk):
    every = _folder(desk)
    built = desk.build("in", size="5x4", fit="crop")
    _same(built, [one[1:6, 1:5] for one in every])
    built.tells("24 pictures cropped")


@case("several sizes, `fit=resize`, pixel art", "told: the nearest pixel; no new colour")
def sizes_resized(desk):
    every = _folder(desk)
    built = desk.build("in", size="14x12", fit="resize")
    _same(built, [one.repeat(2, 0).repeat(2, 1) for one in every])
    built.tells("24 pictures resized|nearest")


@case("photographs, `fit=resize`", "told: the mean of the area")
def sizes_of_photographs(desk):
    draw = np.random.default_rng(0)
    for i in range(12):
        photo = draw.integers(0, 256, (40, 40, 4), np.uint8)
        photo[..., 3] = 255
        desk.draw(f"in/{i}.png", photo)
    built = desk.build("in", size="4x4", fit="resize", colours=64)
    built.tells("area")
    means = np.concatenate([one[..., :3].reshape(-1, 3) for one, _ in built.drawn()])
    assert means.min() > 90 and means.max() < 170  # of 100 random pixels each


@case("a picture over 1,024 pixels on a side", "refused: `tile=` or `size=`")
def sizes_too_large(desk):
    assert "1,024" in desk.refused(desk.draw("a.png", np.full((3, 1100, 4), 255, np.uint8)))


@case("more than 256 colours", "told: clustered, how many, and how far they are")
def colours_many(desk):
    draw = np.random.default_rng(0)
    for i in range(12):
        photo = draw.integers(0, 256, (12, 12, 4), np.uint8)
        photo[..., 3] = 255
        desk.draw(f"in/{i}.png", photo)
    desk.build("in").tells("colours for the .* of the pictures: RMSE")


@case("colours of valid and test that train has not", "told: how many pictures; the nearest colours are taken")
def colours_held_out(desk):
    _folder(desk)
    odd = pictures(1, *SIDE, seed=7)[0]
    odd[0, 0] = (1, 254, 77, 255)
    desk.draw("test/a.png", odd)
    desk.build("in", "--test", "test").tells("1 picture.*colour")


@case("pictures of one colour alone", "refused: a palette needs two")
def colours_one(desk):
    for i in range(4):
        desk.draw(f"in/{i}.png", np.full((4, 4, 4), 255, np.uint8))
    assert "one colour" in desk.refused("in", valid_share=0, test_share=0)


@case("sub-folders `cat/`, `dog/`", "read: labels")
def pictures_in_folders(desk):
    for i, one in enumerate(pictures()):
        desk.draw(f"in/{('cat', 'dog')[i % 2]}/{i}.png", one)
    built = desk.build("in")
    assert built.labels == ["cat", "dog"]
    expected = {one.tobytes(): ("cat", "dog")[i % 2] for i, one in enumerate(pictures())}
    assert all(expected[one.tobytes()] == label for one, label in built.drawn())


@case("the same picture twice", "told: kept once, the others dropped as duplicates")
def pictures_again(desk):
    every = _folder(desk)
    desk.draw("in/again.png", every[0])
    built = desk.build("in")
    assert (len(built.drawn()), built.dropped) == (24, {"duplicates": 1})


@case("pictures that differ in a few pixels (recoloured, retouched)", "told: how many; they stay in one split")
def pictures_near(desk):
    every = pictures(60, 16, 16, colours=5)
    for i, one in enumerate(every):
        twin = one.copy()
        twin[3, 4:6] = (255, 0, 255, 255)
        desk.draw(f"in/{i:02}a.png", one)
        desk.draw(f"in/{i:02}b.png", twin)
    built = desk.build("in")
    assert len(built.drawn()) == 120
    for name in ("train", "valid", "test"):
        kept = [one for one, _ in built.drawn(name)]
        for one in kept:
            twins = [(one != other).any(-1).sum() <= 2 for other in kept]
            assert sum(twins) == 2, name
    built.tells("near")


@case("a picture of `--test` that is in train too", "told: removed from the test split")
def pictures_held_out_again(desk):
    every = _folder(desk)
    for i, one in enumerate([*pictures(6, *SIDE, seed=8), every[0]]):
        desk.draw(f"test/{i}.png", one)
    built = desk.build("in", "--test", "test")
    assert len(built.drawn("test")) == 6
    built.tells("1 of test that are in another split")


# ---------------------------------------------------------------------------------------------------------- sheets

group = "Sheets of tiles"


def _sheet(tiles: list[np.ndarray], columns: int, margin: int = 0, spacing: int = 0) -> np.ndarray:
    """Tiles on one picture, transparent around and between them."""
    height, width = tiles[0].shape[:2]
    rows = -(-len(tiles) // columns)
    out = np.zeros(
        (2 * margin + rows * (height + spacing) - spacing, 2 * margin + columns * (width + spacing) - spacing, 4),
        np.uint8,
    )
    for i, tile in enumerate(tiles):
        top, left = margin + i // columns * (height + spacing), margin + i % columns * (width + spacing)
        out[top : top + height, left : left + width] = tile
    return out


@case("a sheet without gaps, `tile=8x8`", "read: every tile")
def sheet_plain(desk):
    tiles = pictures(24, 8, 8)
    _same(desk.build(desk.draw("a.png", _sheet(tiles, 6)), tile="8x8"), tiles)


@case("tiles that are not square, `tile=8x6`", "read: HEIGHTxWIDTH")
def sheet_not_square(desk):
    tiles = pictures(24, 8, 6)
    _same(desk.build(desk.draw("a.png", _sheet(tiles, 6)), tile="8x6"), tiles)


@case("a margin and gaps, `margin=1 spacing=1`", "read: every tile")
def sheet_spacing(desk):
    tiles = pictures(24, 8, 8)
    for margin, spacing in ((1, 1), (0, 1), (2, 0), (3, 2)):
        name = desk.draw(f"a{margin}{spacing}.png", _sheet(tiles, 6, margin, spacing))
        _same(desk.build(name, tile="8x8", margin=margin, spacing=spacing), tiles)


@case("a margin and gaps of which nothing is said", "told: guessed where a regular grid shows")
def sheet_guessed(desk):
    tiles = pictures(64, 8, 8)
    built = desk.build(desk.draw("a.png", _sheet(tiles, 8, 1, 1)), tile="8x8")
    _same(built, tiles)
    built.tells("spacing|margin")


@case("a sheet that is no multiple of the tile", "told: what is left over at the right or below")
def sheet_left_over(desk):
    tiles = pictures(24, 8, 8)
    whole = np.pad(_sheet(tiles, 6), ((0, 3), (0, 5), (0, 0)), constant_values=200)
    built = desk.build(desk.draw("a.png", whole), tile="8x8")
    _same(built, tiles)
    built.tells("margin|left over")


@case("tiles that are transparent all over", "told: left out and counted")
def sheet_transparent_tiles(desk):
    tiles = pictures(22, 8, 8)
    built = desk.build(desk.draw("a.png", _sheet(tiles, 6)), tile="8x8")
    assert (len(built.drawn()), built.dropped) == (22, {"transparent tiles": 2})


@case("a sheet smaller than a tile", "refused: choose smaller tiles")
def sheet_too_small(desk):
    assert "smaller than tile=64x64" in desk.refused(desk.draw("a.png", pictures()[0]), tile="64x64")


@case("a contact sheet or samples that this project wrote", "read: the same pictures, exactly")
def sheet_of_ours(desk):
    every = pictures(24, 8, 8)
    tiles = sheet.layout(every, 6, sheet.GAP)
    desk.put("ours.png", sheet.png(sheet.grid(every, 6), 3, tiles=tiles))
    _same(desk.build("ours.png"), every)
    desk.put("tight.png", sheet.png(sheet.grid(every, 6, gap=0), 1, tiles=sheet.layout(every, 6, 0)))
    _same(desk.build("tight.png"), every)


@case("sprites on wide transparent canvases, `trim=true`", "read: without the empty border")
def sheet_trimmed(desk):
    every = pictures(24, 8, 8)
    for i, one in enumerate(every):
        desk.draw(f"in/{i}.png", np.pad(one, ((i % 3, 5), (2, i % 4), (0, 0))))
    _same(desk.build("in", trim=True), every)


@case("a tile size that is none: `tile=8`, `tile=0x8`", "refused: HEIGHTxWIDTH")
def sheet_bad_tile(desk):
    name = desk.draw("a.png", pictures(1, 8, 8)[0])
    assert "HEIGHTxWIDTH" in desk.refused(name, tile="8") and "HEIGHTxWIDTH" in desk.refused(name, tile="0x8")


# -------------------------------------------------------------------------------------------------------- palettes

group = "Palettes"
PALETTE = [(0, 0, 0), (255, 255, 255), (200, 30, 30), (30, 200, 30), (30, 30, 200)]


def _with_palette(desk: Desk, name: str) -> None:
    """Build with a palette file and check that the colours and their order are those of `PALETTE`."""
    draw = np.random.default_rng(0)
    for i in range(12):
        table = np.array([[*colour, 255] for colour in PALETTE], np.uint8)
        desk.draw(f"in/{i}.png", table[draw.integers(0, 5, SIDE)])
    built = desk.build("in", palette_file=name)
    assert [tuple(colour[:3]) for colour in built.corpus.codec.colours] == PALETTE


_HEX = "".join(f"{r:02x}{g:02x}{b:02x}\n" for r, g, b in PALETTE)
_ROWS = "".join(f"{r} {g} {b}\n" for r, g, b in PALETTE)


def _palette(name: str, what: str, file: str, content: str | bytes) -> None:
    @case(what, "read: the colours in their order", name=name)
    def test(desk: Desk) -> None:
        _with_palette(desk, desk.put(file, content))


_palette("palette_plain", "lines `red green blue`, `palette_file=`", "p.txt", _ROWS)
_palette("palette_gpl", "GIMP `.gpl`", "p.gpl", "GIMP Palette\nName: five\nColumns: 4\n# a comment\n" + "".join(
    f"{r:3} {g:3} {b:3}\tColour {i}\n" for i, (r, g, b) in enumerate(PALETTE)))  # fmt: skip
_palette("palette_hex", "`.hex` (Lospec), with CR LF too", "p.hex", _HEX.replace("\n", "\r\n"))
_palette("palette_jasc", "JASC `.pal`", "p.pal", "JASC-PAL\r\n0100\r\n5\r\n" + _ROWS.replace("\n", "\r\n"))
_palette("palette_paint", "Paint.NET `.txt`", "p.txt",
         "; paint.net Palette File\n; Colors: 5\n" + "".join(f"FF{row.upper()}\n" for row in _HEX.split()))  # fmt: skip
_palette("palette_png", "the palette of an indexed PNG", "p.png", png(np.arange(5)[None], INDEXED, 8, palette=PALETTE))
_palette("palette_act", "Adobe `.act`", "p.act",
         bytes(part for one in PALETTE for part in one).ljust(768, b"\0") + struct.pack(">HH", 5, 0xFFFF))  # fmt: skip
_palette("palette_ase", "Adobe `.ase`", "p.ase", b"ASEF\0\1\0\0" + struct.pack(">I", 5) + b"".join(
    b"\0\1" + struct.pack(">IH", 22, 1) + b"\0\0RGB " + struct.pack(">3fH", *(p / 255 for p in colour), 0)
    for colour in PALETTE))  # fmt: skip


@case("a colour twice in a list of lines", "refused: the line, take one out")
def palette_twice(desk):
    _folder(desk)
    assert "line 6" in desk.refused("in", palette_file=desk.put("p.txt", _ROWS + "0 0 0\n"))


@case("a palette file that is none", "refused: the line, or what is read")
def palette_that_is_none(desk):
    _folder(desk)
    assert "p.txt" in desk.refused("in", palette_file=desk.put("p.txt", "red green\n"))
    assert "q.gpl" in desk.refused("in", palette_file=desk.put("q.gpl", "GIMP Palette\n1 2 999 x\n"))
    assert "no.gpl" in desk.refused("in", palette_file="no.gpl")


@case("`corpora palette CORPUS --out x.gpl`, and read again", "read: the same colours in the same order")
def palette_out(desk):
    _folder(desk)
    built = desk.build("in")
    for ending in ("gpl", "hex", "pal", "png", "txt", "act", "ase"):
        code, _, err = desk.run("palette", str(built.folder), "--out", f"x.{ending}")
        assert (code, err) == (0, ""), ending
        again = desk.build("in", palette_file=f"x.{ending}")
        assert again.corpus.codec.colours == built.corpus.codec.colours, ending


# ---------------------------------------------------------------------------------------------------------- arrays

group = "Arrays and IDX"


@case("`.npz` of (N, H, W, 3) or (N, H, W, 4) uint8, labels in another array", "read")
def arrays_npz(desk):
    every = np.stack(pictures(24, *SIDE))
    np.savez(desk.folder / "a.npz", pictures=every, kind=np.arange(24) % 3)
    built = desk.build("a.npz", array="pictures", label_array="kind")
    _same(built, list(every))
    assert built.labels == ["0", "1", "2"]
    np.savez(desk.folder / "b.npz", pictures=every[..., :3])
    _same(desk.build("b.npz", array="pictures"), list(every))


@case("`.npy` of (N, H, W) grey", "read")
def arrays_npy(desk):
    every = np.random.default_rng(0).integers(0, 4, (24, *SIDE)).astype(np.uint8) * 80
    np.save(desk.folder / "a.npy", every)
    opaque = np.full((*every.shape, 1), 255, np.uint8)
    _same(desk.build("a.npy"), list(np.concatenate([every[..., None].repeat(3, -1), opaque], -1)))


@case("fractions, objects, or another shape", "refused: what is expected")
def arrays_odd(desk):
    np.save(desk.folder / "a.npy", np.zeros((3, 4, 4)))
    np.save(desk.folder / "b.npy", np.array([{}], object), allow_pickle=True)
    np.save(desk.folder / "c.npy", np.zeros(5, np.uint8))
    assert "expected (N, H, W)" in desk.refused("a.npy") and "expected (N, H, W)" in desk.refused("c.npy")
    assert "b.npy: not a readable" in desk.refused("b.npy")


@case("a cut-off `.npz`", "refused: one line")
def arrays_cut(desk):
    np.savez(desk.folder / "a.npz", pictures=np.stack(pictures()))
    whole = (desk.folder / "a.npz").read_bytes()
    assert "b.npz" in desk.refused(desk.put("b.npz", whole[: len(whole) // 2]))


def _idx(values: np.ndarray) -> bytes:
    return struct.pack(">HBB", 0, 8, values.ndim) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@case("MNIST as it comes (`-images-idx3-ubyte.gz` beside `-labels-idx1-ubyte.gz`)", "read: pictures and labels")
def idx(desk):
    every = np.random.default_rng(0).integers(0, 4, (24, *SIDE)).astype(np.uint8) * 80
    desk.put("in/x-images-idx3-ubyte.gz", gzip.compress(_idx(every)))
    desk.put("in/x-labels-idx1-ubyte.gz", gzip.compress(_idx((np.arange(24) % 3).astype(np.uint8))))
    built = desk.build("in/x-images-idx3-ubyte.gz", valid_last=4)
    assert (len(built.drawn("train")), len(built.drawn("valid"))) == (20, 4)
    assert built.labels == ["0", "1", "2"]
    desk.put("in/x-labels-idx1-ubyte.gz", gzip.compress(_idx(np.zeros(20, np.uint8))))
    assert "20" in desk.refused("in/x-images-idx3-ubyte.gz")


# ----------------------------------------------------------------------------------------------------------- sound

group = "Sound"
RATE = 8000


def _tones(count: int = 12) -> list[np.ndarray]:
    times = np.arange(400) / RATE
    return [np.rint(12000 * np.sin(2 * np.pi * (200 + 30 * i) * times)).astype("<i2") for i in range(count)]


def _wav(data: bytes, channels: int = 1, width: int = 2, rate: int = RATE) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data)
    return out.getvalue()


def _riff(tag: int, samples: bytes, *, bits: int = 16, channels: int = 1, before: bytes = b"", size: int | None = None,
          data_size: int | None = None, extra: bytes = b"") -> bytes:  # fmt: skip
    """A WAV file byte by byte; `size` and `data_size` put other lengths in place of the right ones."""
    block = channels * bits // 8
    head = struct.pack("<HHIIHH", tag, channels, RATE, RATE * block, block, bits) + extra
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + before
    body += b"data" + struct.pack("<I", len(samples) if data_size is None else data_size) + samples
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def _clips(desk: Desk, **options: Any) -> list[np.ndarray]:
    """A folder `in` of tones, which are returned."""
    every = _tones()
    for i, one in enumerate(every):
        desk.put(f"in/{i:02}.wav", _wav(one.tobytes()))
    return every


def _heard(built: Any) -> list[bytes]:
    rows = [built.corpus.rows(name) for name in built.corpus.splits]
    return sorted(one.thing(i).tobytes() for one in rows for i in range(len(one)))


def _through(clips: list[np.ndarray]) -> list[bytes]:
    """Clips as the codec gives them back."""
    from corpora.codecs.mulaw import Mulaw

    codec = Mulaw(RATE)
    return sorted(codec.decode(codec.encode(one.astype(np.int16))).tobytes() for one in clips)


@case("WAV of 16 bits, one channel", "read: every sample, in 256 classes")
def wav_16(desk):
    every = _clips(desk)
    assert _heard(desk.build("in")) == _through(every)


@case("WAV of 8, 24 or 32 bits", "told: brought to 16 bits")
def wav_widths(desk):
    every = _tones()
    for width in (1, 3, 4):
        for i, one in enumerate(every):
            wide = (one.astype("<i8") << (8 * (width - 2))) if width > 1 else (one.astype("<i8") >> 8) + 128
            data = np.ascontiguousarray(wide.astype("<i8")[:, None].view(np.uint8)[:, :width]).tobytes()
            desk.put(f"w{width}/{i:02}.wav", _wav(data, width=width))
        built = desk.build(f"w{width}")
        built.tells(f"12 clips brought from {8 * width} bits to 16")
        assert _heard(built) == _through([one if width > 1 else (one >> 8) << 8 for one in every])


@case("stereo", "told: mixed to one channel")
def wav_stereo(desk):
    for i, one in enumerate(_tones()):
        desk.put(f"in/{i}.wav", _wav(np.stack([one, one], 1).tobytes(), channels=2))
    built = desk.build("in")
    assert _heard(built) == _through(_tones())
    built.tells("12 clips mixed from 2 channels to one")


@case("other chunks before the samples (`LIST`, `bext`, odd sizes)", "read: skipped")
def wav_chunks(desk):
    every = _tones()
    before = b"LIST" + struct.pack("<I", 5) + b"INFOx\0" + b"bext" + struct.pack("<I", 2) + b"ab"
    for i, one in enumerate(every):
        desk.put(f"in/{i}.wav", _riff(1, one.tobytes(), before=before))
    assert _heard(desk.build("in")) == _through(every)


@case("WAVE_FORMAT_EXTENSIBLE with whole numbers (Audacity)", "read")
def wav_extensible(desk):
    every = _tones()
    guid = bytes.fromhex("0100000000001000800000aa00389b71")
    extra = struct.pack("<HHI", 22, 16, 4) + guid
    for i, one in enumerate(every):
        desk.put(f"in/{i}.wav", _riff(0xFFFE, one.tobytes(), extra=extra))
    assert _heard(desk.build("in")) == _through(every)


@case("a stream whose head does not know its length (ffmpeg through a pipe)", "told: read to its end")
def wav_stream(desk):
    every = _tones()
    for i, one in enumerate(every):
        desk.put(f"in/{i}.wav", _riff(1, one.tobytes(), size=0xFFFFFFFF, data_size=0xFFFFFFFF))
    built = desk.build("in")
    assert _heard(built) == _through(every)
    built.tells("12 clips had no length in their head")


@case("WAV with samples as fractions (32 or 64 bits)", "told: brought to 16 bits")
def wav_fractions(desk):
    for bits in (32, 64):
        for i, one in enumerate(_tones()):
            desk.put(f"in{bits}/{i}.wav", _riff(3, (one / 32768).astype(f"<f{bits // 8}").tobytes(), bits=bits))
        built = desk.build(f"in{bits}")
        assert _heard(built) == _through(_tones())
        built.tells(f"12 clips brought from fractions of {bits} bits to 16")


@case("WAV with A-law or mu-law samples (telephone)", "told: unpacked")
def wav_laws(desk):
    for tag, name in ((6, "A"), (7, "mu")):
        for i in range(6):
            desk.put(f"{name}/{i}.wav", _riff(tag, bytes(range(i, 256)) * 3, bits=8))
        desk.build(name).tells(f"6 clips unpacked from {name}-law")


@case("WAV of rare kinds (ADPCM)", "refused: install soundfile, where it is not; then read")
def wav_rare(desk):
    code, _, err = desk.run("build", desk.put("a.wav", _riff(2, bytes(400), bits=4)), "--out", "c")
    assert code == 2 and err.count("\n") == 1 and ("soundfile" in err or "not a sound file" in err)


@case("a WAV that is cut off", "refused: cut off")
def wav_cut(desk):
    whole = _wav(_tones()[0].tobytes())
    assert "cut off" in desk.refused(desk.put("a.wav", whole[:-30]))
    assert "a.wav" in desk.refused(desk.put("a.wav", whole[:30]))
    assert "a.wav" in desk.refused(desk.put("a.wav", whole[:40]))


@case("a WAV without a sample, or an empty file", "refused: no sample, empty")
def wav_empty(desk):
    assert "no sample" in desk.refused(desk.put("a.wav", _wav(b"")))
    assert "empty" in desk.refused(desk.put("b.wav", b""))


@case("a WAV with a damaged head: 0 channels, 0 samples in a second, 13 bits", "refused: one line")
def wav_damaged(desk):
    good = _riff(1, _tones()[0].tobytes())
    for i, (place, value) in enumerate([(22, 0), (22, 9), (24, 0), (34, 13), (34, 0), (16, 3), (16, 0xFFFF), (20, 77)]):
        data = bytearray(good)
        struct.pack_into("<H", data, place, value)
        if place == 24:
            struct.pack_into("<I", data, place, value)
        code, _, err = desk.run(
            "build", desk.put(f"{i}.wav", bytes(data)), "valid_share=0", "test_share=0", "--out", f"c{i}"
        )
        assert code == 0 or (code == 2 and err.count("\n") == 1 and f"{i}.wav" in err), (place, value, err)


@case("text, MP3 or Ogg named `.wav`", "refused: not WAV or FLAC")
def wav_that_is_none(desk):
    for i, data in enumerate([b"hello\n" * 30, b"ID3\3" + bytes(400), b"OggS" + bytes(400)]):
        error = desk.refused(desk.put(f"{i}.wav", data))
        assert "WAV" in error


@case("FLAC", "read with `soundfile`, without it refused: install it; a damaged one is refused")
def flac(desk):
    code, _, err = desk.run("build", desk.put("a.flac", b"fLaC" + bytes(60)), "--out", "c")
    assert code == 2 and err.count("\n") == 1 and ("soundfile" in err or "not a sound file" in err)


@case("a folder of `.mp3`", "refused: names what is in it")
def folder_of_mp3(desk):
    desk.put("in/a.mp3", b"ID3\3" + bytes(400))
    assert ".mp3" in desk.refused("in")


@case("clips of several rates", "refused: both, and `sample_rate=`; with it told")
def wav_rates(desk):
    _clips(desk)
    desk.put("in/x.wav", _wav(_tones()[3].tobytes(), rate=16000))
    assert "sample_rate=8000" in desk.refused("in")
    desk.build("in", sample_rate=8000).tells("1 clip brought from 16,000 samples in a second to 8,000")


@case("silent, too short and too long clips", "told: dropped and counted")
def wav_dropped(desk):
    _clips(desk)
    desk.put("in/silent.wav", _wav(bytes(800)))
    desk.put("in/short.wav", _wav(_tones()[0][:8].tobytes()))
    desk.put("in/long.wav", _wav(np.tile(_tones()[0], 10).tobytes()))
    built = desk.build("in", min_seconds=0.01, max_seconds=0.2)
    assert built.dropped == {"silent": 1, "too short": 1, "too long": 1}


@case("folders `train/`, `valid/`, `test/` of sound; labels by folder or by name", "read: splits and labels")
def wav_splits(desk):
    for i, one in enumerate(_tones()):
        desk.put(f"in/{'train' if i < 8 else 'test'}/{'ab'[i % 2]}/{i % 2}_x_{i}.wav", _wav(one.tobytes()))
    built = desk.build("in")
    assert {name: len(rows) for name, rows in built.corpus.splits.items()} == {"train": 8, "test": 4}
    assert built.labels == ["a", "b"] and desk.build("in", label_from="name").labels == ["0", "1"]


# ------------------------------------------------------------------------------------------------- safety, commands

group = "The command"


@case("`--out` is there already", "refused: choose another, nothing is changed")
def out_exists(desk):
    desk.text(desk.put("a.txt", lines()))
    code, _, err = desk.run("build", "a.txt", "--out", "corpus-1")
    assert code == 2 and "exists already" in err


@case("`--replace` and a folder that no build made", "refused: it stays")
def replace_stranger(desk):
    desk.put("mine/photo.png", b"precious")
    desk.put("a.txt", lines())
    code, _, err = desk.run("build", "a.txt", "--out", "mine", "--replace")
    assert code == 2 and "mine" in err and (desk.folder / "mine/photo.png").read_bytes() == b"precious"


@case("`--replace` and a corpus into which you put files of your own", "refused: your files stay")
def replace_with_more(desk):
    desk.text(desk.put("a.txt", lines()))
    desk.put("corpus-1/notes.txt", "precious")
    code, _, err = desk.run("build", "a.txt", "codec=bytes", "--out", "corpus-1", "--replace")
    assert code == 2 and "notes.txt" in err and err.count("\n") == 1
    assert (desk.folder / "corpus-1/notes.txt").read_text() == "precious"


@case("a setting that is misspelt: `colum=text`", "refused: the nearest")
def setting_misspelt(desk):
    assert "did you mean 'column'" in desk.refused(desk.put("a.csv", _delimited(",")), colum="text")


@case("a setting of another kind of input: `tile=8x8` of text", "refused")
def setting_of_others(desk):
    assert "tile" in desk.refused(desk.put("a.txt", lines()), tile="8x8")


@case("an output in an encoding that lacks a character", "told: one line, and `?` in its place")
def output_encoding(desk):
    from corpora import commands

    assert "cp1252" not in desk.run("list")[2]
    commands._replaced(UnicodeEncodeError("cp1252", "a床", 1, 2, "no"))
    assert "1 character that it lacks is written as ?" in desk.run("list")[2]
    assert desk.run("list")[2] == ""


def main() -> None:
    """Write the tables into the document, under its head."""
    head = DOCUMENT.read_text().partition("\n## ")[0].rstrip()
    DOCUMENT.write_text(f"{head}\n\n{table()}")


if __name__ == "__main__":
    main()

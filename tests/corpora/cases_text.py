"""Cases of text files, folders, splits and labels."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import re
import tarfile
import zipfile

import numpy as np
from cases import group
from desk import Desk, lines, pictures

from corpora.pictures import sheet

# ------------------------------------------------------------------------------------------------------ Text files

case = group("Text files")

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


@case("poems, `unit=poem`", "told: line ends are kept, as tokens")
def text_poems_with_lines(desk):
    parts = ["\n".join([*POEM, row]) for row in lines()]
    built = desk.text(desk.put("a.txt", "\n\n".join(parts)), unit="poem")
    assert built.texts() == sorted(parts)
    built.tells("line ends")


@case("lines of text named `.md`, `.py` or anything else", "read: where the file is named")
def text_other_endings(desk):
    for name in ("notes.md", "code.py", "subs.log", "plain"):
        assert desk.text(desk.put(name, lines())).texts() == sorted(lines()), name


@case("a chat that was exported (times, names, marks of direction, emoji)", "read: a line is a row")
def text_chat(desk):
    rows = [f"[{1 + i % 28:02}.03.24, 12:{i:02}:01] Anna B\u200e: {row} 😂" for i, row in enumerate(lines())]
    assert desk.text(desk.put("chat.txt", rows)).texts() == sorted(rows)


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


# --------------------------------------------------------------------------------------------------------- Folders

case = group("Folders")


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


@case("text in sub-folders `art/`, `sport/`", "told: labels only with `label_from=folder`")
def folder_of_classes(desk):
    for i, line in enumerate(lines()):
        desk.put(f"in/{('art', 'sport')[i % 2]}/{i}.txt", f"{line}\n")
    built = desk.text("in")
    assert (built.labels, built.texts()) == ([], sorted(lines()))
    built.tells("'art', 'sport'.*label_from=folder")
    labelled = {(line, ("art", "sport")[i % 2]) for i, line in enumerate(lines())}
    assert {*desk.text("in", label_from="folder").pairs()} == labelled


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


# ----------------------------------------------------------------------------------------- Rows, splits and labels

case = group("Rows, splits and labels")


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


@case("files named as splits that are none, `named_splits=false`", "read: names mean nothing")
def split_names_ignored(desk):
    rows = lines(60)
    desk.put("in/train.txt", rows[:20])
    desk.put("in/test.txt", rows[20:40])
    desk.put("in/more.txt", rows[40:])
    built = desk.text("in", named_splits=False)
    assert built.texts() == sorted(rows) and len(built.texts("train")) > 50


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

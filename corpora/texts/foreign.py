"""Files that are plainly no text, or text in a format of its own: each named, with what to do about it."""

from __future__ import annotations

import re
from pathlib import Path

_PICTURE = "picture; a model of pictures is trained by imagegen"
_AS_PNG = "(save it as PNG)"
_UNPACK = "(unpack it first)"
_SHEET = "(save the sheet as CSV)"
_DOCUMENT = "(save it as plain text)"
_BINARY = {
    b"\x1f\x8b": "gzip data (rename it to end in .gz)",
    b"\x89PNG": f"a PNG {_PICTURE}",
    b"GIF87a": f"a GIF {_PICTURE}",
    b"GIF89a": f"a GIF {_PICTURE}",
    b"\xff\xd8\xff": f"a JPEG {_PICTURE}",
    b"II*\0": f"a TIFF {_PICTURE}",
    b"MM\0*": f"a TIFF {_PICTURE}",
    b"\0\0\1\0": f"an icon {_AS_PNG}",
    b"PAR1": "Parquet (rename it to end in .parquet)",
    b"ARROW1\0": "Arrow (rename it to end in .arrow)",
    b"BZh91AY&SY": f"bzip2 data {_UNPACK}",
    b"\xfd7zXZ": f"xz data {_UNPACK}",
    b"\x28\xb5\x2f\xfd": f"Zstandard data {_UNPACK}",
    b"7z\xbc\xaf": f"a 7z archive {_UNPACK}",
    b"Rar!\x1a": f"a RAR archive {_UNPACK}",
    b"%PDF-": "a PDF document (take its text out first, as with pdftotext FILE.pdf FILE.txt)",
    b"%!PS": f"PostScript {_DOCUMENT}",
    b"\xd0\xcf\x11\xe0": "an old Word or Excel document (save it as plain text, or a sheet as CSV)",
    b"SQLite format 3\0": "an SQLite database (export the table as CSV)",
    b"\x93NUMPY": "an array of NumPy (its name should end in .npy)",
    b"\x7fELF": "a program",
    b"fLaC\0": "sound (a name should end in .flac)",
    b"OggS": "sound in Ogg (save it as WAV or FLAC)",
    b"ID3\x03": "sound in MP3 (save it as WAV or FLAC)",
    b"ID3\x04": "sound in MP3 (save it as WAV or FLAC)",
    b"\x89HDF": "HDF5 data (export the text first)",
    b"bplist": "a binary property list",
}
_IN_ZIP = (
    (b"word/", ".docx", f"a Word document {_DOCUMENT}"),
    (b"xl/", ".xlsx", f"an Excel workbook {_SHEET}"),
    (b"ppt/", ".pptx", f"a PowerPoint document {_DOCUMENT}"),
    (b"application/epub+zip", ".epub", "an EPUB book (take its text out first, as with pandoc FILE.epub -o FILE.txt)"),
    (b"opendocument.text", ".odt", f"an OpenDocument text {_DOCUMENT}"),
    (b"opendocument.spreadsheet", ".ods", f"an OpenDocument sheet {_SHEET}"),
)  # fmt: skip
_TAGS = "take its text out first, as with pandoc or html2text"
# Formats that are text themselves, by how they begin.
_TEXTUAL = (
    (re.compile(r"\{\\rtf"), "RTF (save it as plain text"),
    (re.compile(r"(?:<!--.*?-->\s*)*(?:<!doctype\s+html|<html|<head|<body)\b", re.I | re.S), f"HTML ({_TAGS}"),
    (re.compile(r"<\?xml\b|<!DOCTYPE\b|<svg\b"), f"XML ({_TAGS}"),
    (re.compile(r"\d+[ \t]*\r?\n\d\d:\d\d:\d\d[,.]\d+ --> "), "SRT subtitles (leave numbers and times out first"),
    (re.compile(r"WEBVTT\b"), "WebVTT subtitles (leave times out first"),
    (re.compile(r"version https://git-lfs\.github"), "a pointer of Git LFS (get the file itself, as with git lfs pull"),
    (re.compile(r"\[Script Info\]"), "subtitles of SubStation Alpha (leave times and styles out first"),
    (re.compile(r"\[\s*\{\s*\"|\{\s*\"[^\"\n]*\"\s*:"), "JSON (name it .json or .jsonl, or say --source table"),
)
_BY_ENDING = {
    ".html": f"HTML ({_TAGS}",
    ".htm": f"HTML ({_TAGS}",
    ".xhtml": f"HTML ({_TAGS}",
    ".xml": f"XML ({_TAGS}",
    ".rtf": "RTF (save it as plain text",
    ".srt": "SRT subtitles (leave numbers and times out first",
    ".vtt": "WebVTT subtitles (leave times out first",
    ".ipynb": "a Jupyter notebook (export it as a script first",
}


def binary(start: bytes, name: str) -> str | None:
    """The kind of a file that is no text, by its first bytes and its name, and what to do about it; None for text."""
    if start.startswith(b"PK\x03\x04"):
        ending = Path(name).suffix.lower()
        fitting = (what for mark, own, what in _IN_ZIP if mark in start or ending == own)
        return next(fitting, f"a zip archive {_UNPACK}")
    if start.startswith(b"RIFF") and b"\0" in start[4:8]:
        return f"a WebP {_PICTURE}" if start[8:12] == b"WEBP" else "sound or video (a name of sound should end in .wav)"
    if start.startswith(b"BM") and b"\0" in start[:32]:
        return f"a BMP {_PICTURE}"
    if start[257:262] == b"ustar":
        return f"a tar archive {_UNPACK}"
    if start[4:8] == b"ftyp":
        return f"a video, or a picture of a camera {_AS_PNG}"
    return next((what for magic, what in _BINARY.items() if start.startswith(magic)), None)


def textual(start: str, name: str) -> str | None:
    """The format of a text that is more than its words, by how it begins or its name ends, and what to do; for text
    that is only its words None. A bracket is left open."""
    begins = start.lstrip("\ufeff \t\r\n")
    what = next((what for pattern, what in _TEXTUAL if pattern.match(begins)), None)
    return what or _BY_ENDING.get(Path(name.lower().removesuffix(".gz")).suffix)

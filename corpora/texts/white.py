"""White space in rows of text: joined to single spaces, kept as line ends, or kept as it is."""

from __future__ import annotations

import re
import unicodedata

from corpora.row import CONTROLS, clean, whole

WAYS = ("join", "lines", "keep")
_LINE_END = re.compile("\r\n|\r")


def cleaned(text: str, way: str) -> str:
    """Unicode NFC without control characters. `join`: every run of white space one space, none at the ends.

    `lines`: so within each line; line ends stay, but for those at both ends. `keep`: all white space stays, but for
    line ends at both ends. A line ends with LF, CR LF or CR.
    """
    if way == "join" or (way == "lines" and "\n" not in text and "\r" not in text):
        return clean(text)
    text = _LINE_END.sub("\n", text)
    if way == "lines":
        return "\n".join(map(clean, text.split("\n"))).strip("\n")
    return unicodedata.normalize("NFC", CONTROLS.sub("", whole(text))).strip("\n")


def lowered(text: str, lower: bool, way: str) -> str:
    """Cleaned, and in lower case if asked for (which can undo NFC, hence a second time)."""
    return cleaned(cleaned(text, way).lower(), way) if lower else cleaned(text, way)

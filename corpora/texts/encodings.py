"""Encodings of text: by the byte order mark, by name, and a guess for text that is not UTF-8."""

from __future__ import annotations

import codecs
import unicodedata

from corpora.errors import InputError, quoted

# In the order in which a mark is looked for: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_GUESSES = (
    "cp1252", "cp1250", "cp1251", "cp1253", "cp1255", "cp1256", "cp874", "koi8-r", "cp866", "mac_roman",
    "shift_jis", "euc_jp", "gb18030", "big5", "euc_kr",
)  # fmt: skip
_WIDE = ("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr")  # that bytes are whole pairs by chance is not likely
# Letters that are frequent in their languages: they tell one reading of the same bytes from another.
_FREQUENT = frozenset(
    "оеаинтсрвлкмдпуяыьгз" "αοιετσνηυρπκμλςάίόέή" "יוהלאתרמבשנםעחפקד" "اليمنوترهبة" "ของกานรมเทาที่ไดว"
    "的一是不了在人有我他这這为為之大来來以个個中上们們" "のにはをがたでしとるなっいんすまか" "이다는을의에가고를한지로"
    "éèàçêâîôùûëïüöäßñáíóúãõåøæ"
)  # fmt: skip
_QUOTES = frozenset("“”‘’–—…«»„‚•·¡¿°§€£。，、？！「」『』（）：；")


def checked(name: str) -> str:
    """The name of an encoding, as Python knows it. Raises InputError for one that there is not, or not of text."""
    try:
        info = codecs.lookup(name)
        "a\n".encode(info.name)
    except (LookupError, ValueError, UnicodeError) as error:
        raise InputError(
            f"encoding={quoted(name, 40)}: no such encoding; utf-8, utf-16, cp1252, cp1251, mac_roman, shift_jis, "
            "gb18030 and big5 are among them"
        ) from error
    return info.name


def marked(start: bytes) -> str | None:
    """The encoding that the byte order mark at the start of a file names, if it is not UTF-8."""
    return next((name for mark, name in _MARKS.items() if start.startswith(mark)), None)


def plain(name: str) -> bool:
    """Whether bytes of this encoding can be cut into lines at the bytes of CR and LF."""
    return "a\r\n".encode(name) == b"a\r\n"


def unmarked(start: bytes) -> str | None:
    """UTF-16 without a byte order mark, which the NUL bytes of Latin letters give away."""
    even, odd = start[0::2].count(0), start[1::2].count(0)
    if max(even, odd) * 4 < len(start):
        return None
    if odd and not even:
        return "utf-16-le"
    return "utf-16-be" if even and not odd else None


def likely(sample: bytes) -> str | None:
    """The encoding that reads a sample of whole lines best; None where none reads it as letters and signs."""
    best, most = None, 0.0
    for name in _GUESSES:
        try:
            text = sample.decode(name)
        except UnicodeDecodeError:
            continue
        score = _score(text) / max(1, sum(not one.isascii() for one in text)) + (0.35 if name in _WIDE else 0)
        if score > most + 0.02:
            best, most = name, score
    return best


def _script(letter: str) -> str:
    name = "LATIN" if letter.isascii() else unicodedata.name(letter, "?").partition(" ")[0]
    return "CJK" if name in ("HIRAGANA", "KATAKANA") else name


def _score(text: str) -> float:
    """A number that is the greater, the more the characters beyond ASCII look like words of one script."""
    total = 0.0
    for place, one in enumerate(text):
        if one.isascii():
            continue
        before, after = text[place - 1 : place] if place else "", text[place + 1 : place + 2]
        kind = unicodedata.category(one)
        if kind in ("Cc", "Cn", "Co"):
            total -= 3
        elif kind[0] in "LM":
            total += _letter(one, before, after)
        else:
            total += 0.6 if one in _QUOTES else -1
    return total


def _letter(one: str, before: str, after: str) -> float:
    """The part of a letter or sign beyond ASCII in the score, between its neighbours."""
    script = _script(one)
    near = [other for other in (before, after) if other.isalpha()]
    score = 1.0 if one.lower() in _FREQUENT else 0.5 if script == "HANGUL" else 0.3
    if any(_script(other) != script for other in near):
        return -1.5
    if before.islower() and one.isupper():
        return -1.5
    if script == "LATIN":  # whole words of accents are another script, read wrongly
        return score if any(other.isascii() for other in near) or not near else -1.0
    if script in ("HALFWIDTH", "FULLWIDTH") or (not before.isalpha() and unicodedata.category(one)[0] == "M"):
        return -0.5
    return score - (0.4 if before.isupper() and one.isupper() else 0.0)

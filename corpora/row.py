"""Items as sources read them (a row of text, a picture, a clip of sound) and as a build keeps them until it ends.

How text is cleaned, and when two rows of it count as the same.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
import zlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from corpora.errors import counted

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]+")  # those that are not white space
_SURROGATES = re.compile("[\ud800-\udfff]")
_DIGIT = re.compile(r"\d")
_PROSE = re.compile(r"[A-Za-z ,.!?'\";:-]*")
_CAPITAL_INSIDE = re.compile(r"[^\W\d_A-Z][A-Z]|[A-Z]{2}[a-z]")  # as in `getName`, `NaCl`, `CCo`
_SIGN = re.compile(r"[#$%&*+/<=>@\\^|~±×÷−≤≥≠]")
_AT_END = ".,;:!?\"'…。！？，、；：”’“‘«»"  # punctuation around a word that stands alone
_AT_ENDS = _AT_END + "()[]{}-–—―「」『』（）【】《》〈〉¿¡*"  # and around one of several
_ASCII_KEY = {code: chr(code).lower() if chr(code).isalpha() else None for code in range(128)} | dict.fromkeys(
    range(ord("0"), ord("9") + 1), "0"
)


class Row(NamedTuple):
    """A sentence (or whatever the rows of a source are), with its class if it has one.

    `dropped` names the reason when the source itself could not use the row; its text is then empty.
    """

    text: str
    label: str | None = None
    dropped: str | None = None
    split: str | None = None  # train, valid or test, where its source says so
    done: tuple[str, ...] = ()  # what was done to read it, as a phrase each: `stood over several lines`
    group: str | None = None  # rows of one group stay in one split: windows over one text, say


class Picture(NamedTuple):
    """A picture as a source reads it, with its class if it has one."""

    pixels: np.ndarray  # (H, W, 4) uint8: red, green, blue and alpha, not premultiplied
    label: str | None
    name: str  # where it is from, for messages
    split: str | None = None  # train, valid or test, where its source says so
    done: tuple[str, ...] = ()  # what was done to read it, as a phrase each: `converted from CMYK`
    within: tuple[np.ndarray, int, int] | None = None  # a larger picture it is cut from; its first row, column there
    group: str | None = None  # pictures of one group stay in one split: frames of one animation, say


class Clip(NamedTuple):
    """A clip of sound as a source reads it, with its class if it has one."""

    samples: np.ndarray  # (T,) int16, one channel
    sample_rate: int  # samples in a second
    label: str | None
    name: str  # where it is from, for messages
    split: str | None = None  # train, valid or test, where its source says so
    done: tuple[str, ...] = ()  # what was done to read it, as a phrase each: `mixed from 2 channels to one`


class Told(NamedTuple):
    """A remark of a source, which it yields among its items; a build makes a note of it and never an item.

    `Told("the delimiter is ';', as the first line shows")` is a note as it stands. With a `number`, the numbers of
    equal remarks are added up, and the sum stands in front, with the noun: `Told("left out, for its name", 3, "file")`.
    """

    remark: str
    number: int | None = None
    noun: str = ""  # of one thing that is counted; its plural has an s


def as_note(remark: Told) -> str:
    """A remark as a note of a build."""
    if remark.number is None:
        return remark.remark
    return f"{counted(remark.number, remark.noun) if remark.noun else f'{remark.number:,}'} {remark.remark}"


class Entry(NamedTuple):
    """An item once its modality has prepared it, as a build keeps it until it ends.

    `dropped` names the reason where the item could not be used; its data are then empty.
    """

    data: bytes = b""
    key: int = 0  # 64 bits; items with the same key count as the same, and stay in one split
    label: str | None = None
    split: str | None = None
    dropped: str | None = None
    group: int | None = None  # 64 bits; items of one group stay in one split. None: only those of one key do
    near: int | None = None  # 64 bits, the key of near-duplicates, which stay in one split if they are few; None: `key`
    exact: int = 0  # 32 bits that tell items of one key apart that are not the same to the letter


def items_alone(stream: Iterable[T | Told]) -> Iterator[T]:
    """The items that a source reads, without its remarks."""
    return (item for item in stream if not isinstance(item, Told))


def whole(text: str) -> str:
    """The text with halves of surrogate pairs, which no file can hold, replaced by U+FFFD."""
    return text if text.isascii() else _SURROGATES.sub("\ufffd", text)


def clean(text: str) -> str:
    """Unicode NFC on one line: control characters removed, every run of white space one space, none at the ends."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", CONTROLS.sub("", whole(text)))
    elif not text.isprintable():
        text = CONTROLS.sub("", text)
    return " ".join(text.split())


def same_key(text: str) -> str:
    """The key of a row that counts as the same in two splits: case, spaces and the punctuation of prose are left out.

    Digits stay, and so do signs and case where they carry the difference: in a number, a formula, a name with signs or
    capitals inside (`c1ccCO`, `getName`), and in a row of one word.
    """
    if " " in text and _PROSE.fullmatch(text) and not _CAPITAL_INSIDE.search(text):
        return text.translate(_ASCII_KEY) or text
    tokens = text.split(" ")
    counting = any(_DIGIT.search(token) for token in tokens)
    parts = [_token_key(token, len(tokens) > 1, counting) for token in tokens]
    # Words of letters alone run together, as some write `every one` and some `everyone`; all others keep their bounds.
    return "".join(part if part.isalpha() else f" {part} " for part in parts if part) or text


def _token_key(token: str, prose: bool, counting: bool) -> str:
    """The key of one token. `prose`: others are beside it; `counting`: the row has digits, so a lone sign may count."""
    core = token.strip(_AT_ENDS if prose else _AT_END)
    if token[0] in "-–−" and len(token) > 1 and core[:1].isdecimal():
        core = f"-{core}"
    if not core:
        return token if counting and token in ("-", "–", "−", ":") else ""
    if core.isascii():
        letters = core.replace("'", "").replace("-", "").replace(".", "")
        if not letters.isalpha():
            return core
    else:
        core = unicodedata.normalize("NFKC", core)
        letters = _not_words().sub("", core)
        if _DIGIT.search(core) or _SIGN.search(core):
            return core
    if not prose or _CAPITAL_INSIDE.search(letters):
        return letters
    return unicodedata.normalize("NFKC", letters.casefold())


def near_key(text: str) -> str:
    """The key of near-duplicates, wider than `same_key`: letters with their marks and digits alone, compatibility forms
    and case folded, each digit a 0.

    A text without any letter or digit is its own key.
    """
    if text.isascii():
        return text.translate(_ASCII_KEY) or text
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _DIGIT.sub("0", _not_words().sub("", folded)) or folded


@cache
def _not_words() -> re.Pattern[str]:
    """All but letters, digits and marks (Unicode category M: vowel signs, accents), selectors of glyphs left out."""
    marks = [code for code in range(0x300, 0xE0000) if unicodedata.category(chr(code))[0] == "M"]
    return re.compile("[^" + "".join(chr(code) for code in marks if not 0xFE00 <= code <= 0xFE0F) + r"\w]|_+")


def keys(text: str, seed: int) -> tuple[int, int]:
    """64 bits of each of the two keys, of the same and of near-duplicates, drawn anew for each seed.

    Rows of digits above all have no wider key: their digits are the difference.
    """
    same, near = same_key(text), near_key(text)
    own = data_hash(same.encode("utf-8", "replace"), seed)
    if near == same or 2 * near.count("0") > len(near):
        return own, own
    return own, data_hash(near.encode("utf-8", "replace"), seed)


def data_check(data: bytes) -> int:
    """32 bits of bytes, for `Entry.exact`."""
    return zlib.crc32(data)


def data_hash(data: bytes, seed: int) -> int:
    """64 bits of bytes, drawn anew for each seed."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, salt=seed.to_bytes(8, "little")).digest(), "little")

"""Items as sources read them (a row of text, a picture, a clip of sound) and as a build keeps them until it ends.

How text is cleaned, and when two rows of it count as the same.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeVar

if TYPE_CHECKING:
    import numpy as np

T = TypeVar("T")
CONTROLS = re.compile(r"[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f]+")  # those that are not white space
_SURROGATES = re.compile("[\ud800-\udfff]")
_NOT_WORDS = re.compile(r"[\W_]+")
_DIGIT = re.compile(r"\d")
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
    equal remarks are added up, and the sum stands in front: `Told("files were left out, for their ending .md", 3)`.
    """

    remark: str
    number: int | None = None


class Entry(NamedTuple):
    """An item once its modality has prepared it, as a build keeps it until it ends.

    `dropped` names the reason where the item could not be used; its data are then empty.
    """

    data: bytes = b""
    key: int = 0  # 64 bits; items with the same key count as the same
    label: str | None = None
    split: str | None = None
    dropped: str | None = None
    group: int | None = None  # 64 bits; items of one group stay in one split. None: only those of one key do


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


def near_key(text: str) -> str:
    """The key of near-duplicates: letters and digits alone, compatibility forms and case folded, each digit a 0.

    A text without any letter or digit is its own key.
    """
    if text.isascii():
        return text.translate(_ASCII_KEY) or text
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return _DIGIT.sub("0", _NOT_WORDS.sub("", folded)) or folded


def key_hash(text: str, seed: int) -> int:
    """64 bits of the near-duplicate key, drawn anew for each seed."""
    return data_hash(near_key(text).encode("utf-8", "replace"), seed)


def data_hash(data: bytes, seed: int) -> int:
    """64 bits of bytes, drawn anew for each seed."""
    return int.from_bytes(hashlib.blake2b(data, digest_size=8, salt=seed.to_bytes(8, "little")).digest(), "little")

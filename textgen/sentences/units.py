"""Units of a text: its words, or its characters in a script without spaces; and edit distances in them."""

from __future__ import annotations

import re
from collections.abc import Sequence


def spaced(texts: Sequence[str]) -> bool:
    """Whether a script writes words apart: most of the texts have a space."""
    return sum(" " in text.strip() for text in texts) > len(texts) / 2


def units(text: str, by_word: bool) -> list[str]:
    """The words of a text between white space, or without `by_word` its characters but for spaces."""
    return text.split() if by_word else [character for character in text if not character.isspace()]


_HAN = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # and kana
_WORD = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+")


def mixed(text: str) -> list[str]:
    """The words of a text of any scripts: each Chinese character and kana is one, whatever spaces there are."""
    return _WORD.findall(text)


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """Edit distance (Levenshtein 1966): how many units to put in, take out or replace."""
    row = list(range(len(other) + 1))
    for number, unit in enumerate(one, 1):
        corner, row[0] = row[0], number
        for place, another in enumerate(other, 1):
            corner, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, corner + (unit != another))
    return row[-1]


def difference(one: str, other: str) -> float:
    """Share of words to change between two sentences: edit distance over the greater number of words, 0 to 1.

    Words as in `mixed`; two single words compare by characters.
    """
    left, right = mixed(one), mixed(other)
    if len(left) <= 1 and len(right) <= 1:  # in a script that writes no words apart, such as Thai, too
        left, right = list(one.strip()), list(other.strip())
    return edits(left, right) / max(1, len(left), len(right))

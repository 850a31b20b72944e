"""A model of pieces held to a lexicon: the words that the training text has, and no others.

A model that writes pieces of words can put them together to invented words ("crieds", "unnounceded"). Its text is
followed letter by letter: a word may go on only as a word of the lexicon does, and end only where one ends.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from functools import lru_cache
from string import ascii_letters

import torch
from torch import Tensor

from corpora.codec import MARKS, WORD, Codec
from corpora.codecs.pieces import Pieces
from corpora.errors import InputError

_BEGUN = re.compile(rf"{WORD.pattern}['\u2019]?$")  # a word at the end of a text; its end after an apostrophe may come
_LETTERS = re.compile(rf"(?:[^\W\d_]|[{MARKS}'\u2019])+")
_APOSTROPHES = "'\u2019"


class Spelling:
    """A `sampler.Constraint`: every word is in the lexicon of the codec or in one of `texts`, in lower case or not.

    Signs and digits are free, but do not stand within a word; letters without a piece, which bytes spell, may stand
    anywhere. Raises InputError for a codec without a lexicon.
    """

    def __init__(self, codec: Codec, texts: Iterable[str] = ()) -> None:
        if not isinstance(codec, Pieces) or not codec.lexicon:
            raise InputError(
                "there is no lexicon to hold the words to: that needs a corpus with codec=pieces "
                f"(this is {codec.name}), lexicon above 0, and words that mostly come again"
            )
        pieces = codec.pieces()
        self._pieces = [text.lower() for text in pieces]
        letters = {*"".join(self._pieces)}
        known = {*codec.lexicon}.union(*(_words(codec.normalise(text), letters) for text in texts))
        self._words = sorted(word for word in known if letters.issuperset(word))
        self._goes_on = [token for token, text in enumerate(self._pieces) if _LETTERS.match(text)]
        self._signed = [token for token in self._goes_on if not self._pieces[token].isalpha()]
        self._by_letters: dict[str, list[int]] = {}
        for token in set(self._goes_on).difference(self._signed):
            self._by_letters.setdefault(self._pieces[token], []).append(token)
        self._longest = max(map(len, self._by_letters), default=0)
        ends = [not _LETTERS.match(text) and self._spells(text) for text in self._pieces]
        for letter in {*"".join(pieces)}.intersection(ascii_letters):  # which is not to be written by its byte
            ends[3 + ord(letter)] = False
        self._ends = torch.tensor(ends)  # True for tokens that may follow any word, the stop too: (V,)
        self._begun = lru_cache(1 << 16)(self._find_begun)
        self._after = lru_cache(max(64, (1 << 23) // codec.vocab_size))(self._find_after)  # 8 MB at most

    def _beginning(self, text: str) -> Sequence[str]:
        """The words that begin with this."""
        first = bisect_left(self._words, text)
        return self._words[first : bisect_left(self._words, text + chr(sys.maxunicode), first)]

    def _is_word(self, text: str) -> bool:
        return self._beginning(text)[:1] == [text]

    def _spells(self, text: str) -> bool:
        """Whether all words of a text are known, the last one perhaps only begun."""
        begun = _BEGUN.search(text)
        before = text[: begun.start()] if begun else text
        return all(map(self._is_word, WORD.findall(before))) and (
            begun is None
            or bool(self._beginning(begun[0]))
            or (begun[0][-1] in _APOSTROPHES and self._is_word(begun[0][:-1]))
        )

    def _find_begun(self, tokens: tuple[int, ...]) -> str:
        begun = _BEGUN.search("".join(self._pieces[token] for token in tokens))
        return begun[0] if begun else ""

    def _find_after(self, begun: str) -> Tensor:
        """True for the tokens that may follow a begun word, or none (""): (V,)."""
        whole = not begun or self._is_word(begun.rstrip(_APOSTROPHES))
        mask = self._ends.clone() if whole else torch.zeros_like(self._ends)
        longer, size = self._beginning(begun), len(begun)
        if len(longer) > len(self._goes_on):
            mask[[token for token in self._goes_on if self._spells(begun + self._pieces[token])]] = True
            return mask
        mask[[token for token in self._signed if self._spells(begun + self._pieces[token])]] = True
        parts = {word[size:end] for word in longer for end in range(size + 1, min(len(word), size + self._longest) + 1)}
        mask[[token for part in parts for token in self._by_letters.get(part, ())]] = True
        return mask

    def allowed(self, tokens: Tensor, left: int) -> Tensor:
        """As in `sampler.Constraint`. A row that is cut off at its greatest length may end within a word."""
        masks = []
        for row in tokens.tolist():
            start = len(row)
            while start and _LETTERS.fullmatch(self._pieces[row[start - 1]]):
                start -= 1
            masks.append(self._after(self._begun(tuple(row[max(0, start - 1) :]))))
        return torch.stack(masks).to(tokens.device)


def _words(text: str, letters: set[str]) -> list[str]:
    """The words of a text, in lower case; also those between letters without a piece, which bytes spell."""
    text = text.lower()
    return WORD.findall(text) + WORD.findall("".join(sign if sign in letters else " " for sign in text))

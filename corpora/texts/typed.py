"""Sentences as people type them, "i met sam on monday", as the corpus writes them: "I met Sam on Monday."

A codec that keeps capitals learns from its texts how each word is most often written inside a sentence, and whether
sentences begin with a capital and end with a mark. So a model of proper sentences can read what is typed carelessly.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, Self

from corpora.errors import InputError, quoted

MARKS = "".join(chr(code) for code in (0x2E, 0x21, 0x3F, 0x3002, 0xFF01, 0xFF1F, 0x964, 0x61F, 0x6D4))
_WORD = re.compile(r"[^\W\d_]+(?:['\u2019][^\W\d_]+)*")
_BEGINS = re.compile(r"\W*")
_ENDS = re.compile(rf"([{re.escape(MARKS)}])[\"'\u201d\u2019)\]]*$")
_USUAL = 0.9  # share of the sentences that must do a thing for it to be a rule
_ASKS = 0.8  # share of the sentences with a first word that must be questions for it to ask
_SEEN = 20  # sentences with a first word that say whether it asks
_MOST = 100_000  # words in a table


class Typed(NamedTuple):
    """Habits of a corpus in writing its sentences."""

    forms: Mapping[str, str] = {}  # a word in lower case -> the way it is most often written, where that is another
    capital: bool = False  # sentences begin with a capital
    mark: str = ""  # the mark that most sentences end with; "": many have none
    asks: Mapping[str, str] = {}  # a first word, in lower case, after which most sentences end with another mark: which

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Self:
        """Read how sentences are written. Texts without any capital teach nothing."""
        seen: defaultdict[str, Counter[str]] = defaultdict(Counter)
        first: defaultdict[str, Counter[str]] = defaultdict(Counter)
        capitals = count = 0
        for text in texts:
            start = _BEGINS.match(text).end()  # type: ignore[union-attr]  # it matches nothing, too
            if start == len(text):
                continue
            count += 1
            capitals += text[start].isupper()
            ended = _ENDS.search(text)
            matches = list(_WORD.finditer(text))
            if matches:
                first[matches[0][0].lower()][ended[1] if ended else ""] += 1
            for word in matches[1:]:
                if text[word.start() - 1] not in "\"'\u201c\u2018":  # quoted speech begins with a capital of its own
                    seen[word[0].lower()][word[0]] += 1
        ends: Counter[str] = sum(first.values(), Counter())
        if not count or capitals < _USUAL * count:
            return cls()
        forms = {low: form for low, every in seen.items() if (form := every.most_common(1)[0][0]) != low}
        mark = max(MARKS, key=lambda one: ends[one])
        if ends.total() - ends[""] < _USUAL * count:
            return cls(forms, True)
        asks = {}
        for opening, every in first.items():
            other, often = every.most_common(1)[0]
            if other not in ("", mark) and every.total() >= _SEEN and often >= _ASKS * every.total():
                asks[opening] = other
        return cls(forms, True, mark, asks)

    def proper(self, text: str) -> str:
        """A sentence as the corpus would write it. One that has capitals keeps its words, one that ends its mark."""
        opening = _WORD.search(text)
        if opening is None or not self.capital:
            return text
        if text == text.lower():
            text = _WORD.sub(lambda word: self.forms.get(word[0], word[0]), text)
            start = _BEGINS.match(text).end()  # type: ignore[union-attr]
            text = text[:start] + text[start].upper() + text[start + 1 :]
        if not self.mark or _ENDS.search(text) or not (text[-1].isalnum() or text[-1] in "\"'\u201d\u2019)"):
            return text
        return text + self.asks.get(opening[0].lower(), self.mark)

    def to_dict(self) -> dict[str, Any]:
        return {"forms": dict(self.forms), "capital": self.capital, "mark": self.mark, "asks": dict(self.asks)}

    @classmethod
    def from_dict(cls, data: Any) -> Self:
        """Read what `to_dict` gave, or a stranger wrote. Raises InputError for anything malformed."""
        if not isinstance(data, Mapping) or set(data) != {"forms", "capital", "mark", "asks"}:
            raise InputError("the codec's 'typed' should have forms, capital, mark and asks")
        for key in ("forms", "asks"):
            table = data[key]
            whole = (
                isinstance(table, Mapping) and len(table) <= _MOST and all(isinstance(v, str) for v in table.values())
            )
            if not whole or not all(word == word.lower() and len(table[word]) < 200 for word in table):
                raise InputError(f"the codec's typed {key!r} should map words in lower case to words")
        if any(form.lower() != word for word, form in data["forms"].items()):
            raise InputError("the codec's typed 'forms' should be the same words with capitals")
        if type(data["capital"]) is not bool or not all(
            isinstance(mark, str) and len(mark) <= 1 and mark in MARKS
            for mark in [data["mark"], *data["asks"].values()]
        ):
            raise InputError(f"the codec's typed marks are not marks: {quoted(data['mark'])}")
        return cls(data["forms"], data["capital"], data["mark"], data["asks"])

"""Words between white space."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from corpora import files
from corpora.codec import LARGEST, SPECIAL, Config, TextCodec, frequent, notes, strings, value, way_of, white_space
from corpora.errors import InputError, quoted
from corpora.texts.white import lowered


class Words(TextCodec):
    """Words between white space; one that the vocabulary does not have becomes `<unk>`, which is the token blank.

    With `white_space` lines, a line end is a word as well.
    """

    name = "words"
    unknown = True

    def __init__(
        self, entries: Sequence[str], *, lower: bool = False, white_space: str = "join", notes: Sequence[str] = ()
    ) -> None:
        self._words = [*SPECIAL, *entries]
        self._tokens = {word: token for token, word in enumerate(self._words) if token > 1}
        if len(self._tokens) != len(entries) + 1 or not self._tokens.keys().isdisjoint(SPECIAL[:2]):
            raise InputError("the vocabulary holds a word twice, or one of <pad>, </s>, <unk>")
        for word in entries:
            if word == "\n" and white_space == "lines":
                continue
            if not word or lowered(word, lower, "join") != word or " " in word:
                raise InputError(f"{quoted(word)} cannot be a word of this vocabulary")
        self.vocab_size = len(self._words)
        self.lower = lower
        self.white_space = white_space
        self.notes = list(notes)

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Read the vocabulary file, or take the most frequent words (ties in the order of the alphabet)."""
        way = way_of(config)
        if config.vocab_file is not None:
            path = Path(config.vocab_file)
            try:
                lines = files.read_bytes(path, 256 << 20).decode("utf-8-sig").splitlines()
            except UnicodeDecodeError as error:
                raise InputError(f"{files.quoted_path(path)}: byte {error.start}: not UTF-8") from error
            listed = dict.fromkeys(word for line in lines for word in lowered(line, config.lower, "join").split()[:1])
            entries = [word for word in listed if word not in SPECIAL]
            if not entries:
                raise InputError(f"{files.quoted_path(path)}: no word in this vocabulary file")
            if len(entries) + len(SPECIAL) > LARGEST:
                raise InputError(f"{files.quoted_path(path)}: more than {LARGEST:,} words")
            ends = ["\n"] * (way == "lines")
            return cls([*ends, *entries], lower=config.lower, white_space=way)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_split(lowered(text, config.lower, way)))
        for word in SPECIAL:
            counts.pop(word, None)
        if way == "lines":
            counts["\n"] = max(counts.values(), default=1)  # one of the vocabulary, however small that is
        return cls(frequent(counts, config, "words"), lower=config.lower, white_space=way)

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            strings(data, "words"), lower=value(data, "lower", bool), white_space=white_space(data), notes=notes(data)
        )

    def to_dict(self) -> dict[str, Any]:
        return {**self._head(), "words": self._words[len(SPECIAL) :]}

    def normalise(self, text: str) -> str:
        return _joined(word if word in self._tokens else "<unk>" for word in self._words_of(text))

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        token = self._tokens.get
        return [[token(word, 2) for word in self._words_of(text)] for text in texts]

    def _words_of(self, text: str) -> list[str]:
        return _split(lowered(text, self.lower, self.white_space))

    def _join(self, tokens: list[int]) -> str:
        return _joined(self._words[token] for token in tokens)


def _split(text: str) -> list[str]:
    """The words of a cleaned text; a line end is one as well."""
    return re.findall(r"\n|[^\s]+", text) if "\n" in text else text.split()


def _joined(several: Iterable[str]) -> str:
    """Words with spaces between them, but none beside a line end."""
    return " ".join(several).replace(" \n", "\n").replace("\n ", "\n")

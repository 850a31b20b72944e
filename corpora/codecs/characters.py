"""Unicode characters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from corpora.codec import SPECIAL, Config, TextCodec, composed, frequent, notes, strings, value, way_of, white_space
from corpora.errors import InputError


class Characters(TextCodec):
    """Unicode characters (code points after NFC); one that the vocabulary does not have becomes U+FFFD."""

    name = "characters"
    unknown = True

    def __init__(
        self, characters: Sequence[str], *, lower: bool = False, white_space: str = "join", notes: Sequence[str] = ()
    ) -> None:
        self._characters = ["", "", "\ufffd", *characters]
        self._tokens = {character: token for token, character in enumerate(self._characters) if token > 1}
        if len(self._tokens) != len(characters) + 1 or any(len(character) != 1 for character in characters):
            raise InputError("the vocabulary should hold single characters, each once, without U+FFFD")
        self.vocab_size = len(self._characters)
        self.lower = lower
        self.white_space = white_space
        self.notes = list(notes)

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Take the most frequent characters (ties in the order of Unicode)."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(composed(text, config.lower))
        counts.pop("\ufffd", None)
        return cls(frequent(counts, config, "characters"), lower=config.lower, white_space=way_of(config))

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(
            strings(data, "characters"),
            lower=value(data, "lower", bool),
            white_space=white_space(data),
            notes=notes(data),
        )

    def to_dict(self) -> dict[str, Any]:
        return {**self._head(), "characters": self._characters[len(SPECIAL) :]}

    def normalise(self, text: str) -> str:
        return "".join(c if c in self._tokens else "\ufffd" for c in composed(text, self.lower))

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        token = self._tokens.get
        return [[token(character, 2) for character in composed(text, self.lower)] for text in texts]

    def _join(self, tokens: list[int]) -> str:
        return "".join(self._characters[token] for token in tokens)

"""The bytes of UTF-8."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from corpora.codec import SPECIAL, Config, TextCodec, composed, notes, value, way_of, white_space


class Bytes(TextCodec):
    """The bytes of UTF-8: nothing to train, nothing unknown; white space is kept as it is."""

    name = "bytes"

    def __init__(self, *, lower: bool = False, white_space: str = "join", notes: Sequence[str] = ()) -> None:
        self.vocab_size = len(SPECIAL) + 256
        self.lower = lower
        self.white_space = white_space
        self.notes = list(notes)

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Nothing is learned from the texts."""
        return cls(lower=config.lower, white_space=way_of(config))

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(lower=value(data, "lower", bool), white_space=white_space(data), notes=notes(data))

    def to_dict(self) -> dict[str, Any]:
        return self._head()

    def normalise(self, text: str) -> str:
        return composed(text, self.lower)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        return [[byte + 3 for byte in composed(text, self.lower).encode()] for text in texts]

    def _join(self, tokens: list[int]) -> str:
        return bytes(token - 3 for token in tokens if token != self.blank).decode("utf-8", "replace")

    def fallback_tokens(self) -> list[int]:
        return [self.blank]

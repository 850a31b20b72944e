"""A codec of text in one file: characters, all in upper case."""

from __future__ import annotations

from corpora.codecs.characters import Characters


class Shout(Characters):
    """Text <-> a token for each upper-case character."""

    name = "shout"

    @classmethod
    def train(cls, texts, config):
        return super().train((text.upper() for text in texts), config)

    def normalise(self, text):
        return super().normalise(text).upper()

    def encode_many(self, texts):
        return super().encode_many([text.upper() for text in texts])

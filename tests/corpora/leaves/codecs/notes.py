"""A codec in one file, as small as can be: a token for each note of a tune; pad 0, stop 1."""

from __future__ import annotations

from corpora.codec import Codec, value


class Notes(Codec):
    """Tunes <-> a token for each note."""

    name, modality, things = "notes", "tune", "tunes"
    pad, stop, blank = 0, 1, None

    def __init__(self, letters):
        self.letters, self.vocab_size, self.notes = letters, 2 + len(letters), []

    @classmethod
    def _from_dict(cls, data):
        return cls(value(data, "letters", str))

    def to_dict(self):
        return {"codec": self.name, "vocab_size": self.vocab_size, "letters": self.letters}

    def encode(self, thing):
        return [2 + self.letters.index(note) for note in thing]

    def decode(self, tokens):
        return "".join(self.letters[token - 2] for token in self.inside(tokens))

"""A modality in one file, as small as can be: tunes, a letter for each note."""

from __future__ import annotations

from corpora import settings as parts
from corpora.modality import BuildConfig, Modality, Preparation, codec_of
from corpora.row import Entry, data_hash


class Tunes(Modality):
    """Tunes."""

    name, unit, units, program = "tune", "tune", "tunes", "textgen"

    def configs(self):
        return [BuildConfig()]

    def prepare(self, settings, codec, about, chooser):
        (config,) = parts.override(self.configs(), settings)
        return _Preparation(config, codec or codec_of(config, self))

    def describe(self, codec):
        return f"{codec.name} codec of tunes, {codec.vocab_size - 2} notes"

    def preview(self, codec, rows, folder, stem):
        return [("tune", codec.decode(row)) for row in rows]


class _Preparation(Preparation):
    def __init__(self, config, codec):
        self.config, self._codec = config, codec

    def entries(self, items, split):
        for tune in items:
            data = tune.encode()
            yield Entry(data, data_hash(data, self.config.split_seed)) if data else Entry(dropped="no note")

    def fit_codec(self, items, tell):
        notes = {note for data, _ in items.chunks() for tune in data for note in tune.decode()}
        return self._codec or parts.find("corpora.codecs", "notes").Notes("".join(sorted(notes)))

    def tokens(self, codec, data, numbers, view):
        return [codec.encode(tune.decode()) for tune in data]

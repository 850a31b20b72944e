"""Sound as one of 256 classes a sample: companding after the mu-law of ITU-T G.711, as WaveNet has it.

A. van den Oord et al., WaveNet: A Generative Model for Raw Audio, 2016, section 2.2: f(x) = sign(x) ln(1 + mu |x|) /
ln(1 + mu) for x in (-1, 1) and mu = 255, then 256 levels of equal width. Steps are fine where sound is soft.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np

from corpora.codec import Codec, notes, value
from corpora.errors import InputError
from corpora.sounds.sound import HIGHEST, LOWEST

CLASSES = 256
_MU = CLASSES - 1
_FULL = 2**15  # of 16-bit samples
_SPECIAL = 3  # tokens before the classes: pad, stop and blank


def compand(samples: np.ndarray) -> np.ndarray:
    """Classes 0 to 255 of samples: int16 -> int64, of any shape."""
    share = np.asarray(samples, np.float64) / _FULL
    companded = np.sign(share) * np.log1p(_MU * np.abs(share)) / np.log1p(_MU)
    return np.floor((companded + 1) / 2 * _MU + 0.5).astype(np.int64)


def expand(classes: np.ndarray) -> np.ndarray:
    """The samples in the middle of classes 0 to 255: int64 -> int16, of any shape."""
    companded = 2 * np.asarray(classes, np.float64) / _MU - 1
    share = np.sign(companded) * np.expm1(np.abs(companded) * np.log1p(_MU)) / _MU
    return np.rint(share * _FULL).clip(-_FULL, _FULL - 1).astype(np.int16)


class Mulaw(Codec):
    """Clips <-> a token for each sample: pad 0, stop 1, blank 2, then the 256 classes of mu-law companding.

    `decode(encode(samples))` is within half a step of the samples, and tokens come back exactly.
    """

    name = "mulaw"
    modality = "audio"
    things = "sound"
    pad: ClassVar[int] = 0
    stop: ClassVar[int] = 1
    blank: ClassVar[int] = 2
    least = _SPECIAL + CLASSES

    def __init__(self, sample_rate: int, *, notes: Sequence[str] = ()) -> None:
        if not LOWEST <= sample_rate <= HIGHEST:
            raise InputError(f"sample_rate={sample_rate}: expected {LOWEST:,} to {HIGHEST:,} samples in a second")
        self._sample_rate = sample_rate
        self.vocab_size = _SPECIAL + CLASSES
        self.notes = list(notes)
        self._table = np.concatenate([np.zeros(_SPECIAL, np.int16), expand(np.arange(CLASSES))])  # blank is silence

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(value(data, "sample_rate", int), notes=notes(data))

    def to_dict(self) -> dict[str, Any]:
        return {
            "codec": self.name,
            "vocab_size": self.vocab_size,
            "sample_rate": self.sample_rate,
            "notes": list(self.notes),
        }

    @property
    def sample_rate(self) -> int:
        """Samples in a second, each a token."""
        return self._sample_rate

    def encode(self, thing: np.ndarray) -> list[int]:
        """Tokens of a clip, without stop: (T,) int16 -> T numbers."""
        samples = np.asarray(thing)
        if samples.dtype != np.int16 or samples.ndim != 1:
            raise InputError(f"samples of shape {samples.shape}, {samples.dtype}: expected (T,), int16")
        return (compand(samples) + _SPECIAL).tolist()

    def decode(self, tokens: Iterable[int]) -> np.ndarray:
        """The clip of tokens: of those before the first stop, without pads. (T,) int16"""
        return self._table[self.inside(tokens)]

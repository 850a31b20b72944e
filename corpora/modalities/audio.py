"""Sound: clips of one channel at one rate, a token for each sample."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from corpora import settings as parts
from corpora.codec import Codec
from corpora.codecs.mulaw import Mulaw
from corpora.errors import InputError
from corpora.modality import BuildConfig, Chooser, Items, Modality, Preparation, Progress, codec_of
from corpora.row import Clip, Entry, data_hash
from corpora.settings import setting
from corpora.sounds import sound


@dataclass(frozen=True)
class Config(BuildConfig):
    """Settings of every build of clips."""

    sample_rate: int | None = setting(
        None,
        "samples in a second, to which other clips are brought; by default that of the first, which all must have",
        low=sound.LOWEST,
        high=sound.HIGHEST,
    )
    min_seconds: float = setting(0.0, "shorter clips are dropped", low=0, unit="seconds")
    max_seconds: float = setting(10.0, "longer clips are dropped", above=0, unit="seconds")
    trim: float | None = setting(
        None,
        "cut off the silence at both ends: what is so many dB softer than the loudest 10 ms, such as 40",
        above=0,
        unit="dB",
    )
    loud: bool = setting(False, "scale each clip so that its loudest sample is as loud as can be")

    def check(self) -> None:
        """Raise InputError if no length is allowed, or nothing is left for train."""
        super().check()
        if self.min_seconds > self.max_seconds:
            raise InputError(f"min_seconds={self.min_seconds:g} is more than max_seconds={self.max_seconds:g}")


class Audio(Modality):
    """Clips of sound."""

    name, unit, units, program = "audio", "clip", "clips", "textgen"

    def configs(self) -> list[Any]:
        return [Config()]

    def prepare(
        self, settings: Mapping[str, Any], codec: Codec | None, about: Mapping[str, Any], chooser: Chooser | None
    ) -> Preparation:
        (config,) = parts.override(self.configs(), settings)
        codec = codec or codec_of(config, self)
        if not isinstance(codec, Mulaw | None):
            raise InputError(f"the codec {codec.name} is for {codec.things}: clips need mulaw")
        rate = config.sample_rate
        if codec is not None and rate not in (None, codec.sample_rate):
            raise InputError(f"sample_rate={rate}: the codec that is taken has {codec.sample_rate} samples in a second")
        return _Preparation(config, codec)

    def describe(self, codec: Codec) -> str:
        return f"{codec.name} codec of sound, {codec.sample_rate:,} samples in a second"

    def preview(self, codec: Codec, rows: Sequence[Sequence[int]], folder: Path, stem: str) -> list[tuple[str, str]]:
        assert codec.sample_rate is not None
        folder.mkdir(parents=True, exist_ok=True)
        shown = []
        for number, row in enumerate(rows, 1):
            samples = codec.decode(row)
            path = sound.write(folder / f"{stem}-{number}.wav", samples, codec.sample_rate)
            shown.append(("sample", f"{path.name} ({len(samples) / codec.sample_rate:.2f} s)"))
        return shown


class _Preparation(Preparation):
    """Brings clips to one rate and counts what it does."""

    config: Config

    def __init__(self, config: Config, codec: Mulaw | None) -> None:
        self.config, self._codec = config, codec
        self._rate = config.sample_rate if codec is None else codec.sample_rate
        self._asked = self._rate is not None
        self._first = ""
        self._done: Counter[str] = Counter()
        self._samples = 0

    def entries(self, items: Iterable[Clip], split: str) -> Iterator[Entry]:
        left = self.config.limit if split == "train" else None
        for clip in items:
            self._done.update(clip.done)
            samples = self._fitted(clip)
            seconds = len(samples) / (self._rate or 1)
            if not samples.any():
                yield Entry(dropped="silent")
            elif seconds < self.config.min_seconds:
                yield Entry(dropped="too short")
            elif seconds > self.config.max_seconds:
                yield Entry(dropped="too long")
            else:
                self._samples += len(samples)
                data = samples.astype("<i2").tobytes()
                yield Entry(data, data_hash(data, self.config.split_seed), clip.label, clip.split)
            left = None if left is None else left - 1
            if left == 0:
                return

    def _fitted(self, clip: Clip) -> np.ndarray:
        """The samples of a clip at the rate of all, as the settings want them. (T,) int16"""
        if self._rate is None:
            self._rate, self._first = clip.sample_rate, clip.name
        samples = clip.samples
        if clip.sample_rate != self._rate:
            if not self._asked:
                raise InputError(
                    f"{clip.name} has {clip.sample_rate:,} samples in a second, but {self._first} has {self._rate:,}: "
                    f"sample_rate={self._rate} brings all to one"
                )
            samples = sound.resampled(samples, clip.sample_rate, self._rate)
            self._done[f"brought from {clip.sample_rate:,} samples in a second to {self._rate:,}"] += 1
        if self.config.trim is not None:
            before = len(samples)
            samples = sound.trimmed(samples, self._rate, self.config.trim)
            self._done["trimmed of silence at the ends"] += len(samples) < before
        return sound.louder(samples) if self.config.loud else samples

    def fit_codec(self, items: Items, tell: Progress) -> Codec:
        assert self._rate is not None  # there is a clip
        return self._codec or Mulaw(self._rate)

    def tokens(self, codec: Codec, data: Sequence[bytes], numbers: np.ndarray, view: int) -> Sequence[Sequence[int]]:
        return [codec.encode(np.frombuffer(raw, "<i2").astype(np.int16)) for raw in data]

    def notes(self, codec: Codec) -> list[str]:
        changes = [
            f"{count:,} {'clip' if count == 1 else 'clips'} {change}" for change, count in self._done.items() if count
        ]
        return [*codec.notes, *changes]

    def facts(self, train: int) -> dict[str, Any]:
        return {"seconds": round(self._samples / (self._rate or 1), 2)}

"""Modalities: what the things of a corpus are. One file each in `corpora.modalities`; its name is the modality's name.

A modality says how an item that a source has read becomes bytes with a key and a label, how a codec is made from such
items, and how rows are shown to a person. Everything else asks it, so that a new one is one file, beside its sources
and its codec.
"""

from __future__ import annotations

import abc
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np

from corpora import codec as codecs
from corpora import settings as parts
from corpora.codec import Codec
from corpora.errors import InputError
from corpora.row import Entry
from corpora.settings import Settings, require, setting

_FOLDER = "corpora.modalities"
_PATHS = ("codec_from", "palette_file", "vocab_file")  # settings that are paths

Progress = Callable[[str, int], None]  # (what is being done, how many are done so far)


class Chooser(Protocol):
    """Chooses settings of a build by the text itself, once it is read."""

    def codec(self, rows: int, texts: Sequence[str], held_out: bool) -> Mapping[str, Any]:
        """Settings of build and codec, from the number of rows of train and a sample of them, before any is split off.

        `held_out`: there are files for validation or test.
        """

    def longest(self, lengths: np.ndarray) -> Mapping[str, Any]:
        """Settings of the build, from the lengths in tokens, stop not counted, of a sample of rows."""


class Items(Protocol):
    """The prepared items of train, as often as they are wanted."""

    rows: int  # of the whole input
    size: int  # bytes of the whole input

    def chunks(self, share: float = 1.0) -> Iterator[tuple[list[bytes], np.ndarray]]:
        """Their data and numbers (n,), chunk by chunk; `share` < 1: so many of them, spread evenly."""


@dataclass(frozen=True)
class BuildConfig(Settings):
    """Settings of every build."""

    valid_share: float = setting(
        0.1, "share of the different items held out for validation, where no file is given", low=0, below=1
    )
    test_share: float = setting(
        0.1, "share of the different items held out for the test, where no file is given", low=0, below=1
    )
    split_seed: int = setting(0, "which items are held out", low=0, high=2**63 - 1)
    limit: int | None = setting(None, "read so many items of the input at most", low=1)
    keep_duplicates: bool = setting(False, "keep items that are the same")
    codec_from: str | None = setting(None, "take the codec of this corpus, run or model")

    def check(self) -> None:
        """Raise InputError if nothing is left for train."""
        fits = self.valid_share + self.test_share < 1
        require(fits, "test_share", self.test_share, "valid_share + test_share below 1")


class Preparation(abc.ABC):
    """The part of one build that its modality does: made with the settings, and changed by what is read."""

    config: BuildConfig
    repeats: ClassVar[bool] = False  # whether items that are the same stay, if they are in one split
    views: int = 1  # rows that are made of each item of train
    shortest: int = 0  # tokens a row must have at least, stop not counted
    longest: int | None = None  # and at most

    @abc.abstractmethod
    def entries(self, items: Iterable[Any], split: str) -> Iterator[Entry]:
        """The items of a split, prepared. Raises InputError for one that stops the build."""

    def look(self, items: Items, held_out: bool) -> None:  # noqa: B027 (most have nothing to choose)
        """Choose settings by the items of the input, before any is held out. `held_out`: other files are."""

    def twins(self) -> Mapping[str, np.ndarray] | None:
        """Sets of near-duplicates beyond items of equal keys, once all are read; by the input, `train`, `valid` or
        `test`: (n,) int64, the set of each of its items. None by default."""
        return None

    @abc.abstractmethod
    def fit_codec(self, items: Items, tell: Progress) -> Codec:
        """The codec of this build."""

    @abc.abstractmethod
    def tokens(self, codec: Codec, data: Sequence[bytes], numbers: np.ndarray, view: int) -> Sequence[Sequence[int]]:
        """Rows of tokens, without stop, of items by their data and numbers (n,). View 0 is the item as it is."""

    def measures(self, codec: Codec, data: Sequence[bytes]) -> Counter[str]:
        """The counts that the codec's `measures` name."""
        return Counter()

    def tags(self) -> list[str]:
        """Labels of rows in place of those of the items: names of `tag`. None by default."""
        return []

    def tag(self, view: int) -> int:
        """The place in `tags` of the tag that the rows of a view have."""
        return 0

    def notes(self, codec: Codec) -> list[str]:
        """Notes for the person who builds, a line each."""
        return list(codec.notes)

    def facts(self, train: int) -> dict[str, Any]:
        """Facts for the manifest beside those of every build; `train` is the number of items of train."""
        return {}

    def settings(self) -> dict[str, Any]:
        """The settings of the build, as the manifest keeps them."""
        return without_folders(asdict(self.config))


class Modality(abc.ABC):
    """A kind of things, such as text: how they are prepared, encoded and shown."""

    name: ClassVar[str]
    unit: ClassVar[str]  # one of the things, in messages: `nats per sentence`
    units: ClassVar[str]  # several of them
    program: ClassVar[str]  # the command that trains on it

    @abc.abstractmethod
    def configs(self) -> list[Any]:
        """The default settings of a build: of the preparation of items and, where it has some, of the codec."""

    @abc.abstractmethod
    def prepare(
        self, settings: Mapping[str, Any], codec: Codec | None, about: Mapping[str, Any], chooser: Chooser | None
    ) -> Preparation:
        """Begin a build. Raises InputError for settings that cannot work.

        `codec`: one to take as it is. `about`: what the source's `about` says of its inputs, such as their colours.
        """

    @abc.abstractmethod
    def describe(self, codec: Codec) -> str:
        """The codec in a few words: `palette of 12 colours, pictures of 16x16`."""

    @abc.abstractmethod
    def preview(self, codec: Codec, rows: Sequence[Sequence[int]], folder: Path, stem: str) -> list[tuple[str, str]]:
        """Show rows of tokens to a person: (what it is, a line), such as a text, or the name of a file.

        A file is written into `folder`, which is made if need be, under a name that begins with `stem`.
        """


def names() -> list[str]:
    """The modalities there are."""
    return parts.names(_FOLDER)


@cache
def get(name: str) -> Modality:
    """A modality by name. Raises InputError, offering the nearest, if there is none."""
    return parts.member(parts.find(_FOLDER, name), Modality)()


def modality_of(codec: Codec) -> Modality:
    """The modality of a codec."""
    return get(codec.modality)


def codec_of(config: BuildConfig, modality: Modality) -> Codec | None:
    """The codec that the setting `codec_from` names, if any. Raises InputError for one of another modality."""
    if config.codec_from is None:
        return None
    codec = codecs.read(codecs.folder_of(config.codec_from))
    if codec.modality != modality.name:
        raise InputError(
            f"codec_from={config.codec_from}: its codec is {codec.name}, for {codec.things}; "
            f"{modality.units} need {' or '.join(codecs.names(modality.name))}"
        )
    return codec


def without_folders(values: Mapping[str, Any], paths: Sequence[str] = _PATHS) -> dict[str, Any]:
    """Settings for the manifest, which travels: of paths, the last part."""
    return {key: Path(value).name if key in paths and value else value for key, value in values.items()}

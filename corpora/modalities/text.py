"""Text: rows are sentences, or whatever a line of the input is."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from corpora import codec as codecs
from corpora import settings as parts
from corpora.codec import Codec, TextCodec, of_text
from corpora.errors import InputError, counted
from corpora.modality import BuildConfig, Chooser, Items, Modality, Preparation, Progress, codec_of, without_folders
from corpora.row import CONTROLS, Entry, Row, clean, data_check, data_hash, keys
from corpora.settings import setting
from corpora.texts.white import cleaned

_RUNS = re.compile(r"[^\S\r\n]{2,}|\t")  # white space within a line, more than a space
_ONE_ROW = 1000  # bytes of a row that is surely more than one
_LOOKED_AT = 50_000, 16  # rows and megabytes that a chooser sees


@dataclass(frozen=True)
class Config(BuildConfig):
    """Settings of every build of text."""

    min_length: int = setting(1, "tokens a row must have at least, stop not counted", low=0, unit="tokens")
    max_length: int = setting(
        200,
        "tokens a row may have at most, stop not counted; longer rows are dropped",
        low=1,
        high=2**31 - 1,
        unit="tokens",
    )
    max_words: int | None = setting(None, "words a row may have at most", low=1, unit="words")
    valid_share: float = setting(
        0.02, "share of the different rows held out for validation, where no file is given", low=0, below=1
    )
    test_share: float = setting(
        0.02, "share of the different rows held out for the test, where no file is given", low=0, below=1
    )
    keep_duplicates: bool = setting(False, "keep rows of given valid and test files that are in train as well")
    codec_rows: int = setting(1_000_000, "train the codec on so many rows at most", low=1, unit="rows")
    codec_megabytes: int = setting(64, "train the codec on so many MB of text at most", low=1, unit="MB")

    def check(self) -> None:
        """Raise InputError if no length is allowed, or nothing is left for train."""
        super().check()
        if self.min_length > self.max_length:
            raise InputError(f"min_length={self.min_length} is more than max_length={self.max_length}")


class Text(Modality):
    """Sentences."""

    name, unit, units, program = "text", "sentence", "sentences", "textgen"

    def configs(self) -> list[Any]:
        return [Config(), codecs.Config()]

    def prepare(
        self, settings: Mapping[str, Any], codec: Codec | None, about: Mapping[str, Any], chooser: Chooser | None
    ) -> Preparation:
        config, of_codec = parts.override(self.configs(), settings)
        extra = sorted({*settings} & {*asdict(of_codec)})
        if extra and (codec is not None or config.codec_from is not None):
            raise InputError(f"{extra[0]}: the codec is taken as it is, so leave out {', '.join(extra)}")
        codec = codec or codec_of(config, self)
        return _Preparation(config, of_codec, None if codec is None else of_text(codec), chooser)

    def describe(self, codec: Codec) -> str:
        return f"{codec.name} codec with {codec.vocab_size:,} tokens"

    def preview(self, codec: Codec, rows: Sequence[Sequence[int]], folder: Path, stem: str) -> list[tuple[str, str]]:
        texts = [str(codec.decode(row)).strip() for row in rows]  # bytes may hold line ends
        return [("sample", " ".join(text.replace("\n", " / ").split())) for text in texts]


class _Preparation(Preparation):
    """Cleans rows, and trains a codec on a share of them."""

    config: Config
    repeats = True  # of what many people say, the frequent is said again and again

    def __init__(
        self, config: Config, of_codec: codecs.Config, codec: TextCodec | None, chooser: Chooser | None
    ) -> None:
        self.config, self._of_codec, self._codec, self._chooser = config, of_codec, codec, chooser
        self._taken = codec is not None
        self._sample: list[str] = []
        self._done: Counter[str] = Counter()
        self._of_lines = 0  # rows with line ends in them
        way = of_codec.white_space if codec is None else codec.white_space
        self._white_space = "lines" if way == "auto" else way
        self._set_lengths()

    def _set_lengths(self) -> None:
        self.shortest, self.longest = self.config.min_length, self.config.max_length

    def entries(self, items: Iterable[Row], split: str) -> Iterator[Entry]:
        config = self.config
        for row in islice(items, config.limit if split == "train" else None):
            line = cleaned(row.text, self._white_space)
            reason = row.dropped or ("empty" if not line.strip() else None)
            self._done.update(row.done)
            if reason is None and config.max_words is not None and len(line.split()) > config.max_words:
                reason = "too many words"
            if reason is None:
                self._of_lines += "\n" in line
                if line != row.text:
                    self._count_changes(row.text.rstrip())
                group = None if row.group is None else data_hash(row.group.encode(), config.split_seed)
                data, (key, near) = line.encode(), keys(clean(line), config.split_seed)
                yield Entry(data, key, row.label, row.split, None, group, near, data_check(data))
            else:
                yield Entry(dropped=reason)

    def _count_changes(self, text: str) -> None:
        """Count what cleaning took from a row, where that can carry meaning: indents and runs of spaces, controls."""
        if self._white_space != "keep" and _RUNS.search(text):
            self._done["with indents or several spaces, of which one is kept (white_space=keep keeps all)"] += 1
        self._done["without their control characters"] += CONTROLS.search(text) is not None

    def look(self, items: Items, held_out: bool) -> None:
        if items.rows == 1 and items.size > _ONE_ROW and not held_out:
            raise InputError(
                f"all of the text is one row of {items.size:,} bytes: say unit=sentence, or unit=window to cut it into "
                "windows of so many characters (window=200) or words (window_of=words)"
            )
        if self._chooser is None:
            return
        self._sample = list(_texts(items, *_LOOKED_AT))
        chosen = self._chooser.codec(items.rows, self._sample, held_out)
        self.config, self._of_codec = parts.override([self.config, self._of_codec], chosen)

    def fit_codec(self, items: Items, tell: Progress) -> Codec:
        texts = _texts(items, self.config.codec_rows, self.config.codec_megabytes)
        if self._of_codec.white_space == "auto":
            (self._of_codec,) = parts.override([self._of_codec], {"white_space": "lines" if self._of_lines else "join"})
        if self._codec is None:
            tell("training the codec", 0)
            codec = codecs.train(texts, self._of_codec)
        else:
            if self._codec.lexicon:
                tell("finding its words", 0)
            codec = self._codec.learned(texts)
        if self._chooser is not None and self._sample:
            lengths = np.fromiter(map(len, codec.encode_many(self._sample)), np.int64, len(self._sample))
            (self.config,) = parts.override([self.config], self._chooser.longest(lengths))
        self._set_lengths()
        return codec

    def tokens(self, codec: Codec, data: Sequence[bytes], numbers: np.ndarray, view: int) -> Sequence[Sequence[int]]:
        return of_text(codec).encode_many([line.decode() for line in data])

    def measures(self, codec: Codec, data: Sequence[bytes]) -> Counter[str]:
        texts = [of_text(codec).normalise(line.decode()) for line in data]
        return Counter(
            bytes=sum(len(text.encode()) for text in texts), words=sum(len(re.split("[ \n]", text)) for text in texts)
        )

    def notes(self, codec: Codec) -> list[str]:
        some = [f"{counted(count, 'sentence')} {did}" for did, count in self._done.items() if count]
        if self._of_lines:
            kept = "each of which is a token (white_space=join makes them spaces)"
            some.append(f"{counted(self._of_lines, 'sentence')} with line ends inside, {kept}")
        return [*codec.notes, *some]

    def settings(self) -> dict[str, Any]:
        return without_folders(asdict(self.config) | ({} if self._taken else asdict(self._of_codec)))


def _texts(items: Items, rows: int, megabytes: int) -> Iterator[str]:
    """The texts of so many rows and so many MB at most, spread evenly over all."""
    share = min(1.0, rows / items.rows, megabytes * 1e6 / (items.size + items.rows))
    return (line.decode() for data, _ in items.chunks(share) for line in data)

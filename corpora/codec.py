"""Codecs: a thing as a row of tokens, and back. One file each in `corpora.codecs`; its name is the codec's name.

A codec of text keeps three tokens: `pad` 0, `stop` 1 and `blank` 2. Blank stands for a token that was taken away, and
for an unknown word or character. `decode(encode(text)) == normalise(text)` holds for every `str`.
"""

from __future__ import annotations

import abc
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

from corpora import files
from corpora import settings as parts
from corpora.errors import InputError, quoted
from corpora.row import whole
from corpora.settings import Settings, setting
from corpora.texts import white
from corpora.texts.typed import Typed

if TYPE_CHECKING:
    import numpy as np

LARGEST = 1_000_000  # tokens in a vocabulary
FILE = "codec.json"
SPECIAL = ("<pad>", "</s>", "<unk>")
_FOLDER = "corpora.codecs"
MARKS = "".join(chr(code) for code in range(0x300, 0x3100) if unicodedata.category(chr(code))[0] == "M")
_LETTERS = rf"(?:[^\W\d_][{MARKS}]*)+"
WORD = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})*")  # letters with their signs, and apostrophes between them


class Codec(abc.ABC):
    """Things of one modality <-> rows of tokens.

    The special tokens are None where there is none of that kind. Without stop and pad all rows have the same length.
    """

    name: ClassVar[str]
    modality: ClassVar[str]  # the file in `corpora.modalities` that knows what the things are
    things: ClassVar[str]  # the noun of messages: `the rows are pictures`
    pad: ClassVar[int | None]
    stop: ClassVar[int | None]
    blank: ClassVar[int | None]
    unknown: ClassVar[bool] = False  # whether `encode` gives blank, for what the vocabulary does not have
    least: ClassVar[int] = 2  # tokens in a vocabulary at least
    measures: ClassVar[tuple[str, ...]] = ()  # what a manifest counts of a split, beside rows and tokens
    vocab_size: int
    notes: list[str]  # what a person should know about how this codec came out

    @property
    def shape(self) -> tuple[int, int] | None:
        """Lines of tokens in a row, and tokens in each line; None if rows are not pictures."""
        return None

    @property
    def lab(self) -> np.ndarray | None:
        """CIE L*a*b* of the colour of each token, (V, 3) float64; None if tokens are not colours."""
        return None

    @property
    def sample_rate(self) -> int | None:
        """Tokens in a second of sound; None if tokens are not sound."""
        return None

    @abc.abstractmethod
    def encode(self, thing: Any) -> list[int]:
        """Tokens of one thing, without stop."""

    @abc.abstractmethod
    def decode(self, tokens: Sequence[int]) -> Any:
        """The thing that tokens stand for: those before the first stop, without pads.

        Raises InputError for a token outside the vocabulary.
        """

    @classmethod
    @abc.abstractmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; the caller checks `vocab_size`."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything needed to make this codec again, as JSON values."""

    def inside(self, tokens: Iterable[int]) -> list[int]:
        """The tokens before the first stop, without pads. Raises InputError for one outside the vocabulary."""
        kept: list[int] = []
        for token in map(int, tokens):
            if token == self.stop:
                break
            if not 0 <= token < self.vocab_size:
                raise InputError(f"token {token} is outside the vocabulary of {self.vocab_size:,}")
            if token != self.pad:
                kept.append(token)
        return kept


def kind(name: str) -> type[Codec]:
    """The codec class of a file in `corpora.codecs`. Raises InputError, offering the nearest, if there is none."""
    return parts.member(parts.find(_FOLDER, name), Codec)


def names(modality: str | None = None) -> list[str]:
    """The codecs there are, or those of one modality."""
    every = parts.names(_FOLDER)
    return every if modality is None else [name for name in every if kind(name).modality == modality]


@dataclass(frozen=True)
class Config(Settings):
    """Settings of a codec of text."""

    codec: str = setting("pieces", "pieces (SentencePiece), words, characters or bytes", choices=lambda: names("text"))
    vocab: int = setting(
        8000, "tokens in the vocabulary at most, the three special ones included", low=4, high=LARGEST, unit="tokens"
    )
    model_type: str = setting(
        "auto", "pieces: unigram, bpe, or auto: unigram, but bpe for a small text", choices=("auto", "unigram", "bpe")
    )
    lower: bool = setting(False, "lower-case the text")
    white_space: str = setting(
        "auto",
        "white space in a row: join (each run is one space), lines (line ends stay, as a token), keep (all stays, for "
        "code), or auto: lines where rows have line ends, else join",
        choices=("auto", *white.WAYS),
    )
    vocab_file: str | None = setting(None, "words: a file with one word on each line, in place of the most frequent")
    coverage: float = setting(
        0.9995, "pieces: share of characters with a piece of their own; the rest become bytes", low=0.5, high=1
    )
    lexicon: int = setting(
        30_000,
        "pieces: the most frequent words, kept so that a model spells no others; 0: none",
        low=0,
        high=LARGEST,
        unit="words",
    )

    def check(self) -> None:
        """Raise InputError for a vocabulary file that is not there, or that the codec does not read."""
        if self.vocab_file is not None and self.codec != "words":
            raise InputError(f"vocab_file={self.vocab_file}: only codec=words reads a vocabulary file")
        if self.white_space == "keep" and self.codec == "words":
            raise InputError(
                "white_space=keep: words stand between white space, which they lose: take white_space=lines, or "
                "codec=pieces, characters or bytes"
            )
        if self.vocab_file is not None and not Path(self.vocab_file).is_file():
            raise InputError(f"{files.quoted_path(self.vocab_file)}: no such file")


class TextCodec(Codec):
    """Text <-> tokens. Subclasses say how; the laws are the same for all."""

    modality: ClassVar[str] = "text"
    things = "text"
    pad: ClassVar[int] = 0
    stop: ClassVar[int] = 1
    blank: ClassVar[int] = 2
    least = 1 + len(SPECIAL)
    measures = ("bytes", "words")
    lower: bool
    white_space: str = "join"  # what becomes of it in a row: one of `white.WAYS`
    lexicon: Sequence[str] = ()  # the words, in lower case, that a model is held to, if any
    typed: Typed = Typed()  # how the corpus writes sentences that are typed in lower case, or without their mark

    @classmethod
    @abc.abstractmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Make a codec from texts. Raises InputError if they, or the settings, do not allow one."""

    @abc.abstractmethod
    def normalise(self, text: str) -> str:
        """The text that `decode(encode(text))` gives back."""

    @abc.abstractmethod
    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of many texts, without stop."""

    @abc.abstractmethod
    def _join(self, tokens: list[int]) -> str:
        """The text of tokens that hold no pad, no stop and nothing outside the vocabulary."""

    def fallback_tokens(self) -> list[int]:
        """The tokens that stand for text the vocabulary does not have: blank, or single bytes."""
        return [self.blank]

    def learned(self, texts: Iterable[str]) -> Self:
        """This codec with the words of more texts in its lexicon; one that spells no words is the same."""
        return self

    def encode(self, thing: str) -> list[int]:
        """Tokens of one text, without stop."""
        return self.encode_many([thing])[0]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens: of those before the first stop, without pads.

        A token outside the vocabulary raises InputError.
        """
        return self._join(self.inside(tokens))

    def _head(self) -> dict[str, Any]:
        head = {"codec": self.name, "vocab_size": self.vocab_size, "lower": self.lower, "notes": list(self.notes)}
        return head if self.white_space == "join" else {**head, "white_space": self.white_space}


def of_text(codec: Codec) -> TextCodec:
    """The codec, which must be one of text. Raises InputError for any other."""
    if not isinstance(codec, TextCodec):
        raise InputError(f"the rows are {codec.things} (codec {codec.name}): this works on text")
    return codec


def train(texts: Iterable[str], config: Config) -> TextCodec:
    """Make the codec that `config` names from texts. Raises InputError if they do not allow it."""
    chosen: Any = kind(parts.checked(config).codec)
    return chosen.train(texts, config)


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two codecs, as `to_dict` gives them, make the same tokens of anything.

    Their lexicons, and how they write what is typed, may differ.
    """
    free = {"lexicon": None, "typed": None}
    return {**one, **free} == {**other, **free}


def from_dict(data: Any) -> Codec:
    """Make a codec from what `to_dict` gave, or a stranger wrote. Raises InputError for anything malformed."""
    if not isinstance(data, Mapping):
        raise InputError("a codec should be a JSON object")
    chosen = kind(value(data, "codec", str))
    size = value(data, "vocab_size", int)
    if not chosen.least <= size <= LARGEST:
        raise InputError(f"the codec's vocab_size is {size}: expected between {chosen.least} and {LARGEST:,}")
    codec = chosen._from_dict(data)
    if codec.vocab_size != size:
        raise InputError(f"the codec says vocab_size {size:,} but holds {codec.vocab_size:,} tokens")
    return codec


def folder_of(place: str | Path) -> Path:
    """The folder with the codec of a corpus, a model folder, a run, or a model that ships.

    Raises InputError for what is none of these.
    """
    path, own = Path(place), Path(__file__).parents[1]
    shipped = {folder.name: folder for folder in sorted(own.glob("*/pretrained/*")) if (folder / FILE).is_file()}
    if not path.exists() and str(place) in shipped:
        return shipped[str(place)]
    if not path.exists():
        raise InputError(f"{quoted(str(place))}: no corpus or model: give a folder, or one of {', '.join(shipped)}")
    if path.is_file():
        raise InputError(
            f"{quoted(str(place))} is a file: give the folder of a corpus, a run or a model (a palette file comes into "
            "a corpus by palette_file=)"
        )
    checkpoints = [] if (path / FILE).is_file() else sorted((path / "checkpoints").glob(f"*/{FILE}"))
    return checkpoints[-1].parent if checkpoints else path


def read(folder: Path) -> Codec:
    """The codec of a corpus or a saved model: its `codec.json`. Raises InputError if it is missing or malformed."""
    path = folder / FILE
    try:
        return from_dict(files.from_json(files.read_bytes(path, 256 << 20), path))
    except InputError as error:
        prefix = files.quoted_path(path)
        raise error if str(error).startswith(prefix) else InputError(f"{prefix}: {error}") from error


def composed(text: str, lower: bool) -> str:
    """NFC, and in lower case if asked for; white space and control characters stay."""
    text = unicodedata.normalize("NFC", whole(text))
    return unicodedata.normalize("NFC", text.lower()) if lower else text


def frequent(counts: Counter[str], config: Config, what: str) -> list[str]:
    """The most frequent entries that fit into the vocabulary."""
    if not counts:
        raise InputError(f"there are no {what} to make a codec of")
    ranked = sorted(counts, key=lambda entry: (-counts[entry], entry))
    return ranked[: config.vocab - len(SPECIAL)]


def value(data: Mapping[str, Any], key: str, kind: type) -> Any:
    """The entry `key` of a codec that a stranger may have written. Raises InputError if it is of another type."""
    entry = data.get(key)
    if type(entry) is not kind:
        raise InputError(f"the codec's {key!r} is {quoted(entry, 40)}: expected {kind.__name__}")
    return entry


def strings(data: Mapping[str, Any], key: str) -> list[str]:
    """A list of strings under `key`. Raises InputError for anything else."""
    entries = value(data, key, list)
    if len(entries) > LARGEST or not all(isinstance(entry, str) for entry in entries):
        raise InputError(f"the codec's {key!r} should be a list of at most {LARGEST:,} strings")
    return entries


def white_space(data: Mapping[str, Any]) -> str:
    """The way of white space of a codec that a stranger may have written. Raises InputError for one there is not."""
    way = data.get("white_space", "join")
    if way not in white.WAYS:
        raise InputError(f"the codec's 'white_space' is {quoted(way, 40)}: expected {', '.join(white.WAYS)}")
    return way


def way_of(config: Config) -> str:
    """The way of white space when a codec is trained: auto, which a build settles, is join."""
    return "join" if config.white_space == "auto" else config.white_space


def notes(data: Mapping[str, Any]) -> list[str]:
    """The notes of a codec that a stranger may have written. Raises InputError for anything but a list of strings."""
    return strings(data, "notes") if "notes" in data else []

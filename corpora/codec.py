"""Codecs: a sentence as tokens, and tokens as a sentence. That of pictures is in `palette`.

Every codec of text keeps the same three tokens: `pad` 0, `stop` 1 and `blank` 2. Blank stands for a token that was
taken away, and for an unknown word or character. `decode(encode(text)) == normalise(text)` holds for every `str`.
"""

from __future__ import annotations

import abc
import base64
import binascii
import io
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

from corpora import files
from corpora.errors import InputError, choose, quoted
from corpora.row import clean, whole
from corpora.settings import require, setting

LARGEST = 1_000_000  # tokens in a vocabulary
FILE = "codec.json"
_SPECIAL = ("<pad>", "</s>", "<unk>")
_MODEL_BYTES = 64 << 20
_TRAINING_SLICE = 1000  # characters; SentencePiece skips longer texts (over 4192 bytes) when it trains
_NEW = 0.2  # with a greater share of words that stand in the text once, other text has too many that are not in it
MARKS = "".join(chr(code) for code in range(0x300, 0x3100) if unicodedata.category(chr(code))[0] == "M")
_LETTERS = rf"(?:[^\W\d_][{MARKS}]*)+"
WORD = re.compile(rf"{_LETTERS}(?:['\u2019]{_LETTERS})*")  # letters with their signs, and apostrophes between them


@dataclass(frozen=True)
class Config:
    """How a codec is made from the text."""

    codec: str = setting("pieces", "pieces (SentencePiece), words, characters or bytes")
    vocab: int = setting(8000, "tokens in the vocabulary at most, the three special ones included")
    model_type: str = setting("auto", "pieces: unigram, bpe, or auto: unigram, but bpe for a small text")
    lower: bool = setting(False, "lower-case the text")
    vocab_file: str | None = setting(None, "words: a file with one word on each line, in place of the most frequent")
    coverage: float = setting(0.9995, "pieces: share of characters with a piece of their own; the rest become bytes")
    lexicon: int = setting(30_000, "pieces: the most frequent words, kept so that a model spells no others; 0: none")

    def check(self) -> None:
        """Raise InputError for values that cannot work."""
        choose("codec", self.codec, _CODECS)
        choose("model_type", self.model_type, ("auto", "unigram", "bpe"))
        require(4 <= self.vocab <= LARGEST, "vocab", self.vocab, f"between 4 and {LARGEST:,} tokens")
        require(0.5 <= self.coverage <= 1, "coverage", self.coverage, "a share between 0.5 and 1")
        require(0 <= self.lexicon <= LARGEST, "lexicon", self.lexicon, f"0 to {LARGEST:,} words")
        if self.vocab_file is not None and self.codec != "words":
            raise InputError(f"vocab_file={self.vocab_file}: only codec=words reads a vocabulary file")
        if self.vocab_file is not None and not Path(self.vocab_file).is_file():
            raise InputError(f"{files.quoted_path(self.vocab_file)}: no such file")


class Codec(abc.ABC):
    """Things <-> rows of tokens: text (`TextCodec`), or pictures (`palette.Palette`).

    The special tokens are None where there is none of that kind. Without stop and pad all rows have the same length.
    """

    name: ClassVar[str]
    pad: ClassVar[int | None]
    stop: ClassVar[int | None]
    blank: ClassVar[int | None]
    measures: ClassVar[tuple[str, ...]]  # what a manifest counts of a split, beside rows and tokens
    vocab_size: int
    notes: list[str]  # what a person should know about how this codec came out

    @classmethod
    @abc.abstractmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        """The inverse of `to_dict`; the caller checks `vocab_size`."""

    @abc.abstractmethod
    def to_dict(self) -> dict[str, Any]:
        """Everything needed to make this codec again, as JSON values."""


class TextCodec(Codec):
    """Text <-> tokens. Subclasses say how; the laws are the same for all."""

    pad: ClassVar[int] = 0
    stop: ClassVar[int] = 1
    blank: ClassVar[int] = 2
    measures = ("bytes", "words")
    lower: bool
    lexicon: Sequence[
        str
    ] = ()  # the words, in lower case, that a model is held to (`textgen.sentences.lexicon`), if any

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

    def encode(self, text: str) -> list[int]:
        """Tokens of one text, without stop."""
        return self.encode_many([text])[0]

    def decode(self, tokens: Iterable[int]) -> str:
        """The text of tokens: what comes before the first stop, without pads.

        A token outside the vocabulary raises InputError.
        """
        kept: list[int] = []
        for token in map(int, tokens):
            if token == self.stop:
                break
            if not 0 <= token < self.vocab_size:
                raise InputError(f"token {token} is outside the vocabulary of {self.vocab_size:,}")
            if token != self.pad:
                kept.append(token)
        return self._join(kept)

    def _head(self) -> dict[str, Any]:
        return {"codec": self.name, "vocab_size": self.vocab_size, "lower": self.lower, "notes": list(self.notes)}


def _sentencepiece(texts: Sequence[str], model_type: str, config: Config) -> bytes:
    """Train a SentencePiece model, of at most `config.vocab` pieces."""
    import sentencepiece

    model = io.BytesIO()

    def work() -> None:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=model,
            model_type=model_type,
            vocab_size=config.vocab,
            character_coverage=config.coverage,
            byte_fallback=True,
            normalization_rule_name="identity",  # `normalise` has done it
            hard_vocab_limit=False,
            pad_id=TextCodec.pad,
            eos_id=TextCodec.stop,
            unk_id=TextCodec.blank,
            bos_id=-1,
            num_threads=1,
            minloglevel=2,
        )

    try:
        _interruptibly(work)
    except RuntimeError as error:
        needed = re.search(r"smaller than required_chars\. \d+ vs (\d+)", str(error))
        if needed:
            raise InputError(
                f"vocab={config.vocab} is too small for this text: it needs at least {needed[1]} "
                "(256 bytes, 3 special tokens and the characters); raise vocab, lower coverage, or use codec=bytes"
            ) from error
        raise InputError(f"SentencePiece could not train: {quoted(str(error), 160)}") from error
    return model.getvalue()


class Pieces(TextCodec):
    """SentencePiece pieces with single bytes for what they do not cover, so nothing is unknown.

    `normalise`: `row.clean`, U+2581 (SentencePiece's mark for a space) as a space, and lower case if asked for.
    """

    name = "pieces"

    def __init__(
        self, model: bytes, *, lower: bool = False, notes: Sequence[str] = (), lexicon: Sequence[str] = ()
    ) -> None:
        import sentencepiece

        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model)
            size = self._processor.vocab_size()
            special = (self._processor.pad_id(), self._processor.eos_id(), self._processor.unk_id())
            firsts = sum(self._processor.is_byte(token) for token in range(3, min(259, size)))
        except (RuntimeError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"the SentencePiece model is not usable: {quoted(str(error), 120)}") from error
        if special != (self.pad, self.stop, self.blank) or self._processor.bos_id() != -1 or firsts != 256:
            raise InputError(
                "the SentencePiece model is not one of ours: it needs pad 0, stop 1, unk 2, then 256 bytes"
            )
        self._model = model
        self.vocab_size = size
        self.lower = lower
        self.notes = list(notes)
        self.lexicon = list(lexicon)

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Train on texts, with one thread so that the result is the same each time."""
        normal = [_spaces(text, config.lower) for text in texts]
        slices = [
            text[i : i + _TRAINING_SLICE].strip() for text in normal for i in range(0, len(text), _TRAINING_SLICE)
        ]
        slices = [text for text in slices if text]
        if not slices:
            raise InputError("there is no text to train a codec on")
        kind = "unigram" if config.model_type == "auto" else config.model_type
        codec = cls(_sentencepiece(slices, kind, config), lower=config.lower)
        if codec.vocab_size != config.vocab:
            asked = f"vocab={config.vocab:,} was asked for; this text supports {codec.vocab_size:,} {kind} pieces"
            if config.model_type == "auto":
                # Where it runs out of text, the unigram model cuts even the most frequent words in two; bpe keeps them.
                codec = cls(_sentencepiece(slices, "bpe", config), lower=config.lower)
                asked += f", so these are {codec.vocab_size:,} bpe pieces (model_type=unigram keeps unigram)"
            codec.notes.append(asked)
        if config.lexicon:
            codec.lexicon = codec._words(normal, config.lexicon)
        return codec

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        encoded = value(data, "model", str)
        if len(encoded) > _MODEL_BYTES:
            raise InputError(f"the SentencePiece model has more than {_MODEL_BYTES:,} characters")
        try:
            model = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError) as error:
            raise InputError("the codec's `model` is not base64") from error
        lexicon = _strings(data, "lexicon") if "lexicon" in data else []
        if len({*lexicon}) < len(lexicon) or not all(WORD.fullmatch(word) and word == word.lower() for word in lexicon):
            raise InputError("the codec's 'lexicon' should be words in lower case, each once")
        return cls(model, lower=value(data, "lower", bool), notes=notes(data), lexicon=lexicon)

    def to_dict(self) -> dict[str, Any]:
        model = base64.b64encode(self._model).decode("ascii")
        return {**self._head(), "model": model, **({"lexicon": self.lexicon} if self.lexicon else {})}

    def normalise(self, text: str) -> str:
        return _spaces(text, self.lower)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        return self._processor.encode([_spaces(text, self.lower) for text in texts])

    def _join(self, tokens: list[int]) -> str:
        return self._processor.decode([token for token in tokens if token != self.blank])

    def fallback_tokens(self) -> list[int]:
        return [self.blank, *range(3, 259)]

    def pieces(self) -> list[str]:
        """The text that each token adds, a space in the place of U+2581; nothing for special tokens and bytes."""
        found = self._processor.id_to_piece(list(range(self.vocab_size)))
        return ["" if token < 259 else piece.replace("\u2581", " ") for token, piece in enumerate(found)]

    def learned(self, texts: Iterable[str]) -> Self:
        """This codec with the words of more texts in its lexicon, as `_words` finds them; without one it gains none."""
        if not self.lexicon:
            return self
        lexicon = self._words((_spaces(text, self.lower) for text in texts), Config.lexicon)
        return type(self)(self._model, lower=self.lower, notes=self.notes, lexicon=lexicon)

    def _words(self, texts: Iterable[str], most: int) -> list[str]:
        """The lexicon with the `most` frequent words of normalised texts; a new one only where few are new (`_NEW`).

        In a script that writes no words apart nearly every run of letters is new.
        """
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(WORD.findall(text.lower()))
        known = {*self.lexicon}
        if not known and list(counts.values()).count(1) > _NEW * counts.total():
            return []
        letters = {*"".join(self.pieces())}  # other letters are written as bytes, which spell nothing
        ranked = sorted(counts, key=lambda word: (-counts[word], word))
        return sorted(known.union([word for word in ranked if letters.issuperset(word)][:most]))


class Words(TextCodec):
    """Words between white space; one that the vocabulary does not have becomes `<unk>`, which is the token blank."""

    name = "words"

    def __init__(self, words: Sequence[str], *, lower: bool = False, notes: Sequence[str] = ()) -> None:
        self._words = [*_SPECIAL, *words]
        self._tokens = {word: token for token, word in enumerate(self._words) if token > 1}
        if len(self._tokens) != len(words) + 1 or not self._tokens.keys().isdisjoint(_SPECIAL[:2]):
            raise InputError("the vocabulary holds a word twice, or one of <pad>, </s>, <unk>")
        for word in words:
            if not word or _lowered(word, lower) != word or " " in word:
                raise InputError(f"{quoted(word)} cannot be a word of this vocabulary")
        self.vocab_size = len(self._words)
        self.lower = lower
        self.notes = list(notes)

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Read the vocabulary file, or take the most frequent words (ties in the order of the alphabet)."""
        if config.vocab_file is not None:
            path = Path(config.vocab_file)
            try:
                lines = files.read_bytes(path, 256 << 20).decode("utf-8-sig").splitlines()
            except UnicodeDecodeError as error:
                raise InputError(f"{files.quoted_path(path)}: byte {error.start}: not UTF-8") from error
            listed = dict.fromkeys(word for line in lines for word in _lowered(line, config.lower).split()[:1])
            words = [word for word in listed if word not in _SPECIAL]
            if not words:
                raise InputError(f"{files.quoted_path(path)}: no word in this vocabulary file")
            if len(words) + len(_SPECIAL) > LARGEST:
                raise InputError(f"{files.quoted_path(path)}: more than {LARGEST:,} words")
            return cls(words, lower=config.lower)
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_lowered(text, config.lower).split())
        for word in _SPECIAL:
            counts.pop(word, None)
        return cls(_frequent(counts, config, "words"), lower=config.lower)

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(_strings(data, "words"), lower=value(data, "lower", bool), notes=notes(data))

    def to_dict(self) -> dict[str, Any]:
        return {**self._head(), "words": self._words[len(_SPECIAL) :]}

    def normalise(self, text: str) -> str:
        return " ".join(word if word in self._tokens else "<unk>" for word in _lowered(text, self.lower).split())

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        token = self._tokens.get
        return [[token(word, 2) for word in _lowered(text, self.lower).split()] for text in texts]

    def _join(self, tokens: list[int]) -> str:
        return " ".join(self._words[token] for token in tokens)


class Characters(TextCodec):
    """Unicode characters (code points after NFC); one that the vocabulary does not have becomes U+FFFD."""

    name = "characters"

    def __init__(self, characters: Sequence[str], *, lower: bool = False, notes: Sequence[str] = ()) -> None:
        self._characters = ["", "", "\ufffd", *characters]
        self._tokens = {character: token for token, character in enumerate(self._characters) if token > 1}
        if len(self._tokens) != len(characters) + 1 or any(len(character) != 1 for character in characters):
            raise InputError("the vocabulary should hold single characters, each once, without U+FFFD")
        self.vocab_size = len(self._characters)
        self.lower = lower
        self.notes = list(notes)

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Take the most frequent characters (ties in the order of Unicode)."""
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(_composed(text, config.lower))
        counts.pop("\ufffd", None)
        return cls(_frequent(counts, config, "characters"), lower=config.lower)

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(_strings(data, "characters"), lower=value(data, "lower", bool), notes=notes(data))

    def to_dict(self) -> dict[str, Any]:
        return {**self._head(), "characters": self._characters[len(_SPECIAL) :]}

    def normalise(self, text: str) -> str:
        return "".join(c if c in self._tokens else "\ufffd" for c in _composed(text, self.lower))

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        token = self._tokens.get
        return [[token(character, 2) for character in _composed(text, self.lower)] for text in texts]

    def _join(self, tokens: list[int]) -> str:
        return "".join(self._characters[token] for token in tokens)


class Bytes(TextCodec):
    """The bytes of UTF-8: nothing to train, nothing unknown; white space is kept as it is."""

    name = "bytes"

    def __init__(self, *, lower: bool = False, notes: Sequence[str] = ()) -> None:
        self.vocab_size = len(_SPECIAL) + 256
        self.lower = lower
        self.notes = list(notes)

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Nothing is learned from the texts."""
        return cls(lower=config.lower)

    @classmethod
    def _from_dict(cls, data: Mapping[str, Any]) -> Self:
        return cls(lower=value(data, "lower", bool), notes=notes(data))

    def to_dict(self) -> dict[str, Any]:
        return self._head()

    def normalise(self, text: str) -> str:
        return _composed(text, self.lower)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        return [[byte + 3 for byte in _composed(text, self.lower).encode()] for text in texts]

    def _join(self, tokens: list[int]) -> str:
        return bytes(token - 3 for token in tokens if token != self.blank).decode("utf-8", "replace")

    def fallback_tokens(self) -> list[int]:
        return [self.blank]


_CODECS: dict[str, type[TextCodec]] = {kind.name: kind for kind in (Pieces, Words, Characters, Bytes)}


def names() -> list[str]:
    """The codecs of text."""
    return list(_CODECS)


def of_text(codec: Codec) -> TextCodec:
    """The codec, which must be one of text. Raises InputError for one of pictures."""
    if not isinstance(codec, TextCodec):
        raise InputError(f"the rows are pictures (codec {codec.name}): this works on text")
    return codec


def train(texts: Iterable[str], config: Config) -> TextCodec:
    """Make the codec that `config` names from texts. Raises InputError if they do not allow it."""
    config.check()
    return _CODECS[config.codec].train(texts, config)


def alike(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether two codecs, as `to_dict` gives them, make the same tokens of any text; their lexicons may differ."""
    return {**one, "lexicon": None} == {**other, "lexicon": None}


def from_dict(data: Any) -> Codec:
    """Make a codec from what `to_dict` gave, or a stranger wrote. Raises InputError for anything malformed."""
    if not isinstance(data, Mapping):
        raise InputError("a codec should be a JSON object")
    from corpora.palette import Palette  # which stands on this module

    kinds: dict[str, type[Codec]] = {**_CODECS, Palette.name: Palette}
    kind = kinds[choose("codec", value(data, "codec", str), kinds)]
    size = value(data, "vocab_size", int)
    least = 2 if kind is Palette else 1 + len(_SPECIAL)
    if not least <= size <= LARGEST:
        raise InputError(f"the codec's vocab_size is {size}: expected between {least} and {LARGEST:,}")
    codec = kind._from_dict(data)
    if codec.vocab_size != size:
        raise InputError(f"the codec says vocab_size {size:,} but holds {codec.vocab_size:,} tokens")
    return codec


def read(folder: Path) -> Codec:
    """The codec of a corpus or a saved model: its `codec.json`. Raises InputError if it is missing or malformed."""
    path = folder / FILE
    try:
        return from_dict(files.from_json(files.read_bytes(path, 256 << 20), path))
    except InputError as error:
        prefix = files.quoted_path(path)
        raise error if str(error).startswith(prefix) else InputError(f"{prefix}: {error}") from error


def _lowered(text: str, lower: bool) -> str:
    """Cleaned, and in lower case if asked for (which can undo NFC, hence a second time)."""
    return clean(clean(text).lower()) if lower else clean(text)


def _spaces(text: str, lower: bool) -> str:
    return _lowered(text.replace("\u2581", " "), lower)


def _composed(text: str, lower: bool) -> str:
    """NFC, and in lower case if asked for; white space and control characters stay."""
    text = unicodedata.normalize("NFC", whole(text))
    return unicodedata.normalize("NFC", text.lower()) if lower else text


def _frequent(counts: Counter[str], config: Config, what: str) -> list[str]:
    """The most frequent entries that fit into the vocabulary."""
    if not counts:
        raise InputError(f"there are no {what} to make a codec of")
    ranked = sorted(counts, key=lambda entry: (-counts[entry], entry))
    return ranked[: config.vocab - len(_SPECIAL)]


def _interruptibly(work: Callable[[], None]) -> None:
    """Call `work` in a thread of its own: Ctrl-C is heard at once, though C++ may be at it for minutes."""
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join()
    if failures:
        raise failures[0]


def value(data: Mapping[str, Any], key: str, kind: type) -> Any:
    """What a codec that a stranger may have written holds under `key`. Raises InputError if it is of another type."""
    found = data.get(key)
    if type(found) is not kind:
        raise InputError(f"the codec's {key!r} is {quoted(found, 40)}: expected {kind.__name__}")
    return found


def _strings(data: Mapping[str, Any], key: str) -> list[str]:
    found = value(data, key, list)
    if len(found) > LARGEST or not all(isinstance(entry, str) for entry in found):
        raise InputError(f"the codec's {key!r} should be a list of at most {LARGEST:,} strings")
    return found


def notes(data: Mapping[str, Any]) -> list[str]:
    """The notes of a codec that a stranger may have written. Raises InputError for anything but a list of strings."""
    return _strings(data, "notes") if "notes" in data else []

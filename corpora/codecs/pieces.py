"""SentencePiece pieces, with single bytes for what they do not cover."""

from __future__ import annotations

import base64
import binascii
import io
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Self

from corpora.codec import WORD, Config, TextCodec, notes, strings, value, way_of, white_space
from corpora.errors import InputError, quoted
from corpora.texts.typed import Typed
from corpora.texts.white import lowered

_MODEL_BYTES = 64 << 20
_LINE_END = 3 + 0x0A  # the token of its byte
_TRAINING_SLICE = 1000  # characters; SentencePiece skips longer texts (over 4192 bytes) when it trains
_ENOUGH = 100_000  # texts that show how sentences are written
_NEW = 0.2  # with a greater share of words that occur in the text once, other text has too many that are not in it


class Pieces(TextCodec):
    """SentencePiece pieces with single bytes for what they do not cover, so nothing is unknown.

    `normalise`: `white.cleaned`, U+2581 (SentencePiece's mark for a space) as a space, and lower case if asked for.
    Where line ends stay, each is the token of its byte, and every line is encoded as if it stood alone.
    """

    name = "pieces"

    def __init__(
        self,
        model: bytes,
        *,
        lower: bool = False,
        white_space: str = "join",
        notes: Sequence[str] = (),
        lexicon: Sequence[str] = (),
        typed: Typed | None = None,
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
        self.white_space = white_space
        self.notes = list(notes)
        self.lexicon = list(lexicon)
        self.typed = typed or Typed()

    @classmethod
    def train(cls, texts: Iterable[str], config: Config) -> Self:
        """Train on texts, with one thread so that the result is the same each time."""
        way = way_of(config)
        normal = [line for text in texts for line in _spaces(text, config.lower, way).split("\n")]
        slices = [
            text[i : i + _TRAINING_SLICE].strip() for text in normal for i in range(0, len(text), _TRAINING_SLICE)
        ]
        slices = [text for text in slices if text]
        if not slices:
            raise InputError("there is no text to train a codec on")
        kind = "unigram" if config.model_type == "auto" else config.model_type
        codec = cls(_sentencepiece(slices, kind, config), lower=config.lower, white_space=way)
        if codec.vocab_size != config.vocab:
            asked = f"vocab={config.vocab:,} was asked for; this text supports {codec.vocab_size:,} {kind} pieces"
            if config.model_type == "auto":
                # Where it runs out of text, the unigram model cuts even the most frequent words in two; bpe keeps them.
                codec = cls(_sentencepiece(slices, "bpe", config), lower=config.lower, white_space=way)
                asked += f", so these are {codec.vocab_size:,} bpe pieces (model_type=unigram keeps unigram)"
            codec.notes.append(asked)
        if config.lexicon:
            codec.lexicon = codec._words(normal, config.lexicon)
        if codec.lexicon and not config.lower:
            codec.typed = Typed.learn(normal[:: 1 + len(normal) // _ENOUGH])
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
        lexicon = strings(data, "lexicon") if "lexicon" in data else []
        if len({*lexicon}) < len(lexicon) or not all(WORD.fullmatch(word) and word == word.lower() for word in lexicon):
            raise InputError("the codec's 'lexicon' should be words in lower case, each once")
        typed = Typed.from_dict(data["typed"]) if "typed" in data else None
        return cls(
            model, lower=value(data, "lower", bool), white_space=white_space(data), notes=notes(data), lexicon=lexicon,
            typed=typed,
        )  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        model = base64.b64encode(self._model).decode("ascii")
        facts = {**self._head(), "model": model}
        if self.lexicon:
            facts["lexicon"] = self.lexicon
        if self.typed.capital:
            facts["typed"] = self.typed.to_dict()
        return facts

    def normalise(self, text: str) -> str:
        return _spaces(text, self.lower, self.white_space)

    def encode_many(self, texts: Sequence[str]) -> list[list[int]]:
        normal = [self.normalise(text) for text in texts]
        if not any("\n" in text for text in normal):
            return self._processor.encode(normal)
        lines = iter(self._processor.encode([line for text in normal for line in text.split("\n")]))
        rows = []
        for text in normal:
            row = list(next(lines))
            for _ in range(text.count("\n")):
                row += [_LINE_END, *next(lines)]
            rows.append(row)
        return rows

    def _join(self, tokens: list[int]) -> str:
        lines: list[list[int]] = [[]]
        for token in tokens:
            if token == _LINE_END and self.white_space != "join":
                lines.append([])
            elif token != self.blank:
                lines[-1].append(token)
        return "\n".join(map(self._processor.decode, lines))

    def fallback_tokens(self) -> list[int]:
        ends = [_LINE_END] if self.white_space != "join" else []
        return [self.blank, *(token for token in range(3, 259) if token not in ends)]

    def pieces(self) -> list[str]:
        """The text that each token adds, a space in the place of U+2581; nothing for special tokens and bytes."""
        every = self._processor.id_to_piece(list(range(self.vocab_size)))
        return ["" if token < 259 else piece.replace("\u2581", " ") for token, piece in enumerate(every)]

    def learned(self, texts: Iterable[str]) -> Self:
        """This codec with the words of more texts in its lexicon, as `_words` finds them; without one it gains none."""
        if not self.lexicon:
            return self
        lexicon = self._words(map(self.normalise, texts), Config.lexicon)
        return type(self)(
            self._model, lower=self.lower, white_space=self.white_space, notes=self.notes, lexicon=lexicon,
            typed=self.typed,
        )  # fmt: skip

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
            remove_extra_whitespaces=config.white_space != "keep",
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


def _spaces(text: str, lower: bool, way: str) -> str:
    return lowered(text.replace("\u2581", " "), lower, way)


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

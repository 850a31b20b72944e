"""Preset `auto`: codec, sizes, rate and the most steps of a run from its corpus, each with the reason for it.

What a person gives wins, and is said to have been given. All the rules are in this file.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

# Scripts that write no spaces between words: Thai, Lao, Tibetan, Myanmar, Khmer, Chinese, Japanese.
_UNSPACED = re.compile(
    "[\u0e00-\u0fff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]"
)
_ENDING = re.compile(r"[.!?…。！？]\W*$")


class Size(NamedTuple):
    """The sizes of one class of corpus."""

    tokens: float  # below so many tokens of train
    width: int
    embedding: int
    latent: int
    dropout: float
    word_dropout: float
    lr: float
    batch: int
    share: float  # rate, as a share of the entropy of a row's tokens taken one by one
    passes: int  # more only overfit


# A small corpus is memorised: it gets few weights, much dropout, a low rate (a code that can name a row needs
# no likeness between codes), small batches (so that there are enough steps) and a limit of passes. A large one is
# never seen often enough in one sitting for that, and gets what weights a processor can still train.
# The numbers are a start: docs/your-corpus.md has what was measured, which is short runs in the first three rows.
SIZES = (
    Size(50_000, 192, 128, 16, 0.4, 0.3, 3e-3, 32, 0.10, 40),
    Size(300_000, 256, 128, 32, 0.3, 0.3, 3e-3, 64, 0.25, 40),
    Size(3_000_000, 384, 192, 48, 0.2, 0.2, 2e-3, 64, 0.30, 25),
    Size(math.inf, 512, 256, 64, 0.1, 0.1, 2e-3, 64, 0.30, 10),
)


class Auto:
    """Chooses in the order of a run: `codec`, `longest`, `sizes`, `steps`; each says what it chose and why.

    `settings`: those that a person gave, by name; `say`: where a line goes.
    """

    def __init__(self, settings: Mapping[str, Any], say: Callable[[str], None]) -> None:
        self.settings, self.say = settings, say

    def _choose(self, chosen: dict[str, Any], key: str, value: Any, why: str) -> Any:
        if key in self.settings:
            self.say(f"preset   {f'{key}={self.settings[key]}':<22} as given")
            return self.settings[key]
        chosen[key] = value
        shown = f"{value:g}" if isinstance(value, float) else value
        self.say(f"preset   {f'{key}={shown}':<22} {why}")
        return value

    def codec(self, rows: int, texts: Sequence[str], held_out: bool = False) -> dict[str, Any]:
        """Settings of the codec and of the split, from a sample of the texts and the number of all `rows`.

        `held_out`: there are files for validation or test, so nothing is split off.
        """
        chosen: dict[str, Any] = {}
        if not texts:
            return chosen
        characters = Counter("".join(texts))
        letters = {one: count for one, count in characters.items() if one.isalpha()}
        unspaced = sum(count for one, count in letters.items() if _UNSPACED.match(one)) / max(1, sum(letters.values()))
        count = round(sum(len(text.split()) for text in texts) * rows / len(texts))
        if "codec_from" not in self.settings:
            if unspaced > 0.5:
                why = f"{100 * unspaced:.0f} % of the letters belong to scripts that write no spaces between words"
                codec = self._choose(chosen, "codec", "characters", why)
            else:
                why = f"{100 - 100 * unspaced:.0f} % of the letters belong to scripts with spaces between words"
                codec = self._choose(chosen, "codec", "pieces", why)
            if codec == "pieces":
                # 256 bytes, three special tokens and every character come first; a piece seen once or twice is
                # not learned, however much text of another kind there is
                seen = Counter(word for text in texts for word in re.findall(r"\w+", text))
                least = max(1000, 500 + sum(count > 1 for count in characters.values()))
                most = max(least, min(8000, least + sum(count > 2 for count in seen.values())))
                vocab = min(8000, most, max(least, 100 * round(count / 1200)))
                why = f"{count:,} words: a piece for every 12, within {least:,} to {most:,}"
                self._choose(chosen, "vocab", vocab, why)
            elif codec == "characters":
                often = sum(count > 1 for count in characters.values())
                why = f"{often:,} characters occur more than once in {len(texts):,} rows; with room for others"
                self._choose(chosen, "vocab", min(8000, 3 + often + often // 10 + 10), why)
        if not held_out:
            share = min(0.1, max(0.02, round(200 / rows, 3)))
            why = f"about {round(share * rows):,} of {rows:,} rows, to judge by; 200 where they are 2 to 10 %"
            self._choose(chosen, "valid_share", share, why)
        ended = sum(bool(_ENDING.search(text)) for text in texts) / len(texts)
        if unspaced <= 0.5 and 0.02 < ended < 0.5 and self.settings.get("unit", "line") == "line":
            self.say(
                f"note: {100 * ended:.0f} % of the rows end as sentences do: unit=sentence cuts running text, "
                "unit=stanza joins the lines of verse"
            )
        return chosen

    def longest(self, lengths: np.ndarray) -> dict[str, Any]:
        """The longest row, from the lengths in tokens, stop not counted, of a sample of rows."""
        chosen: dict[str, Any] = {}
        if len(lengths):
            least = max(8, int(self.settings.get("min_length", 0)))
            most = max(least, min(200, math.ceil(float(np.percentile(lengths, 99)))))
            longer = float((lengths > most).mean())
            why = f"99 % of the rows have no more tokens (at most 200); {100 * longer:.1f} % are dropped"
            self._choose(chosen, "max_length", most, why)
        return chosen

    def sizes(
        self, rows: int, tokens: int, longest: int, entropy: float, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Settings of model and training, and `batch`, from the train split: its rows, its tokens and those of
        its longest row (stops counted), and the entropy of a token, in nats, by frequency alone. `settings`: all that
        the recipe has, with their values now.
        """
        chosen: dict[str, Any] = {}
        size = size_for(tokens)
        length = tokens / max(1, rows)

        def choose(key: str, value: Any, why: str) -> None:
            if key in settings:
                self._choose(chosen, key, value, why)

        edges = [0, *(one.tokens for one in SIZES)]
        low, high = edges[SIZES.index(size) : SIZES.index(size) + 2]
        between = "over {0:,}" if high == math.inf else "{0:,} to {1:,}" if low else "under {1:,}"
        choose("width", size.width, f"{tokens:,} tokens in train: {between.format(low, high)}")
        choose("embedding", size.embedding, "goes with that width")
        choose("encoder_width", size.width // 2, "half of that width: the encoder reads both ways")
        choose("encoder_embedding", size.embedding, "as the decoder's")
        choose("encoder_places", min(64, longest), f"{longest} tokens of the longest row, at most 64, read one by one")
        if settings.get("noise") and settings.get("rate") is not None:
            why = (
                f"{100 * size.share:.0f} % of {entropy:.1f} nats of a token by frequency x {length:.1f} tokens of a row"
            )
            choose("rate", rate_for(size, entropy, length), f"{why}, within 6 to 50")
            rate = chosen.get("rate", settings["rate"])
            choose("latent", max(size.latent, 8 * math.ceil(rate / 8)), f"at most a nat of {rate:g} for each number")
            choose("code_fade", 0.5, "half of the codes are faded, so that what lies between two sentences reads well")
            choose("code_free", 0.05, "and the decoder can tell what reads well")
        elif "latent" in settings:
            choose("latent", size.latent, "goes with that width")
        few = "so few tokens are soon memorised"
        choose("dropout", size.dropout, few if size.dropout >= 0.3 else "so many tokens are not memorised")
        choose("word_dropout", size.word_dropout, "blanked words make the decoder read the code")
        if settings.get("backbone") == "lstm":
            choose("lr", size.lr, "goes with that width")
        else:
            choose("lr", min(size.lr, 1e-3), "no more than without a preset: the larger ones are the LSTM's")
        why = f"{math.ceil(rows / size.batch):,} steps for the {rows:,} rows of train"
        self._choose(chosen, "batch", size.batch, why)
        return chosen

    def steps(self, minutes: float, rows: int, tokens: int, batch: int) -> int:
        """The most steps of `batch` rows that a budget of `minutes` may be used for: the passes over the `rows` of
        train that do good.
        """
        passes = size_for(tokens).passes
        most = max(500, passes * math.ceil(rows / batch))  # fewer teach nothing, however small the corpus
        reason = f"{most * batch / rows:.0f} passes over {rows:,} rows are enough: more would only overfit"
        self.say(f"preset   {f'minutes={minutes:g}':<22} at most {most:,} steps: {reason}")
        return most


def size_for(tokens: int) -> Size:
    """The row of `SIZES` for so many tokens of train."""
    return next(size for size in SIZES if tokens < size.tokens)


def rate_for(size: Size, entropy: float, length: float) -> float:
    """The target rate, in nats per row, for rows of `length` tokens of `entropy` nats each."""
    return float(round(min(50.0, max(6.0, size.share * entropy * length))))

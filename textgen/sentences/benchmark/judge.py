"""Shared by benchmarks: a language model that judges sentences, and figures with 95 % confidence intervals.

**A perplexity ratio can be gamed.** The judge does not know the task: short, frequent, generic sentences
("there was no answer.") have a lower perplexity than real text, so a ratio below 1 is a warning and no triumph, and a
model that writes one good sentence everywhere wins. Read it beside the ratio of NLL per sentence and the ratio of
lengths, and beside how many different sentences there are.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from corpora.errors import InputError
from textgen.sentences.units import units

if TYPE_CHECKING:
    import numpy as np

    from textgen.runs.library import Opened

DRAWS = 1000  # bootstrap samples


class Judge:
    """A language model that reads text with its own codec, so that it may judge a model of any vocabulary."""

    def __init__(self, opened: Opened) -> None:
        from corpora.codec import of_text
        from textgen.core.model import Autoregressive

        if not isinstance(opened.model, Autoregressive):
            raise InputError(
                f"--judge {opened.name}: a {opened.recipe.model} is no language model; "
                "train one: textgen train CORPUS --model lm"
            )
        self.opened, self.model, self.codec, self.name = opened, opened.model, of_text(opened.codec), opened.name

    def nll(self, texts: Sequence[str], at_once: int = 128) -> np.ndarray:
        """-log p(text) with its end, exact, nats per sentence: (N,) float64. An empty text is its end alone."""
        import numpy as np

        from textgen.core import estimators

        device = next(self.model.parameters()).device
        rows = self.codec.encode_many(texts)
        order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
        losses = np.zeros(len(rows))
        for start in range(0, len(order), at_once):
            some = order[start : start + at_once]
            tokens = self.opened.padded([rows[number] for number in some]).to(device)
            losses[some] = estimators.exact_nll(self.model, tokens).double().cpu().numpy()
        return losses

    def unknown(self, texts: Sequence[str]) -> int:
        """Tokens that the judge's vocabulary does not have: each is cheap, so many of them flatter."""
        return sum(row.count(self.codec.blank) for row in self.codec.encode_many(texts))


@dataclass(frozen=True)
class Score:
    """One figure with its 95 % confidence interval; None where it is not defined (an interval of one pair, say)."""

    name: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    definition: str


def score(
    name: str,
    unit: str,
    definition: str,
    *samples: Any,
    statistic: Callable[..., float] | None = None,
    seed: int = 0,
) -> Score:
    """A figure and its percentile bootstrap (Efron 1979), `DRAWS` draws.

    Each of `samples` is an array (N,) or (N, C), a row for each thing drawn with replacement; samples are drawn
    independently of each other. `statistic` takes the sum over the rows of each sample, (C,), and gives the figure;
    by default it is the mean over the rows of the only sample. What is not finite, or divides by zero, is None.
    """
    import numpy as np

    if not all(map(len, samples)):
        return Score(name, None, None, None, unit, definition)
    tables = [np.asarray(sample, np.float64).reshape(len(sample), -1) for sample in samples]
    if statistic is None:
        count = len(tables[0])

        def statistic(sums: list[float]) -> float:
            return sums[0] / count

    value = _finite(statistic, *(table.sum(0).tolist() for table in tables))
    draw = np.random.default_rng(seed)
    if value is None or min(map(len, tables)) < 2:
        return Score(name, value, None, None, unit, definition)
    drawn = []
    for _ in range(DRAWS):
        sums = [table[draw.integers(len(table), size=len(table))].sum(0).tolist() for table in tables]
        drawn.append(_finite(statistic, *sums))
    defined = [one for one in drawn if one is not None]
    low, high = np.percentile(defined, (2.5, 97.5)).tolist() if defined else (None, None)
    return Score(name, value, low, high, unit, definition)


def perplexity(
    name: str, definition: str, losses: Any, texts: Sequence[str], *, by_word: bool = True, seed: int = 0
) -> Score:
    """Perplexity per word, or without `by_word` per character, from nats per sentence (N,): exp(nats / units), one end
    for each sentence counted."""
    pairs = [(nats, len(units(text, by_word)) + 1) for nats, text in zip(losses, texts, strict=True)]
    unit = "per word" if by_word else "per character"
    return score(name, unit, definition, pairs, statistic=lambda sums: math.exp(sums[0] / sums[1]), seed=seed)


def subset(values: Sequence[Any], count: int, seed: int) -> list[Any]:
    """`count` of the values without replacement (all, where there are no more), in their order."""
    import numpy as np

    if count >= len(values):
        return list(values)
    return [values[row] for row in sorted(np.random.default_rng(seed).choice(len(values), count, replace=False))]


def _finite(statistic: Callable[..., float], *sums: list[float]) -> float | None:
    try:
        value = statistic(*sums)
    except (OverflowError, ZeroDivisionError):
        return None
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class Report:
    """The outcome of a benchmark: a title that says how it was done, figures, lines to show, details for the JSON."""

    title: str
    facts: dict[str, Any]
    scores: list[Score]
    lines: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float | None:
        return next(score.value for score in self.scores if score.name == name)

    def to_dict(self) -> dict[str, Any]:
        return {**self.facts, "figures": [asdict(one) for one in self.scores], **self.details}

    def __str__(self) -> str:
        lines = [self.title]
        if self.scores:
            lines.append(f"  in brackets: 95 % confidence interval, bootstrap of {DRAWS:,} draws")
        for one in self.scores:
            value = "undefined" if one.value is None else f"{one.value:.3f}"
            interval = "" if one.low is None else f"[{one.low:.3f}, {one.high:.3f}]"
            lines.append(f"  {one.name:<26} {value:>9} {interval:<18} {one.unit:<18} {one.definition}")
        return "\n".join([*lines, *self.lines])

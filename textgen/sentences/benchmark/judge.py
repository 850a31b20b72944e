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
from textgen.core.numbers import exponential, shown
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
    groups: Sequence[Any] | None = None,
    seed: int = 0,
) -> Score:
    """A figure and its bootstrap interval, `DRAWS` draws, bias-corrected and accelerated (BCa; Efron 1987).

    Each of `samples` is an array (N,) or (N, C), a row for each thing drawn with replacement; samples are drawn
    independently of each other. `statistic` takes the sum over the rows of each sample, (C,), and gives the figure;
    by default it is the mean over the rows of the only sample. What is not a number, or divides by zero, is None.

    `groups`: the author, say, of each row of the first sample. Rows of a group are alike, so groups are drawn as wholes
    (the cluster bootstrap). A ratio's distribution is skewed: the percentile interval would miss on one side, and BCa
    moves both of its ends by the bias and the skewness, as the rows left out one by one show them.
    """
    import numpy as np

    if not all(map(len, samples)):
        return Score(name, None, None, None, unit, definition)
    tables = [np.asarray(sample, np.float64).reshape(len(sample), -1) for sample in samples]
    if statistic is None:
        statistic = _mean
        tables[0] = np.concatenate([tables[0], np.ones((len(tables[0]), 1))], 1)
    if groups is not None:
        names, places = np.unique(np.asarray(groups), return_inverse=True)
        whole = np.zeros((len(names), tables[0].shape[1]))
        np.add.at(whole, places, tables[0])
        tables[0], definition = whole, f"{definition}, interval over {len(names)} groups"
    sums = [table.sum(0) for table in tables]
    value = _finite(statistic, *(total.tolist() for total in sums))
    if value is None or math.isinf(value) or min(map(len, tables)) < 2:
        return Score(name, value, None, None, unit, definition)
    draw, drawn = np.random.default_rng(seed), []
    for _ in range(DRAWS):
        again = [table[draw.integers(len(table), size=len(table))].sum(0).tolist() for table in tables]
        drawn.append(_finite(statistic, *again))
    defined = np.array([one for one in drawn if one is not None])
    low, high = _bca(defined, value, _influences(tables, sums, statistic)) if len(defined) else (None, None)
    return Score(name, value, low, high, unit, definition)


def _mean(sums: list[float]) -> float:
    return sums[0] / sums[-1]


def _influences(
    tables: Sequence[np.ndarray], sums: Sequence[np.ndarray], statistic: Callable[..., float]
) -> list[np.ndarray]:
    """For each sample, what leaving out each of its rows does to the figure, (N,): the jackknife."""
    import numpy as np

    every = []
    for number, table in enumerate(tables):
        rest = [total.tolist() for total in sums]
        left = [_finite(statistic, *rest[:number], (sums[number] - row).tolist(), *rest[number + 1 :]) for row in table]
        values = np.array([one for one in left if one is not None])
        every.append((values.mean() - values) * (len(table) - 1) / len(table) if len(values) else np.zeros(1))
    return every


def _bca(drawn: np.ndarray, value: float, influences: Sequence[np.ndarray]) -> tuple[float, float]:
    """The 95 % interval of bootstrap draws of a figure, by Efron (1987, eq. 2.3); of several samples the acceleration
    is that of all their influences together (Efron and Tibshirani 1993, ch. 14 and 22)."""
    import numpy as np
    from scipy.stats import norm

    same = np.isclose(drawn, value, rtol=1e-9, atol=0)  # of few rows or groups many draws are the figure itself
    below = float(((drawn < value) & ~same).mean() + same.mean() / 2)
    squares = sum(float(np.square(some).sum()) for some in influences)
    cubes = sum(float((some**3).sum()) for some in influences)
    if not 0 < below < 1 or not 0 < squares < math.inf:
        low, high = np.percentile(drawn, (2.5, 97.5)).tolist()
        return low, high
    bias, skew = float(norm.ppf(below)), cubes / (6 * squares**1.5)  # at most 1/6
    ends = [bias + float(norm.ppf(share)) for share in (0.025, 0.975)]  # less than 6 of so few draws
    shares = [100 * float(norm.cdf(bias + end / (1 - skew * end))) for end in ends]
    low, high = np.percentile(drawn, shares).tolist()
    return low, high


def perplexity(
    name: str, definition: str, losses: Any, texts: Sequence[str], *, by_word: bool = True, seed: int = 0
) -> Score:
    """Perplexity per word, or without `by_word` per character, from nats per sentence (N,): exp(nats / units), one end
    for each sentence counted."""
    pairs = [(nats, len(units(text, by_word)) + 1) for nats, text in zip(losses, texts, strict=True)]
    unit = "per word" if by_word else "per character"
    return score(name, unit, definition, pairs, statistic=lambda sums: exponential(sums[0] / sums[1]), seed=seed)


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
    return None if math.isnan(value) else value


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
        rows = [asdict(one) for one in self.scores]
        for row in rows:  # JSON has no number beyond floating point
            row |= {key: str(row[key]) for key in ("value", "low", "high") if row[key] in (math.inf, -math.inf)}
        return {**self.facts, "figures": rows, **self.details}

    def __str__(self) -> str:
        lines = [self.title]
        if self.scores:
            lines.append(f"  in brackets: 95 % confidence interval, BCa bootstrap of {DRAWS:,} draws")
        for one in self.scores:
            value = "undefined" if one.value is None else shown(one.value, 3)
            interval = "" if one.low is None or one.high is None else f"[{shown(one.low, 3)}, {shown(one.high, 3)}]"
            lines.append(f"  {one.name:<26} {value:>9} {interval:<18} {one.unit:<18} {one.definition}")
        return "\n".join([*lines, *self.lines])

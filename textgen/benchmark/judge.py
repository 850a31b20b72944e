"""What benchmarks share: a language model that judges sentences, and figures with 95 % confidence intervals."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from corpora.errors import InputError

if TYPE_CHECKING:
    from torch import Tensor

    from textgen.run import Opened

DRAWS = 1000  # bootstrap samples


def nlls(opened: Opened, texts: Sequence[str], at_once: int = 128) -> Tensor:
    """-log p(text) with its end under a language model, exact, nats per sentence: (N,) float64.

    The model reads with its own codec. Raises InputError for a model that is no language model.
    """
    import torch

    from textgen import evaluate
    from textgen.model import Autoregressive

    model, codec = opened.model, opened.codec
    if not isinstance(model, Autoregressive):
        raise InputError(f"{opened.name}: a {opened.recipe.model} is no language model: textgen train DATA --model lm")
    device = next(model.parameters()).device
    rows = codec.encode_many(texts)
    order = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    found = torch.zeros(len(rows), dtype=torch.float64)
    for start in range(0, len(order), at_once):
        some = order[start : start + at_once]
        length = len(rows[some[-1]]) + 1
        pads = [codec.pad] * length
        padded = torch.tensor([[*rows[number], codec.stop, *pads][:length] for number in some], device=device)
        found[some] = evaluate.exact_nll(model, padded).double().cpu()
    return found


def words(texts: Sequence[str]) -> int:
    """Words between white space, with one for the end of each text: what a perplexity per word divides by."""
    return sum(len(text.split()) + 1 for text in texts)


@dataclass(frozen=True)
class Score:
    """One figure with its 95 % confidence interval (None where there is none), and how it was made."""

    name: str
    value: float
    low: float | None
    high: float | None
    unit: str
    definition: str


def ratio(name: str, unit: str, definition: str, top: Any, bottom: Any, of: Callable[[float], float] = float) -> Score:
    """`of` a ratio of sums over sentences, sum(top) / sum(bottom), with its bootstrap interval (Efron 1979)."""
    import numpy as np

    top, bottom = (np.asarray(values, np.float64) for values in (top, bottom))
    draw = np.random.default_rng(0)
    drawn = (draw.integers(len(top), size=len(top)) for _ in range(DRAWS if len(top) > 1 else 0))
    found = [of(top[some].sum() / max(1e-12, bottom[some].sum())) for some in drawn]
    low, high = np.percentile(found, (2.5, 97.5)).tolist() if found else (None, None)
    return Score(name, of(top.sum() / max(1e-12, bottom.sum())), low, high, unit, definition)


def mean(name: str, unit: str, definition: str, values: Any) -> Score:
    """The mean over sentences with its bootstrap interval."""
    return ratio(name, unit, definition, values, [1.0] * len(values))


def perplexity(name: str, definition: str, losses: Tensor, texts: Sequence[str]) -> Score:
    """Perplexity per word, ends counted, from nats per sentence (N,): exp(sum of nats / sum of words)."""
    counts = [words([text]) for text in texts]
    return ratio(name, "per word", definition, losses.numpy(), counts, lambda nats: math.exp(min(700.0, nats)))


def picked(values: Sequence[Any], count: int, seed: int) -> list[Any]:
    """`count` of the values without replacement (all, where there are no more), in their order."""
    import numpy as np

    if count >= len(values):
        return list(values)
    return [values[row] for row in sorted(np.random.default_rng(seed).choice(len(values), count, replace=False))]


@dataclass(frozen=True)
class Report:
    """What a benchmark found: what was done, the figures, lines to show, and what goes into the JSON alone."""

    title: str
    facts: dict[str, Any]
    scores: list[Score]
    lines: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    def __getitem__(self, name: str) -> float:
        return next(score.value for score in self.scores if score.name == name)

    def to_dict(self) -> dict[str, Any]:
        return {**self.facts, "figures": [asdict(one) for one in self.scores], **self.details}

    def __str__(self) -> str:
        lines = [self.title, "  in brackets: 95 % confidence interval, bootstrap over sentences"]
        for one in self.scores:
            interval = "" if one.low is None or one.high is None else f"[{one.low:.2f}, {one.high:.2f}]"
            lines.append(f"  {one.name:<34} {one.value:>9.2f} {interval:<20} {one.unit:<16} {one.definition}")
        return "\n".join([*lines, *self.lines])

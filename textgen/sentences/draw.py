"""Sentences drawn token by token, from any model of text, language models included; and the best of a few."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from corpora.codec import of_text
from corpora.errors import InputError
from corpora.settings import require
from textgen.core import sampler
from textgen.core.model import LikelihoodModel, with_likelihood
from textgen.runs.library import Label, Opened

AT_ONCE = 64  # rows drawn together


def draw(
    opened: Opened,
    rows: int,
    *,
    seed: int = 0,
    how: sampler.Choice | None = None,
    best_of: int = 1,
    code_temperature: float = 1.0,
    prompt: str = "",
    first: int = 0,
    label: Label = None,
    constraint: sampler.Constraint | None = None,
    cost: Callable[[Tensor], Tensor] | None = None,
) -> list[str]:
    """Sentences `first`, `first` + 1, ... of a seed; `prompt` begins each.

    Each is the best of `best_of` drawn by NLL per token: the least -log p(x), of a model with codes -log p(x | z), per
    token, the prompt and the end counted, however tokens were chosen, or the least `cost` of rows of tokens (N, L),
    (N,); one that was cut off at the greatest length is the last choice. That is no draw from the model any more:
    sentences become plainer and shorter.
    `label`: as in `SentenceVAE.decode`; `code_temperature`: as in `draw_codes`. Raises InputError for a prompt that is
    too long, for a label that the model does not know, and for a `best_of` out of range.
    """
    require(1 <= best_of <= 1000, "best_of", best_of, "1 to 1000")
    labels = opened.labels(label, rows).repeat_interleave(best_of)
    first, rows = first * best_of, rows * best_of
    model, codec = with_likelihood(opened.model, opened.name), of_text(opened.codec)
    start = codec.encode(prompt) if prompt else []
    if len(start) + 1 > opened.length:
        raise InputError(f"the prompt has {len(start)} tokens; this model writes at most {opened.length - 1}")
    texts: list[str] = []
    nats: list[float] = []  # per token
    for begin in range(first, first + rows, AT_ONCE):
        count = min(AT_ONCE, first + rows - begin)
        context = model.context(seed, begin, count, labels[begin - first :][:count], code_temperature)
        tokens = sampler.sample(
            model.backbone,
            model.vocab,
            rows=count,
            length=opened.length,
            context=context,
            prompt=torch.tensor([start] * count, dtype=torch.long) if start else None,
            how=how,
            seed=seed,
            first=begin,
            constraint=constraint,
        )
        texts += [codec.decode(row) for row in tokens.tolist()]
        nats += _costs(model, tokens, context, codec.stop, cost) if best_of > 1 else [0.0] * count
    return best(texts, nats, best_of)


@torch.inference_mode()
def _costs(
    model: LikelihoodModel,
    tokens: Tensor,
    context: Tensor | None,
    stop: int,
    cost: Callable[[Tensor], Tensor] | None,
) -> list[float]:
    """Cost, or NLL per token, of each row (B, L), infinite for one without a stop."""
    if cost is not None:
        each = cost(tokens)
    else:
        mask = model.vocab.mask(tokens)
        each = model.backbone.nll(tokens, mask, context) / mask.sum(1)
    return each.masked_fill(~tokens.eq(stop).any(1), torch.inf).tolist()


def best(texts: Sequence[str], nats: Sequence[float], of: int) -> list[str]:
    """Of every `of` texts in turn the one with the least `nats`, the first of equals, an empty one only if all are."""
    if of == 1:
        return list(texts)
    ranks = [(not text.strip(), cost) for text, cost in zip(texts, nats, strict=True)]
    return [texts[min(range(start, start + of), key=ranks.__getitem__)] for start in range(0, len(texts), of)]

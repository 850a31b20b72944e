"""Walks through fluent sentences, by a decoder that is a language model too (`code_free`, `code_fade`).

Many sentences are decoded from codes near the line between two posterior means. Of these a walk takes a few, in the
order in which they encode along the line: such as are fluent, and differ little from their neighbours.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from textgen.core import sampler
from textgen.core.backbone import without
from textgen.core.model import Latent
from textgen.core.precision import precise
from textgen.sentences import refine
from textgen.sentences.walk import Point, cheapest, differences

NAME = "fluent"  # of the path
TRIED, MOST_TRIED = 3, 240  # codes decoded for each point of a walk, and for all at most
MOST = 120  # sentences that a walk is chosen from: the most fluent
TRUST = (0.0, -0.3, 0.3)  # of codes in turn: 0, on the line of the means; below, nearer to 0; above, to refined codes
NEAR = 0.25  # share of the way, at either end, along which a code leaves the refined one for the line of the means
FLUENCY, STEP, EVEN, STAY = 0.1, 4, 0.5, 0.2  # the cost of a walk, chosen on the valid split (docs/results)
EASY = 0.5  # greatest step of a walk whose number of points is left open
MOST_POINTS = 32  # of such a walk
DRAWN = 64  # rows that token frequencies are estimated from


class Candidate(NamedTuple):
    """A sentence that a walk may take."""

    point: Point  # its position is where the sentence encodes: 0 at the first mean, 1 at the second
    fluency: float  # nats per token


class Ends(NamedTuple):
    """The codes of the two sentences of a walk, (2, Z) each."""

    means: Tensor  # of their posteriors
    refined: Tensor


def codes(ends: Ends, count: int) -> Tensor:
    """`count` codes near the line between two posterior means, from the first to the second: (count, Z).

    A mean is the centre of all codes that say its sentence, and nearer to 0 than they are. A refined code lies out at
    their edge, where the decoder is sure: half way between two of those it has no code like it to go by.
    """
    positions = torch.arange(1, count + 1).to(ends.means)[:, None] / (count + 1)
    trust = torch.tensor(TRUST).to(ends.means).repeat(-(-count // len(TRUST)))[:count, None]
    first, second = ends.refined - ends.means
    kept = trust.clamp(min=0)
    here = torch.maximum(kept * (1 - positions), 1 - positions / NEAR)
    there = torch.maximum(kept * positions, 1 - (1 - positions) / NEAR)
    line = torch.lerp(ends.means[0], ends.means[1], positions)
    inside = (torch.minimum(positions, 1 - positions) / NEAR).clamp(max=1)
    return (line + here.clamp(min=0) * first + there.clamp(min=0) * second) * (1 + trust.clamp(max=0) * inside)


class Fluency:
    """(log p(x) - log p_unigram(x)) / tokens, nats per token, by a decoder without a code (SLOR, Kann et al. 2018).

    What a sentence owes to the frequency of its words is taken off, so that plain sentences do not win by being plain.
    """

    def __init__(self, model: Latent, length: int) -> None:
        self._model = model
        self._logs = self._unigrams(length)

    @torch.inference_mode()
    def __call__(self, tokens: Tensor) -> Tensor:
        """Of rows of tokens (N, L): (N,)."""
        mask = self._model.vocab.mask(tokens)
        nll = self._model.backbone.nll(tokens, mask, self._nowhere(len(tokens)))
        return -(nll + (self._logs[tokens] * mask).sum(1)) / mask.sum(1).clamp(min=1)

    @torch.inference_mode()
    def _unigrams(self, length: int) -> Tensor:
        """log of the frequency of each token in the decoder's own rows, (V,).

        The mean of its distributions over all places of some rows is a far better estimate than counts of as many.
        """
        vocab, backbone = self._model.vocab, self._model.backbone
        context = self._nowhere(DRAWN)
        tokens = sampler.sample(backbone, vocab, rows=DRAWN, length=length, context=context)
        total = torch.zeros(vocab.size, dtype=torch.float64, device=tokens.device)
        size = min(16, refine.at_most(self._model, length))
        for some, where in zip(tokens.split(size), context.split(size), strict=True):
            logits = without(backbone(some, where)[vocab.mask(some)], backbone.impossible)
            total += precise(logits).softmax(-1).double().sum(0)
        return (total / total.sum()).clamp(min=1e-12).log().float()

    def _nowhere(self, rows: int) -> Tensor:
        """The context of rows without a code."""
        context = self._model.given(rows, codes=self._model.summary.weight.new_zeros(rows, self._model.latent or 0))
        assert context is not None
        return context


def chosen(
    first: Point, last: Point, candidates: Sequence[Candidate], steps: int | None, fluency: float = FLUENCY
) -> list[Point]:
    """`steps` points from `first` to `last`; those between are candidates, or repeat the point before them.

    Each encodes further along the line than the point before it, and is no further from either end, in words, than the
    ends are from each other. Of all such walks it has the least cost: the sum of the fourth powers of the differences
    between neighbours, of `EVEN` times the squares of their distances along the line, of `STAY` for each repeat, less
    `fluency` times the fluency of each. By dynamic programming, O(steps x N^2). `steps=None`: as few as make no
    difference greater than `EASY`, or if none does, those with the least; none of them twice.
    """
    nodes = _nodes(first, last, candidates)
    points = [first, *(node.point for node in nodes), last]
    apart = differences([point.text for point in points])
    kept = np.flatnonzero(np.maximum(apart[0], apart[-1]) <= apart[0, -1] + 1e-9)
    points, apart = [points[place] for place in kept], apart[np.ix_(kept, kept)]
    gains = np.array([0.0, *(node.fluency for node in nodes), 0.0])[kept]
    where = np.array([0.0, *(node.point.position for node in nodes), 1.0])[kept]
    size = len(points)
    steady = np.tri(size, k=-1, dtype=bool)  # (to, from): further along alone
    costs = np.where(steady, apart**STEP, np.inf) + EVEN * np.subtract.outer(where, where) ** 2
    np.fill_diagonal(costs, STAY)
    costs -= fluency * gains[:, None]
    if steps is not None:
        return [points[place] for place in cheapest(costs, steps, steps)[0]]
    walks = cheapest(costs, 2, MOST_POINTS)
    steepest = [max(apart[b, a] for a, b in pairwise(walk)) for walk in walks]
    easy = [number for number, step in enumerate(steepest) if step <= EASY]
    walk = walks[easy[0] if easy else int(np.argmin(steepest))]
    return [points[place] for place in dict.fromkeys(walk)]


def _nodes(first: Point, last: Point, candidates: Sequence[Candidate]) -> list[Candidate]:
    """The different candidates that encode between the ends, the most fluent, in the order of the line."""
    best: dict[str, Candidate] = {}
    for one in candidates:
        text = one.point.text
        inside = 0 < one.point.position < 1 and text not in (first.text, last.text)
        if inside and (text not in best or one.fluency > best[text].fluency):  # written in other pieces
            best[text] = one
    fluent = sorted(best.values(), key=lambda one: (-one.fluency, one.point.text))[:MOST]
    return sorted(fluent, key=lambda one: (one.point.position, one.point.text))

"""Sequential Monte Carlo: rows of a backbone given some of their tokens, wherever these stand.

A backbone knows p(x_i | x_<i), so it cannot condition exactly on tokens that come later. N particles draw the hidden
tokens in order; at a shown one every particle is given it, and is weighted by its probability. When few particles
hold most of the weight, all are drawn anew by their weights (Doucet, de Freitas and Gordon 2001, "Sequential Monte
Carlo Methods in Practice"; Naesseth, Lindsten and Schön 2019, "Elements of Sequential Monte Carlo"). Hints are those of
Whiteley and Lee (2014, "Twisted particle filters").
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from textgen.core.backbone import Backbone
from textgen.core.randomness import uniforms
from textgen.core.sampler import Choice, draw_tokens


class Filled(NamedTuple):
    """Rows drawn given what is shown."""

    tokens: Tensor  # (count, L)
    log_shown: float  # logarithm of an unbiased estimate of p(shown), nats
    effective: float  # how many different fillings there are to draw from, by their weights: 1 / sum of squares
    exact: bool  # nothing is shown after a hidden token: rows are drawn from p(hidden | shown), and p(shown) is exact


@torch.inference_mode()
def fill(
    backbone: Backbone,
    shown: Tensor,
    hidden: Tensor,
    context: Tensor | None = None,
    *,
    count: int,
    particles: int,
    seed: int = 0,
    first: int = 0,
    hints: Tensor | None = None,
    stride: int = 1,
    tell: Callable[[int, int], object] | None = None,
) -> Filled:
    """`count` rows that are `shown` (L,) where `hidden` (L,) is False, by `particles` particles.

    `context` (1, C) is for all of them. The distribution of a row tends to p(hidden | shown) as particles
    become many. Up to the first hidden token all are one row; after the last shown token nothing is weighed, so that
    rows, drawn there by weight, go on independently. For a vocabulary without stop; random by (seed, first) alone.

    `hints` (L, V), nats, are added to the logits of hidden tokens: guesses at what a token says of those shown later.
    A weight has a hint for `stride` tokens and then gives it back: any hints leave the estimate of p(shown) unbiased,
    good ones make it vary less.
    """
    length, device, blank = len(shown), shown.device, hidden.tolist()
    begin, end = _weighed(blank)
    if hints is not None:
        hints = hints.masked_fill(~hidden[:, None], 0)
        hints[max(0, end - stride) :] = 0  # what could not be given back before the end
    numbers = uniforms(seed, first, 1 + max(particles, count), length + 1).to(device)
    stepper = backbone.start(1, length, context)
    tell, tokens = tell or (lambda done, of: None), shown.new_zeros(1, 0)
    weights = torch.zeros(1, dtype=torch.double, device=device)  # logarithms, since particles were last drawn anew
    log_shown, effective = 0.0, 1.0
    for place in range(length + 1):
        due = place == end or (place < end and place >= begin and blank[place])
        if due and (place in (begin, end) or ess(weights) < particles / 2):
            log_shown += float(weights.logsumexp(0)) - math.log(len(weights))
            effective = _different(tokens, weights) if place == end > begin else effective
            parents = systematic(weights.softmax(0), count if place >= end else particles, float(numbers[0, place]))
            stepper.select(parents)
            tokens, weights = tokens[parents], weights.new_zeros(len(parents))
        if place == length:
            break
        chances = stepper.logits.double().log_softmax(-1)
        if blank[place]:
            if hints is not None:
                chances = chances + hints[place]
                weights = weights + chances.logsumexp(-1)
            following = draw_tokens(chances, numbers[1 : 1 + len(chances), place], Choice())
        else:
            following = shown[place].expand(len(chances))
            weights = weights + chances[:, shown[place]]
        if hints is not None and place >= stride and blank[place - stride]:
            weights = weights - hints[place - stride][tokens[:, place - stride]]
        tokens = torch.cat([tokens, following[:, None]], 1)
        tell(place + 1, length)
        if place + 1 < length:
            stepper.step(following)
    return Filled(tokens, log_shown, effective, begin >= end)


def _weighed(blank: list[bool]) -> tuple[int, int]:
    """The first hidden token, and the end of the last shown one: between them particles are weighed."""
    begin = next((place for place, hidden in enumerate(blank) if hidden), len(blank))
    end = max((place for place, hidden in enumerate(blank) if not hidden), default=-1) + 1
    return begin, end


def _different(tokens: Tensor, weights: Tensor) -> float:
    """The number of different rows (N, L) by their weights (N,), logarithms: 1 / sum of squared shares."""
    shares = weights.softmax(0)
    _, same = tokens.unique(dim=0, return_inverse=True)
    return 1 / float(shares.new_zeros(len(shares)).index_add(0, same, shares).square().sum())


def ess(weights: Tensor) -> float:
    """Effective sample size of logarithms of weights (N,): 1 if one holds all, N if all are equal (Kong 1992)."""
    return float(weights.softmax(0).square().sum().reciprocal())


def systematic(probabilities: Tensor, count: int, number: float) -> Tensor:
    """Draw `count` of N by number, (count,): each of the probabilities (N,) p within one of `count` p times.

    One uniform `number` decides for all (Kitagawa 1996, "Monte Carlo filter and smoother", appendix).
    """
    points = (torch.arange(count, dtype=probabilities.dtype, device=probabilities.device) + number) / count
    heights = probabilities.cumsum(0)
    return torch.searchsorted(heights, points * heights[-1], right=True).clamp_max(len(probabilities) - 1)

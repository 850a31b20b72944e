"""Annealed importance sampling (Neal 2001) of log p(x) for models with codes: slow, and tighter than importance
sampling where the posterior is far from the true one (Wu et al. 2017, "On the quantitative analysis of decoder-based
generative models").

Chains start at codes from the posterior, widened, and pass `steps` densities, q(z | x)^(1 - b) p(x, z)^b with b from 0
to 1; at each they take a move of Hamiltonian Monte Carlo that leaves it as it is (Duane et al. 1987). The mean of the
weights has the expectation p(x) whatever the number of steps and of chains, so -log of it lies above -log p(x) in
expectation, as the importance-weighted bound does. The sizes of the moves are set by a trial run with numbers of its
own, so that the chains that count do not depend on their own past in any other way.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from textgen.core.model import Latent
from textgen.core.randomness import normals

WIDTH = 1.1  # of the deviations of the posterior, where chains start
LEAPS = 3  # gradients of a move
TRIALS = 4  # chains of the trial run
ACCEPTED = 0.65  # share of the moves that should be accepted (Beskos et al. 2013)
FIRST, RATIO = 0.1, 1.15  # size of the first move, in deviations of the posterior; its change from step to step


@dataclass(frozen=True)
class _Landscape:
    """log q0 and log p(x, z), in coordinates `away` = (z - mean) / deviation of the posterior of each row."""

    model: Latent
    tokens: Tensor  # (B, L)
    labels: Tensor | None
    means: Tensor  # (B, Z)
    deviations: Tensor
    at_once: int

    def start(self, away: Tensor) -> Tensor:
        """log q0 of (K, B, Z) less a constant of each row, with which `joint` agrees: (K, B)."""
        return -(away / WIDTH).square().sum(-1) / 2

    def joint(self, away: Tensor) -> tuple[Tensor, Tensor]:
        """log p(x, z) less the same constant, (K, B), and its gradient, (K, B, Z)."""
        rows = away.shape[1]
        values, slopes = [], []
        for some in away.split(max(1, self.at_once // rows)):
            with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):
                here = some.detach().requires_grad_()
                codes = (self.means + self.deviations * here).flatten(0, 1)
                classes = None if self.labels is None else self.labels.repeat(len(some))
                context = self.model.given(len(codes), classes, codes)
                distortion = self.model.distortion(self.tokens.repeat(len(some), 1), context)
                log_prior = self.model.prior().log_prob(codes)
                value = (log_prior - distortion).view(len(some), rows)
                slopes.append(torch.autograd.grad(value.sum(), here)[0])
            values.append(value.detach() + self._constant())
        return torch.cat(values), torch.cat(slopes)

    def _constant(self) -> Tensor:
        """What turns log p(x, z) into a density of `away` that is measured as `start` is: (B,)."""
        size = self.means.shape[1]
        normal = torch.tensor(2 * torch.pi * WIDTH**2, device=self.means.device).log() / 2
        return self.deviations.log().sum(1) + size * normal


@torch.inference_mode(False)
@torch.no_grad()
def log_weights(
    model: Latent,
    tokens: Tensor,
    *,
    steps: int,
    chains: int,
    seed: int,
    first: int = 0,
    labels: Tensor | None = None,
    at_once: int = 256,
) -> Tensor:
    """Logarithms of the weights of `chains` chains of `steps` moves for each of (B, L) tokens: (K, B) float64.

    The logarithm of their mean is a lower bound on log p(x) in expectation (`estimators.weighed`). Rows are numbered
    from `first`, and each has a stream of random numbers of its own. `at_once`: rows x chains decoded together.
    """
    tokens, labels = tokens.clone(), None if labels is None else labels.clone()  # no longer of inference mode
    posterior = model.posterior(tokens)
    means, deviations = posterior.mean, posterior.stddev
    land = _Landscape(model, tokens, labels, means, deviations, at_once)
    sizes = torch.full((steps, len(tokens)), FIRST, device=means.device)
    _run(land, _numbers(land, steps, TRIALS, seed + 2**33, first), sizes, trial=True)
    return _run(land, _numbers(land, steps, chains, seed, first), sizes)


def _numbers(land: _Landscape, steps: int, chains: int, seed: int, first: int) -> Iterator[Tensor]:
    """Standard normal numbers (K, B, Z + 1): for the start, and for each move its momentum and its acceptance."""
    rows, size = land.means.shape
    every = normals(seed, first, rows, (steps + 1) * chains * (size + 1))
    every = every.view(rows, steps + 1, chains, size + 1).permute(1, 2, 0, 3)
    return (some.to(land.means.device) for some in every)


def _run(land: _Landscape, numbers: Iterator[Tensor], sizes: Tensor, trial: bool = False) -> Tensor:
    """The weights of chains, (K, B); in a trial the sizes of moves (steps, B) are set on the way, in place."""
    steps = len(sizes)
    away = WIDTH * next(numbers)[..., :-1]
    start, (joint, slope) = land.start(away), land.joint(away)
    total = torch.zeros_like(joint, dtype=torch.double)
    for step, drawn in enumerate(numbers):
        share = (step + 1) / steps
        total += (joint - start).double() / steps
        if share == 1:
            break  # a last move would change no weight
        if trial and step:
            sizes[step] = sizes[step - 1]
        momentum, size = drawn[..., :-1], sizes[step][:, None]
        here, force = away, _force(away, slope, share)
        push = momentum + size * force / 2
        for leap in range(LEAPS):
            here = here + size * push
            value, climb = land.joint(here)
            force = _force(here, climb, share)
            push = push + size * force * (0.5 if leap + 1 == LEAPS else 1.0)
        begin = land.start(here)
        gain = (1 - share) * (begin - start) + share * (value - joint)
        gain = gain - (push.square().sum(-1) - momentum.square().sum(-1)) / 2
        accepted = torch.special.log_ndtr(drawn[..., -1]) < gain  # the logarithm of a uniform number; NaN: refused
        away, slope = (torch.where(accepted[..., None], new, old) for new, old in ((here, away), (climb, slope)))
        joint, start = torch.where(accepted, value, joint), torch.where(accepted, begin, start)
        if trial:
            better = accepted.float().mean(0) > ACCEPTED
            sizes[step] *= torch.where(better, RATIO, 1 / RATIO)
    return total


def _force(away: Tensor, slope: Tensor, share: float) -> Tensor:
    """The gradient of the logarithm of the density between the two."""
    return share * slope - (1 - share) * away / WIDTH**2

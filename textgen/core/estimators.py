"""Estimators of what a model knows, in nats per row, on rows of tokens.

Every public number of this project comes through here, and `tests/test_estimators.py` holds each of them to the
exact value on models small enough to enumerate every row and integrate over z.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from textgen.core import annealing
from textgen.core.model import Autoregressive, Latent, draw_code
from textgen.core.randomness import normals


class Bounds(NamedTuple):
    """Per row, nats unless said otherwise, (B,) each."""

    nll: Tensor  # -log of the importance-weighted estimate of p(x)
    negative_elbo: Tensor  # distortion + rate
    distortion: Tensor  # E_q[-log p(x | z)]
    rate: Tensor  # KL(q(z | x) || p(z)), exact under N(0, I)
    effective: Tensor  # effective sample size of the importance weights, as a share of the codes, 0 to 1
    greatest: Tensor  # the greatest weight, as a share of all, 0 to 1


@dataclass(frozen=True)
class Proposal:
    """The distributions that the codes of importance sampling are drawn from, and the share of each.

    `widths`: the posterior with its deviations times a number, and the share; the first is the posterior itself, whose
    codes the distortion is measured on. `prior`: the share of the model's prior. A posterior is often narrower than
    the true one, or misses a part of it: codes from wider ones, and a few from the prior, keep weights bounded
    (Hesterberg 1995, "Weighted average importance sampling and defensive mixture distributions").
    """

    widths: tuple[tuple[float, float], ...] = ((1.0, 1.0),)
    prior: float = 0.0

    def counts(self, samples: int) -> list[int]:
        """The codes from each of `widths`, then from the prior: `samples` in all, one from the first at least."""
        shares = [*(share for _, share in self.widths), self.prior]
        others = [int(share * samples + 0.5) for share in shares[1:]]
        while sum(others) >= samples:
            others[others.index(max(others))] -= 1
        return [samples - sum(others), *others]


POSTERIOR = Proposal()
WIDENED = Proposal(((1.0, 0.2), (1.1, 0.7)), 0.1)  # measured in docs/method.md
SPREAD = Proposal(((1.0, 0.2), (1.1, 0.2), (2.0, 0.2), (4.0, 0.2), (8.0, 0.1)), 0.1)  # of few numbers
FEW = 8  # numbers of a code, up to which a much wider posterior still often hits


def proposal_for(latent: int | None) -> Proposal:
    """The proposal by which models with so many numbers in a code are evaluated.

    Of few numbers, codes from much wider posteriors find what a trained posterior misses; of many they are never near.
    """
    return SPREAD if latent is not None and latent <= FEW else WIDENED


@torch.inference_mode()
def exact_nll(model: Autoregressive, tokens: Tensor, labels: Tensor | None = None) -> Tensor:
    """-log p(x), nats per row (B,), of a model without latent codes; given the classes `labels` (B,), if any."""
    return model.backbone.nll(tokens, model.vocab.mask(tokens), model.given(len(tokens), labels))


@torch.inference_mode()
def bounds(
    model: Latent,
    tokens: Tensor,
    *,
    samples: int,
    seed: int,
    first: int = 0,
    prior: Distribution | None = None,
    labels: Tensor | None = None,
    proposal: Proposal = POSTERIOR,
    ais: int = 0,
    at_once: int = 2048,
) -> Bounds:
    """Bounds on log p(x) for rows `first`, `first` + 1, ... of a split, (B, L) tokens.

    `nll` is the importance-weighted bound (Burda et al. 2016, eq. 8): -log (1/K) sum_k p(x | z_k) p(z_k) / q(z_k | x)
    with K = `samples` codes from q(z | x). In expectation it lies above -log p(x), falls as K grows, and at K = 1
    is the negative ELBO. `distortion` averages -log p(x | z_k) over the same codes. `prior` defaults to the
    model's; the rate is exact under a model's N(0, I), else the mean of log q - log p over the codes.
    `labels` (B,): the classes that all of it is given. `at_once` bounds the memory: rows x samples decoded together.

    With a `proposal` of several distributions q_j, n_j codes are drawn from each, and every code is weighed by
    p(x | z) p(z) / sum_j (n_j / K) q_j(z), whichever it came from: the balance heuristic of Veach and Guibas (1995).
    The mean weight still has the expectation p(x), so that `nll` lies above -log p(x) in expectation as before.
    Distortion, and a rate that is estimated, are of the codes from the posterior itself.

    With `ais` the NLL is that of `samples` annealed chains of so many steps (`annealing.log_weights`); the others are
    of as many codes from the posterior.
    """
    if ais and prior is not None:
        raise ValueError("annealing goes to the model's own prior: put the other one into the model")
    proposal = POSTERIOR if ais else proposal
    posterior = model.posterior(tokens)
    rows = len(posterior.mean)
    log_prior = model.prior() if prior is None else prior
    counts = proposal.counts(samples)
    codes = _codes(model, posterior, proposal, counts, seed, first)  # (K, B, Z), those of the posterior first
    chunk = max(1, at_once // rows)
    ratios, distortions, rates = [], [], []
    for some in codes.split(chunk):
        count = len(some)
        classes = None if labels is None else labels.repeat(count)
        context = model.given(count * rows, classes, some.reshape(count * rows, -1))
        distortion = model.distortion(tokens.repeat(count, 1), context).view(count, rows)
        log_p = log_prior.log_prob(some)  # (k, B)
        ratios.append(log_p - distortion - _log_density(model, posterior, proposal, counts, some))
        distortions.append(distortion)
        rates.append(posterior.log_prob(some) - log_p)
    log_weights = torch.cat(ratios).double()  # (K, B)
    if ais:
        few = max(1, at_once // 8)  # gradients take more memory
        log_weights = annealing.log_weights(
            model, tokens, steps=ais, chains=samples, seed=seed, first=first, labels=labels, at_once=few
        )
    distortion = torch.cat(distortions)[: counts[0]].double().mean(0)
    exact = prior is None and model.prior.standard
    rate = model.rates(posterior).sum(1) if exact else torch.cat(rates)[: counts[0]].double().mean(0)
    nll, effective, greatest = weighed(log_weights)
    return Bounds(nll, distortion + rate, distortion, rate.double(), effective, greatest)


def weighed(log_weights: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """-log of the mean of weights given by their logarithms (K, B), and how even they are: three of (B,).

    The second is the effective sample size (Kong 1992), (sum w)^2 / sum w^2, over K; the third the greatest weight over
    the sum. Where few weights hold all, the mean is that of few: its logarithm lies too low on average.
    """
    total = log_weights.logsumexp(0)
    effective = (2 * total - (2 * log_weights).logsumexp(0)).exp() / len(log_weights)
    return math.log(len(log_weights)) - total, effective, (log_weights.amax(0) - total).exp()


def _codes(
    model: Latent, posterior: Independent, proposal: Proposal, counts: Sequence[int], seed: int, first: int
) -> Tensor:
    """Codes (K, B, Z) of a proposal, in the order of its parts; each row has a stream of random numbers of its own."""
    rows, size = posterior.mean.shape
    near, numbers = sum(counts[:-1]), model.prior.numbers
    noise = normals(seed, first, rows, near * size + counts[-1] * numbers).to(posterior.mean.device)
    around = noise[:, : near * size].view(rows, near, size).transpose(0, 1)  # (k, B, Z)
    parts = [
        draw_code(posterior, some if width == 1 else width * some)
        for (width, _), some in zip(proposal.widths, around.split(list(counts[:-1])), strict=True)
    ]
    if counts[-1]:
        far = noise[:, near * size :].reshape(rows * counts[-1], numbers)
        parts.append(model.prior.draw(far).view(rows, counts[-1], size).transpose(0, 1))
    return torch.cat(parts)


def _log_density(
    model: Latent, posterior: Independent, proposal: Proposal, counts: Sequence[int], codes: Tensor
) -> Tensor:
    """log sum_j (n_j / K) q_j(z) of codes (k, B, Z): (k, B)."""
    means, deviations, total = posterior.mean, posterior.stddev, sum(counts)
    densities = [
        diagonal(means, deviations * width).log_prob(codes) + math.log(count / total)
        for (width, _), count in zip(proposal.widths, counts[:-1], strict=True)
        if count
    ]
    if counts[-1]:
        densities.append(model.prior().log_prob(codes) + math.log(counts[-1] / total))
    return torch.stack(densities).logsumexp(0)


def mutual_information(
    posterior: Independent, *, seed: int, samples: int = 1, at_once: int = 1024, others: bool = False
) -> float:
    """I(x; z) in nats between rows and codes under q, for N rows each as likely: a posterior over (N, Z).

    The mean over n of log q(z_n | x_n) - log (1/N) sum_j q(z_n | x_j), with z_n from q(z | x_n) and the sum over
    all N rows (Hoffman and Johnson 2016), so it cannot pass ln N: say N beside it. Estimates that sum within a
    small batch are capped at the logarithm of that batch.

    It is a lower bound where the N rows are drawn from more. With `others` the sum is over the N - 1 other rows, and
    the mean an upper bound (leave-one-out; Poole et al. 2019, "On variational bounds of mutual information"), loose
    where it is beyond ln N; the mean rate is another.
    """
    means, deviations = posterior.mean.double(), posterior.stddev.double()
    rows, size = means.shape
    precision = deviations.pow(-2)
    constant = (means.pow(2) * precision).sum(1) / 2 + deviations.log().sum(1)  # (N,)
    everything = Independent(Normal(means, deviations), 1)
    total = 0.0
    for sample in range(samples):
        noise = normals(seed + sample, 0, rows, size).to(means)
        codes = draw_code(everything, noise)
        own = everything.log_prob(codes)  # (N,)
        for start in range(0, rows, at_once):
            some = codes[start : start + at_once]
            cross = some @ (means * precision).T - some.pow(2) @ precision.T / 2 - constant  # (n, N)
            if others:
                cross[torch.arange(len(some)), torch.arange(start, start + len(some))] = -torch.inf
            count = rows - 1 if others else rows
            mixture = cross.logsumexp(1) - math.log(count) - size * math.log(2 * math.pi) / 2
            total += float((own[start : start + at_once] - mixture).sum())
    return total / (rows * samples)


def active_units(means: Tensor, threshold: float = 0.01) -> int:
    """Dimensions whose posterior mean varies over the rows by more than `threshold` (Burda et al. 2016, sec. 5.2)."""
    return int((means.var(0, unbiased=False) > threshold).sum())


@torch.inference_mode()
def posteriors(model: Latent, batches: Iterable[Tensor]) -> Independent:
    """The posteriors of many rows as one distribution over (N, Z)."""
    each = [model.posterior(tokens) for tokens in batches]
    return diagonal(torch.cat([q.mean for q in each]), torch.cat([q.stddev for q in each]))


def diagonal(means: Tensor, deviations: Tensor) -> Independent:
    """Independent normal numbers in each row, (N, Z)."""
    return Independent(Normal(means, deviations, validate_args=False), 1, validate_args=False)

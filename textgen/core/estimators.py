"""Estimators of what a model knows, in nats per row, on rows of tokens.

Every public number of this project comes through here, and `tests/test_estimators.py` holds each of them to the
exact value on models small enough to enumerate every row and integrate over z.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal

from textgen.core.model import Autoregressive, Latent, draw_code
from textgen.core.randomness import normals


class Bounds(NamedTuple):
    """Per row, nats, (B,) each."""

    nll: Tensor  # -log of the importance-weighted estimate of p(x)
    negative_elbo: Tensor  # distortion + rate
    distortion: Tensor  # E_q[-log p(x | z)]
    rate: Tensor  # KL(q(z | x) || p(z)), exact under N(0, I)


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
    at_once: int = 2048,
) -> Bounds:
    """Bounds on log p(x) for rows `first`, `first` + 1, ... of a split, (B, L) tokens.

    `nll` is the importance-weighted bound (Burda et al. 2016, eq. 8): -log (1/K) sum_k p(x | z_k) p(z_k) / q(z_k | x)
    with K = `samples` codes from q(z | x). In expectation it lies above -log p(x), falls as K grows, and at K = 1
    is the negative ELBO. `distortion` averages -log p(x | z_k) over the same codes. `prior` defaults to the
    model's; the rate is exact under a model's N(0, I), else the mean of log q - log p over the codes.
    `labels` (B,): the classes that all of it is given. `at_once` bounds the memory: rows x samples decoded together.
    """
    posterior = model.posterior(tokens)
    rows, size = posterior.mean.shape
    log_prior = model.prior() if prior is None else prior
    noise = normals(seed, first, rows, samples * size).view(rows, samples, size).transpose(0, 1)  # (K, B, Z)
    chunk = max(1, at_once // rows)
    ratios, distortions, rates = [], [], []
    for start in range(0, samples, chunk):
        codes = draw_code(posterior, noise[start : start + chunk].to(posterior.mean.device))  # (k, B, Z)
        count = len(codes)
        classes = None if labels is None else labels.repeat(count)
        context = model.given(count * rows, classes, codes.reshape(count * rows, size))
        distortion = model.distortion(tokens.repeat(count, 1), context).view(count, rows)
        rate = posterior.log_prob(codes) - log_prior.log_prob(codes)  # (k, B)
        ratios.append(-distortion - rate)
        distortions.append(distortion)
        rates.append(rate)
    log_weights = torch.cat(ratios).double()  # (K, B)
    nll = math.log(samples) - log_weights.logsumexp(0)
    distortion = torch.cat(distortions).double().mean(0)
    exact = prior is None and model.prior.standard
    rate = model.rates(posterior).sum(1).double() if exact else torch.cat(rates).double().mean(0)
    return Bounds(nll, distortion + rate, distortion, rate)


def mutual_information(posterior: Independent, *, seed: int, samples: int = 1, at_once: int = 1024) -> float:
    """I(x; z) in nats between rows and codes under q, for N rows each as likely: a posterior over (N, Z).

    The mean over n of log q(z_n | x_n) - log (1/N) sum_j q(z_n | x_j), with z_n from q(z | x_n) and the sum over
    all N rows (Hoffman and Johnson 2016), so it cannot pass ln N: say N beside it. Estimates that sum within a
    small batch are capped at the logarithm of that batch.
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
            mixture = cross.logsumexp(1) - math.log(rows) - size * math.log(2 * math.pi) / 2
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

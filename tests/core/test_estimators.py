"""Every estimator against the exact value, on models so small that every sentence can be listed and z integrated.

The exact side shares no code with the estimators: it walks `backbone.forward` token by token and integrates over z on
a dense grid in float64. The wrong formulas that published code uses are held to the same tolerance, and must fail it.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import cycle, product
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

import small
from small import BLANK, PAD, STOP
from textgen.core import annealing, estimators
from textgen.core.backbone import Vocabulary
from textgen.core.model import Latent
from textgen.core.player import Batch
from textgen.core.randomness import Draw, normals
from textgen.core.sampler import Choice
from textgen.priors import mixture
from textgen.runs import library
from textgen.sentences import measures

TOLERANCE = 1e-2  # nats
TINY = Vocabulary(5, PAD, STOP, BLANK, unknown=True)  # two letters
LONGEST = 4  # tokens, the stop among them
LETTERS = (BLANK, 3, 4)  # what a sentence is made of; blank is an unknown word, and as likely to be written

# Every sentence that stops in time, and what has not stopped by then.
SENTENCES = [(*s, STOP) for n in range(LONGEST) for s in product(LETTERS, repeat=n)]
UNSTOPPED = list(product(LETTERS, repeat=LONGEST))


def padded(rows: list[tuple[int, ...]]) -> Tensor:
    return torch.tensor([[*row, *[PAD] * (LONGEST - len(row))] for row in rows])


EVERY = padded(SENTENCES)  # (40, 4)


def grid(lowest: float, highest: float, points: int) -> tuple[Tensor, float]:
    """Points (N, 1), and how far apart they are: smooth functions that vanish at the ends need no other weights."""
    return torch.linspace(lowest, highest, points, dtype=torch.float64)[:, None], (highest - lowest) / (points - 1)


def log_normal(z: Tensor, mean: Tensor | float = 0.0, deviation: Tensor | float = 1.0) -> Tensor:
    """log N(z; mean, deviation^2) summed over the last dimension, written out."""
    mean, deviation = torch.as_tensor(mean, dtype=torch.float64), torch.as_tensor(deviation, dtype=torch.float64)
    return (-0.5 * ((z - mean) / deviation) ** 2 - deviation.log() - 0.5 * math.log(2 * math.pi)).sum(-1)


def written(logits: Tensor) -> Tensor:
    """log p of the next token, (..., V): padding is never written, and the others share its probability."""
    return logits.double().masked_fill(torch.arange(TINY.size) == PAD, -torch.inf).log_softmax(-1)


@torch.no_grad()
def log_likelihoods(model: Latent, rows: Tensor, codes: Tensor) -> Tensor:
    """log p(x | z) for rows (R, L) and codes (N, Z): (R, N), float64."""
    found = []
    for row in rows:
        length = int((row != PAD).sum())
        logits = model.backbone(row[:length].expand(len(codes), -1), codes.float())
        steps = written(logits)
        found.append(steps.gather(2, row[:length].expand(len(codes), -1)[..., None]).sum((1, 2)))
    return torch.stack(found)


class Exact(NamedTuple):
    nll: Tensor
    negative_elbo: Tensor
    distortion: Tensor
    rate: Tensor
    means: Tensor
    deviations: Tensor


def integrate(model: Latent, rows: Tensor) -> Exact:
    """Everything about `rows` under a model with Z = 1, by quadrature."""
    codes, step = grid(-9, 9, 1201)
    log_joint = log_likelihoods(model, rows, codes) + log_normal(codes)
    nll = -(log_joint.logsumexp(1) + math.log(step))
    with torch.no_grad():
        posterior = model.posterior(rows)
    means, deviations = posterior.mean.double(), posterior.stddev.double()
    distortions, rates = [], []
    for row, mean, deviation in zip(rows, means, deviations, strict=True):
        points, width = grid(-9, 9, 401)
        near = mean + deviation * points
        weights = log_normal(points).exp() * width
        distortions.append(-(weights * log_likelihoods(model, row[None], near)[0]).sum())
        rates.append((weights * (log_normal(near, mean, deviation) - log_normal(near))).sum())
    distortion, rate = torch.stack(distortions), torch.stack(rates)
    return Exact(nll, distortion + rate, distortion, rate, means, deviations)


def tiny(backbone: str, encoder: str = "lstm", latent: int = 1, gain: float = 0.6) -> Latent:
    """A VAE whose code matters, with posteriors near the true ones in mean and wide, so that weights are tame."""
    sizes = {"width": 4, "embedding": 4, "encoder_width": 4, "encoder_embedding": 4, "heads": 1, "encoder_heads": 1}
    names = small.settings("vae", backbone=backbone, encoder=encoder)
    chosen = {name: value for name, value in sizes.items() if name in names}
    model = small.model("vae", TINY, backbone=backbone, encoder=encoder, latent=latent, rate=None, **chosen)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() >= 2:
                weight.normal_(0, gain, generator=torch.Generator().manual_seed(weight.numel()))
        line, _ = grid(-4, 4, 41)
        codes = torch.cartesian_prod(*[line[:, 0]] * latent).view(-1, latent)
        posterior = (log_likelihoods(model, EVERY, codes) + log_normal(codes)).softmax(1)  # (40, N)
        features = model.encoder(EVERY, TINY.mask(EVERY)).double()
        centre, spread = features.mean(0), features.std(0) + 1e-3
        known = torch.cat([(features - centre) / spread, torch.ones(len(EVERY), 1)], 1)
        gram = known.T @ known + torch.eye(known.shape[1], dtype=torch.float64)
        fitted = torch.linalg.solve(gram, known.T @ (posterior @ codes)).T  # (Z, features + 1)
        model.summary.weight[:latent] = fitted[:, :-1] / spread
        model.summary.bias[:latent] = fitted[:, -1] - fitted[:, :-1] @ (centre / spread)
        sigma = features @ model.summary.weight[latent:].double().T
        scale = 0.05 / sigma.std(0)
        model.summary.weight[latent:] *= scale[:, None]
        model.summary.bias[latent:] = math.log(0.9) - sigma.mean(0) * scale
    return model


MODELS = {f"{b}-{e}": (b, e) for b, e in zip(small.BACKBONES, cycle(small.ENCODERS))}  # each at least once


@cache
def made(name: str) -> tuple[Latent, Exact]:
    """The model with the largest weights whose posteriors, normal as they are, still come near the true ones."""
    for gain in (0.6, 0.5, 0.4, 0.3):
        model = tiny(*MODELS[name], gain=gain)
        exact = integrate(model, EVERY)
        if (exact.negative_elbo - exact.nll).mean() < 0.3:
            break
    return model, exact


@pytest.fixture(params=MODELS)
def case(request) -> tuple[Latent, Exact]:
    return made(request.param)


def estimated(model: Latent, samples: int = 4000, rows: Tensor = EVERY, **options) -> estimators.Bounds:
    """The estimates, each made once."""
    key = (id(model), samples, len(rows), *options)
    if key not in _estimates:
        _estimates[key] = estimators.bounds(model, rows, samples=samples, seed=0, **options)
    return _estimates[key]


_estimates: dict[tuple, estimators.Bounds] = {}


def furthest(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().max())


# The exact side itself.


def test_the_sentences_and_what_has_not_stopped_have_probability_one_together(case):
    """Summed over all rows: nothing goes to padding, which no row can hold."""
    model, exact = case
    codes, step = grid(-9, 9, 601)
    weights = (log_normal(codes) + math.log(step)).exp()
    unstopped = (log_likelihoods(model, padded(UNSTOPPED), codes).exp() @ weights).sum()
    assert float((-exact.nll).exp().sum() + unstopped) == pytest.approx(1, abs=1e-4)


def test_the_cases_are_worth_testing_on(case):
    """z matters, the posterior is not the prior, the bound is not tight: else a wrong formula could pass."""
    _, exact = case
    assert (exact.negative_elbo - exact.nll).max() > 10 * TOLERANCE
    assert exact.rate.max() > 10 * TOLERANCE
    assert (exact.negative_elbo >= exact.nll - 1e-6).all()


# Bounds.


def test_rate_is_the_exact_divergence(case):
    model, exact = case
    assert furthest(estimated(model, 1).rate, exact.rate) < 1e-4


def test_distortion_and_negative_elbo_meet_the_exact_values(case):
    model, exact = case
    found = estimated(model)
    assert furthest(found.distortion.mean(), exact.distortion.mean()) < TOLERANCE
    assert furthest(found.negative_elbo.mean(), exact.negative_elbo.mean()) < TOLERANCE
    assert furthest(found.distortion, exact.distortion) < 10 * TOLERANCE  # the furthest of 40 rows


def test_the_importance_weighted_nll_meets_the_exact_value(case):
    model, exact = case
    found = estimated(model)
    assert furthest(found.nll.mean(), exact.nll.mean()) < TOLERANCE
    assert furthest(found.nll, exact.nll) < 10 * TOLERANCE


def test_the_bound_falls_towards_the_exact_value_as_samples_grow(case):
    """negative ELBO = IW(1) >= IW(5) >= IW(50) >= exact, in expectation over seeds, for the mean row."""
    model, exact = case
    means = []
    for samples, repeats in ((1, 300), (5, 60), (50, 10)):
        found = [estimators.bounds(model, EVERY, samples=samples, seed=seed).nll for seed in range(repeats)]
        means.append(float(torch.stack(found).mean()))
    assert means[0] == pytest.approx(float(exact.negative_elbo.mean()), abs=2 * TOLERANCE)
    assert means[0] > means[1] > means[2] > float(exact.nll.mean()) - TOLERANCE / 2


def test_memory_bounding_changes_nothing(case):
    model, _ = case
    one = estimators.bounds(model, EVERY, samples=50, seed=1)
    for at_once in (1, 100, 10_000):
        for values, others in zip(
            one, estimators.bounds(model, EVERY, samples=50, seed=1, at_once=at_once), strict=True
        ):
            torch.testing.assert_close(values, others, rtol=0, atol=1e-5)


def test_a_row_has_the_same_estimate_in_any_batch(case):
    model, _ = case
    together = estimators.bounds(model, EVERY, samples=20, seed=1)
    for first in (0, 7, 30):
        alone = estimators.bounds(model, EVERY[first : first + 3], samples=20, seed=1, first=first)
        for values, others in zip(alone, together, strict=True):
            torch.testing.assert_close(values, others[first : first + 3], rtol=0, atol=1e-5)


def test_another_prior_takes_the_place_of_the_normal(case):
    model, _ = case
    centres, spread = torch.tensor([[-0.6], [0.4], [0.9]]), torch.tensor([[0.9], [0.7], [1.1]])
    shares = torch.tensor([0.2, 0.5, 0.3])
    prior = MixtureSameFamily(Categorical(shares), Independent(Normal(centres, spread), 1))
    codes, step = grid(-9, 9, 1201)
    parts = [s.double().log() + log_normal(codes, c, d) for s, c, d in zip(shares, centres, spread, strict=True)]
    log_prior = torch.stack(parts).logsumexp(0)
    exact = -(log_likelihoods(model, EVERY, codes) + log_prior).logsumexp(1) - math.log(step)
    found = estimated(model, prior=prior)
    fitted = mixture.build(mixture.Config(components=3), 1)
    with torch.no_grad():
        fitted.logits.copy_(shares.log())
        fitted.means.copy_(centres)
        fitted.log_std.copy_(spread.log())
    try:
        normal, model.prior = model.prior, fitted
        own = estimators.bounds(model, EVERY, samples=4000, seed=0)
    finally:
        model.prior = normal
    for values, others in zip(own, found, strict=True):  # a model's own prior, where none is given
        torch.testing.assert_close(values, others, rtol=0, atol=1e-4)
    assert furthest(found.nll.mean(), exact.mean()) < TOLERANCE
    with torch.no_grad():
        posterior = model.posterior(EVERY)
    rates = []
    for mean, deviation in zip(posterior.mean.double(), posterior.stddev.double(), strict=True):
        log_q = log_normal(codes, mean, deviation)
        rates.append((log_q.exp() * (log_q - log_prior)).sum() * step)
    assert furthest(found.rate.mean(), torch.stack(rates).mean()) < TOLERANCE
    assert (found.negative_elbo >= found.nll - 3 * TOLERANCE).all()


def test_two_dimensions_are_summed_over():
    """Z = 2, on a grid of the plane."""
    model = tiny("lstm", latent=2)
    line, step = grid(-6, 6, 81)
    plane = torch.cartesian_prod(line[:, 0], line[:, 0])
    some = EVERY[::9]
    nll = -(log_likelihoods(model, some, plane) + log_normal(plane)).logsumexp(1) - 2 * math.log(step)
    found = estimated(model, rows=some, samples=8000)
    assert furthest(found.nll.mean(), nll.mean()) < TOLERANCE
    with torch.no_grad():
        posterior = model.posterior(some)
    rates = []
    for mean, deviation in zip(posterior.mean.double(), posterior.stddev.double(), strict=True):
        log_q = log_normal(plane, mean, deviation)
        rates.append((log_q.exp() * (log_q - log_normal(plane))).sum() * step**2)
    rate = torch.stack(rates)
    assert furthest(found.rate, rate) < 1e-3
    # DELLA averages the divergence where it should be summed.
    assert furthest(model.rates(posterior).mean(1).double(), rate) > 10 * TOLERANCE


@pytest.mark.parametrize("name", small.BACKBONES)
def test_a_model_without_codes_has_its_likelihood_exactly(name):
    model = small.model("lm", TINY, loud=3.0, backbone=name)
    found = estimators.exact_nll(model, EVERY)
    wanted = []
    with torch.no_grad():
        for row in SENTENCES:
            steps = written(model.backbone(torch.tensor([row])))
            wanted.append(-sum(float(steps[0, place, token]) for place, token in enumerate(row)))
    assert furthest(found.double(), torch.tensor(wanted)) < 1e-4
    found = float(torch.exp(-found.double()).sum())
    assert 0.1 < found < 1


# The rate, against Monte Carlo.


def test_the_rate_formula_with_sigma_the_logarithm_of_the_standard_deviation():
    """KL(N(m, exp(2 sigma)) || N(0, 1)) = (exp(2 sigma) + m^2 - 1 - 2 sigma) / 2, against Monte Carlo.

    The lecture's formula, with exp(sigma) both the standard deviation and the variance, is off.
    """
    generator = torch.Generator().manual_seed(0)
    mean, sigma = torch.tensor([0.7, -1.5, 0.0]).double(), torch.tensor([-1.2, 0.4, -0.1]).double()
    exact = (torch.exp(2 * sigma) + mean**2 - 1 - 2 * sigma) / 2
    codes = mean + sigma.exp() * torch.randn(400_000, 3, generator=generator, dtype=torch.float64)
    ratios = torch.stack(
        [log_normal(codes[:, d, None], mean[d], sigma[d].exp()) - log_normal(codes[:, d, None]) for d in range(3)]
    )
    assert furthest(ratios.mean(1), exact) < TOLERANCE / 2
    model = small.model("vae", latent=3)
    posterior = Independent(Normal(mean.float()[None], sigma.exp().float()[None]), 1)
    assert furthest(model.rates(posterior)[0].double(), exact) < 1e-6
    lecture = (sigma.exp() + mean**2 - 1 - sigma) / 2
    assert furthest(lecture, exact) > 10 * TOLERANCE


def test_a_code_is_the_mean_and_the_exponential_of_log_std_times_noise():
    """Training draws c = m + exp(log_std) e, with e standard normal."""
    model = tiny("lstm").requires_grad_(False)
    summary = model.summary(model.encoder(EVERY, TINY.mask(EVERY)))
    mean, sigma = summary.chunk(2, 1)
    posterior = model.posterior(EVERY)
    torch.testing.assert_close(posterior.mean, mean)
    bounded = Latent.WIDEST * torch.tanh(sigma / Latent.WIDEST)
    torch.testing.assert_close(posterior.stddev, bounded.exp())
    assert furthest(bounded, sigma) < 0.1  # the bound is far away
    seen = []
    distortion = model.distortion
    model.distortion = lambda tokens, codes, inputs=None: seen.append(codes) or distortion(tokens, codes, inputs)

    class Noise:
        @staticmethod
        def normal(size: int) -> Tensor:
            return torch.full((len(EVERY), size), 1.5)

    model.loss(Batch(EVERY), Noise())
    torch.testing.assert_close(seen[0], mean + bounded.exp() * 1.5)


# Mutual information and active units.


def mutual_information(means: Tensor, deviations: Tensor) -> float:
    """I(x; z) of rows that are equally likely, by quadrature."""
    codes, step = grid(-12, 12, 12_001)
    log_q = torch.stack([log_normal(codes, m, d) for m, d in zip(means, deviations, strict=True)])  # (N, points)
    mixture = log_q.logsumexp(0) - math.log(len(means))
    return float((log_q.exp() * (log_q - mixture)).sum(1).mean() * step)


def test_mutual_information_meets_the_exact_value(case):
    model, exact = case
    found = estimators.posteriors(model, EVERY.split(20))
    posterior = Independent(Normal(4 * found.mean, found.stddev / 2), 1)  # further apart, so that there is more to say
    wanted = mutual_information(4 * exact.means, exact.deviations / 2)
    assert wanted > 30 * TOLERANCE
    found = estimators.mutual_information(posterior, seed=0, samples=1200)
    assert found == pytest.approx(wanted, abs=TOLERANCE)
    one, other = (estimators.mutual_information(posterior, seed=0, samples=9, at_once=some) for some in (1024, 30))
    assert one == pytest.approx(other, abs=1e-9)


def test_mutual_information_is_nothing_where_all_posteriors_agree_and_ln_n_where_none_meet():
    same = Independent(Normal(torch.zeros(50, 3), torch.ones(50, 3)), 1)
    assert estimators.mutual_information(same, seed=0) == pytest.approx(0, abs=1e-9)
    apart = Independent(Normal(100 * torch.arange(50.0)[:, None], torch.ones(50, 1)), 1)
    assert estimators.mutual_information(apart, seed=0) == pytest.approx(math.log(50), abs=1e-9)


def test_mutual_information_is_at_most_the_mean_rate(case):
    """I(x; z) = mean rate - KL(mixture || prior), so it never exceeds the rate."""
    _, exact = case
    assert mutual_information(exact.means, exact.deviations) <= float(exact.rate.mean())


def test_mutual_information_in_a_plane_is_the_sum_over_independent_directions():
    first, second = torch.linspace(-2, 2, 7), torch.linspace(-1, 3, 5)
    means = torch.cartesian_prod(first, second)
    deviations = torch.tensor([0.5, 0.8]).expand(35, 2)
    wanted = sum(mutual_information(m[:, None].double(), torch.full((len(m), 1), d).double())
                 for m, d in ((first, 0.5), (second, 0.8)))  # fmt: skip
    found = estimators.mutual_information(Independent(Normal(means, deviations), 1), seed=0, samples=800)
    assert found == pytest.approx(wanted, abs=TOLERANCE)


def test_active_units_are_the_dimensions_whose_mean_varies():
    means = torch.zeros(1000, 4)
    generator = torch.Generator().manual_seed(0)
    means[:, 0] = 3.0  # large but constant
    means[:, 1] = 0.05 * torch.randn(1000, generator=generator)  # variance 0.0025
    means[:, 2] = 0.2 * torch.randn(1000, generator=generator)  # variance 0.04
    means[:, 3] = 5 * torch.randn(1000, generator=generator)
    assert estimators.active_units(means) == 2
    assert estimators.active_units(means, threshold=0.001) == 3
    assert estimators.active_units(means[:1]) == 0


def test_posteriors_of_batches_are_those_of_all_rows(case):
    model, exact = case
    found = estimators.posteriors(model, EVERY.split(13))
    assert furthest(found.mean.double(), exact.means) < 1e-5
    assert furthest(found.stddev.double(), exact.deviations) < 1e-5


# Formulas of published code, which must fail where ours passes.


@cache
def weights_of(model: Latent, samples: int) -> tuple[Tensor, Tensor, Tensor]:
    """log p(x | z), log p(z) and log q(z | x) of codes from q: (K, B) each."""
    with torch.no_grad():
        posterior = model.posterior(EVERY)
        codes = posterior.mean + posterior.stddev * torch.randn(
            samples, *posterior.mean.shape, generator=torch.Generator().manual_seed(0)
        )
        flat = codes.reshape(-1, codes.shape[2])
        nll = model.distortion(EVERY.repeat(samples, 1), flat).view(samples, len(EVERY))
        return -nll.double(), model.prior().log_prob(codes).double(), posterior.log_prob(codes).double()


def iw_with_its_sign_reversed(model: Latent, samples: int = 2000) -> Tensor:
    """AdaVAE: `ll = log_gen - log_prior + log_infer`."""
    likelihood, prior, infer = weights_of(model, samples)
    return math.log(samples) - (likelihood - prior + infer).logsumexp(0)


def iw_of_the_inverse(model: Latent, samples: int = 2000) -> Tensor:
    """bohanli/vae-pretraining-encoder: log E[1 / w] in place of -log E[w]."""
    likelihood, prior, infer = weights_of(model, samples)
    return (-(likelihood + prior - infer)).logsumexp(0) - math.log(samples)


def iw_right(model: Latent, samples: int = 2000) -> Tensor:
    likelihood, prior, infer = weights_of(model, samples)
    return math.log(samples) - (likelihood + prior - infer).logsumexp(0)


def nll_times_length(model: Latent) -> Tensor:
    """LangVAE: the loss of a row multiplied by its number of tokens."""
    return estimated(model, 300).nll * (EVERY != PAD).sum(1)


def nll_without_rate(model: Latent) -> Tensor:
    """TextBox: `nll_test` is the reconstruction alone."""
    return estimated(model, 300).distortion


def nll_per_length_and_rate(model: Latent) -> Tensor:
    """AdaVAE, TextBox, Optimus: cross-entropy per token, divergence per sentence."""
    found = estimated(model, 300)
    return found.distortion / (EVERY != PAD).sum(1) + found.rate


def test_the_harness_passes_the_right_formula(case):
    model, exact = case
    assert furthest(iw_right(model), exact.nll) < 10 * TOLERANCE


@pytest.mark.parametrize("wrong", [iw_with_its_sign_reversed, iw_of_the_inverse, nll_times_length, nll_without_rate])
def test_a_wrong_likelihood_fails(case, wrong):
    model, exact = case
    assert furthest(wrong(model), exact.nll) > 20 * TOLERANCE


def test_a_loss_per_token_with_a_rate_per_sentence_is_no_negative_elbo(case):
    model, exact = case
    assert furthest(nll_per_length_and_rate(model), exact.negative_elbo) > 20 * TOLERANCE


def test_mutual_information_within_a_small_batch_fails():
    """vae-lagging-encoder: the mixture is taken over the batch, so that ln 8 is the most it can say."""
    means, deviations = torch.linspace(-4, 4, 64).double()[:, None], torch.full((64, 1), 0.05).double()
    wanted = mutual_information(means, deviations)
    posterior = Independent(Normal(means, deviations), 1)
    assert estimators.mutual_information(posterior, seed=0, samples=150) == pytest.approx(wanted, abs=TOLERANCE)
    batches = torch.randperm(64, generator=torch.Generator().manual_seed(0)).split(8)
    parts = [Independent(Normal(means[some], deviations[some]), 1) for some in batches]
    within = sum(estimators.mutual_information(part, seed=0, samples=50) for part in parts) / len(parts)
    assert within <= math.log(8)
    assert abs(within - wanted) > 50 * TOLERANCE


def test_the_importance_weights_of_a_known_integral():
    """The toy of our notes: the right weights give log p(x), the reversed sign gives far too good a number."""
    normal = torch.Generator().manual_seed(1)
    mean, deviation, samples = 0.6, 0.8, 200_000
    codes = mean + deviation * torch.randn(samples, 1, generator=normal, dtype=torch.float64)
    points, step = grid(-9, 9, 2001)
    exact = float((log_normal(points, points * 0, 1.0) + log_normal(0.5 - points)).logsumexp(0) + math.log(step))
    likelihood, prior, infer = log_normal(0.5 - codes), log_normal(codes), log_normal(codes, mean, deviation)
    right = float((likelihood + prior - infer).logsumexp(0)) - math.log(samples)
    reversed_sign = float((likelihood - prior + infer).logsumexp(0)) - math.log(samples)
    assert right == pytest.approx(exact, abs=TOLERANCE)
    assert reversed_sign > exact + 0.2


def test_a_few_codes_everywhere_corrected_by_many_on_some_are_many_everywhere(toy_run, toy_corpus):
    """The control variate lands on the bound of all rows, which a few codes alone miss."""
    opened = library.open_model(toy_run)
    texts, where = measures.texts(toy_corpus, "train")
    texts = texts[:120]
    whole = measures.measure(opened, texts, where=where, samples=100)
    few = measures.measure(opened, texts, where=where, samples=5)
    found = measures.measure(opened, texts, where=where, samples=100, rows=60, everywhere=5)
    assert found["NLL"] == pytest.approx(whole["NLL"], abs=0.25)
    assert few["NLL"] > whole["NLL"] + 0.4
    assert "from K=5 on all, by 60 sentences" in found.figures[0].estimator
    assert found.figures[1].estimator.count("words") == 1
    assert found["rate"] == pytest.approx(whole["rate"], abs=1e-4), "exact, of all rows"


def test_rows_keep_their_places_among_bounds(toy_run, toy_corpus):
    """Batches go by length; what comes back must be in the order asked for."""
    opened = library.open_model(toy_run)
    texts, _ = measures.texts(toy_corpus, "test")
    whole = measures.Tokenised(opened, texts[:20])
    some = list(range(19, -1, -1))
    found = measures.bounds_of(opened.model, whole, some, measures.Sampling(2, 0)).rate
    posterior = opened.model.posterior(whole.padded(some))
    torch.testing.assert_close(found, opened.model.rates(posterior).sum(1).double().detach(), rtol=1e-4, atol=1e-4)


def test_a_script_without_spaces_gets_no_perplexity_per_word(toy_run):
    opened = library.open_model(toy_run)
    found = measures.measure(opened, ["cat", "dog"], where="two words", samples=2)
    assert "perplexity" not in [figure.name for figure in found.figures]
    assert found["token perplexity"] > 1


# Trained models, whose posteriors are narrower than the true ones, or miss them.


@cache
def trained(backbone: str) -> tuple[Latent, Tensor]:
    """A VAE with one code, trained at a tenth of the rate's weight, and the exact NLL of every sentence.

    So little weight spreads the codes far beyond the prior, under which the likelihood is: codes from the posterior
    alone hardly ever lie where p(x, z) has its mass.
    """
    model = small.model("vae", TINY, backbone=backbone, latent=1, rate=None, beta=0.1)
    draw = torch.Generator().manual_seed(0)
    shares = torch.rand(len(EVERY), generator=draw) ** 4 + 0.01
    optimiser = torch.optim.Adam(model.parameters(), lr=2e-2)
    model.train()
    for step in range(250):
        rows = EVERY[torch.multinomial(shares, 32, replacement=True, generator=draw)]
        optimiser.zero_grad()
        model.loss(Batch(rows, None, 32), Draw(0, step, total=32)).loss.mean().backward()
        optimiser.step()
    model.eval()
    codes, step = grid(-9, 9, 1801)
    nll = -((log_likelihoods(model, EVERY, codes) + log_normal(codes)).logsumexp(1) + math.log(step))
    return model, nll


@pytest.fixture(params=["lstm", "wavenet"])
def learned(request) -> tuple[Latent, Tensor]:
    return trained(request.param)


def test_the_nll_of_a_trained_model_meets_the_exact_value(learned):
    """To 0.01 on average, by codes of the posterior, of a wider one and of the prior. The posterior's alone do not."""
    model, exact = learned
    found = estimators.bounds(model, EVERY, samples=4000, seed=0, proposal=estimators.proposal_for(1))
    assert furthest(found.nll.mean(), exact.mean()) < TOLERANCE
    errors = (found.effective * 4000).rsqrt()  # of each row, as the effective sample size has it
    assert ((found.nll - exact).abs() < 4 * errors + TOLERANCE).all()
    alone = estimators.bounds(model, EVERY, samples=4000, seed=0)
    assert alone.nll.mean() - exact.mean() > 5 * TOLERANCE
    assert alone.effective.median() < found.effective.median()


def test_the_weights_of_a_mixed_proposal_have_the_likelihood_as_their_mean(learned):
    """Few codes, many seeds: the mean of the estimates of p(x) is p(x), so the bound lies above in expectation."""
    model, exact = learned
    several = torch.stack(
        [
            estimators.bounds(model, EVERY, samples=10, seed=s, proposal=estimators.proposal_for(1)).nll
            for s in range(150)
        ]
    )
    ratios = (exact - several).exp().mean(1)  # of all rows, for each seed: 1 in expectation
    assert abs(float(ratios.mean()) - 1) < 4 * float(ratios.std()) / math.sqrt(len(ratios)) + 1e-3
    assert (several.mean(0).mean() > exact.mean()).item()


def test_one_code_of_a_mixed_proposal_is_the_negative_elbo(learned):
    model, _ = learned
    assert estimators.proposal_for(1).counts(1) == [1, 0, 0, 0, 0, 0]
    one = estimators.bounds(model, EVERY, samples=1, seed=3, proposal=estimators.proposal_for(1))
    other = estimators.bounds(model, EVERY, samples=1, seed=3)
    for values, others in zip(one, other, strict=True):
        torch.testing.assert_close(values, others)


@pytest.mark.parametrize("samples", [1, 2, 3, 5, 20, 500, 4001])
def test_a_proposal_deals_out_all_codes(samples):
    for proposal in (estimators.POSTERIOR, estimators.WIDENED, estimators.SPREAD):
        counts = proposal.counts(samples)
        assert sum(counts) == samples
        assert counts[0] >= 1 and min(counts) >= 0


def test_distortion_and_elbo_of_a_mixed_proposal_are_of_the_posterior(learned):
    model, _ = learned
    mixed = estimators.bounds(model, EVERY, samples=8000, seed=0, proposal=estimators.proposal_for(1))
    plain = estimators.bounds(model, EVERY, samples=1600, seed=1)
    assert furthest(mixed.distortion.mean(), plain.distortion.mean()) < 5 * TOLERANCE
    assert furthest(mixed.rate, plain.rate) < 1e-5, "exact under N(0, I)"


def test_a_mixed_proposal_draws_from_a_fitted_prior(learned):
    model, _ = learned
    fitted = mixture.build(mixture.Config(components=2), 1)
    shares, centres, spread = torch.tensor([0.3, 0.7]), torch.tensor([[-1.5], [1.0]]), torch.tensor([[0.4], [0.8]])
    with torch.no_grad():
        fitted.logits.copy_(shares.log())
        fitted.means.copy_(centres)
        fitted.log_std.copy_(spread.log())
    codes, step = grid(-9, 9, 1801)
    parts = [s.double().log() + log_normal(codes, c, d) for s, c, d in zip(shares, centres, spread, strict=True)]
    exact = -(log_likelihoods(model, EVERY, codes) + torch.stack(parts).logsumexp(0)).logsumexp(1) - math.log(step)
    normal, model.prior = model.prior, fitted
    try:
        found = estimators.bounds(model, EVERY, samples=4000, seed=0, proposal=estimators.proposal_for(1))
    finally:
        model.prior = normal
    assert furthest(found.nll.mean(), exact.mean()) < TOLERANCE


def test_annealing_meets_the_exact_value(learned):
    """Chains from the posterior come where the mass is, which codes from the posterior do not."""
    model, exact = learned
    some = torch.arange(0, len(EVERY), 5)
    ways = {"samples": 300, "seed": 0, "at_once": 20_000}
    found = estimators.bounds(model, EVERY[some], ais=40, **ways)
    alone = estimators.bounds(model, EVERY[some], **ways)
    assert furthest(found.nll.mean(), exact[some].mean()) < 2 * TOLERANCE
    assert alone.nll.mean() - exact[some].mean() > 5 * TOLERANCE
    assert found.effective.median() > alone.effective.median()
    torch.testing.assert_close(found.rate, alone.rate)


def test_annealing_in_one_step_is_importance_sampling_from_the_start(learned):
    """Its weights are p(x, z) over the density of the start, with no move between."""
    model, _ = learned
    rows, chains, far = EVERY[:6], 50, 5
    with torch.no_grad():
        posterior = model.posterior(rows)
    weights = annealing.log_weights(model, rows, steps=1, chains=chains, seed=4)
    noise = normals(4, 0, 6, 2 * chains * 2).view(6, 2, chains, 2)[:, 0, :, :1].transpose(0, 1)  # (K, B, 1)
    wide = annealing.WIDTH * posterior.stddev
    codes = torch.cat([noise[:far], posterior.mean + wide * noise[far:]])
    with torch.no_grad():
        nll = model.distortion(rows.repeat(chains, 1), codes.flatten(0, 1)).view(chains, 6)
    start = (0.9 * log_normal(codes, posterior.mean, wide).exp() + 0.1 * log_normal(codes).exp()).log()
    torch.testing.assert_close(weights, log_normal(codes) - nll - start, rtol=1e-4, atol=1e-4)


def test_a_move_leaves_its_density_as_it_is(learned):
    """Chains drawn from the density between, by its quadrature, are distributed as before after ten moves."""
    model, _ = learned
    rows, chains, share = EVERY[7:8], 4000, 0.6
    with torch.no_grad():
        posterior = model.posterior(rows)
    land = annealing._Landscape(model, rows, None, posterior.mean, posterior.stddev, 0, 0.1, 10**6)
    points, _ = grid(-9, 9, 3601)
    places = land.at(((points.float() - posterior.mean) / posterior.stddev)[:, None])
    heights = places.log_density(share)[:, 0].double().softmax(0).cumsum(0)
    draws = torch.rand(chains, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    chosen = points[torch.searchsorted(heights, draws).clamp(max=len(points) - 1)].float()
    place = land.at(((chosen - posterior.mean) / posterior.stddev)[:, None])
    rates = []
    for seed in range(10):
        numbers = normals(seed, 0, chains, 2)[:, None]
        place, accepted = annealing._move(land, place, numbers[..., :1], numbers[..., 1], torch.full((1,), 1.0), share)
        rates.append(float(accepted.float().mean()))
    moved = (posterior.mean + posterior.stddev * place.away[:, 0]).flatten().double()
    ranks = torch.searchsorted(points.flatten(), moved).clamp(max=len(points) - 1)
    apart = (heights[ranks].sort().values - torch.linspace(0, 1, chains, dtype=torch.float64)).abs().max()
    assert 0.2 < sum(rates) / 10 < 1.0, "moves are taken, and some are refused"
    assert float(apart) < 1.63 / math.sqrt(chains) + 0.01, "Kolmogorov-Smirnov, 1 %, and the grid"


def test_rows_of_a_batch_anneal_as_they_do_alone(learned):
    model, _ = learned
    together = estimators.bounds(model, EVERY[:6], samples=3, seed=0, ais=5).nll
    alone = estimators.bounds(model, EVERY[4:6], samples=3, seed=0, ais=5, first=4).nll
    torch.testing.assert_close(alone, together[4:], rtol=1e-4, atol=1e-4)


def test_the_effective_sample_size_of_known_weights():
    weights = torch.tensor([[1.0, 1.0], [1.0, 1e-30], [1.0, 1e-30], [1.0, 1e-30]]).double().log()
    nll, effective, greatest = estimators.weighed(weights)
    torch.testing.assert_close(nll.exp(), torch.tensor([1.0, 4.0]).double())
    torch.testing.assert_close(effective, torch.tensor([1.0, 0.25]).double())
    torch.testing.assert_close(greatest, torch.tensor([0.25, 1.0]).double())


# Tokens that are never written.


@pytest.mark.parametrize("name", small.BACKBONES)
@pytest.mark.parametrize("unknown", [True, False])
def test_what_is_never_written_has_no_probability(name, unknown):
    """All rows of real tokens, and those that have not stopped, share 1: nothing goes to padding, nor to blank where
    no row holds it."""
    vocab = TINY._replace(unknown=unknown)
    model = small.model("lm", vocab, loud=3.0, backbone=name)
    letters = LETTERS if unknown else LETTERS[1:]
    rows = [(*s, STOP) for n in range(LONGEST) for s in product(letters, repeat=n)]
    whole = sum(float((-estimators.exact_nll(model, padded([row])).double()).exp()) for row in rows)
    whole += sum(
        float((-estimators.exact_nll(model, padded([row])).double()).exp()) for row in product(letters, repeat=LONGEST)
    )
    assert whole == pytest.approx(1, abs=1e-5)
    blank = estimators.exact_nll(model, padded([(BLANK, STOP)]))
    assert bool(blank.isfinite()) == unknown


def test_a_loss_with_gradients_is_the_likelihood_without():
    model = small.model("lm", TINY._replace(unknown=False), loud=3.0)
    rows = small.rows([2, 3, 1], TINY)
    with torch.no_grad():
        plain = model.backbone.nll(rows, TINY.mask(rows))
    loss = model.backbone.nll(rows, TINY.mask(rows))
    torch.testing.assert_close(loss.detach(), plain)
    loss.sum().backward()
    assert all(bool(weight.grad.isfinite().all()) for weight in model.parameters() if weight.grad is not None)


@pytest.mark.parametrize("unk", [True, False])
def test_samples_are_distributed_as_the_likelihood_says(unk):
    """With unk exactly as the model; without, as the model given that each next token is a known one."""
    model = small.model("lm", TINY, loud=4.0, seed=1)
    rows = model.sample(6000, length=LONGEST, how=Choice(unk=unk)).tolist()
    rows = [tuple(row + [PAD] * (LONGEST - len(row))) for row in rows]
    if not unk:
        assert not any(BLANK in row for row in rows)
        model.backbone.impossible = (PAD, BLANK)
    every = padded(SENTENCES + UNSTOPPED)
    chances = (-estimators.exact_nll(model, every).double()).exp()
    apart = [
        abs(rows.count(tuple(row)) / len(rows) - p) for row, p in zip(every.tolist(), chances.tolist(), strict=True)
    ]
    assert float(chances.sum()) == pytest.approx(1, abs=1e-5)
    assert sum(apart) / 2 < 0.06


def test_mutual_information_lies_between_its_two_bounds():
    """Of rows drawn from many more: with a row among those it is compared with, below; without, above."""
    draw = torch.Generator().manual_seed(3)
    deviation, wide = 0.3, 1.0  # means N(0, 1): I = log(1 + wide^2 / deviation^2) / 2
    exact = math.log(1 + wide**2 / deviation**2) / 2
    below, above = [], []
    for seed in range(40):
        posterior = Independent(Normal(torch.randn(60, 1, generator=draw), torch.full((60, 1), deviation)), 1)
        below.append(estimators.mutual_information(posterior, seed=seed, samples=5))
        above.append(estimators.mutual_information(posterior, seed=seed, samples=5, others=True))
    assert sum(below) / 40 < exact < sum(above) / 40
    assert sum(above) / 40 - sum(below) / 40 < 0.3

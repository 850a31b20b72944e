"""Rows given some of their tokens: particles against enumeration, on every backbone that looks back."""

from __future__ import annotations

import itertools
import math

import hypothesis
import pytest
import torch
from hypothesis import strategies as st

from corpora.settings import names
from textgen.core import recipes, smc
from textgen.core.backbone import Backbone, Vocabulary

COLOURS, LENGTH = 2, 6
BACKBONES = [*(name for name in names("imagegen.backbones") if name != "deconv"), *names("textgen.backbones")]
_SIZES = {"channels": 8, "layers": 2, "width": 16, "heads": 2, "embedding": 8, "dropout": 0.0, "token_dropout": 0.0}
# hidden tokens are 1: what is shown stands after them, or around them
MASKS = ["111100", "010110", "101010", "011111"]


def backbone(name: str, times: float = 3.0) -> Backbone:
    """A backbone with weights so large that tokens hang on each other strongly."""
    chosen = {"backbone": name, **({"kernel": 3} if name == "pixelcnn" else {})}
    recipe = recipes.compose("lm", chosen, package="imagegen")[0]
    sizes = {key: value for key, value in _SIZES.items() if key in recipe.settings()}
    torch.manual_seed(1)
    made = recipes.build(
        recipes.compose("lm", {**chosen, **sizes}, package="imagegen")[0], Vocabulary(COLOURS, shape=(2, 3))
    )
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() >= 2:
                weight.mul_(times)
    return made.eval().backbone


def mask(word: str) -> torch.Tensor:
    return torch.tensor([letter == "1" for letter in word])


EVERY = torch.tensor(list(itertools.product(range(COLOURS), repeat=LENGTH)))  # all rows, in the order of `number`


def number(rows: torch.Tensor) -> torch.Tensor:
    return (rows * COLOURS ** torch.arange(LENGTH - 1, -1, -1)).sum(-1)


@torch.no_grad()
def exact(made: Backbone, shown: torch.Tensor, hidden: torch.Tensor) -> tuple[torch.Tensor, float]:
    """p(row | shown) of all rows (V^L,), and p(shown)."""
    joint = (-made.nll(EVERY, torch.ones_like(EVERY, dtype=torch.bool)).double()).exp()
    joint = joint * (shown == EVERY)[:, ~hidden].all(1)
    return joint / joint.sum(), float(joint.sum())


def unlikely(made: Backbone, hidden: torch.Tensor) -> torch.Tensor:
    """The row whose shown tokens are least probable among those of several: particles have most to do there."""
    return min((EVERY[n] for n in (9, 22, 37, 50, 60)), key=lambda row: exact(made, row, hidden)[1])


@pytest.mark.parametrize("name", BACKBONES)
@pytest.mark.parametrize("word", MASKS)
def test_rows_come_as_bayes_says(name, word):
    made, hidden = backbone(name), mask(word)
    shown = unlikely(made, hidden)
    wanted, probability = exact(made, shown, hidden)
    found = [smc.fill(made, shown, hidden, count=1000, particles=2000, seed=seed) for seed in range(2)]
    rows = torch.cat([one.tokens for one in found])
    assert torch.equal(rows[:, ~hidden], shown[~hidden].expand(2000, -1))
    shares = torch.bincount(number(rows), minlength=len(EVERY)) / 2000
    assert float((shares - wanted).abs().sum()) / 2 < 0.09  # total variation: 0.03 to 0.06 by chance
    for one in found:
        assert one.exact == (word == "011111")
        assert one.log_shown == pytest.approx(math.log(probability), abs=1e-4 if one.exact else 0.2)


@pytest.mark.parametrize("name", BACKBONES)
@torch.no_grad()
def test_rows_drawn_without_weights_would_be_far_from_that(name):
    """So the law above can fail."""
    made, hidden = backbone(name), mask("111100")
    wanted, _ = exact(made, unlikely(made, hidden), hidden)
    blind = (-made.nll(EVERY, hidden.expand_as(EVERY)).double()).exp() * (wanted > 0)
    assert float((blind / blind.sum() - wanted).abs().sum()) / 2 > 0.12


def any_hints() -> torch.Tensor:
    """About nothing."""
    return torch.randn(LENGTH, COLOURS, generator=torch.Generator().manual_seed(4), dtype=torch.double)


@pytest.mark.parametrize(
    ("word", "stride"), [("111100", 3), ("010110", 3), ("101010", 3), ("101010", 1), ("101010", 9)]
)
def test_hints_that_are_wrong_change_nothing_in_the_end(word, stride):
    made, hidden = backbone("transformer"), mask(word)
    shown = unlikely(made, hidden)
    wanted, probability = exact(made, shown, hidden)
    found = smc.fill(made, shown, hidden, count=2000, particles=4000, hints=any_hints(), stride=stride)
    shares = torch.bincount(number(found.tokens), minlength=len(EVERY)) / 2000
    assert float((shares - wanted).abs().sum()) / 2 < 0.09
    assert found.log_shown == pytest.approx(math.log(probability), abs=0.2)


@torch.no_grad()
def test_hints_that_are_right_leave_nothing_to_chance():
    """Of one hidden token: where the hint is what it says of the shown one after it, all particles weigh the same."""
    made, hidden = backbone("lstm"), mask("000010")
    shown = EVERY[22]
    _, probability = exact(made, shown, hidden)
    rows = shown.repeat(COLOURS, 1)
    rows[:, 4] = torch.arange(COLOURS)
    hints = torch.zeros(LENGTH, COLOURS, dtype=torch.double)
    hints[4] = made(rows)[:, 5].double().log_softmax(-1)[:, shown[5]]
    found = smc.fill(made, shown, hidden, count=1, particles=3, hints=hints)
    assert found.log_shown == pytest.approx(math.log(probability), abs=1e-5)
    assert abs(smc.fill(made, shown, hidden, count=1, particles=3).log_shown - math.log(probability)) > 1e-3


@pytest.mark.parametrize("particles", [1, 4])
@pytest.mark.parametrize(("word", "hinted"), [("111100", False), ("101010", False), ("111100", True), ("010110", True)])
def test_the_estimate_of_what_is_shown_is_unbiased(particles, word, hinted):
    made, hidden = backbone("pixelrnn"), mask(word)
    shown = unlikely(made, hidden)
    _, probability = exact(made, shown, hidden)
    tries, hints = 300, {"hints": any_hints(), "stride": 3} if hinted else {}
    found = [
        smc.fill(made, shown, hidden, count=1, particles=particles, seed=3, first=5 * n, **hints) for n in range(tries)
    ]
    estimates = torch.tensor([one.log_shown for one in found]).exp()
    error = float(estimates.std()) / math.sqrt(tries)
    assert error > 0
    assert abs(float(estimates.mean()) - probability) < 4 * error
    assert float(estimates.log().mean()) < math.log(probability)  # its logarithm is too low on average (Jensen)


@pytest.mark.parametrize("name", BACKBONES)
def test_rows_are_a_function_of_the_seed(name):
    made, hidden = backbone(name), mask("101010")
    drawn = [smc.fill(made, EVERY[22], hidden, count=8, particles=8, seed=seed).tokens for seed in (1, 1, 2)]
    assert torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])


def test_what_comes_first_is_read_once_and_needs_no_particles():
    made, shown = backbone("pixelcnn"), EVERY[22]
    for word in ("001111", "000001", "111111"):
        hidden = mask(word)
        found = smc.fill(made, shown, hidden, count=5, particles=1)
        first = made.nll(shown[None], ~hidden[None]).item()
        assert found.exact and found.effective == 1
        assert found.log_shown == pytest.approx(-first, abs=1e-5)
        assert torch.equal(found.tokens, smc.fill(made, shown, hidden, count=5, particles=5).tokens)
    assert len(found.tokens.unique(dim=0)) > 1


def test_progress_is_told_token_by_token():
    told = []
    smc.fill(backbone("lstm"), EVERY[5], mask("010100"), count=2, particles=3, tell=lambda *n: told.append(n))
    assert told == [(done, 6) for done in range(1, 7)]


@hypothesis.given(
    weights=st.lists(st.floats(0, 1), min_size=1, max_size=9).filter(any),
    count=st.integers(1, 20),
    lot=st.floats(0, 1, exclude_max=True),
)
def test_systematic_resampling_draws_each_as_often_as_it_should_within_one(weights, count, lot):
    shares = torch.tensor(weights, dtype=torch.double) / sum(weights)
    drawn = smc.systematic(shares, count, lot)
    assert drawn.shape == (count,)
    times = torch.bincount(drawn, minlength=len(shares))
    assert float((times - count * shares).abs().max()) < 1 + 1e-9
    assert not times[shares == 0].any()


def test_the_effective_size_counts_equal_weights():
    assert smc.ess(torch.zeros(5)) == pytest.approx(5)
    assert smc.ess(torch.tensor([0.0, 0.0, -torch.inf])) == pytest.approx(2)
    assert smc.ess(torch.tensor([700.0, 0.0])) == pytest.approx(1)

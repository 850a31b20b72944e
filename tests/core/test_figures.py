"""Figures: how they print, their errors over groups, and what they warn of."""

from __future__ import annotations

import json
import math

import pytest
import torch

from textgen.core.estimators import Bounds
from textgen.core.figures import Figure, Figures, clustered_error, mean, of_groups, of_weights, standard_error
from textgen.core.numbers import exponential, shown


@pytest.mark.parametrize(
    ("value", "text"), [(1.234, "1.23"), (-0.5, "-0.50"), (999_999, "999999.00"), (2.5e9, "2.5e+09"), (math.inf, "inf")]
)
def test_great_numbers_are_in_scientific_notation(value, text):
    assert shown(value) == text


def test_an_exponential_beyond_floating_point_is_infinite():
    assert exponential(2.0) == math.exp(2)
    assert exponential(1e4) == math.inf


def test_figures_print_what_json_can_hold():
    every = [
        Figure("perplexity", math.inf, "per word", "exact"),
        Figure("token perplexity", 3.2e40, "per token", "exact"),
        Figure("exact match, refined", 50.0, "%", "5 beams", 2.0, apart="refined codes"),
        Figure("NLL", math.inf, "nats", "exact", math.nan, apart="refined codes"),
    ]
    figures = Figures("m", "d", 3, 0, every, notes=["be careful"])
    lines = str(figures).splitlines()
    assert " inf " in lines[1] and " 3.2e+40 " in lines[2]
    assert lines[3] == "  refined codes:" and "50.00 +- 2.00" in lines[4]
    assert lines[6] == "note: be careful"
    facts = json.loads(json.dumps(figures.to_dict(), allow_nan=False))
    assert facts["figures"][0]["value"] == "inf" and facts["figures"][3]["error"] == "nan"
    assert facts["notes"] == ["be careful"]


def test_an_error_over_groups_is_that_of_their_sums():
    values = torch.tensor([1.0, 3.0, 2.0, 8.0, 6.0, 4.0])
    alone = [str(number) for number in range(6)]
    assert clustered_error(values, alone) == pytest.approx(standard_error(values))
    sums = [(1 - 4) + (3 - 4) + (2 - 4), (8 - 4) + (6 - 4) + (4 - 4)]  # the mean is 4
    expected = math.sqrt(2 / 1 * sum(one**2 for one in sums)) / 6
    assert clustered_error(values, list("aaabbb")) == pytest.approx(expected)
    assert mean("x", values, "", "", list("aaabbb")).error == pytest.approx(expected)
    assert mean("x", values, "", "", ["a"] * 6).error == pytest.approx(standard_error(values)), "one group says nothing"
    assert of_groups(list("aaabbb")) == ", error over 2 groups (few: take it for rough)"
    assert of_groups([str(n) for n in range(40)]) == ", error over 40 groups"
    assert of_groups(None) == of_groups(["a", "a"]) == ""


def test_the_error_over_groups_covers_as_often_as_it_should():
    """Forty authors with a level of their own each: 95 of 100 intervals over them hold the truth, over rows a third."""
    draw, held = torch.Generator().manual_seed(0), [0, 0]
    for _ in range(200):
        values = torch.randn(40, generator=draw).repeat_interleave(25) + 0.1 * torch.randn(1000, generator=draw)
        groups = [str(author) for author in range(40) for _ in range(25)]
        errors = clustered_error(values, groups), standard_error(values)
        for n, error in enumerate(errors):
            held[n] += abs(float(values.mean())) < 1.96 * error
    assert held[0] > 180
    assert held[1] < 100


def bounds(effective: list[float]) -> Bounds:
    zeros = torch.zeros(len(effective))
    return Bounds(zeros, zeros, zeros, zeros, torch.tensor(effective), torch.full((len(effective),), 0.3))


def test_few_effective_codes_are_warned_of():
    figures, notes = of_weights(bounds([0.01, 0.02, 0.5]), 500)
    assert [figure.name for figure in figures] == ["effective sample size", "greatest weight"]
    assert figures[0].value == pytest.approx(10) and figures[0].unit == "of 500 codes"
    assert figures[0].estimator == "median; the least 5.0, 2 of 3 rows below 20"
    assert figures[1].value == pytest.approx(30)
    assert "the effective sample size is 10.0 of 500, below 20" in notes[0] and "--ais" in notes[0]
    assert of_weights(bounds([0.1, 0.2, 0.5]), 500)[1] == []


def test_chains_are_few_by_design_and_half_of_them_are_enough():
    figures, notes = of_weights(bounds([0.3, 0.9, 0.95]), 16, annealed=True)
    assert figures[0].unit == "of 16 chains" and figures[0].estimator.endswith("1 of 3 rows below 8") and not notes
    notes = of_weights(bounds([0.3, 0.4, 0.95]), 16, annealed=True)[1]
    assert "6.4 of 16, below 8" in notes[0] and "more steps (--ais) or chains (--samples)" in notes[0]

"""Neighbours, arithmetic and turned codes: laws that hold for any trained model, and the text of their errors."""

from __future__ import annotations

import json

import pytest
import torch

from corpora import Corpus
from corpora.errors import InputError
from textgen.cli import main
from textgen.sentences.defaults import REFINE
from textgen.sentences.sentence_vae import SentenceVAE


@pytest.fixture(scope="module")
def vae(toy_run) -> SentenceVAE:
    return SentenceVAE.from_pretrained(toy_run)


@pytest.fixture(scope="module")
def texts(toy_corpus) -> list[str]:
    rows = Corpus.open(toy_corpus).rows("train")
    return list(dict.fromkeys(rows.text(row) for row in range(60)))


def test_neighbours_are_the_nearest_by_the_distance_of_their_codes(vae, texts):
    found = vae.neighbours(texts[0], texts, count=7)
    distances = (vae.encode(texts[1:], refine=0) - vae.encode(texts[:1], refine=0)).norm(dim=1)
    assert [far for _, far in found] == pytest.approx(sorted(distances.tolist())[:7], abs=1e-4)
    assert texts[0] not in [text for text, _ in found]


def test_neighbours_pass_over_what_cannot_be_encoded(vae, texts):
    found = vae.neighbours(texts[0], ["", "cat " * 100, texts[1], texts[1]], count=9)
    assert [text for text, _ in found] == [texts[1]]
    with pytest.raises(InputError, match="no sentence to compare with"):
        vae.neighbours(texts[0], ["", texts[0]])


def test_arithmetic_without_a_way_to_go_is_reconstruction(vae, texts):
    one, other = texts[:2]
    again = vae.reconstruct([one], beams=4)
    assert vae.arithmetic(one, [other], [other], beams=4) == again
    assert vae.arithmetic(one, [other], texts[2:5], strengths=[0], beams=4) == again


def test_a_minus_a_plus_c_is_c(vae, texts):
    one, other = texts[:2]
    assert vae.arithmetic(one, [one], [other], beams=4, refine=0) == vae.decode(vae.encode(other, refine=0), beams=4)


def test_a_direction_is_the_difference_of_means_and_needs_both_sides(vae, texts):
    way = vae.direction(texts[:3], texts[3:5])
    codes = vae.encode(texts[:5], refine=0)
    torch.testing.assert_close(way, codes[3:].mean(0) - codes[:3].mean(0))
    with pytest.raises(InputError, match="at least one sentence on either side"):
        vae.direction([], texts)


def test_a_grid_turns_the_chosen_codes_and_holds_the_others(vae, texts):
    grid = vae.vary(texts[0], dims=[1, 3], steps=3, span=1.5, beams=2)
    assert (grid.codes, grid.values, len(grid.texts), len(grid.texts[0])) == ([1, 3], [-1.5, 0.0, 1.5], 3, 3)
    code = vae.encode(texts[:1], refine=REFINE)[0]
    for row, first in enumerate(grid.values):
        for column, second in enumerate(grid.values):
            turned = code.clone()
            turned[1], turned[3] = first, second
            assert vae.decode(turned[None], beams=2, rerank=False) == [grid.texts[row][column]]


def test_a_number_of_codes_takes_those_of_the_greatest_rate(vae, texts):
    grid = vae.vary(texts[0], dims=2, steps=2, beams=1)
    rates = vae.model.rates(vae.model.posterior(vae.tokens(texts[:1])))[0]
    assert grid.codes == rates.argsort(descending=True)[:2].tolist()
    assert grid.rates == pytest.approx(rates.sort(descending=True).values[:2].tolist())
    assert len(vae.vary(texts[0], dims=1, steps=4, beams=1).texts) == 4


@pytest.mark.parametrize("dims", [[99], [0, 0], [0, 1, 2], [-1], []])
def test_codes_that_are_not_there_are_refused(vae, texts, dims):
    with pytest.raises(InputError, match="expected one or two different ones from 0 to 7"):
        vae.vary(texts[0], dims=dims)


def test_the_commands(toy_run, toy_corpus, texts, tmp_path, capsys):
    model = ["--model", str(toy_run), "--json"]
    assert main(["neighbours", texts[0], str(toy_corpus), "-n", "3", "--rows", "50", *model]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 3
    (tmp_path / "plus.txt").write_text("\n".join(texts[2:5]))
    plus = f"@{tmp_path / 'plus.txt'}"
    assert main(["arithmetic", texts[0], "--minus", texts[1], "--plus", plus, "--strength", "0,1", *model]) == 0
    assert [pair["strength"] for pair in json.loads(capsys.readouterr().out)] == [0, 1]
    assert main(["vary", texts[0], "--codes", "2", "--steps", "3", *model]) == 0
    assert json.loads(capsys.readouterr().out)["codes"] == [2]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["arithmetic", "a", "--minus", "b", "--plus", "c", "--strength", "x"], "--strength 'x': expected numbers"),
        (["arithmetic", "a", "--minus", "b", "--plus", "@nowhere"], "nowhere: no such file"),
        (["vary", "the cat sleeps", "--dims", "3"], "--dims 3: expected 1 to 2"),
        (["vary", "the cat sleeps", "--codes", "1,x"], "--codes '1,x': expected whole numbers"),
        (["vary", "the cat sleeps", "--span", "-1"], "--span -1: expected a number from 0 to 100"),
        (["vary", "the cat sleeps", "--span", "0"], "span=0"),
        (
            ["arithmetic", "a", "--minus", "b", "--plus", "c", "--strength", "1,nan"],
            "--strength '1,nan': expected finite",
        ),
        (["arithmetic", "a", "--minus", "@", "--plus", "c"], "'@': expected @FILE"),
        (["neighbours", "the cat sleeps", "nowhere.txt"], "nowhere.txt: no such file"),
    ],
)
def test_bad_input_gets_one_line(toy_run, capsys, words, said):
    assert main([*words, "--model", str(toy_run)]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1

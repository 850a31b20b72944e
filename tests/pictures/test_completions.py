"""Figures of completions are what counting pixel by pixel gives, and tell good completions from bad ones."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from corpora.build import build
from corpora.corpus import Corpus
from corpora.errors import InputError
from imagegen import PictureModel, cli, training
from imagegen.pictures import completion
from textgen.runs.screen import Screen

HEIGHT, WIDTH = 5, 4
COLOURS = [(255, 255, 255, 255), (200, 30, 30, 255), (20, 40, 160, 255)]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """Bars of red or blue on white; colours are numbered by how often they occur, so white is 0."""
    folder = tmp_path_factory.mktemp("bars")
    draw, table = np.random.default_rng(0), np.array(COLOURS, np.uint8)
    made = np.zeros((60, HEIGHT, WIDTH), np.int64)
    for number, picture in enumerate(made):
        picture[draw.integers(0, 3) :, 1 : 2 + draw.integers(1, 3)] = 1 + number % 2
    np.savez(folder / "bars.npz", pictures=table[made])
    build([str(folder / "bars.npz")], folder / "corpus", settings={"keep_duplicates": "true"})
    return folder / "corpus"


@pytest.fixture(scope="session")
def run(corpus, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    training.train(
        [corpus], folder, steps=5, batch=8, every=5, threads=1, screen=Screen(quiet=True),
        settings={"channels": 8, "layers": 1, "embedding": 8, "precision": "fp32"},
    )  # fmt: skip
    return folder


def values(found) -> dict[str, float]:
    return {figure.name: figure.value for figure in found.figures}


def test_the_figures_are_those_of_a_count_pixel_by_pixel(run, corpus):
    model, shown = PictureModel.from_pretrained(run), 2
    found = completion.measure(model, corpus, shown, count=3, seed=7)
    rows = Corpus.open(corpus).rows("test")
    truth = torch.from_numpy(rows.pad(range(len(rows))))
    assert found.rows == len(rows) and found["NLL of the hidden part"] == pytest.approx(
        float(model.hidden_nll(truth, shown).mean()) / (HEIGHT - shown) / WIDTH
    )
    made = model.complete(truth, shown, count=3, seed=7).tolist()
    colours = model.palette.colours
    sums = {"foreground IoU": 0.0, "colour error": 0.0, "background": 0.0, "right colours": 0.0}
    for picture, draws in zip(truth.tolist(), made, strict=True):
        for drawn in draws:
            both = either = 0
            for place in range(shown * WIDTH, HEIGHT * WIDTH):
                one, other = picture[place], drawn[place]
                both += one != 0 and other != 0
                either += one != 0 or other != 0
                apart = [abs(a - b) for a, b in zip(colours[one][:3], colours[other][:3], strict=True)]
                sums["colour error"] += sum(apart) / 3 / ((HEIGHT - shown) * WIDTH)
                sums["background"] += 100 * (other == 0) / ((HEIGHT - shown) * WIDTH)
                sums["right colours"] += 100 * (one == other) / ((HEIGHT - shown) * WIDTH)
            sums["foreground IoU"] += 100 * both / either if either else 100
    for name, total in sums.items():
        assert found[f"{name}, drawn"] == pytest.approx(total / 3 / len(rows)), name


def test_what_knows_the_truth_scores_best_and_all_background_worst(run, corpus, monkeypatch):
    model = PictureModel.from_pretrained(run)

    def exactly(tokens, rows, *, count=1, **_):
        return tokens[:, None].expand(-1, count, -1)

    def nothing(tokens, rows, *, count=1, **_):
        return exactly(tokens, rows, count=count) * (torch.arange(HEIGHT * WIDTH) < rows * WIDTH)

    monkeypatch.setattr(model, "complete", exactly)
    best = values(completion.measure(model, corpus, 2, split="test"))
    monkeypatch.setattr(model, "complete", nothing)
    worst = values(completion.measure(model, corpus, 2, split="test"))
    assert best["foreground IoU, drawn"] == 100 and best["colour error, drawn"] == 0
    assert best["background, drawn"] == best["background, truth"] == worst["background, truth"]
    assert best["foreground IoU, consensus"] == 100 and worst["foreground IoU, consensus"] == 0
    assert worst["foreground IoU, drawn"] == 0 and worst["background, most probable"] == 100
    assert worst["right colours, drawn"] == pytest.approx(worst["background, truth"])
    # Of the test split: equal bars stay in one split, and the few of the other held-out one are all alike.
    # The silhouette of most bars, in the one colour that is shown: better than nothing, and not always the truth.
    assert 50 < best["foreground IoU, baseline"] < 100
    assert 0 < best["colour error, baseline"] < worst["colour error, drawn"]


def test_the_consensus_is_in_front_where_two_in_five_are_and_nearest_to_the_draws():
    colours = np.array([[255, 255, 255], [0, 0, 0], [60, 60, 60], [250, 0, 0]], float)
    draws = np.random.default_rng(0).integers(0, 4, (3, 5, 40))
    draws[np.random.default_rng(1).random(draws.shape) < 0.3] = 0
    found = completion.consensus(draws, colours, 0)
    assert found.shape == (3, 40)
    for row, place in np.ndindex(3, 40):
        here = draws[row, :, place]
        assert (found[row, place] != 0) == ((here != 0).sum() >= 2)
        if found[row, place] != 0:
            costs = [np.abs(colours[here] - colour).mean() for colour in colours[1:]]
            assert costs[found[row, place] - 1] == min(costs)
    assert {0, 1, 2, 3} == set(found.flat)
    one = draws[:, :1]
    assert (completion.consensus(one, colours, 0) == one[:, 0]).all(), "one draw agrees with itself"


def test_the_command_says_how_much_is_shown(run, corpus, capsys):
    assert cli.main(["evaluate", str(corpus), "--model", str(run), "--keep", "0.4", "-n", "2", "--rows", "3"]) == 0
    assert "3 pictures, the top 2 of 5 rows shown" in capsys.readouterr().out
    assert cli.main(["evaluate", str(corpus), "--model", str(run), "--keep", "0.4", "--json"]) == 0
    assert {one["name"] for one in json.loads(capsys.readouterr().out)["figures"]} >= {"foreground IoU, most probable"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--keep", "1"], "--keep 1: expected a share of the lines"),
        (["--keep", "0.5", "-n", "0"], "-n 0: expected 1"),
        (["-n", "3"], "completions are judged with --keep X"),
        (["--keep", "0.5", "--split", "tset"], "did you mean 'test'"),
    ],
)
def test_bad_input_is_one_line(words, message, run, corpus, capsys):
    assert cli.main(["evaluate", str(corpus), "--model", str(run), *words]) == 2
    out, err = capsys.readouterr()
    assert out == "" and len(err.splitlines()) == 1 and message in err, err


def test_rows_that_hide_nothing_are_refused(run, corpus):
    with pytest.raises(InputError, match="so that something is hidden"):
        completion.measure(PictureModel.from_pretrained(run), corpus, HEIGHT)

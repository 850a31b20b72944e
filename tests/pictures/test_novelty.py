"""Copies of training pictures are found, mirrored or moved; the report fires on a model that was made to memorise."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from corpora.build import build
from corpora.codecs.palette import Palette
from corpora.errors import InputError
from imagegen import PictureModel, cli, training
from imagegen.pictures import novelty
from textgen.core.figures import Figures
from textgen.runs.screen import Screen

SIDE = 10
COLOURS = [(0, 0, 0, 0), (200, 30, 30, 255), (20, 40, 160, 255), (30, 160, 30, 255), (230, 220, 60, 255)]


def creatures(count: int, seed: int, side: int = SIDE) -> np.ndarray:
    """Shades drawn pixel by pixel with a rim of background 2 wide, (count, side, side)."""
    made = np.zeros((count, side, side), np.int64)
    inner = (count, side - 4, side - 4)
    made[:, 2:-2, 2:-2] = np.random.default_rng(seed).integers(1, len(COLOURS), inner)
    return made


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """Six creatures to train on, with a mirrored view of each, and ten others in each held-out split."""
    folder = tmp_path_factory.mktemp("creatures")
    table, given = np.array(COLOURS, np.uint8), {}
    for seed, name in enumerate(("train", "valid", "test")):
        given[name] = folder / f"{name}.npz"
        np.savez(given[name], pictures=table[creatures(6 if name == "train" else 10, seed)])
    held_out = {name: [str(given[name])] for name in ("valid", "test")}
    build([str(given["train"])], folder / "corpus", **held_out, settings={"flip": "true"})
    return folder / "corpus"


@pytest.fixture(scope="session")
def runs(corpus, tmp_path_factory) -> dict[str, Path]:
    """One model that has seen its few pictures far too often, and one that has hardly seen them.

    300 steps: from 260 on four of five that it draws are copies to the pixel, with AVX2 and AVX-512 alike.
    """
    folder = tmp_path_factory.mktemp("novelty")
    for name, steps in (("overfitted", 300), ("fresh", 5)):
        training.train(
            [corpus], folder / name, steps=steps, batch=12, every=steps, threads=1, screen=Screen(quiet=True),
            settings={"channels": 24, "layers": 1, "embedding": 16, "dropout": 0.0, "lr": 1e-2, "lr_warmup": 5,
                      "ema": 0.9, "precision": "fp32"},
        )  # fmt: skip
    return {"overfitted": folder / "overfitted", "fresh": folder / "fresh"}


def said(capsys, *words: object) -> tuple[int, str, str]:
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def slowly(one: np.ndarray, other: np.ndarray, shift: int) -> float:
    """The most of the index over all moves of `other`, pixel by pixel."""
    height, width = one.shape
    most = 0.0
    for mirrored in (other, other[:, ::-1]):
        for down in range(-shift, shift + 1):
            for right in range(-shift, shift + 1):
                same = either = 0
                for row in range(height):
                    for column in range(width):
                        inside = 0 <= row + down < height and 0 <= column + right < width
                        behind = mirrored[row + down, column + right] if inside else 0
                        same += one[row, column] == behind != 0
                        either += one[row, column] != 0 or behind != 0
                most = max(most, same / either if either else 1.0)
    return most


@pytest.mark.parametrize("shift", [0, 1, 2])
def test_the_index_is_what_a_count_of_pixels_says(shift, monkeypatch):
    monkeypatch.setattr(novelty, "AT_ONCE", 2)  # so that the training pictures come in parts
    draw = np.random.default_rng(shift)
    some, train = (draw.integers(0, 3, (count, 5, 4)) * draw.integers(0, 2, (count, 5, 4)) for count in (6, 5))
    some[0] = train[2] = 0  # empty pictures
    found = novelty.nearest(some, train, shift=shift)
    every = np.array([[slowly(one, other, shift) for other in train] for one in some])
    assert found.jaccard == pytest.approx(every.max(1), abs=1e-6)
    assert every[np.arange(len(some)), found.row] == pytest.approx(every.max(1), abs=1e-6)


@pytest.mark.parametrize(("down", "right"), [(0, 0), (2, -1), (-2, 2)])
@pytest.mark.parametrize("mirrored", [False, True])
def test_copies_are_found_mirrored_and_moved_and_others_are_not(down, right, mirrored):
    train = creatures(30, seed=0)
    copies = np.roll(train[:, :, ::-1] if mirrored else train, (down, right), (1, 2))
    found = novelty.nearest(copies, train)
    assert (found.jaccard == 1).all() and (found.row == np.arange(30)).all()
    others = novelty.nearest(creatures(30, seed=1, side=12), creatures(30, seed=0, side=12))
    assert others.jaccard.max() < 0.5
    if (down, right) != (0, 0):
        assert novelty.nearest(copies, train, shift=1).jaccard.max() < 1


def test_shades_gather_colours_that_look_alike_and_the_background():
    colours = [(90, 20, 20), (255, 255, 255), (250, 250, 250), (60, 60, 60), (50, 50, 50), (76, 60, 60), (77, 60, 60)]
    palette = Palette([(*colour, 255) for colour in colours], 5, 5)
    train = np.full((3, 5, 5), 1)  # white on the rim, though another colour is the commonest
    train[:, 1:4, 1:4] = 0
    train[:, 0, 0] = 3
    train[0, 2, 2], train[0, 3, 3] = 4, 2
    found = novelty.shades(palette, np.concatenate([train] * 4))
    assert found.tolist() == [1, 0, 0, 2, 2, 2, 3]
    assert len(set(novelty.shades(palette, train, near=0).tolist())) == 7
    clear = Palette([(0, 0, 0, 0), (0, 0, 0, 255), (255, 255, 255, 255)], 5, 5)
    assert novelty.shades(clear, train.clip(0, 2)).tolist()[0] == 0
    assert len(set(novelty.shades(clear, train.clip(0, 2)).tolist())) == 3  # black is not transparent


def test_the_report_fires_on_a_model_that_memorised_and_not_on_a_fresh_one(corpus, runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    told = {}
    for name, run in runs.items():
        code, out, err = said(
            capsys, "novelty", corpus, "--model", run, "-n", 40, "--pairs", 20, "--scale", 1, "--json"
        )
        assert (code, err) == (0, "")
        told[name] = json.loads(out)
    values = {name: {figure["name"]: figure["value"] for figure in one["figures"]} for name, one in told.items()}
    assert told["fresh"]["clean"] and not told["overfitted"]["clean"]
    assert values["overfitted"]["drawn, above 0.41"] > 30 and values["fresh"]["drawn, above 0.41"] == 0
    assert values["overfitted"]["gap"] > 1 and values["fresh"]["gap"] < 0.25
    assert values["overfitted"]["drawn, median"] > 0.9 > 0.5 > values["fresh"]["drawn, median"]
    assert values["overfitted"]["drawn is nearer"] > 60 > values["fresh"]["drawn is nearer"]
    for name, one in told.items():
        assert one["jaccard"] == sorted(one["jaccard"], reverse=True) and len(one["jaccard"]) == 40
        assert max(one["train row"]) < 6  # of the training pictures, not of views of them
        assert len(one["held out"]) == 10 and max(one["held out"]) < 0.6
        assert values[name]["valid, median"] == pytest.approx(np.median(one["held out"]))
        assert values[name]["drawn, median"] == pytest.approx(np.median(one["jaccard"]))
    with Image.open("novelty.png") as picture:
        assert picture.size == (16 * (SIDE + 1) + 1, 4 * (SIDE + 1) + 1)  # 16 and 4 pairs
    code, out, _ = said(capsys, "novelty", corpus, "--model", runs["overfitted"], "-n", 20)
    assert code == 0 and "NOT clean: the drawn picture is nearer to train in " in out
    assert "exact binomial test, one-sided, p = " in out
    assert "Wilcoxon's signed-rank test, one-sided, p = " in out and "Fisher's exact test, one-sided, p = " in out
    assert "wider than 0.25: the model knows its training pictures better" in out and "no proof of copies" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--above", 1.5], "--above 1.5: expected a number from 0 to 1"),
        (["--above", 1], "above=1: expected a number above 0 and below 1"),
        (["--share", 1], "share=1: expected 0 or more, below 1"),
        (["--gap", "nan"], "gap=nan: expected -1,000 to 1,000 nats per pixel"),
        (["--shift", 10], "shift=10: expected 0 to 9 pixels"),
        (["--near", 256], "--near 256: expected 0 to 255"),
        (["--split", "train"], "split=train: expected valid or test"),
        (["--split", "vaild"], "did you mean 'valid'"),
        (["-n", 0], "-n 0: expected 1"),
        (["--pairs", 0], "--pairs 0: expected 1"),
    ],
)
def test_bad_input_is_one_line(words, message, corpus, runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = said(capsys, "novelty", corpus, "--model", runs["fresh"], "-n", 2, *words)
    assert (code, out, len(err.splitlines())) == (2, "", 1) and message in err, err
    assert not list(tmp_path.iterdir())


def test_a_corpus_with_other_colours_is_refused(runs, tmp_path):
    build(["sprites"], tmp_path / "other", settings={"count": "20"})
    with pytest.raises(InputError, match="another palette, size or order"):
        novelty.measure(PictureModel.from_pretrained(runs["fresh"]), tmp_path / "other")


def compared(
    drawn: np.ndarray, held: np.ndarray, gap: float | None = None, to_held: np.ndarray | float = 0.1
) -> novelty.Novelty:
    """A report on pictures of this nearness to 320 training pictures, and of that to held-out ones."""
    tokens = np.zeros((len(drawn), 9), np.int64)
    pairs = novelty.Nearest(drawn, np.zeros(len(drawn), np.int64))
    judged = novelty.compare(drawn, held, np.broadcast_to(to_held, drawn.shape), 320, 0.41)
    return novelty.Novelty(Figures("m", "c", 4, 0, []), novelty.Bars(), judged, gap, tokens, tokens, pairs, held)


def test_the_verdict_is_of_drawn_pictures_beside_held_out_ones():
    draw = np.random.default_rng(0)
    twins = draw.uniform(0.5, 1, 80)  # a corpus in which everything is near to everything
    unlike = draw.uniform(0.1, 0.3, 80)
    for drawn, held, clean in (
        (draw.uniform(0.5, 1, 1000), twins, True),
        (draw.uniform(0.1, 0.5, 1000), twins, True),
        (draw.uniform(0.9, 1, 1000), twins, False),
        (draw.uniform(0.1, 0.3, 1000), unlike, True),
        (np.where(np.arange(1000) < 80, 1.0, draw.uniform(0.1, 0.3, 1000)), unlike, False),  # 8 % are copies
        (np.where(np.arange(1000) < 8, 0.5, draw.uniform(0.1, 0.3, 1000)), unlike, True),  # fewer than 1 % are near
        (draw.uniform(0.15, 0.38, 1000), unlike, False),  # none is a copy, but all are nearer
    ):
        assert compared(drawn, held).clean == clean, (drawn.mean(), held.mean())
    plain = draw.uniform(0.15, 0.38, 1000)  # nearer than held-out ones, but to those as well: no copies
    assert compared(plain, unlike, to_held=np.where(np.arange(1000) % 5 == 0, 0.4, 0.1)).clean
    assert not compared(plain, unlike, to_held=np.where(np.arange(1000) % 20 == 0, 0.4, 0.1)).clean


def test_a_wide_gap_alone_is_no_copy_and_few_pictures_prove_nothing():
    draw = np.random.default_rng(1)
    held = draw.uniform(0.1, 0.3, 80)
    report = compared(draw.uniform(0.1, 0.3, 500), held, gap=0.9)
    assert report.clean and "the gap of 0.90 nats per pixel is wider than 0.25" in str(report)
    assert "wider" not in str(compared(draw.uniform(0.1, 0.3, 500), held, gap=0.2))
    few = compared(np.full(5, 0.4), np.full(5, 0.2))
    assert few.clean and "5 held-out pictures are too few" in str(few) and not few.to_dict()["enough held out"]
    assert compared(np.full(20, 0.2), np.full(20, 0.2)).compared.paired == 1  # all pairs tie


def test_pairs_are_of_like_size_and_no_drawn_picture_is_in_two():
    drawn, held = np.array([10, 50, 51, 200]), np.array([49, 205, 12, 52])
    mates = {int(h): int(d) for d, h in novelty._mates(drawn, held)}
    assert sorted(mates.values()) == [0, 1, 2, 3] and mates[1] == 3 and mates[2] == 0
    assert len(novelty._mates(drawn[:2], held)) == 2
    # small shapes are nearer to train whoever drew them: without pairs of like size that would look like copying
    draw = np.random.default_rng(2)
    sizes = draw.integers(5, 100, 80)
    nearness = 1 / sizes + draw.uniform(0, 0.01, 80)
    many = np.concatenate([sizes, np.full(80, 5)])
    near = 1 / many + draw.uniform(0, 0.01, 160)
    to_held = np.zeros(160)
    assert not novelty.compare(near, nearness, to_held, 320, 0.41, (many, sizes)).median_nearer
    assert novelty.compare(near[80:], nearness, to_held[80:], 320, 0.41).median_nearer

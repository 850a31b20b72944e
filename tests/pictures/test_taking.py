"""Pictures of any size and palette in a model: fitted, recoloured, and told how far they then are from themselves."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from bars import COLOURS, HEIGHT, WIDTH, said
from PIL import Image

from corpora.build import build
from corpora.codecs.palette import ORDERS, Palette
from corpora.errors import InputError
from imagegen import PictureModel, verbs
from imagegen.pictures import measures, taking
from imagegen.pictures.drawing import MARK
from imagegen.pictures.foreground import accuracy, best_rows, empty
from textgen.core.sampler import Choice

RED = (190, 40, 35)


def foreign(size: tuple[int, int] = (HEIGHT, WIDTH)) -> np.ndarray:
    """A picture whose colours the model does not have."""
    picture = np.full((*size, 4), 255, np.uint8)
    picture[1:, 2, :3] = RED
    picture[0, 0, :3] = (240, 240, 255)
    return picture


def test_completions_say_how_far_the_palette_is_and_not_the_truth(runs, corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(foreign()).save("red.png")
    for words in (["--keep", 0.5], ["--hide", "2:4,0:5"]):
        words = ["complete", "red.png", *words, "-n", 2, "--model", runs["pixelcnn"], "--scale", 1]
        out = said(capsys, *words)[1]
        assert "recoloured in the 3 colours of the model: Delta E (CIE76) " in out and "truth" not in out
        facts = json.loads(said(capsys, *words, "--json")[1])
        far = taking.recoloured(np.array(COLOURS[[0]])[None], np.array([[(*RED, 255)]], np.uint8))
        near = taking.recoloured(np.array(COLOURS[[1]])[None], np.array([[(*RED, 255)]], np.uint8))
        assert near.mean == near.most < far.most
        told = facts["recoloured"]
        assert told["measure"] == "Delta E (CIE76)" and told["pictures"][0]["most"] == pytest.approx(near.most, abs=3)
        assert 0 < told["pictures"][0]["mean"] < near.most
        with Image.open(facts["out"]) as image:  # the part shown, two completions, recoloured, as it is
            page = np.array(image.convert("RGBA"))
        assert page.shape[1] == 1 + 5 * (WIDTH + 1)
        cells = [page[1 : 1 + HEIGHT, 1 + place * (WIDTH + 1) :][:, :WIDTH] for place in (3, 4)]
        assert (cells[0][1:, 2] == COLOURS[1]).all() and (cells[1] == foreign()).all()
    out = said(capsys, "complete", f"{corpus}@test:0", "--model", runs["pixelcnn"])[1]
    assert (
        "the hidden truth costs" in out
        and "all its colours are in the palette of the model: Delta E (CIE76) 0.0" in out
    )


def test_delta_e_is_of_pixels_laid_on_white():
    clear, black = np.zeros((2, 2, 4), np.uint8), np.zeros((2, 2, 4), np.uint8)
    black[..., 3] = 255
    white = np.full((2, 2, 4), 255, np.uint8)
    assert taking.recoloured(white, clear).most == 0
    assert taking.recoloured(white, black).mean == pytest.approx(100)
    half = white.copy()
    half[0] = black[0]
    assert taking.recoloured(white, half) == pytest.approx((50, 100))


@pytest.mark.parametrize(
    ("size", "fit", "message"),
    [
        ((12, 10), "crop", "cropped"),
        ((3, 2), "pad", "padded"),
        ((17, 31), "resize", "resized"),
        ((2, 2), "resize", "resized"),
    ],
)
def test_any_picture_fits_any_model(size, fit, message, runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(foreign(size) if min(size) > 2 else np.full((*size, 4), 255, np.uint8)).save("any.png")
    for verb, kind, rest in (
        ("complete", "pixelcnn", ["--keep", 0.3]),
        ("complete", "pixelcnn", ["--hide", "0:2,0:2"]),
        ("reconstruct", "vae", []),
        ("interpolate", "vae", ["any.png"]),
        ("traverse", "vae", []),
    ):
        words = [verb, "any.png", *rest, "--model", runs[kind]]
        code, out, err = said(capsys, *words)
        assert code == 2 and "add --fit crop, pad or resize" in err and f"{size[0]} x {size[1]} pixels" in err
        code, out, err = said(capsys, *words, "--fit", fit)
        assert (code, err) == (0, "") and f"{message} to {HEIGHT}x{WIDTH}" in out, out
    code, _, err = said(capsys, "evaluate", "any.png", "--model", runs["pixelcnn"])
    assert code == 2 and "any.png is not a corpus" in err and "--fit crop, pad or resize" in err
    code, out, err = said(capsys, "evaluate", "any.png", "--fit", fit, "--model", runs["pixelcnn"])
    assert code == 0 and "1 pictures" in out and "any.png, as the model takes them" in out and message in out
    for wrong, line in (("stretch", "no fit 'stretch': choose from crop, pad, resize"), ("crop", "too small to crop")):
        if wrong != "crop" or min(size) < 5:
            code, out, err = said(capsys, "reconstruct", "any.png", "--fit", wrong, "--model", runs["vae"])
            assert code == 2 and line in err and len(err.splitlines()) == 1


def test_a_mask_is_fitted_as_the_picture_is(runs):
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    mask = np.zeros((2 * HEIGHT, 2 * WIDTH, 4), np.uint8)
    mask[..., 3] = 255
    mask[:2, :2] = 255
    hidden = verbs.hidden_pixels(model, mask, [], "resize")
    assert hidden[0, 0] and hidden.sum() == 1
    with pytest.raises(InputError, match="12 x 10 pixels"):
        verbs.hidden_pixels(model, mask, [])


def test_a_folder_with_more_than_pictures_is_evaluated(runs, tmp_path, capsys):
    for number in range(3):
        Image.fromarray(foreign((HEIGHT, WIDTH))).save(tmp_path / f"{number}.png")
    (tmp_path / "License.txt").write_text("CC0")
    code, out, err = said(capsys, "evaluate", tmp_path, "--fit", "crop", "--model", runs["pixelcnn"])
    assert code == 0 and "3 pictures" in out, err


def test_a_corpus_of_another_palette_and_size_is_evaluated_as_the_model_takes_it(runs, corpus, tmp_path, capsys):
    draw = np.random.default_rng(0)
    pictures = np.array([(250, 250, 250, 255), (210, 25, 20, 255)], np.uint8)[
        draw.integers(0, 2, (30, HEIGHT + 2, WIDTH))
    ]
    np.savez(tmp_path / "big.npz", pictures=pictures)
    np.savez(tmp_path / "cut.npz", pictures=pictures[:, 1:-1])
    keep = {"keep_duplicates": "true"}
    build([str(tmp_path / "big.npz")], tmp_path / "big", settings=keep)
    build([str(tmp_path / "cut.npz")], tmp_path / "cut", settings=keep | {"codec_from": str(corpus)})
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    with pytest.raises(InputError, match=r"another palette, size or order .* or let `imagegen evaluate` fit"):
        measures.measure(model, tmp_path / "big")
    every = [
        measures.measure(model, folder, split="train", fit=fit)["NLL"]
        for folder, fit in ((tmp_path / "big", "crop"), (tmp_path / "cut", "crop"), (tmp_path / "cut", None))
    ]
    assert every[1] == pytest.approx(every[2], rel=1e-6) and every[0] > 0
    figures = measures.measure(model, tmp_path / "big", fit="crop")
    assert figures["recoloured by"] > 1
    code, _, err = said(
        capsys, "evaluate", tmp_path / "big", "--fit", "crop", "--keep", 0.5, "--model", runs["pixelcnn"]
    )
    assert code == 2 and "--keep with --fit" in err


# Accuracy, empty pictures, the best of several


def test_accuracy_stands_beside_a_blank_page(runs, corpus, capsys, tmp_path, monkeypatch):
    truth = torch.tensor([[0, 0, 0, 1, 2, 2], [0, 0, 0, 0, 0, 0]])
    drawn = torch.tensor([[0, 0, 1, 1, 0, 2], [0, 0, 0, 0, 0, 1]])
    right = accuracy(drawn, truth, 0)
    assert right.overall.tolist() == pytest.approx([4 / 6, 5 / 6]) and right.blank.tolist() == pytest.approx([0.5, 1])
    assert float(right.foreground[0]) == pytest.approx(2 / 3) and right.foreground[1].isnan()
    assert str(right) == (
        "66.7 % of the foreground has its colour again (a blank page: 0.0 %), "
        "75.0 % of all pixels (a blank page: 75.0 %)"
    )
    monkeypatch.chdir(tmp_path)
    out = said(capsys, "reconstruct", f"{corpus}@test:0", "--model", runs["vae"])[1]
    assert (
        "of the foreground has its colour again (a blank page: 0.0 %)" in out and "of all pixels (a blank page: " in out
    )
    code, out, _ = said(capsys, "evaluate", corpus, "--samples", 2, "--model", runs["vae"], "--json")
    figures = {one["name"]: one["value"] for one in json.loads(out)["figures"]}
    model = PictureModel.from_pretrained(runs["vae"])
    assert model.background == 0 and code == 0
    assert figures["pixels of a blank page"] > 50 and 0 <= figures["foreground given back"] <= 100
    assert figures["pixels given back"] >= 0


def test_a_page_of_one_colour_is_empty_and_never_the_best_of_several():
    tokens = torch.tensor([[0, 0, 0], [0, 1, 1], [2, 2, 2], [0, 0, 1], [0, 0, 0], [0, 0, 0]])
    assert empty(tokens).tolist() == [True, False, True, False, True, True]
    nll = torch.tensor([0.1, 4.0, 1.0, 1.5, 0.2, 0.1])
    assert best_rows(nll, tokens, 0, 2).tolist() == [1, 3, 4]  # 4 / 2 nats; 1.5 / 1; both are empty: the first
    assert best_rows(nll, tokens, 0, 3).tolist() == [1, 3]


def test_the_best_of_several_is_one_of_them_and_does_not_depend_on_the_rest(runs):
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    best = model.best(4, of=3, seed=7)
    every = model.sample(12, seed=7)
    score = model.nll(every) / (every != model.background).sum(1)
    for number, row in enumerate(best):
        some = every[3 * number : 3 * number + 3]
        assert torch.equal(row, some[score[3 * number : 3 * number + 3].argmin()])
    assert torch.equal(model.best(2, of=3, seed=7), best[:2])
    assert str(verbs.sample(2, model=model, best_of=3)).startswith(
        "2 pictures, each the best of 3 by NLL per foreground"
    )
    for wrong in (0, 1001):
        with pytest.raises(InputError, match=r"best_of=.*: expected 1 to 1,000"):
            verbs.sample(1, model=model, best_of=wrong)
    with pytest.raises(InputError, match="goes pixel by pixel"):
        verbs.sample(1, model=runs["vae"], best_of=2)


# The picture's own value in a traversal


@pytest.mark.parametrize("own", [0.0, 0.4, -1.99, 2.0, 3.7, -55.0])
@pytest.mark.parametrize("steps", [3, 4, 7])
def test_the_values_of_a_code_span_the_own_one(own, steps):
    from imagegen.pictures.picture_model import _spanned

    values, place = _spanned(own, 2.0, steps)
    assert len(values) == steps and values[place] == own and 0 < place < steps - 1
    assert values == sorted(values) and len(set(values)) == steps
    assert values[0] <= -2 and values[-1] >= 2


@pytest.mark.parametrize("codes", [[1], [0, 2]])
def test_a_traversal_shows_and_marks_the_picture_as_it_is(codes, runs, corpus):
    model = PictureModel.from_pretrained(runs["vae"])
    drawing = verbs.traverse(f"{corpus}@test:0", codes=codes, steps=5, span=0.1, model=model)
    (number,) = drawing.marked
    tokens = torch.tensor(drawing.facts["tokens"]).view(-1, HEIGHT * WIDTH)
    row = model.tokens([verbs.named(f"{corpus}@test:0")[0]])
    assert torch.equal(tokens[number], model.reconstruct(row)[0])
    assert drawing.facts["own"] == pytest.approx(model.encode(row)[0, codes].tolist())
    assert "the frame marks the picture's own values" in str(drawing)
    marked = (drawing.grid == MARK).all(-1)
    assert marked.sum() == 2 * (HEIGHT + WIDTH) + 4
    top, left = (int(places.min()) for places in marked.nonzero())
    assert (top, left) == ((number // 5) * (HEIGHT + 1), (number % 5) * (WIDTH + 1))
    with pytest.raises(InputError, match="steps=2: expected 3 to 100"):
        verbs.traverse(f"{corpus}@test:0", codes=codes, steps=2, model=model)


# Completions that are the same


def test_completions_that_are_the_same_are_told(runs, corpus):
    row = f"{corpus}@test:0"
    text = str(verbs.complete([row], model=runs["pixelcnn"], n=3, how=Choice(temperature=0)))
    assert "all 3 completions are the same: temperature 0 takes the most probable pixel each time" in text
    text = str(verbs.complete([row], model=runs["pixelcnn"], n=40, keep=0.83))
    assert "of 40 completions differ, the others repeat them" in text and "order=up or another when the corpus" in text
    assert "differ" not in str(verbs.complete([row], model=runs["pixelcnn"], n=1))
    text = str(verbs.inpaint([row], model=runs["pixelcnn"], n=8, hide=["0:2,0:5"], particles=1))
    assert "all 8 completions are the same: a model of a corpus built with order=up draws what is hidden last" in text
    text = str(verbs.inpaint([row], model=runs["pixelcnn"], n=8, hide=["2:3,2:3"], particles=1))
    assert "take more --particles, or a model of a corpus built with another order= (this is order=down)" in text


@pytest.mark.parametrize("order", ORDERS)
def test_the_order_that_draws_the_hidden_part_last_is_named(order, runs):
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    far = {"down": np.s_[-2:], "up": np.s_[:2], "right": np.s_[:, -2:], "left": np.s_[:, :2]}[order]
    hidden[far] = True
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    text = verbs._other_order(model, hidden)
    assert f"(order={'up' if order == 'down' else order}" in text or f"built with order={order} " in text
    assert Palette(COLOURS.tolist(), HEIGHT, WIDTH, order=order).scan(hidden)[-1]

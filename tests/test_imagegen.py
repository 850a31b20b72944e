"""What a person does with pictures, from Python and from the command line, on models trained for a moment."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from corpora.build import build
from corpora.corpus import Corpus
from corpora.errors import InputError
from imagegen import PictureModel, cli, training
from textgen.sampler import Choice
from textgen.screen import Screen

HEIGHT, WIDTH = 6, 5
COLOURS = np.array([(255, 255, 255, 255), (200, 30, 30, 255), (20, 40, 160, 255)], np.uint8)
SMALL = {
    "pixelcnn": {"channels": 12, "layers": 2},
    "vae": {"channels": 8, "rate": 3.0, "latent": 3, "stages": 1},
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """Bars of one of two colours on white, from a random row down."""
    folder = tmp_path_factory.mktemp("bars")
    draw = np.random.default_rng(0)
    made = np.broadcast_to(COLOURS[0], (80, HEIGHT, WIDTH, 4)).copy()
    for number, picture in enumerate(made):
        picture[draw.integers(1, HEIGHT) :, draw.integers(WIDTH)] = COLOURS[1 + number % 2]
    np.savez(folder / "bars.npz", pictures=made)
    build([str(folder / "bars.npz")], folder / "corpus", words={"keep_duplicates": "true"})
    return folder / "corpus"


@pytest.fixture(scope="session")
def runs(corpus, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for kind, settings in SMALL.items():
        training.train(
            [corpus], folder / kind, model=kind, settings={**settings, "lr": 3e-3, "precision": "fp32"}, steps=40,
            batch=16, every=40, threads=1, screen=Screen(quiet=True),
        )  # fmt: skip
    return {kind: folder / kind for kind in SMALL}


def held_out(corpus: Path, model: PictureModel) -> torch.Tensor:
    return torch.from_numpy(Corpus.open(corpus).rows("test").pad([0, 1, 2]))


def said(capsys, *words: object) -> tuple[int, str, str]:
    code = cli.main([str(word) for word in words])
    out, err = capsys.readouterr()
    return code, out, err


def test_kinds_are_the_files_and_those_with_codes():
    assert set(training.kinds()) >= {"lstm", "pixelcnn", "pixelrnn", "pixelformer", "vae", "pixelvae", "autoencoder"}
    assert "deconv" not in training.kinds()
    with pytest.raises(InputError, match="did you mean 'pixelcnn'"):
        training.meant("pixelcn")


def test_samples_are_pictures_that_hang_on_the_seed_alone(runs):
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    few, more = model.sample(3, seed=5), model.sample(70, seed=5)
    assert few.shape == (3, HEIGHT * WIDTH)
    assert torch.equal(few, more[:3])
    assert model.pictures(few)[0].shape == (HEIGHT, WIDTH, 4)
    assert torch.equal(model.tokens(model.pictures(few)), few)


def test_temperature_0_draws_the_same_picture_each_time(runs):
    made = PictureModel.from_pretrained(runs["pixelcnn"]).sample(4, how=Choice(temperature=0))
    assert (made == made[0]).all()


@pytest.mark.parametrize("rows", [0, 2, HEIGHT - 1])
def test_completions_keep_what_is_shown_and_cost_what_bayes_says(runs, corpus, rows):
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    tokens = held_out(corpus, model)
    made = model.complete(tokens, rows, count=2, seed=1)
    assert made.shape == (3, 2, HEIGHT * WIDTH)
    assert torch.equal(made[:, :, : rows * WIDTH], tokens[:, None, : rows * WIDTH].expand(-1, 2, -1))
    shown = torch.zeros(HEIGHT * WIDTH, dtype=torch.bool)
    shown[: rows * WIDTH] = True
    top = model.model.backbone.nll(tokens, shown.expand_as(tokens)).detach().double()
    assert torch.allclose(model.hidden_nll(tokens, rows) + top, model.nll(tokens), atol=1e-4)


def test_codes_interpolate_and_traverse(runs, corpus):
    model = PictureModel.from_pretrained(runs["vae"])
    tokens = held_out(corpus, model)
    path = model.interpolate(tokens[0], tokens[1], steps=5)
    ends = model.reconstruct(tokens[:2])
    assert torch.equal(path[0], ends[0]) and torch.equal(path[-1], ends[1])
    found = model.traverse(tokens[0], steps=3, span=1.5)
    assert found.tokens.shape == (3, 3, HEIGHT * WIDTH)
    assert found.codes == torch.tensor(found.rates).topk(2).indices.tolist()
    code = model.encode(tokens[:1]).clone()
    code[0, found.codes[0]], code[0, found.codes[1]] = found.values[2], found.values[0]
    assert torch.equal(model.decode(code)[0], found.tokens[2, 0])  # the first code goes down, the second right
    one = model.traverse(tokens[0], codes=[1], steps=4)
    assert one.tokens.shape == (4, HEIGHT * WIDTH) and one.codes == [1]


def test_likelihoods_sum_over_pixels_and_name_their_estimator(runs, corpus, capsys):
    code, out, _ = said(capsys, "evaluate", corpus, "--model", runs["pixelcnn"], "--json")
    found = {figure["name"]: figure for figure in json.loads(out)["figures"]}
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    rows = Corpus.open(corpus).rows("test")
    exact = float(model.nll(torch.from_numpy(rows.pad(range(len(rows))))).mean())
    assert code == 0 and found["NLL"]["value"] == pytest.approx(exact, abs=1e-4)
    assert found["bits per pixel"]["value"] == pytest.approx(exact / (HEIGHT * WIDTH) / math.log(2), abs=1e-5)
    assert exact / (HEIGHT * WIDTH) < math.log(3)  # it has learned something
    code, out, _ = said(capsys, "evaluate", corpus, "--model", runs["vae"], "--samples", 20, "--rows", 4, "--json")
    found = {figure["name"]: figure for figure in json.loads(out)["figures"]}
    assert code == 0 and "K=20" in found["NLL"]["estimator"]
    assert found["NLL"]["value"] <= found["negative ELBO"]["value"]
    total = found["distortion"]["value"] + found["rate"]["value"]
    assert found["negative ELBO"]["value"] == pytest.approx(total, abs=1e-3)


@pytest.mark.parametrize(
    ("verb", "kind", "words"),
    [
        ("sample", "pixelcnn", ["-n", 3]),
        ("sample", "vae", ["-n", 3]),
        ("complete", "pixelcnn", ["{corpus}@test:0", "-n", 2, "--keep", 0.5]),
        ("reconstruct", "vae", ["{corpus}@test:0", "{corpus}@test:1"]),
        ("interpolate", "vae", ["{corpus}@test:0", "{corpus}@test:1", "--steps", 3, "--gif", "walk.gif"]),
        ("traverse", "vae", ["{corpus}@test:0", "--codes", "0,2", "--steps", 3]),
        ("animate", "pixelcnn", ["-n", 2, "--every", 10]),
    ],
)
def test_every_verb_writes_a_picture(verb, kind, words, runs, corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    given = [str(word).format(corpus=corpus) for word in words]
    code, out, err = said(capsys, verb, *given, "--model", runs[kind], "--json", "--scale", 1)
    assert (code, err) == (0, "")
    facts = json.loads(out)
    columns = {"sample": 2, "complete": 4, "reconstruct": 2, "interpolate": 3, "traverse": 3, "animate": 2}[verb]
    with Image.open(facts["out"]) as picture:
        assert picture.width == 1 + columns * (WIDTH + 1)
        assert verb != "animate" or picture.n_frames > 1
    if verb == "interpolate":
        with Image.open("walk.gif") as walk:
            assert walk.n_frames >= 1


def test_a_picture_file_is_taken_in_the_palette(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.fromarray(np.full((HEIGHT, WIDTH, 3), (190, 40, 35), np.uint8)).save("red.png")
    code, out, _ = said(capsys, "reconstruct", "red.png", "--model", runs["vae"], "--json")
    assert code == 0 and len(json.loads(out)["tokens"][0]) == HEIGHT * WIDTH


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["complete", "{corpus}@test:0", "--model", "{vae}"], "goes pixel by pixel"),
        (["complete", "{corpus}@test:0", "--keep", "1.5", "--model", "{pixelcnn}"], "--keep 1.5: expected a share"),
        (["complete", "{corpus}@test:999", "--model", "{pixelcnn}"], "test has rows 0 to"),
        (["complete", "absent.png", "--model", "{pixelcnn}"], "absent.png"),
        (["complete", "big.png", "--model", "{pixelcnn}"], "9 x 9 pixels (height x width); this model draws 6 x 5"),
        (["reconstruct", "{corpus}@test:0", "--model", "{pixelcnn}"], "has no codes"),
        (["traverse", "{corpus}@test:0", "--codes", "9", "--model", "{vae}"], "expected one or two different ones"),
        (["traverse", "{corpus}@test:0", "--codes", "a", "--model", "{vae}"], "expected numbers such as"),
        (["sample", "--model", "english-fiction"], "is a model of text"),
        (["sample", "-n", "0", "--model", "{pixelcnn}"], "-n 0: expected 1"),
        (["sample", "--out", "no/where.png", "--model", "{vae}"], "no/where.png"),
        (["evaluate", "{other}", "--model", "{vae}"], "another palette or size"),
        (["train"], "nothing to train on"),
        (["train", "toy"], "this is text; train on it with textgen train"),
        (["train", "{corpus}", "--model", "pixelcn"], "did you mean 'pixelcnn'"),
        (["train", "{corpus}", "backbone=deconv"], "deconv"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, message, runs, corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9)).save("big.png")
    if "{other}" in words:
        build(["sprites"], tmp_path / "other", words={"count": "20"})
    names = {"corpus": corpus, "other": tmp_path / "other", **runs}
    before = sorted(tmp_path.iterdir())
    code, out, err = said(capsys, *[word.format(**names) for word in words])
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and message in err, err
    assert sorted(tmp_path.iterdir()) == before


def test_text_verbs_refuse_pictures(runs, corpus, capsys):
    from textgen import cli as text

    for words in (["sample", "--model", str(runs["vae"])], ["train", str(corpus)]):
        assert text.main(words) == 2
        assert "pictures" in capsys.readouterr().err

"""What a person does with pictures, from Python and from the command line, on models trained for a moment."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from bars import COLOURS, HEIGHT, WIDTH, said
from PIL import Image
from torch import nn
from torch.nn import functional as F

import small
from corpora.build import build
from corpora.codecs.palette import Palette
from corpora.corpus import Corpus
from corpora.errors import InputError
from imagegen import PictureModel, verbs
from imagegen.pictures import lookahead, measures
from textgen.core import recipes, smc
from textgen.core.backbone import Backbone
from textgen.core.model import Model
from textgen.core.sampler import Choice
from textgen.runs import library


def held_out(corpus: Path, model: PictureModel) -> torch.Tensor:
    return torch.from_numpy(Corpus.open(corpus).rows("test").pad([0, 1, 2]))


def test_kinds_are_the_files_and_those_with_codes():
    kinds = recipes.kinds("imagegen")
    assert {*kinds} >= {"lstm", "pixelcnn", "pixelrnn", "pixelformer", "vae", "pixelvae", "autoencoder"}
    assert "deconv" not in kinds
    with pytest.raises(InputError, match="did you mean 'pixelcnn'"):
        recipes.resolve_kind("pixelcn", "imagegen")


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


def test_at_code_temperature_0_there_is_one_code_and_one_picture():
    model = PictureModel.from_pretrained("creatures-vae")
    assert (model.sample(4, code_temperature=0) == model.sample(1, code_temperature=0)).all()
    assert not (model.sample(4) == model.sample(1)).all()
    with pytest.raises(InputError, match=r"code_temperature=0\.5: expected 1, since this model has no codes"):
        PictureModel.from_pretrained("creatures").sample(1, code_temperature=0.5)


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


# Orders and masks

ORDERS = ["down", "up", "right", "left"]
RASTER = sorted(set(recipes.kinds("imagegen")) - {"vae", "pixelvae", "autoencoder"})


def untrained(kind: str, order: str) -> PictureModel:
    """A model of pictures of HEIGHT x WIDTH in three colours, as it is before any training."""
    codec = Palette(COLOURS.tolist(), HEIGHT, WIDTH, order=order)
    sizes = {"channels": 8, "layers": 2, "width": 16, "heads": 2, "embedding": 8}
    known = recipes.compose(kind, {}, package="imagegen")[0].settings()
    chosen = {key: value for key, value in sizes.items() if key in known}
    recipe = recipes.compose(kind, chosen, package="imagegen")[0]
    torch.manual_seed(0)
    model = small.louder(recipes.build(recipe, library.vocabulary(codec))).eval()
    facts = {"recipe": recipe.to_dict(), "length": HEIGHT * WIDTH}
    return PictureModel(library.Opened(model, codec, recipe, HEIGHT * WIDTH, facts, Path("untrained")))


def some_pictures(count: int) -> np.ndarray:
    return COLOURS[np.random.default_rng(3).integers(0, 3, (count, HEIGHT, WIDTH))]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", RASTER)
def test_what_is_hidden_is_the_far_side_and_says_nothing(kind, order):
    """For every order: completions keep what is shown, and the first hidden pixel hangs on that alone."""
    model = untrained(kind, order)
    given = some_pictures(3)
    for lines in (1, 3):
        hidden = np.ones((HEIGHT, WIDTH), bool)
        shown = {"down": np.s_[:lines], "up": np.s_[-lines:], "right": np.s_[:, :lines], "left": np.s_[:, -lines:]}
        hidden[shown[order]] = False
        assert (model.hidden(lines) == hidden).all()
        tokens = model.tokens(list(given))
        made = model.complete(tokens, lines, count=2, seed=1)
        for number, drawn in enumerate(made):
            for picture in model.pictures(drawn):
                assert (picture[~hidden] == given[number][~hidden]).all()
                assert (picture[hidden] != given[number][hidden]).any()
        others, first = given.copy(), int((~hidden).sum())
        others[:, hidden] = COLOURS[1]
        changed = given.copy()
        row, column = {"down": (0, -1), "up": (-1, 0), "right": (0, 0), "left": (0, -1)}[order]
        changed[:, row, column] = np.where(given[:, row, column] == COLOURS[0], COLOURS[1], COLOURS[0])
        with torch.no_grad():
            wanted, same, other = (
                model.model.backbone(model.tokens(list(some)))[:, first] for some in (given, others, changed)
            )
        assert torch.allclose(same, wanted, atol=1e-6)
        assert not torch.allclose(other, wanted, atol=1e-6)
        top = model.inpaint(tokens[0], hidden, count=2, particles=1)
        assert top.exact
        assert top.log_shown == pytest.approx(
            float(model.hidden_nll(tokens[:1], lines) - model.nll(tokens[:1])), abs=1e-4
        )


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("kind", RASTER)
def test_any_pixels_can_be_hidden_and_the_others_stay(kind, order):
    model = untrained(kind, order)
    given = some_pictures(1)[0]
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[1:4, 1:3] = hidden[-1, -1] = hidden[0, 0] = True
    (picture,) = model.tokens([given])
    found = model.inpaint(picture, hidden, count=5, particles=8, seed=2)
    drawn = np.stack(model.pictures(found.tokens))
    assert not found.exact and 1 <= found.effective <= 8
    assert (drawn[:, ~hidden] == given[~hidden]).all()
    assert (drawn[:, hidden] != given[hidden]).any()
    again, another = (model.inpaint(picture, hidden, count=5, particles=8, seed=2, first=first) for first in (0, 1))
    assert torch.equal(found.tokens, again.tokens)
    assert found.log_shown == again.log_shown != another.log_shown


def test_a_hint_is_how_often_the_colour_stands_so_far_above_what_is_shown():
    drawn = torch.tensor([[0, 1, 2, 1, 1, 1], [0, 2, 2, 1, 0, 1]])  # two pictures of three lines of two pixels
    hidden = torch.tensor([True, False, True, True, False, False])
    found = lookahead.hints(torch.tensor([9, 9, 9, 9, 1, 0]), hidden, 2, drawn, 3)
    share = (torch.tensor([3, 6, 3]) + 0.5) / 13.5
    two_below = (torch.tensor([1.0, 1, 1]) + share[1]) / (torch.tensor([2, 1, 1]) + 1)  # 1 two lines below, given each
    assert torch.allclose(found[0].exp(), two_below.double() ** lookahead.STRENGTH, atol=1e-6)
    below = (torch.tensor([0.0, 3, 2]) + share[1]) / (torch.tensor([2, 3, 3]) + 1)
    assert not found[[1, 4, 5]].any()
    assert found[2].exp().tolist() == pytest.approx((below.double() ** lookahead.STRENGTH).tolist(), abs=1e-6)


class Copying(Backbone):
    """Every pixel has the colour of the one above it, nine times of ten or so."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.strength = nn.Identity(), nn.Parameter(torch.tensor(3.0))

    def features(self, tokens: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        above = F.one_hot(tokens[:, : max(0, tokens.shape[1] - WIDTH)], 3) * self.strength
        return F.pad(above, (0, 0, min(WIDTH, tokens.shape[1]), 0))


def test_looking_ahead_makes_estimates_vary_less():
    """Where columns have one colour and the lower half is shown. Both ways are unbiased."""
    model = untrained("pixelcnn", "down")
    model.model.backbone = Copying()
    hidden = ~model.hidden(HEIGHT // 2)
    (picture,) = model.sample(1)
    spread = {}
    for look_ahead in (False, True):
        found = [
            model.inpaint(picture, hidden, count=1, particles=8, first=n, look_ahead=look_ahead) for n in range(30)
        ]
        spread[look_ahead] = float(torch.tensor([one.log_shown for one in found]).std())
    assert spread[True] < 0.7 * spread[False], spread


def test_a_mask_that_makes_no_sense_is_refused(runs, corpus):
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    (picture, *_) = held_out(corpus, model)
    with pytest.raises(InputError, match=r"the mask has 5 x 6 pixels .*; the pictures have 6 x 5"):
        model.inpaint(picture, np.ones((WIDTH, HEIGHT), bool))
    with pytest.raises(InputError, match="nothing is hidden"):
        model.inpaint(picture, np.zeros((HEIGHT, WIDTH), bool))
    with pytest.raises(InputError, match="particles=0: expected 1 to"):
        model.inpaint(picture, np.ones((HEIGHT, WIDTH), bool), particles=0)


def save_mask(name: str, hidden: np.ndarray) -> None:
    Image.fromarray(np.where(hidden, 255, 0).astype(np.uint8)).save(name)


def test_a_mask_hides_where_it_is_light(runs, corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    hidden = np.zeros((HEIGHT, WIDTH), bool)
    hidden[1:3, 2:] = hidden[5, 0] = True
    save_mask("mask.png", hidden)
    model = PictureModel.from_pretrained(runs["pixelcnn"])
    words = [
        "complete",
        f"{corpus}@test:0",
        f"{corpus}@test:1",
        "-n",
        3,
        "--particles",
        16,
        "--model",
        runs["pixelcnn"],
    ]
    code, out, _ = said(capsys, *words, "--mask", "mask.png", "--json", "--scale", 1)
    assert code == 0
    facts = json.loads(out)
    again = json.loads(said(capsys, *words, "--hide", "1:3,2:5", "--hide", "5:6,0:1", "--json", "--scale", 1)[1])
    assert facts["tokens"] == again["tokens"]
    assert (facts["hidden"], facts["exact"], facts["particles"]) == (7, False, 16)
    truth = held_out(corpus, model)
    kept = torch.from_numpy(~model.palette.scan(hidden))
    for row in range(2):
        found = model.inpaint(truth[row], hidden, count=3, particles=16, first=row)
        assert facts["tokens"][row] == found.tokens.tolist()
        assert facts["log p(shown), nats"][row] == pytest.approx(found.log_shown, abs=1e-6)
        assert (found.tokens[:, kept] == truth[row, kept]).all()
        assert facts["different completions"][row] == len({tuple(some) for some in facts["tokens"][row]})
    with Image.open(facts["out"]) as picture:
        assert picture.size == (1 + 5 * (WIDTH + 1), 1 + 2 * (HEIGHT + 1))
        blank = np.array(picture.convert("RGBA"))[1 : 1 + HEIGHT, 1 : 1 + WIDTH]
    whole = model.pictures(truth[:1])[0]
    assert (blank[~hidden] == whole[~hidden]).all()
    assert (blank[hidden] == (160, 160, 160, 255)).all()
    code, out, _ = said(capsys, *words, "--mask", "mask.png")
    assert code == 0 and "7 of 30 pixels hidden; 16 particles" in out and "of 3 completions differ" in out
    code, out, _ = said(capsys, *words, "--hide", "3:6,0:5")
    assert code == 0 and "15 of 30 pixels hidden; the shown pixels come first: all exact" in out


def test_an_estimate_that_is_certainly_too_low_is_said_to_be(capsys, runs, corpus, tmp_path, monkeypatch):
    """p(shown) is no less than p(picture), which is known."""
    monkeypatch.chdir(tmp_path)
    words = ["complete", f"{corpus}@test:0", "--hide", "0:3,0:5", "--model", runs["pixelcnn"]]
    assert "take more --particles" not in said(capsys, *words)[1]
    fill = smc.fill
    monkeypatch.setattr(smc, "fill", lambda *given, **options: fill(*given, **options)._replace(log_shown=-1000.0))
    assert "p(shown) cannot be below p(picture): take more --particles" in said(capsys, *words)[1]


@pytest.mark.parametrize("order", ORDERS)
def test_a_model_says_which_side_it_shows_and_draws_from_there(order, corpus, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    untrained("pixelcnn", order).save_pretrained(tmp_path / "model")
    words = {"down": "top 3 of 6 rows", "up": "bottom 3 of 6 rows", "right": "left 2 of 5 columns"}
    words["left"] = "right 2 of 5 columns"
    code, out, _ = said(capsys, "complete", f"{corpus}@test:0", "--model", "model")
    assert code == 0 and f"the {words[order]} shown;" in out
    code, out, _ = said(capsys, "animate", "-n", 1, "--every", 10, "--model", "model", "--scale", 1, "--json")
    with Image.open(json.loads(out)["out"]) as gif:
        gif.seek(1)
        drawn = np.array(gif.convert("RGB"))[1 : 1 + HEIGHT, 1 : 1 + WIDTH].astype(int)
    whole = PictureModel.from_pretrained("model")
    (picture,) = whole.pictures(whole.sample(1))
    done = whole.palette.unscan(np.arange(HEIGHT * WIDTH) < 10)
    assert (drawn[done] == picture[done][:, :3]).all()
    assert (drawn[~done].min(1) > 230).all()  # the board of light greys


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
    code[0, found.codes[0]], code[0, found.codes[1]] = found.values[0][2], found.values[1][0]
    assert torch.equal(model.decode(code)[0], found.tokens[2, 0])  # the first code goes down, the second right
    one = model.traverse(tokens[0], codes=[1], steps=4)
    assert one.tokens.shape == (4, HEIGHT * WIDTH) and one.codes == [1]


def test_merged_colours_cost_what_their_group_does(runs, corpus, capsys):
    model, words = PictureModel.from_pretrained(runs["pixelcnn"]), ("evaluate", corpus, "--model", runs["pixelcnn"])
    tokens = held_out(corpus, model)
    log_p = torch.cat(list(model.log_probabilities(tokens)))
    assert log_p.shape == (*tokens.shape, 3)
    torch.testing.assert_close(log_p.exp().sum(2), torch.ones(tokens.shape))
    apart = measures.merged_nll([log_p[:2], log_p[2:]], tokens, torch.arange(3))
    assert apart.tolist() == pytest.approx(model.nll(tokens).tolist(), rel=1e-5)
    merged = measures.merged_nll([log_p], tokens, torch.tensor([0, 1, 1]))
    pairs = zip(log_p.exp(), tokens, strict=True)
    by_hand = [
        -sum(float((p[0] if t == 0 else p[1] + p[2]).log()) for p, t in zip(*pair, strict=True)) for pair in pairs
    ]
    assert merged.tolist() == pytest.approx(by_hand, abs=1e-4)
    found = {}
    for merge in (0, 255):
        _, out, _ = said(capsys, *words, "--merge", merge, "--json")
        found[merge] = {figure["name"]: figure["value"] for figure in json.loads(out)["figures"]}
    assert found[0]["NLL per pixel, merged"] == pytest.approx(found[0]["NLL per pixel"], abs=1e-5)
    assert found[255]["NLL per pixel, merged"] == pytest.approx(0, abs=1e-5)


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


def test_a_picture_of_the_user_is_never_replaced_unasked(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["sample", "-n", 1, "--scale", 1, "--model", runs["pixelcnn"]]
    Path("sample.png").write_text("mine")
    assert said(capsys, *words)[1].startswith("sample-2.png: 1 pictures")
    assert said(capsys, *words)[1].startswith("sample-3.png: 1 pictures")
    code, out, err = said(capsys, *words, "--out", "sample.png")
    assert (code, out) == (2, "") and err.startswith("error: sample.png exists already: choose another --out")
    assert Path("sample.png").read_text() == "mine"
    assert said(capsys, *words, "--out", "sample.png", "--force")[1].startswith("sample.png: ")
    with Image.open("sample.png") as picture:
        assert picture.size == (WIDTH + 2, HEIGHT + 2)


def test_a_picture_is_what_its_name_says(runs, corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    words = ["sample", "-n", 4, "--model", runs["pixelcnn"], "--scale", 4]
    drawn = {}
    for ending, kind in ((".png", "PNG"), (".webp", "WEBP"), (".jpg", "JPEG"), (".jpeg", "JPEG")):
        code, out, err = said(capsys, *words, "--out", f"x{ending}")
        assert (code, err) == (0, "") and ("JPEG blurs pixels" in out) == (kind == "JPEG")
        with Image.open(f"x{ending}") as picture:
            assert picture.format == kind
            drawn[kind] = np.array(picture.convert("RGB")).astype(int)
    assert (drawn["WEBP"] == drawn["PNG"]).all()
    assert said(capsys, *words, "--out", "x.gif")[0] == 0
    single = PictureModel.from_pretrained(runs["pixelcnn"])
    with Image.open("x.gif") as moving:  # the pictures, one after the other
        assert moving.format == "GIF" and moving.n_frames == 4
        for number, whole in enumerate(single.pictures(single.sample(4))):
            moving.seek(number)
            assert (np.array(moving.convert("RGBA"))[::4, ::4] == whole).all()
    assert abs(drawn["JPEG"] - drawn["PNG"]).mean() < 10
    for verb, ending, what in (("sample", "bmp", "a picture"), ("animate", "png", "an animation")):
        code, out, err = said(capsys, verb, "--model", runs["pixelcnn"], "--out", f"y.{ending}")
        assert (code, out) == (2, "") and err.startswith(f"error: y.{ending}: {what} can be written as .")
    pair = [f"{corpus}@test:0", f"{corpus}@test:1"]
    code, out, err = said(capsys, "interpolate", *pair, "--gif", "x.txt", "--model", runs["vae"])
    assert code == 2 and "x.txt: an animation can be written as .gif, .webp" in err
    for words, line in (
        (["--gif", "x.gif"], "x.gif exists already: choose another --gif, or give --force to replace it"),
        (["--gif", "y.gif", "--out", "./y.gif"], "--out and --gif are both y.gif: give each a name of its own"),
        (["--out", "no/such/y.png"], "no/such/y.png: no such file or folder: check the path"),
    ):
        code, out, err = said(capsys, "interpolate", *pair, "--model", "nowhere", *words)  # before any work
        assert (code, out, err) == (2, "", f"error: {line}\n")
    assert said(capsys, "animate", "-n", 1, "--every", 10, "--out", "a.webp", "--model", runs["pixelcnn"])[0] == 0
    with Image.open("a.webp") as moving:
        assert moving.n_frames > 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.webp", "x.gif", "x.jpeg", "x.jpg", "x.png", "x.webp"]


def test_a_preview_fits_the_terminal(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "20")
    monkeypatch.setenv("LINES", "20")
    for count, wide in ((1, WIDTH + 2), (36, 20)):
        out = said(capsys, "sample", "-n", count, "--model", runs["pixelcnn"])[1]
        rows = [line.count("\u2580") for line in out.splitlines() if "\u2580" in line]
        assert set(rows) == {wide}


def test_the_functions_are_there_for_python(runs, corpus, tmp_path):
    model = PictureModel.from_pretrained(runs["vae"])
    drawing = verbs.sample(3, model=model, seed=4)
    assert torch.equal(torch.tensor(drawing.to_dict()["tokens"]), model.sample(3, seed=4))
    assert str(drawing).splitlines()[0] == "3 pictures, seed 4"
    with Image.open(drawing.save(tmp_path / "three.png", scale=2)) as picture:
        assert picture.size[0] == 2 * drawing.grid.shape[1]
    pixels = model.pictures(held_out(corpus, model)[:1])[0]
    twice = [verbs.reconstruct([given], model=runs["vae"]).facts for given in (pixels, f"{corpus}@test:0")]
    assert twice[0] == twice[1] == verbs.reconstruct([pixels[..., :3]], model=model).facts


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["complete", "{corpus}@test:0", "--model", "{vae}"], "goes pixel by pixel"),
        (["complete", "{corpus}@test:0", "--keep", "1.5", "--model", "{pixelcnn}"], "--keep 1.5: expected a share"),
        (
            ["complete", "{corpus}@test:0", "--keep", "0.5", "--hide", "0:1,0:1", "--model", "{pixelcnn}"],
            "leave out one",
        ),
        (["complete", "{corpus}@test:0", "--particles", "9", "--model", "{pixelcnn}"], "is for --mask and --hide"),
        (["complete", "{corpus}@test:0", "--mask", "big.png", "--model", "{pixelcnn}"], "--mask big.png: 9 x 9 pixels"),
        (["complete", "{corpus}@test:0", "--mask", "dark.png", "--model", "{pixelcnn}"], "no pixel is light"),
        (["complete", "{corpus}@test:0", "--mask", "no.png", "--model", "{pixelcnn}"], "no.png: no such file"),
        (["complete", "{corpus}@test:0", "--hide", "0:9,0:5", "--model", "{pixelcnn}"], "--hide '0:9,0:5': expected"),
        (["complete", "{corpus}@test:0", "--hide", "2:2,0:5", "--model", "{pixelcnn}"], "--hide '2:2,0:5': expected"),
        (["complete", "{corpus}@test:0", "--hide", "top", "--model", "{pixelcnn}"], "--hide 'top': expected rows and"),
        (["complete", "{corpus}@test:0", "--hide", "0:1,0:1", "--model", "{vae}"], "goes pixel by pixel"),
        (
            ["complete", "{corpus}@test:0", "--hide", "0:1,0:1", "--particles", "0", "--model", "{pixelcnn}"],
            "expected 1",
        ),
        (
            ["complete", "{corpus}@test:0", "--hide", "0:1,0:1", "--temperature", "0.5", "--model", "{pixelcnn}"],
            "leave out --temperature",
        ),
        (["complete", "{corpus}@test:999", "--model", "{pixelcnn}"], "test has rows 0 to"),
        (["complete", "absent.png", "--model", "{pixelcnn}"], "absent.png"),
        (["complete", "big.png", "--model", "{pixelcnn}"], "9 x 9 pixels (height x width); this model draws 6 x 5"),
        (["reconstruct", "{corpus}@test:0", "--model", "{pixelcnn}"], "has no codes"),
        (["traverse", "{corpus}@test:0", "--codes", "9", "--model", "{vae}"], "expected one or two different ones"),
        (["traverse", "{corpus}@test:0", "--codes", "a", "--model", "{vae}"], "expected whole numbers with commas"),
        (["sample", "--model", "english-fiction"], "is a model of text"),
        (["sample", "-n", "0", "--model", "{pixelcnn}"], "-n 0: expected 1"),
        (["sample", "--code-temperature", "1", "--model", "{pixelcnn}"], "--code-temperature needs a model with codes"),
        (["sample", "--code-temperature", "-1", "--model", "{vae}"], "--code-temperature -1: expected a number from 0"),
        (["sample", "--out", "no/where.png", "--model", "{vae}"], "no/where.png"),
        (["evaluate", "{other}", "--model", "{vae}"], "another palette, size or order"),
        (["evaluate", "{corpus}", "--merge", "256", "--model", "{pixelcnn}"], "--merge 256: expected 0 to 255"),
        (["evaluate", "{corpus}", "--merge", "1", "--keep", "0.5", "--model", "{pixelcnn}"], "leave out one"),
        (["evaluate", "{corpus}", "--merge", "1", "--model", "{vae}"], "draws from codes"),
        (["train"], "nothing to train on"),
        (["train", "toy"], "this is text; train on it with textgen train"),
        (["train", "{corpus}", "--model", "pixelcn"], "did you mean 'pixelcnn'"),
        (["train", "{corpus}", "backbone=deconv"], "deconv"),
        (["train", "nowhere/at/all"], "nowhere/at/all: no such file or folder"),
        (["train", "{corpus}", "--init", "{pixelcnn}", "--model", "pixelrnn"], "is no pixelrnn: leave out --model"),
        (["sample", "--seed", "-1"], "--seed -1: expected 0 to"),
        (["sample", "--threads", "0"], "--threads 0: expected 1 to 1,024"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(words, message, runs, corpus, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (9, 9)).save("big.png")
    save_mask("dark.png", np.zeros((HEIGHT, WIDTH), bool))
    if "{other}" in words:
        build(["sprites"], tmp_path / "other", settings={"count": "20"})
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


class Painter(Model):
    """A model without a likelihood: every pixel is the number of its row of the sample."""

    def __init__(self, vocab) -> None:
        super().__init__()
        self.vocab, self.weight = vocab, nn.Parameter(torch.zeros(1))

    def sample(self, rows, *, length, seed=0, first=0, labels=None, how=None, code_temperature=1.0):
        return (torch.arange(first, first + rows) % 3)[:, None].expand(rows, length)


def test_a_model_without_a_likelihood_draws_and_does_no_more():
    opened = untrained("pixelcnn", "down").opened
    model = PictureModel(opened._replace(model=Painter(opened.model.vocab)))
    heard = []
    drawn = model.sample(70, tell=lambda done, of: heard.append((done, of)))
    assert drawn[:, 0].tolist() == [row % 3 for row in range(70)] and heard == [(64, 70), (70, 70)]
    (picture,) = drawn[:1]
    for verb in (lambda: model.complete(drawn[:1], 1), lambda: model.inpaint(picture, model.hidden(1)),
                 lambda: model.reconstruct(drawn[:1]), lambda: model.nll(drawn[:1])):  # fmt: skip
        with pytest.raises(InputError, match=r"no codes|draws whole pictures"):
            verb()

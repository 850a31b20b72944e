"""Class condition: what it changes in a loss, a likelihood and a draw, and how it is kept; Python and command lines."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

import small
import textgen
from corpora.build import build, from_texts
from corpora.corpus import Corpus
from corpora.errors import InputError
from corpora.settings import names
from corpora.sources import toy
from imagegen import PictureModel, cli, training
from small import PAD, VOCAB
from textgen import SentenceVAE
from textgen import cli as text_cli
from textgen.core import estimators, recipes, trainer
from textgen.core.backbone import Vocabulary
from textgen.core.classes import Classed, Classes
from textgen.core.model import Latent
from textgen.core.player import Batch
from textgen.core.randomness import Draw
from textgen.runs import judging, library
from textgen.runs.plan import plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen
from textgen.sentences import measures
from textgen.sentences.defaults import REFINE
from textgen.sentences.draw import draw

NAMED = VOCAB._replace(labels=("high", "low", "odd"))
HEIGHT, WIDTH = 6, 5
MODELS = ("lm", "vae")
every_model = pytest.mark.parametrize("name", MODELS)
every_backbone = pytest.mark.parametrize("backbone", small.BACKBONES)


def made(name: str, loud: float = 1.0, **chosen: object):
    return small.model(name, NAMED, loud=loud, classes=True, **chosen)


def apart(rows: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Rows of five tokens, high ones in class 0 and low ones in class 1, and their classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(2, (rows,), generator=generator)
    low = torch.randint(3, 7, (rows, 5), generator=generator)
    return torch.where(labels[:, None] == 0, low + 4, low), labels


def nll_of(model, tokens: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
    if isinstance(model, Latent):
        return estimators.bounds(model, tokens, samples=20, seed=0, labels=labels).nll
    return estimators.exact_nll(model, tokens, labels)


# ---------------------------------------------------------------------------------------------------- the model


@every_model
@every_backbone
def test_classes_that_lie_apart_are_learned_apart(name, backbone):
    """Each position costs log 4 given the class; given the wrong one a row is all but impossible."""
    rate = {"rate": None, "beta": 1.0} if name == "vae" else {}
    model = made(name, backbone=backbone, layers=1, class_dropout=0.3, **rate)
    how = trainer.Config(lr=2e-2, ema=0.0, schedule="constant", lr_warmup=0, precision="fp32")
    state = trainer.Training(model, how, steps=80, seed=0)

    def batch(number: int) -> Batch:
        tokens, labels = apart(64, number)
        return Batch(tokens, labels)

    for _ in trainer.steps(state, batch):
        pass
    tokens, labels = apart(200, 10**6)
    right, wrong, none = (float(nll_of(model.eval(), tokens, known).mean()) for known in (labels, 1 - labels, None))
    assert right < 5 * np.log(4) + 1.5
    assert wrong > right + 5
    assert right + 0.3 < none < right + 2  # about log 2: which of the two it is shows in the first token


@pytest.mark.parametrize("backbone", small.BACKBONES + names("imagegen.backbones"))
def test_probabilities_of_all_rows_sum_to_1_given_each_class(backbone):
    vocab = Vocabulary(3, shape=(2, 2), colours=((0.0, 0, 0), (50.0, 9, 9), (90.0, -9, 0)), labels=NAMED.labels)
    chosen = {"backbone": backbone, "classes": True}
    sizes = small.sizes(*recipes.compose("lm", chosen, package="imagegen")[0].configs.values())
    torch.manual_seed(0)
    model = small.louder(recipes.build(recipes.compose("lm", {**sizes, **chosen}, package="imagegen")[0], vocab), 2.0)
    every = torch.cartesian_prod(*[torch.arange(3)] * 4)
    found = []
    for label in (-1, 0, 1, 2):
        found.append((-estimators.exact_nll(model.eval(), every, torch.full((81,), label)).double()).exp())
        assert float(found[-1].sum()) == pytest.approx(1, abs=1e-4)
    assert all((one - found[0]).abs().max() > 1e-4 for one in found[1:])


@every_model
@every_backbone
def test_padding_and_neighbours_change_nothing_and_every_class_matters(name, backbone):
    model = made(name, 2.0, backbone=backbone)
    tokens = small.rows([2, 5, 3, 1], NAMED)
    labels = torch.tensor([0, 2, -1, 1])
    whole = model.loss(Batch(tokens, labels), Draw(0, 0, total=4)).loss
    longer = torch.cat([tokens, torch.full((4, 3), PAD)], 1)
    torch.testing.assert_close(model.loss(Batch(longer, labels), Draw(0, 0, total=4)).loss, whole, rtol=1e-4, atol=1e-4)
    for rank in (0, 1):
        part = model.loss(Batch(tokens[rank::2], labels[rank::2]), Draw(0, 0, total=4, rank=rank, world=2)).loss
        torch.testing.assert_close(part, whole[rank::2], rtol=1e-4, atol=1e-4)
    others = [model.loss(Batch(tokens, torch.full((4,), label)), Draw(0, 0, total=4)).loss for label in (-1, 0, 1, 2)]
    for one in range(4):
        for other in range(one):
            assert ((others[one] - others[other]).abs() > 1e-6).all()


@every_model
def test_no_class_known_is_minus_1_and_none_at_all(name):
    model, tokens = made(name, 2.0), small.rows([2, 5, 3, 1], NAMED)
    none = model.loss(Batch(tokens), Draw(0, 0, total=4)).loss
    assert torch.equal(none, model.loss(Batch(tokens, torch.full((4,), -1)), Draw(0, 0, total=4)).loss)
    plain = small.model(name)
    one = plain.loss(Batch(tokens), Draw(0, 0, total=4)).loss
    assert torch.equal(one, plain.loss(Batch(tokens, torch.tensor([0, 1, 2, -1])), Draw(0, 0, total=4)).loss)


def test_a_share_of_the_classes_is_hidden_in_training_alone():
    classes = Classes(Classed(True, 0.25), NAMED)
    labels = torch.arange(3).repeat(4000)
    hidden = classes.hide(labels, Draw(0, 0, total=12_000))
    assert float((hidden < 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    assert torch.equal(hidden[hidden >= 0], labels[hidden >= 0])
    for name in MODELS:
        model, tokens = made(name, 2.0, class_dropout=0.99), small.rows([4] * 8, NAMED)
        ones = torch.ones(8, dtype=torch.long)
        none = model.loss(Batch(tokens), Draw(0, 0, total=8)).loss
        assert not torch.isclose(model.loss(Batch(tokens, ones), Draw(0, 0, total=8)).loss, none).any()
        training = model.train().loss(Batch(tokens, ones), Draw(0, 1, total=8)).loss
        assert torch.isclose(training, model.loss(Batch(tokens), Draw(0, 1, total=8)).loss).any()
    with pytest.raises(ValueError, match="class_dropout="):
        Classed(True, 1.0)


@every_model
def test_a_model_needs_labels_to_know_classes(name):
    with pytest.raises(InputError, match="the corpus has no labels"):
        small.model(name, VOCAB, classes=True)


# ------------------------------------------------------------------------------------------------- the corpus


def test_classes_are_numbered_in_alphabetical_order_and_go_with_their_rows():
    texts = [f"word {number}" for number in range(60)]
    labels = [("zebra", "ant", None, "moth")[number % 4] for number in range(60)]
    corpus = from_texts(texts, "words", labels=labels, valid_share=0, test_share=0)
    rows, order = corpus.rows("train"), ["ant", "moth", "zebra"]
    wanted = [-1 if rows.label(row) is None else order.index(rows.label(row)) for row in range(60)]
    assert set(wanted) == {-1, 0, 1, 2}
    assert rows.classes(range(60)).tolist() == wanted
    for rank in (0, 1):
        batch = corpus.batch(3, 0, 8, rank=rank, world=2)
        assert batch.classes.tolist() == [wanted[row] for row in batch.rows]
    without = from_texts(texts, "words", valid_share=0, test_share=0)
    assert without.batch(0, 0, 8).classes.tolist() == [-1] * 8


# ------------------------------------------------------------------------------------------------------- text


@pytest.fixture(scope="session")
def toy_classes(toy_corpus, tmp_path_factory) -> dict[str, Path]:
    """Run folders of a small language model and a small VAE that know whether an animal or a person is the subject."""
    folder, corpus = tmp_path_factory.mktemp("classes"), Corpus.open(toy_corpus)
    sizes = {"classes": True, "width": 32, "embedding": 16, "layers": 1, "lr": 2e-2, "ema": 0.9, "precision": "fp32"}
    options = {"steps": 160, "every": 160, "batch": 32, "device": "cpu", "threads": 1}
    for name in MODELS:
        settings = {**small.settings(name), **sizes, **({"rate": 8.0} if name == "vae" else {})}
        planned = plan(corpus, folder / name, toy_corpus, model=name, settings=settings, **options)
        Run.create(folder / name, planned).train(Screen(quiet=True))
    return {name: folder / name for name in MODELS}


@pytest.fixture(scope="session")
def both(toy_classes) -> dict[str, library.Opened]:
    return {name: library.open_model(folder) for name, folder in toy_classes.items()}


def subjects(texts: list[str]) -> list[str]:
    """The first noun of each sentence, as the toy grammar has them."""
    kinds = dict.fromkeys(toy.ANIMALS, "animal") | dict.fromkeys(toy.PEOPLE, "person")
    return [next((kinds[word] for word in text.split() if word in kinds), "none") for text in texts]


@every_model
def test_sentences_of_a_class_are_drawn_by_its_name(name, both):
    for label in ("animal", "person"):
        made = draw(both[name], 60, seed=4, label=label)
        assert subjects(made).count(label) > 45
        assert made[20:24] == draw(both[name], 4, seed=4, label=label, first=20)
    mixed = subjects(draw(both[name], 60, seed=4))
    assert 10 < mixed.count("animal") < 50
    some = draw(both[name], 2, seed=4, label=["animal", None])
    assert some == [draw(both[name], 1, seed=4, label="animal")[0], draw(both[name], 2, seed=4)[1]]
    each = draw(both[name], 6, seed=4, label=["animal"] * 3 + ["person"] * 3)
    best = draw(both[name], 2, seed=4, label=["animal", "person"], best_of=3)
    assert best[0] in each[:3] and best[1] in each[3:]


def test_codes_are_decoded_into_a_class(both):
    vae = SentenceVAE(both["vae"])
    given = ["the small cat sees a bird", "a queen is happy"]
    for label in ("animal", "person"):
        assert subjects(vae.sample(20, beams=2, label=label)).count(label) > 15
        assert vae.reconstruct(given, label=label) == vae.decode(vae.encode(given, refine=REFINE), label=label)
    own, other = (vae.reconstruct(given, label=labels) for labels in (["animal", "person"], ["person", "animal"]))
    assert own != other
    assert len(vae.interpolate(*given, steps=3, beams=2)) == 3  # without a class


@every_model
def test_evaluation_is_given_each_rows_own_label_and_says_so(name, both, toy_corpus, toy_classes, capsys):
    words = ["evaluate", str(toy_corpus), "--model", str(toy_classes[name]), "--samples", "5", "--json"]
    assert text_cli.main(words) == 0
    nll = json.loads(capsys.readouterr().out)["figures"][0]
    rows, model = Corpus.open(toy_corpus).rows("test"), both[name].model
    tokens, labels = torch.from_numpy(rows.pad(range(len(rows)))), torch.from_numpy(rows.classes(range(len(rows))))
    assert nll["name"] == "NLL" and "given the class" in nll["estimator"] and "lack" not in nll["estimator"]
    if name == "lm":
        assert nll["value"] == pytest.approx(
            float(estimators.exact_nll(model, tokens, labels).double().mean()), abs=1e-3
        )
    right, wrong, none = (float(nll_of(model, tokens, known).mean()) for known in (labels, 1 - labels, None))
    assert right < none < wrong
    file = toy_corpus.parent / "some.txt"
    file.write_text("the cat sleeps\na girl waits\n")
    assert text_cli.main(["evaluate", str(file), *words[2:]]) == 0
    assert "no class known" in json.loads(capsys.readouterr().out)["figures"][0]["estimator"]


@every_model
def test_labels_of_no_training_row_are_none_and_it_is_said(name, both):
    """Their embeddings were never trained: a likelihood given them would be that of a random condition."""
    opened = both[name]._replace(facts={**both[name].facts, "labels_unseen": ["person"]})
    texts = ["the cat sleeps", "a girl waits", "the dog waits"]
    ways = {"where": "here", "samples": 4}
    found = measures.measure(opened, texts, labels=["animal", "person", "fish"], **ways)
    none = measures.measure(opened, texts, labels=["animal", None, None], **ways)
    assert found["NLL"] == none["NLL"]
    assert "given the class, which 2 of 3 rows lack" in found.figures[0].estimator
    note = "2 of 3 rows have a label that no training row had ('fish', 'person'): they are taken to have none"
    assert note in found.notes and note not in none.notes
    with pytest.raises(InputError, match=r"label 'person': no row that .* was trained on has it; known: animal"):
        draw(opened, 1, label="person")


class Labelled:
    """Four rows of the labels b, b, none and a, in a corpus that names c as well."""

    def __init__(self) -> None:
        self.label_names = ["b", "c", "a"]
        self.labels = np.array([0, 0, -1, 2], np.int32)

    def __len__(self) -> int:
        return 4

    def classes(self, some: np.ndarray) -> np.ndarray:
        return np.array([1, 2, 0, -1])[some]  # b, c, a, none: as of a held-out split


def test_labels_of_no_training_row_are_found_and_judged_as_none():
    splits, names = {"train": Labelled(), "valid": Labelled()}, ["b", "c", "a"]
    corpus = SimpleNamespace(splits=splits, manifest={"label_names": names})
    assert judging.unseen(corpus) == ["c"]
    assert judging._classes(corpus, np.arange(4)).tolist() == [1, -1, 0, -1]


@every_model
def test_a_shared_model_knows_its_classes_by_name(name, both, toy_classes, tmp_path, capsys):
    again = library.open_model(library.export(toy_classes[name], tmp_path / "shared", half=False))
    assert again.model.vocab.labels == ("animal", "person")
    assert draw(again, 5, seed=1, label="person") == draw(both[name], 5, seed=1, label="person")
    assert "`animal`, `person`" in (tmp_path / "shared" / "README.md").read_text()
    words = ["--model", str(tmp_path / "shared"), "--label", "person", "-n", "3", "--temperature", "1", "--json"]
    assert text_cli.main(["sample", *words]) == 0
    drawn = json.loads(capsys.readouterr().out)
    assert drawn["sentences"] == draw(both[name], 3, label="person")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["sample", "--model", "{lm}", "--label", "persn"],
            "no label 'persn': did you mean 'person'? choose from animal",
        ),
        (
            ["sample", "--model", "{vae}", "--beams", "2", "--label", "fish"],
            "no label 'fish': choose from animal, person",
        ),
        (["reconstruct", "a cat sings", "--model", "{vae}", "--label", "fish"], "no label 'fish'"),
        (["sample", "--model", "{plain}", "--label", "person"], "knows no classes: leave out the label"),
        (["train", "{corpus}", "--init", "{vae}", "classes=false", "--out", "new"], "weights of other sizes"),
        (["train", "{corpus}", "--init", "{plain}", "classes=true", "--out", "new"], "weights of other sizes"),
        (["train", "{unlabelled}", "--model", "lm", "classes=true", "--out", "new"], "the corpus has no labels"),
        (["train", "{others}", "--init", "{lm}", "--out", "new"], "they have to be the same"),
        (["train", "{corpus}", "class_dropout=1", "--out", "new"], "class_dropout=1"),
        (["evaluate", "{others}", "--model", "{lm}"], "no label"),
    ],
)
def test_bad_labels_are_one_line_and_exit_code_2(
    words, message, toy_classes, toy_corpus, toy_autoencoder, capsys, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    texts = [f"the cat sees {word}" for word in toy.THINGS + toy.PLACES]
    Path("plain.txt").write_text("\n".join(texts))
    Path("plain.label").write_text("\n".join("xy"[number % 2] for number in range(len(texts))))
    codec = {"codec_from": str(toy_corpus), "valid_share": "0", "test_share": "0.2"}
    if "{unlabelled}" in words:
        build(["plain.txt"], Path("unlabelled"), settings=codec)
    if "{others}" in words:
        build(["plain.txt"], Path("others"), settings={**codec, "labels": "plain.label"})
    places = {"corpus": toy_corpus, "plain": toy_autoencoder, "unlabelled": "unlabelled", "others": "others"}
    code = text_cli.main([word.format(**places, **toy_classes) for word in words])
    out, err = capsys.readouterr()
    assert (code, out) == (2, "")
    assert len(err.splitlines()) == 1 and message in err, err
    assert not Path("new").exists()


def test_training_goes_on_from_a_model_with_classes(toy_classes, toy_corpus, tmp_path):
    out = textgen.train(
        [toy_corpus], tmp_path / "more", init=toy_classes["lm"], steps=2, batch=8, screen=Screen(quiet=True)
    )
    first, then = library.open_model(toy_classes["lm"]), library.open_model(out)
    assert then.model.vocab.labels == first.model.vocab.labels
    for name, weight in then.model.named_parameters():
        torch.testing.assert_close(weight, first.model.get_parameter(name), rtol=0.1, atol=0.1)


# --------------------------------------------------------------------------------------------------- pictures


@pytest.fixture(scope="session")
def bars(tmp_path_factory) -> Path:
    """Bars on white, red or blue by their label, and a few without one."""
    folder = tmp_path_factory.mktemp("bars")
    colours = np.array([(255, 255, 255, 255), (200, 30, 30, 255), (20, 40, 160, 255)], np.uint8)
    draw = np.random.default_rng(0)
    made = np.broadcast_to(colours[0], (120, HEIGHT, WIDTH, 4)).copy()
    for number, picture in enumerate(made):
        picture[draw.integers(1, HEIGHT) :, draw.integers(WIDTH)] = colours[1 + number % 2]
    labels = np.array([("red", "blue")[number % 2] for number in range(120)])
    np.savez(folder / "bars.npz", pictures=made, colour=labels)
    words = {"keep_duplicates": "true", "array": "pictures", "label_array": "colour"}
    build([str(folder / "bars.npz")], folder / "corpus", settings=words)
    return folder / "corpus"


@pytest.fixture(scope="session")
def drawers(bars, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("drawers")
    kinds = {
        "pixelcnn": {"channels": 12, "layers": 2, "dropout": 0.0},
        "vae": {"channels": 8, "rate": 3.0, "latent": 3, "stages": 1},
    }
    how = {"lr": 1e-2, "precision": "fp32", "ema": 0.0, "classes": True}
    options = {"steps": 600, "batch": 16, "every": 600, "threads": 1, "screen": Screen(quiet=True)}
    for kind, settings in kinds.items():
        training.train([bars], folder / kind, model=kind, settings={**settings, **how}, **options)
    return {kind: folder / kind for kind in kinds}


def reds(model: PictureModel, tokens: torch.Tensor) -> tuple[int, int]:
    """The number of red pixels of pictures, and of blue ones."""
    pixels = np.concatenate([picture.reshape(-1, 4) for picture in model.pictures(tokens)]).astype(int)
    return int((pixels[:, 0] - pixels[:, 2] > 90).sum()), int((pixels[:, 2] - pixels[:, 0] > 90).sum())


def test_pictures_of_a_class_are_drawn_by_its_name(drawers, bars):
    model = PictureModel.from_pretrained(drawers["pixelcnn"])
    red, blue = (reds(model, model.sample(30, label=label)) for label in ("red", "blue"))
    assert red[0] > 5 * red[1] and blue[1] > 5 * blue[0]
    mixed = reds(model, model.sample(30, label=None))
    assert min(mixed) > 0.15 * sum(mixed)
    rows = Corpus.open(bars).rows("train")  # the few different ones of the test split are no law
    tokens, own = torch.from_numpy(rows.pad(range(len(rows)))), [rows.label(row) for row in range(len(rows))]
    other = [{"red": "blue", "blue": "red"}[label] for label in own]
    right, none, wrong = (float(model.nll(tokens, label=labels).mean()) for labels in (own, None, other))
    assert right < none < wrong
    assert torch.allclose(model.hidden_nll(tokens, 0, label=other), model.nll(tokens, label=other), atol=1e-4)
    blank = torch.zeros_like(tokens[:2]) + tokens[0, 0]  # white, of which a row is shown
    red, blue = (reds(model, part) for part in model.complete(blank, 1, label=["red", "blue"], count=12))
    assert red[0] > 5 * red[1] and blue[1] > 5 * blue[0]


def test_codes_of_pictures_are_decoded_into_a_class(drawers, bars):
    model = PictureModel.from_pretrained(drawers["vae"])
    rows = Corpus.open(bars).rows("test")
    tokens = torch.from_numpy(rows.pad([0, 1, 2]))
    red, blue = (model.reconstruct(tokens, label=label) for label in ("red", "blue"))
    assert not torch.equal(red, blue)
    path = model.interpolate(tokens[0], tokens[1], steps=4, label=["red", "blue"])
    assert torch.equal(path[0], red[0]) and torch.equal(path[-1], blue[1])
    turned = model.traverse(tokens[0], steps=3, label="blue").tokens
    assert turned.shape[:2] == (3, 3) and not torch.equal(
        turned, model.traverse(tokens[0], steps=3, label="red").tokens
    )
    likelihoods = [float(model.nll(tokens, samples=20, label=label).mean()) for label in ("red", "blue", None)]
    assert len(set(likelihoods)) == 3


def test_a_picture_of_a_corpus_brings_its_own_label(drawers, bars, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = PictureModel.from_pretrained(drawers["vae"])
    rows = Corpus.open(bars).rows("test")
    for words, label in (([], rows.label(0)), (["--label", "red"], "red"), (["--label", "blue"], "blue")):
        assert cli.main(["reconstruct", f"{bars}@test:0", "--model", str(drawers["vae"]), "--json", *words]) == 0
        found = json.loads(capsys.readouterr().out)["tokens"]
        assert found == model.reconstruct(torch.from_numpy(rows.pad([0])), label=label).tolist()
    assert cli.main(["complete", f"{bars}@test:0", "--model", str(drawers["pixelcnn"]), "-n", "1"]) == 0
    assert "given the class" in capsys.readouterr().out
    for kind, folder in drawers.items():
        assert cli.main(["evaluate", str(bars), "--model", str(folder), "--samples", "4", "--json"]) == 0
        figures = json.loads(capsys.readouterr().out)["figures"]
        assert "given the class" in figures[0]["estimator"], kind
        in_turn = PictureModel.from_pretrained(folder).sample(3, label=["blue", "red", "blue"])
        for verb in ("sample", "animate"):
            assert cli.main([verb, "-n", "3", "--model", str(folder), "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["tokens"] == in_turn.tolist()
        assert cli.main(["sample", "-n", "2", "--model", str(folder), "--label", "gold"]) == 2
        assert "choose from blue, red" in capsys.readouterr().err


def test_views_are_tagged_and_likelihoods_are_those_of_the_picture_as_it_is(tmp_path, capsys):
    """Distribution augmentation (Jun et al. 2020)."""
    made = np.random.default_rng(0).integers(2, size=(30, HEIGHT, WIDTH, 1), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", pictures=(255 * made).repeat(3, 3))
    build([str(tmp_path / "noise.npz")], tmp_path / "corpus", settings={"flip": "true", "tag": "true"})
    rows = Corpus.open(tmp_path / "corpus").rows("test")
    assert {rows.label(row) for row in range(len(rows))} == {"as it is"}
    out = training.train(
        [tmp_path / "corpus"],
        tmp_path / "run",
        settings={"channels": 4, "layers": 1, "classes": True},
        steps=2,
        batch=4,
        screen=Screen(quiet=True),
    )
    model = PictureModel.from_pretrained(out)
    assert set(model.model.vocab.labels) >= {"as it is", "mirrored"}
    tokens = torch.from_numpy(rows.pad(range(len(rows))))
    assert cli.main(["evaluate", str(tmp_path / "corpus"), "--model", str(out), "--json"]) == 0
    figure = json.loads(capsys.readouterr().out)["figures"][0]
    assert figure["value"] == pytest.approx(float(model.nll(tokens, label="as it is").mean()), abs=1e-3)
    assert figure["value"] != pytest.approx(float(model.nll(tokens).mean()), abs=1e-3)

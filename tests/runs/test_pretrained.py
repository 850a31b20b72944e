"""The models that ship: whole, documented, small enough, and good at what they are for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from corpora.build import build
from imagegen import PictureModel
from textgen import SentenceVAE
from textgen.runs import library

RECIPES = Path(__file__).parents[2] / "docs" / "recipes"
every_model = pytest.mark.parametrize("name", library.shipped())
every_model_of_text = pytest.mark.parametrize("name", library.shipped("textgen"))


def size(name: str) -> int:
    return sum(path.stat().st_size for path in library.shipped()[name].iterdir())


def test_all_together_stay_small():
    assert library.DEFAULT_MODEL in library.shipped()
    assert sum(map(size, library.shipped())) < 60e6


@every_model
def test_a_shipped_model_is_whole_and_documented(name):
    opened = library.open_model(name)
    assert size(name) < 20e6
    card = (library.shipped()[name] / "README.md").read_text()
    assert (RECIPES / f"{name}.md").read_text().splitlines()[0] in card
    assert opened.facts["figures"]["figures"], "figures travel with the model"


@every_model_of_text
def test_a_shipped_model_gives_its_own_sentences_back(name):
    """What a model writes itself (beams) lies where it is at home: most must come back word for word."""
    vae = SentenceVAE.from_pretrained(name)
    texts = [text for text in vae.sample(12, seed=3, beams=5) if len(vae.codec.encode(text)) < vae.length]
    found = vae.reconstruct(texts)
    assert sum(one == other for one, other in zip(texts, found, strict=True)) >= 0.5 * len(texts)


def test_chinese_verse_keeps_its_length_all_along():
    walk = SentenceVAE.from_pretrained("verse-zh").interpolate("床前明月光", "疑是地上霜")
    assert [walk[0].text, walk[-1].text] == ["床前明月光", "疑是地上霜"]
    assert {len(point.text) for point in walk} == {5}
    assert walk.distinct >= 5


def test_the_pair_of_the_lecture_is_known_again():
    walk = SentenceVAE.from_pretrained().interpolate(
        "i went to the store to buy some groceries", "don't worry about it, she said"
    )
    assert walk[0].text.startswith("I went to the store to buy some ")
    assert walk[-1].text == "Don't worry about it, she said."
    assert walk.distinct >= 6


def test_creatures_that_it_never_saw_are_likely_and_of_their_own_kind(tmp_path):
    words = {"sprites_seed": 7, "count": 80, "codec_from": str(library.shipped()["creatures"])}
    rows = build(["sprites"], tmp_path / "corpus", settings=words).rows("train")
    model = PictureModel.from_pretrained("creatures")
    tokens, labels = torch.from_numpy(rows.pad(range(40))), [rows.label(row) for row in range(40)]
    own = model.nll(tokens, label=labels)
    assert float(own.mean()) / model.length < 0.2, "0.11 nats per pixel on its test split"
    other = [rows.label_names[(rows.label_names.index(label) + 1) % 8] for label in labels]
    assert (own < model.nll(tokens, label=other)).double().mean() > 0.9


def test_what_the_sprite_model_draws_is_likely_under_it_and_never_the_same():
    """The mean NLL of a model's own drawings is its entropy: 0.75 nats per pixel."""
    model = PictureModel.from_pretrained("pokemon")
    drawn = model.sample(16, seed=5)
    assert len(drawn.unique(dim=0)) == 16
    assert 0.5 < float(model.nll(drawn).mean()) / model.length < 1.1
    again = model.complete(drawn[:1], 10, count=2, seed=1)
    assert (again[0, :, :200] == drawn[0, :200]).all() and (again[0, 0] != again[0, 1]).any()


def test_a_drawn_tile_is_of_the_kind_that_was_asked_for():
    model = PictureModel.from_pretrained("tiles")
    own = ["monster", "dungeon"] * 4
    drawn = model.sample(8, label=own, seed=2)
    nll = model.nll(drawn, label=own)
    assert float(nll.mean()) / model.length < 1.5, "1.01 nats per pixel on its test split"
    assert float(nll.mean()) < float(model.nll(drawn, label=own[::-1]).mean())
    opaque = torch.tensor([picture[..., 3].mean() for picture in model.pictures(drawn)])
    assert opaque[1::2].mean() > opaque[::2].mean(), "floors and walls fill their squares"

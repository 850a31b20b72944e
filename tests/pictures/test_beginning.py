"""A choice of probable pixels that begins after the margin: no empty page where the model draws something."""

from __future__ import annotations

import pytest
import torch
from bars import HEIGHT, WIDTH, said
from torch import nn

from corpora.errors import InputError
from imagegen import PictureModel, verbs
from textgen.core.backbone import Backbone
from textgen.core.sampler import Choice

LENGTH = HEIGHT * WIDTH


class Margin(Backbone):
    """Background with a probability of 0.93 until a pixel is drawn, then red with 0.95 for the rest of the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.weight = nn.Identity(), nn.Parameter(torch.zeros(1))

    def features(self, tokens: torch.Tensor, context: torch.Tensor | None = None) -> torch.Tensor:
        blank, red = (torch.tensor(row).log() for row in ((0.93, 0.04, 0.03), (0.03, 0.95, 0.02)))
        before = torch.cat([torch.zeros_like(tokens[:, :1]), tokens], 1)[:, : tokens.shape[1]]
        seen = before.cumsum(1) > 0
        return torch.where(seen[..., None], red, blank) + 0 * self.weight


@pytest.fixture
def model(runs) -> PictureModel:
    known = PictureModel.from_pretrained(runs["pixelcnn"])
    known.model.backbone = Margin()
    return known


def test_top_p_from_the_start_draws_empty_pages_and_after_the_margin_does_not(model):
    how = Choice(top_p=0.9)
    plain = model.sample(200, seed=3)
    start, drawing = (model.sample(200, seed=3, how=how, begin=begin) for begin in ("start", "drawing"))
    assert not start.any() and torch.equal(model.sample(200, seed=3, how=how), drawing)
    for row, free in zip(drawing, plain, strict=True):
        first = int((free != free[0]).int().argmax()) if (free != free[0]).any() else LENGTH
        assert torch.equal(row[: first + 1], free[: first + 1])  # as the model draws, up to the second colour
        assert (row[first + 1 :] == 1).all()  # then the most probable alone
    assert torch.equal(model.sample(20, seed=3), plain[:20])  # without a choice nothing is changed


def test_the_verb_tells_empty_pictures_and_the_remedy(model):
    text = str(verbs.sample(5, model=model, how=Choice(top_p=0.9), begin="start"))
    assert "5 of 5 came out empty, of one colour all over" in text and "leave out --begin start" in text
    drawing = verbs.sample(64, model=model, how=Choice(top_p=0.9), seed=1)
    blank = sum(drawing.facts["empty"])
    assert 0 < blank < 20 and f"{blank} of 64 came out empty" in str(drawing) and "--best-of 4" in str(drawing)
    best = verbs.sample(64, model=model, how=Choice(top_p=0.9), seed=1, best_of=8)
    assert not any(best.facts["empty"]) and "empty" not in str(best)
    text = str(verbs.sample(3, model=model, how=Choice(temperature=0)))
    assert "3 of 3 came out empty" in text and "add --begin drawing, or a temperature above 0" in text
    assert not all(verbs.sample(9, model=model, how=Choice(temperature=0), begin="drawing").facts["empty"])


def test_what_is_shown_of_a_completion_counts_as_drawn(model):
    tokens = torch.zeros(2, LENGTH, dtype=torch.long)
    tokens[0, 3] = 1
    made = model.complete(tokens, 2, count=30, how=Choice(top_p=0.9))
    assert (made[0, :, 2 * WIDTH :] == 1).all()
    assert made[1].any() and not model.complete(tokens[1:], 2, count=30, how=Choice(top_p=0.9), begin="start").any()


def test_a_beginning_is_one_of_two(runs, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match="no begin 'later': choose from drawing, start"):
        PictureModel.from_pretrained(runs["pixelcnn"]).sample(1, begin="later")
    words = ["--top-p", 0.9, "--begin", "start", "--model", runs["pixelcnn"]]
    for verb in (["sample", "-n", 2], ["animate", "-n", 1]):
        assert said(capsys, *verb, *words)[0] == 0
    code, _, err = said(capsys, "sample", "--begin", "drawn", "--model", runs["pixelcnn"])
    assert code == 2 and "did you mean 'drawing'" in err

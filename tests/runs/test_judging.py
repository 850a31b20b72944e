"""Evaluations: so many rows, of the split that there is, and no more of long ones than of many short ones."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from corpora import from_texts
from textgen.core.model import Model
from textgen.core.player import Batch, Terms
from textgen.runs import judging

PLAN = SimpleNamespace(training=SimpleNamespace(precision="fp32"))


class Counting(Model):
    """A model whose loss is the number of the rows' tokens; it notes the shapes of what it judges."""

    def __init__(self) -> None:
        torch.nn.Module.__init__(self)
        self.shapes: list[tuple[int, ...]] = []

    def judge(self, batch: Batch, draw: object) -> Terms:
        self.shapes.append(tuple(batch.values.shape))
        return Terms((batch.values > 0).sum(1).float(), {})


def judged(texts: list[str], **settings: object) -> tuple[dict[str, float], list[tuple[int, ...]], str]:
    corpus = from_texts(texts, "bytes", max_length=100_000, test_share=0.0, **settings)
    model = Counting()
    return judging.validate(model, corpus, PLAN, "cpu"), model.shapes, judging.judged_split(corpus)


def text(number: int, length: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in f"{number:05d}") * (length // 5)


@pytest.mark.parametrize(("share", "split", "rows"), [(0.25, "valid", 100), (0.0, "train", 400)])
def test_the_valid_split_is_judged_or_else_train(share, split, rows):
    means, shapes, of = judged([text(number, 20) for number in range(400)], valid_share=share)
    assert of == split
    assert sum(shape[0] for shape in shapes) == rows
    assert means == {"loss": 21.0}  # with the stop
    assert max(shape[0] for shape in shapes) == min(rows, 128)


def test_of_long_rows_fewer_are_judged_and_fewer_at_once(monkeypatch):
    monkeypatch.setattr(judging, "MOST_TOKENS", 300_000)
    means, shapes, _ = judged([text(number, 5000) for number in range(100)], valid_share=0.0)
    assert sum(shape[0] for shape in shapes) == 59  # of 5,001 tokens
    assert max(rows * length for rows, length in shapes) <= 128 * 1024
    assert means == {"loss": 5001.0}


def test_texts_of_the_greatest_length_by_default_are_all_judged():
    assert judging.MOST_TOKENS / 201 == judging.MOST

"""The arithmetic of a training step: batches, gradients, learning rates, averages."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

import small
from corpora import Corpus, InputError
from textgen.core import trainer
from textgen.core.backbone import Backbone
from textgen.core.pace import Steps
from textgen.core.trainer import Batch, Training
from textgen.runs import library


def batches(corpus: Path, count: int = 4) -> list[torch.Tensor]:
    opened = Corpus.open(corpus)
    return [torch.from_numpy(opened.batch(number, 0, 16).tokens) for number in range(count)]


def training_of(corpus: Path, name: str = "lm", **chosen: Any) -> Training:
    model = small.model(name, library.vocabulary(Corpus.open(corpus).codec), layers=1)
    return Training(model, trainer.Config(**{"precision": "fp32", "lr_warmup": 0, **chosen}), steps=20, seed=0)


def state_of(training: Training) -> dict[str, torch.Tensor]:
    tensors, values = training.state()
    for kind, more in (("model", training.model.state_dict()), ("ema", training.ema)):
        tensors |= {f"{kind}/{name}": value for name, value in more.items()}
    return {name: value.clone() for name, value in tensors.items()} | {"step": torch.tensor(values["step"])}


def test_an_update_that_diverges_changes_nothing(toy_corpus, monkeypatch):
    training, rows = training_of(toy_corpus), batches(toy_corpus)
    training.update([Batch(rows[0], total=16)])
    before = state_of(training)
    nll = Backbone.nll
    monkeypatch.setattr(Backbone, "nll", lambda *given, **more: nll(*given, **more) * math.inf)
    with pytest.raises(trainer.Diverged):
        training.update([Batch(rows[1], total=16)])
    after = state_of(training)
    assert before.keys() == after.keys()
    for name in before:
        assert torch.equal(before[name], after[name]), name


def test_two_batches_in_one_step_are_one_batch_of_both(toy_corpus):
    tokens = batches(toy_corpus, 1)[0]
    one, other = training_of(toy_corpus), training_of(toy_corpus)
    first = one.update([Batch(tokens, total=16)])
    second = other.update([Batch(tokens[:6], total=6), Batch(tokens[6:], total=10)])
    for name in ("loss", "nll", "gradient"):
        assert first.means[name] == pytest.approx(second.means[name], rel=1e-5)
    assert first.tokens == second.tokens == int((tokens != 0).sum())
    for (name, left), right in zip(one.model.named_parameters(), other.model.parameters(), strict=True):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=2e-5, msg=name)


def test_every_batch_is_asked_for_once_and_by_its_number(toy_corpus):
    training, rows, asked = training_of(toy_corpus, accumulate=3), batches(toy_corpus, 1), []
    training.pace = Steps(4)
    steps = [report.step for report in trainer.steps(training, lambda n: asked.append(n) or Batch(rows[0], total=16))]
    assert steps == [1, 2, 3, 4]
    assert asked == list(range(12))


def test_the_gradient_is_clipped_and_reported_as_it_was(toy_corpus):
    tokens = batches(toy_corpus, 1)[0]
    plain, clipped = training_of(toy_corpus, clip=0.0), training_of(toy_corpus, clip=1e-3)
    one, other = plain.update([Batch(tokens, total=16)]), clipped.update([Batch(tokens, total=16)])
    assert one.means["gradient"] == pytest.approx(other.means["gradient"])
    norms = [
        math.sqrt(sum(float(weight.grad.pow(2).sum()) for weight in training.model.parameters()))
        for training in (plain, clipped)
    ]
    assert norms[0] == pytest.approx(one.means["gradient"], rel=1e-4)
    assert norms[1] == pytest.approx(1e-3, rel=1e-2)


def test_the_learning_rate_warms_up_and_falls_as_a_cosine(toy_corpus):
    training = training_of(toy_corpus, lr=1.0, lr_warmup=4, lr_final=0.1)
    rates = [training.lr(step) for step in range(21)]
    assert rates[:4] == pytest.approx([0.25, 0.5, 0.75, 1.0])
    assert rates[4] == pytest.approx(1.0)
    assert rates[12] == pytest.approx(0.55)
    assert rates[20] == pytest.approx(0.1)
    assert rates[4:] == sorted(rates[4:], reverse=True)
    constant = training_of(toy_corpus, lr=1.0, schedule="constant", lr_warmup=4)
    assert [constant.lr(step) for step in (0, 3, 19)] == pytest.approx([0.25, 1, 1])
    assert training_of(toy_corpus, lr=1.0, lr_warmup=10_000).lr(4) == pytest.approx(1.0, rel=0.02), "warms up in time"


def test_the_plateau_halves_the_learning_rate_when_the_loss_stalls(toy_corpus):
    training = training_of(toy_corpus, lr=1.0, schedule="plateau", patience=2)
    rates = []
    for better in (True, False, False, False, True, False, False):
        training.evaluated(better)
        rates.append(training.lr(10))
    assert rates == [1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]


def test_the_average_of_weights_follows_them_and_is_shown_for_a_while(toy_corpus):
    training, rows = training_of(toy_corpus, ema=0.9, lr=1e-2), batches(toy_corpus)
    expected = {name: weight.detach().clone() for name, weight in training.model.named_parameters()}
    for step, tokens in enumerate(rows, 1):
        training.update([Batch(tokens, total=16)])
        share = min(0.9, (step + 1) / (step + 10))
        for name, weight in training.model.named_parameters():
            expected[name] = share * expected[name] + (1 - share) * weight.detach()
    kept = {name: weight.detach().clone() for name, weight in training.model.named_parameters()}
    with training.averaged() as model:
        assert not model.training
        for name, weight in model.named_parameters():
            torch.testing.assert_close(weight, expected[name])
    for name, weight in training.model.named_parameters():
        assert torch.equal(weight, kept[name])


def test_a_device_that_is_not_there_is_refused():
    for name in ("cuda:99", "tpu", "gpu", "cuda:x", "mps" if not torch.backends.mps.is_available() else "xla"):
        with pytest.raises(InputError, match="--device"):
            trainer.pick_device(name)
    assert trainer.pick_device("cpu") == "cpu"

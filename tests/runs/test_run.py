"""Training survives: resumed bit for bit, out of disk, diverged, damaged, begun with another model."""

from __future__ import annotations

import errno
import json
import math
import os
import shutil
import signal
import traceback
from pathlib import Path
from typing import Any

import pytest
import torch
from toyruns import Crash, Watching, assert_same, contents, crash, plan, resume, settings, start

import small
import textgen
from corpora import InputError, files
from corpora.build import build
from textgen.core import checkpoint, trainer
from textgen.core.backbone import Backbone
from textgen.core.model import Autoregressive
from textgen.runs import library
from textgen.runs.folder import Stopped
from textgen.runs.plan import Plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen

VARIANTS: dict[str, dict[str, Any]] = {
    "vae": {},
    "averaging off": {"ema": 0.0},
    "two batches a step": {"accumulate": 2},
    "plateau": {"schedule": "plateau", "patience": 2, "lr": 3.0, "every": 3},
    "sgd": {"optimiser": "sgd", "lr": 0.5, "clip": 5.0},
    "noise": {"word_dropout": 0.3, "delete": 0.2, "blank": 0.1, "dropout": 0.2, "encoder_dropout": 0.1},
    "more noise": {"swap": 2, "replace": 0.1, "code_noise": 0.2, "code_dropout": 0.2, "code_free": 0.2},
    "faded codes": {"code_fade": 0.5},
    "warm start": {"warm_start": 0.3, "kl_warmup": 0.3},
    "cycles": {"kl_warmup": 0.5, "kl_cycles": 3},
    "batch norm": {"batch_norm": 0.6},
    "batch norm without averaging": {"batch_norm": 0.6, "ema": 0.0},
    "aggressive": {"aggressive": 2, "aggressive_share": 0.6, "accumulate": 2, "batch_norm": 0.6},
    "language model": {"model": "lm", "word_dropout": 0.3},
    "autoencoder": {"model": "autoencoder", "delete": 0.3},
    "classes": {"classes": True, "aggressive": 1},
    "classes of a language model": {"model": "lm", "classes": True, "class_dropout": 0.3},
    **{f"backbone {name}": {"backbone": name, "dropout": 0.1} for name in small.BACKBONES if name != "lstm"},
    **{f"encoder {name}": {"encoder": name, "encoder_dropout": 0.1} for name in small.ENCODERS if name != "lstm"},
}


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_run_that_crashed_is_resumed_bit_for_bit(toy_corpus, tmp_path, variant):
    """Weights, averages, optimiser, numbers and samples, to the last bit; crashed three times, once before the first
    checkpoint."""
    chosen = VARIANTS[variant]
    start(tmp_path / "whole", plan(toy_corpus, tmp_path / "whole", **chosen))
    folder = tmp_path / "crashed"
    with pytest.raises(Crash):
        start(folder, plan(toy_corpus, folder, **chosen), {3: crash})
    for step in (11, 20):
        with pytest.raises(Crash):
            resume(folder, {step: crash})
    resume(folder)
    assert_same(tmp_path / "whole", folder)
    if variant == "plateau":
        rates = [line["lr"] for line in contents(folder)["metrics"] if "lr" in line]
        assert rates[-1] < rates[1], "the learning rate was never halved, so that nothing was tried here"


@pytest.mark.parametrize("codec", ["bytes", "characters"])
def test_samples_with_line_breaks_and_other_scripts_survive_a_crash(tmp_path, codec):
    (tmp_path / "x.txt").write_text("\n".join(f"{a}床前{b}明月光{a}" for a in "光月明" for b in "前床是地上霜") + "\n")
    corpus, folder = tmp_path / "corpus", tmp_path / "crashed"
    build([str(tmp_path / "x.txt")], corpus, settings={"codec": codec})
    start(tmp_path / "whole", plan(corpus, tmp_path / "whole", every=3))
    with pytest.raises(Crash):
        start(folder, plan(corpus, folder, every=3), {20: crash})
    resume(folder)
    assert_same(tmp_path / "whole", folder)
    lines = (folder / "samples.txt").read_text("utf-8").split("\n")
    assert len(lines) == 8 * 4 + 1  # at each evaluation a sentence, what it decodes to, and two samples
    assert all(line.count("\t") == 2 for line in lines[:-1])


def test_a_finished_run_resumed_does_nothing_and_resumed_for_longer_goes_on(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    start(folder, plan(toy_corpus, folder, steps=6, schedule="constant", lr_warmup=0))
    before = contents(folder)
    assert resume(folder).name == "step-000000006"
    assert contents(folder) == before
    resume(folder, steps=12)
    longer = plan(toy_corpus, tmp_path / "longer", steps=12, schedule="constant", lr_warmup=0)
    start(tmp_path / "longer", longer)
    one, other = contents(folder), contents(tmp_path / "longer")
    name = "checkpoints/step-000000012/training.safetensors"
    assert one[name] == other[name]


@pytest.fixture(scope="module")
def first_run(toy_corpus, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "run"
    start(folder, plan(toy_corpus, folder, steps=6))
    return folder


def train_on(corpus: Path | str, folder: Path, init: Path, **chosen: Any) -> Path:
    options = {"steps": 12, "every": 6, "batch": 16, "seed": 2, "device": "cpu", "threads": 1}
    options |= {name: chosen.pop(name) for name in ("model", "steps", "screen") if name in chosen}
    more = {"precision": "fp32", **chosen}
    return textgen.train([corpus], folder, init=init, settings=more, **{"screen": Watching({}), **options})


def test_a_run_begun_with_a_model_has_its_weights_settings_and_codec(toy_corpus, first_run, tmp_path):
    known, codec = library.open_model(first_run), tmp_path / "text" / "corpus" / "codec.json"
    for corpus, folder in ((toy_corpus, tmp_path / "built"), ("toy", codec.parents[1])):
        more = {"count": 100} if corpus == "toy" else {}
        again = library.open_model(train_on(corpus, folder, first_run, steps=1, lr=1e-12, weight_decay=0.0, **more))
        assert again.recipe == known.recipe
        assert again.codec.to_dict() == known.codec.to_dict()
        for (name, one), other in zip(known.model.named_parameters(), again.model.parameters(), strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=1e-6, msg=name)
    assert json.loads(codec.read_text()) == known.codec.to_dict()


def test_a_run_begun_with_a_model_has_its_warm_start_behind_it_unless_one_is_asked_for(toy_corpus, tmp_path):
    """As an autoencoder once more it would lose what it learned; asked for, the warm start ends as any other."""
    first = tmp_path / "first"
    start(first, plan(toy_corpus, first, steps=6, warm_start=0.5))
    assert bool(library.open_model(first).model.rate.restarted)
    for folder, asked, left in (("on", {}, 0.0), ("again", {"warm_start": 0.5}, 0.5)):
        made = library.open_model(train_on(toy_corpus, tmp_path / folder, first, steps=6, **asked))
        assert made.recipe.configs["model"].warm_start == left
        assert bool(made.model.rate.restarted) == (left > 0)


def test_a_run_begun_with_a_model_resumes_without_it(toy_corpus, first_run, tmp_path):
    """Once there is a checkpoint, the model that it began with may move, or be pruned."""
    whole, folder, moved = tmp_path / "whole", tmp_path / "crashed", tmp_path / "moved"
    shutil.copytree(first_run, moved)
    train_on(toy_corpus, whole, first_run)
    with pytest.raises(Crash):
        train_on(toy_corpus, folder, moved, screen=Watching({8: crash}))
    shutil.rmtree(moved)
    resume(folder)
    one, other = contents(whole), contents(folder)
    assert one.pop("recipe.json") != other.pop("recipe.json")  # they name two places
    assert one == other


def test_a_model_that_a_run_cannot_begin_with_is_refused(toy_corpus, first_run, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"is a vae: leave out --model, or give another --init"):
        train_on(toy_corpus, out, first_run, model="lm")
    with pytest.raises(InputError, match=r"has weights of other sizes than width=20 asks for"):
        train_on(toy_corpus, out, first_run, width=20)
    build(["toy"], tmp_path / "other", settings={"count": "60", "codec": "characters"})
    with pytest.raises(InputError, match=r"the corpus has another codec than .*: build it with codec_from="):
        train_on(tmp_path / "other", out, first_run)
    assert not (out / "recipe.json").exists()


def test_a_corpus_that_has_changed_is_refused(toy_corpus, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(toy_corpus, corpus)
    start(tmp_path / "run", plan(corpus, tmp_path / "run", steps=2))
    build(["toy"], corpus, settings={"count": "300", "codec": "words"}, replace=True)
    with pytest.raises(InputError, match="not the corpus that this run was begun with"):
        resume(tmp_path / "run")


def test_a_damaged_checkpoint_is_skipped_and_the_run_is_the_same_in_the_end(toy_corpus, tmp_path):
    whole, folder = tmp_path / "whole", tmp_path / "damaged"
    start(whole, plan(toy_corpus, whole))
    with pytest.raises(Crash):
        start(folder, plan(toy_corpus, folder), {20: crash})
    newest = checkpoint.listed(folder / "checkpoints")[0]
    data = bytearray((newest / checkpoint.TENSORS).read_bytes())
    data[len(data) // 2] ^= 1
    (newest / checkpoint.TENSORS).write_bytes(data)
    screen = Watching({})
    Run.open(folder).train(screen)
    assert any("skipped a damaged checkpoint" in line and str(newest) in line for line in screen.said)
    assert_same(whole, folder)


def test_damaged_checkpoints_never_push_out_the_last_whole_one(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Crash):
        start(folder, plan(toy_corpus, folder, every=3), {14: crash})
    kept = checkpoint.listed(folder / "checkpoints")
    assert [checkpoint.step_of(path) for path in kept] == [12, 9]
    shutil.copytree(kept[0], folder / "checkpoints" / "step-000000013")
    for step in (12, 13):
        (folder / "checkpoints" / f"step-{step:09d}" / checkpoint.MODEL).write_bytes(b"")
    with pytest.raises(Stopped):
        resume(folder, {10: lambda: os.kill(os.getpid(), signal.SIGTERM)})
    assert library.newest_whole(folder)[0].name == "step-000000010"


def test_without_a_whole_checkpoint_the_error_names_the_newest(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    start(folder, plan(toy_corpus, folder, steps=6))
    for path in checkpoint.listed(folder / "checkpoints"):
        (path / files.MANIFEST).unlink()
    with pytest.raises(InputError, match=r"no checkpoint of .* is whole; the newest: .*step-000000006"):
        resume(folder)


class FullDisk:
    """`files.write_file`, but the disk is full at the n-th call: half of the data is written."""

    def __init__(self, at: int) -> None:
        self.at, self.calls, self.write = at, 0, files.write_file

    def __call__(self, path: Path, data: bytes) -> None:
        self.calls += 1
        if self.calls == self.at:
            path.write_bytes(data[: len(data) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        self.write(path, data)


def test_a_full_disk_at_any_write_leaves_the_last_checkpoint_whole(toy_corpus, tmp_path, monkeypatch):
    options = {"steps": 4, "every": 2}
    whole = tmp_path / "whole"
    count = FullDisk(0)
    monkeypatch.setattr(files, "write_file", count)
    start(whole, plan(toy_corpus, whole, **options))
    for at in range(1, count.calls + 1):
        folder = tmp_path / str(at)
        monkeypatch.setattr(files, "write_file", FullDisk(at))
        with pytest.raises(InputError, match="the disk is full: free some space") as error:
            start(folder, plan(toy_corpus, folder, **options))
        assert "\n" not in str(error.value)
        monkeypatch.setattr(files, "write_file", count.write)
        for path in checkpoint.listed(folder / "checkpoints"):
            checkpoint.read_model(path)
            checkpoint.read_state(path)
        if (folder / "recipe.json").exists():
            resume(folder)
        else:
            start(folder, plan(toy_corpus, folder, **options))
        assert not [path for path in folder.rglob("*") if files.UNFINISHED in path.name]
        assert_same(whole, folder)


def test_what_a_killed_run_left_half_made_is_swept_away(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    with pytest.raises(Crash):
        start(folder, plan(toy_corpus, folder), {8: crash})
    left = folder / "checkpoints" / f"{files.UNFINISHED}step-000000012-1-1"
    left.mkdir()
    (left / "config.json").write_text("{")
    resume(folder)
    assert not left.exists()


def test_a_loss_that_is_not_finite_ends_the_run_and_leaves_the_last_checkpoint(toy_corpus, tmp_path, monkeypatch):
    folder, calls = tmp_path / "run", []
    nll = Backbone.nll

    def broken(self, tokens, *rest, **more):
        calls.append(self.training)
        found = nll(self, tokens, *rest, **more)
        return found * math.nan if sum(calls) == 9 else found

    monkeypatch.setattr(Backbone, "nll", broken)
    with pytest.raises(trainer.Diverged, match=r"^step 9: the distortion is not a finite number any more") as error:
        start(folder, plan(toy_corpus, folder))
    assert "\n" not in str(error.value)
    assert "smaller lr" in str(error.value)
    newest, _, skipped = library.newest_whole(folder)
    assert newest.name == "step-000000006"
    assert not skipped
    monkeypatch.setattr(Backbone, "nll", nll)
    resume(folder)
    start(tmp_path / "whole", plan(toy_corpus, tmp_path / "whole"))
    assert_same(tmp_path / "whole", folder)


def test_a_learning_rate_far_too_large_ends_in_one_line(toy_corpus, tmp_path):
    with pytest.raises(InputError) as error:
        start(tmp_path / "run", plan(toy_corpus, tmp_path / "run", lr=1e38, clip=0.0, every=1))
    assert "\n" not in str(error.value)


def test_a_run_tells_its_numbers_and_keeps_the_newest_and_the_best(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    best = start(folder, plan(toy_corpus, folder, every=3))
    lines = contents(folder)["metrics"]
    judged = {line["step"]: line for line in lines if "valid score" in line}
    assert sorted(judged) == [3, 6, 9, 12, 15, 18, 21, 24]
    scores = {
        step: line["valid distortion"] + max(line["valid rate"], Plan.read(folder).recipe.configs["model"].rate)
        for step, line in judged.items()
    }
    assert checkpoint.step_of(best) == min(scores, key=scores.get)
    steps = {checkpoint.step_of(path) for path in checkpoint.listed(folder / "checkpoints")}
    assert steps == {24, 21, checkpoint.step_of(best)}
    assert {1, 10, 20} <= {line["step"] for line in lines if "lr" in line}
    assert (folder / "samples.txt").read_text().count("sample") == 16
    assert list((folder / "tensorboard").iterdir())


def test_a_run_can_be_moved_with_the_corpus_inside(tmp_path):
    folder = tmp_path / "run"
    chosen = {**settings("lm"), "count": 60, "codec": "words"}
    textgen.train(
        ["toy"], folder, model="lm", settings=chosen, steps=4, every=2, batch=8, threads=1, screen=Screen(quiet=True)
    )
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    assert resume(moved, steps=6).parent.parent == moved
    assert str(tmp_path) not in (moved / "recipe.json").read_text()


def test_the_loss_is_four_calls_from_the_command(toy_corpus, tmp_path, monkeypatch):
    """The command -> Run.train -> a step of the trainer -> the loss, with one helper that reads the options between."""
    from imagegen.cli import main as pictures
    from textgen.cli import main as sentences

    def broken(self, batch, draw) -> None:
        raise Crash

    monkeypatch.setattr(Autoregressive, "loss", broken)
    build(["sprites"], tmp_path / "sprites", settings={"count": 20, "sprites_seed": 1})
    commands = {
        "lm": (sentences, toy_corpus, settings("lm")),
        "pixelcnn": (pictures, tmp_path / "sprites", {"channels": 8, "layers": 1}),
    }
    for model, (main, corpus, sizes) in commands.items():
        arguments = ["train", corpus, "--model", model, "--out", tmp_path / model, "--steps", "2", "--quiet"]
        with pytest.raises(Crash) as error:
            main([*map(str, arguments), *small.worded(sizes)])
        frames = [(Path(frame.filename), frame.name) for frame in traceback.extract_tb(error.tb)]
        ours = [name for path, name in frames if {"textgen", "imagegen", "corpora"} & {*path.parts[-3:-1]}]
        after = ours[ours.index("train") + 1 :]  # the command; the loss itself lies in this file
        assert len(after) + 1 <= 4, after


def test_a_recipe_of_the_first_version_opens(tmp_path):
    """As programs of before December 2026 wrote it: other names of packages and models, no budget."""
    old = {
        "batch": 8,
        "corpus": "/somewhere/sprites",
        "device": "cpu",
        "every": 20,
        "fingerprint": "4b7627dd6a34c16b",
        "format": 1,
        "init": None,
        "keep": 2,
        "length": 256,
        "recipe": {
            "model": "lm",
            "package": "imagegen",
            "settings": {
                "backbone": "pixelcnn",
                "channels": 96,
                "class_dropout": 0.1,
                "classes": False,
                "dropout": 0.2,
                "embedding": 64,
                "kernel": 5,
                "layers": 10,
                "word_dropout": 0.0,
            },
        },
        "seed": 0,
        "steps": 40,
        "threads": 1,
        "training": {
            "accumulate": 1,
            "clip": 1.0,
            "ema": 0.999,
            "lr": 0.001,
            "lr_final": 0.05,
            "lr_warmup": 200,
            "optimiser": "adamw",
            "patience": 3,
            "precision": "auto",
            "schedule": "cosine",
            "weight_decay": 0.01,
        },
        "versions": {"python": "3.11.7", "stroll": "0.1.0", "torch": "2.13.0+cpu"},
    }
    (tmp_path / "recipe.json").write_text(json.dumps(old))
    plan = Plan.read(tmp_path)
    assert (plan.recipe.model, plan.recipe.package) == ("pixelcnn", "imagegen")
    assert plan.recipe.settings() == old["recipe"]["settings"]
    assert (plan.steps, plan.minutes, plan.knots) == (40, None, ())
    saved = plan.to_dict()
    assert {key: saved[key] for key in old if key not in ("recipe", "versions")} == {
        key: value for key, value in old.items() if key not in ("recipe", "versions")
    }
    old |= {"recipe": {**old["recipe"], "package": "textgen.models", "settings": {"width": 32, "layers": 1}}}
    (tmp_path / "recipe.json").write_text(json.dumps(old))
    assert Plan.read(tmp_path).recipe.package == "textgen"

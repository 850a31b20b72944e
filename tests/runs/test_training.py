"""Training survives: resumed bit for bit, killed, stopped, out of disk, diverged; and is the same in two processes."""

from __future__ import annotations

import errno
import json
import math
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

import small
from corpora import Corpus, InputError, files
from textgen.core import checkpoint, trainer
from textgen.core.backbone import Backbone
from textgen.core.player import Batch
from textgen.core.trainer import Training
from textgen.runs import library, run
from textgen.runs.screen import Screen

SIZES = {"precision": "fp32", "layers": 1, "lr": 5e-3, "lr_warmup": 4}


def settings(model: str = "vae", **chosen: Any) -> dict[str, Any]:
    own = {**SIZES, "latent": 4, "encoder_layers": 1} if model == "vae" else SIZES
    parts = {key: value for key, value in chosen.items() if key in ("backbone", "encoder")}
    return {**small.settings(model, **parts), **own, **chosen}


def plan(corpus: Path, folder: Path, model: str = "vae", steps: int = 24, every: int = 6, **chosen: Any) -> run.Plan:
    options = {"steps": steps, "every": every, "batch": 16, "seed": 1, "device": "cpu", "threads": 1}
    return run.plan(Corpus.open(corpus), folder, corpus, model=model, settings=settings(model, **chosen), **options)


class Crash(BaseException):
    """The power fails."""


class Watching(Screen):
    """Calls `at[step]()` after that step, before it is logged or saved."""

    def __init__(self, at: dict[int, Any]) -> None:
        super().__init__(quiet=True, live=False)
        self.at = at
        self.said: list[str] = []

    def step(self, report, speed, steps) -> None:
        self.at.pop(report.step, lambda: None)()

    def say(self, text: str) -> None:
        self.said.append(text)


def crash() -> None:
    raise Crash


def start(folder: Path, made: run.Plan, at: dict[int, Any] | None = None) -> Path:
    return run.start(folder, made, Watching(at or {}))


def contents(folder: Path) -> dict[str, Any]:
    """All that a run left, but for the speed, the lock and the events of TensorBoard."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(("tensorboard/", "corpus/")) and name != ".lock":
            found[name] = path.read_bytes()
    lines = [json.loads(line) for line in found.pop("metrics.jsonl").decode().splitlines()]
    return {**found, "metrics": [{k: v for k, v in line.items() if k != "tokens per second"} for line in lines]}


def assert_same(one: Path, other: Path) -> None:
    left, right = contents(one), contents(other)
    assert left["metrics"] == right["metrics"]
    assert left.keys() == right.keys()
    for name in left:
        assert left[name] == right[name], name


VARIANTS: dict[str, dict[str, Any]] = {
    "vae": {},
    "averaging off": {"ema": 0.0},
    "two batches a step": {"accumulate": 2},
    "plateau": {"schedule": "plateau", "patience": 2, "lr": 3.0, "every": 3},
    "sgd": {"optimiser": "sgd", "lr": 0.5, "clip": 5.0},
    "noise": {"word_dropout": 0.3, "delete": 0.2, "blank": 0.1, "dropout": 0.2, "encoder_dropout": 0.1},
    "more noise": {"swap": 2, "replace": 0.1, "code_noise": 0.2, "code_dropout": 0.2},
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
            run.resume(folder, Watching({step: crash}))
    run.resume(folder, Watching({}))
    assert_same(tmp_path / "whole", folder)
    if variant == "plateau":
        rates = [line["lr"] for line in contents(folder)["metrics"] if "lr" in line]
        assert rates[-1] < rates[1], "the learning rate was never halved, so that nothing was tried here"


@pytest.mark.parametrize("codec", ["bytes", "characters"])
def test_samples_with_line_breaks_and_other_scripts_survive_a_crash(tmp_path, codec):
    from corpora.build import build

    (tmp_path / "x.txt").write_text("\n".join(f"{a}床前{b}明月光{a}" for a in "光月明" for b in "前床是地上霜") + "\n")
    corpus, folder = tmp_path / "corpus", tmp_path / "crashed"
    build([str(tmp_path / "x.txt")], corpus, settings={"codec": codec})
    start(tmp_path / "whole", plan(corpus, tmp_path / "whole", every=3))
    with pytest.raises(Crash):
        start(folder, plan(corpus, folder, every=3), {20: crash})
    run.resume(folder, Watching({}))
    assert_same(tmp_path / "whole", folder)
    lines = (folder / "samples.txt").read_text("utf-8").split("\n")
    assert len(lines) == 8 * 4 + 1  # at each evaluation a sentence, what it decodes to, and two samples
    assert all(line.count("\t") == 2 for line in lines[:-1])


@pytest.mark.parametrize("variant", ["vae", "plateau"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_saves_the_step_and_the_resumed_run_is_the_same(toy_corpus, tmp_path, variant, number):
    chosen = VARIANTS[variant]
    start(tmp_path / "whole", plan(toy_corpus, tmp_path / "whole", **chosen))
    folder = tmp_path / "stopped"
    with pytest.raises(run.Stopped, match=rf"{number.name} at step 9; saved") as stopped:
        start(folder, plan(toy_corpus, folder, **chosen), {9: lambda: os.kill(os.getpid(), number)})
    assert stopped.value.number == number
    assert checkpoint.listed(folder / "checkpoints")[0].name == "step-000000009"
    run.resume(folder, Watching({}))
    assert_same(tmp_path / "whole", folder)


def test_a_signal_at_the_last_step_lets_the_run_end_well(toy_corpus, tmp_path):
    ended = start(
        tmp_path / "run", plan(toy_corpus, tmp_path / "run", steps=6), {6: lambda: os.kill(os.getpid(), signal.SIGTERM)}
    )
    assert ended.name == "step-000000006"


def test_the_handlers_of_signals_are_put_back(toy_corpus, tmp_path):
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    start(tmp_path / "run", plan(toy_corpus, tmp_path / "run", steps=2))
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_finished_run_resumed_does_nothing_and_resumed_for_longer_goes_on(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    start(folder, plan(toy_corpus, folder, steps=6, schedule="constant", lr_warmup=0))
    before = contents(folder)
    assert run.resume(folder, Watching({})).name == "step-000000006"
    assert contents(folder) == before
    run.resume(folder, Watching({}), steps=12)
    longer = plan(toy_corpus, tmp_path / "longer", steps=12, schedule="constant", lr_warmup=0)
    start(tmp_path / "longer", longer)
    one, other = contents(folder), contents(tmp_path / "longer")
    name = "checkpoints/step-000000012/training.safetensors"
    assert one[name] == other[name]


# Training on from another model.


@pytest.fixture(scope="module")
def first_run(toy_corpus, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "run"
    start(folder, plan(toy_corpus, folder, steps=6))
    return folder


def train_on(corpus: Path | str, folder: Path, init: Path, **chosen: Any) -> Path:
    options = {"steps": 12, "every": 6, "batch": 16, "seed": 2, "device": "cpu", "threads": 1}
    options |= {name: chosen.pop(name) for name in ("model", "steps", "screen") if name in chosen}
    more = {"precision": "fp32", **chosen}
    return run.train([corpus], folder, init=init, settings=more, **{"screen": Watching({}), **options})


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
    run.resume(folder, Watching({}))
    one, other = contents(whole), contents(folder)
    assert one.pop("recipe.json") != other.pop("recipe.json")  # they name two places
    assert one == other


def test_a_model_that_a_run_cannot_begin_with_is_refused(toy_corpus, first_run, tmp_path):
    from corpora.build import build

    out = tmp_path / "out"
    with pytest.raises(InputError, match=r"is a vae: leave out --model, or give another --init"):
        train_on(toy_corpus, out, first_run, model="lm")
    with pytest.raises(InputError, match=r"has weights of other sizes than width=20 asks for"):
        train_on(toy_corpus, out, first_run, width=20)
    build(["toy"], tmp_path / "other", settings={"count": "60", "codec": "characters"})
    with pytest.raises(InputError, match=r"the corpus has another codec than .*: build it with codec_from="):
        train_on(tmp_path / "other", out, first_run)
    assert not (out / "recipe.json").exists()


# Killed processes.


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "textgen.cli", *map(str, words)]


def environment(**more: str) -> dict[str, str]:
    root = Path(__file__).parents[2]
    return {**os.environ, "PYTHONPATH": str(root), "OMP_NUM_THREADS": "1", **more}


def launch(*words: object, **more: str) -> subprocess.Popen:
    return subprocess.Popen(command(*words), env=environment(**more), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def wait_for_steps(process: subprocess.Popen, folder: Path, step: int) -> bool:
    """Until a checkpoint of `step` or a later one is there; False if the run came to its end before."""
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        newest = next(iter(checkpoint.listed(folder / "checkpoints")), None)
        if newest is not None and checkpoint.step_of(newest) >= step:
            return True
        time.sleep(0.005)
    said = process.communicate()[1].decode()
    assert process.returncode == 0, f"the run ended before step {step}: {said[-500:]}"
    return False


LONG = {"steps": 300, "every": 15}


def words_of(corpus: Path, folder: Path) -> list[str]:
    flags = {"--out": folder, "--steps": 300, "--every": 15, "--batch": 16, "--seed": 1, "--threads": 1}
    return [
        "train",
        str(corpus),
        *[str(word) for pair in flags.items() for word in pair],
        *small.worded(settings()),
        "--device",
        "cpu",
    ]


def end_badly(corpus: Path, tmp_path: Path, ends: list[int]) -> None:
    """Start a run and end it by each signal in turn, at a random moment; then let it finish, and compare."""
    draw = random.Random(0)
    start(tmp_path / "whole", plan(corpus, tmp_path / "whole", **LONG))
    folder = tmp_path / "ended"
    for turn, number in enumerate(ends):
        process = launch(*(words_of(corpus, folder) if turn == 0 else ["train", "--resume", folder]))
        done = next(iter(checkpoint.listed(folder / "checkpoints")), None)
        if not wait_for_steps(process, folder, 15 + (checkpoint.step_of(done) if done else 0)):
            assert turn >= 3, "the run is too short to be ended so often"
            break
        time.sleep(draw.random() * 0.05)
        process.send_signal(number)
        _, said = process.communicate(timeout=120)
        if number == signal.SIGKILL:
            assert process.returncode == -9
        else:
            assert process.returncode == 128 + number, said.decode()
            last = said.decode().strip().splitlines()[-1]
            assert f"stopped by {signal.Signals(number).name} at step" in last
            assert f"textgen train --resume {folder}" in last
            assert "Traceback" not in said.decode()
        assert library.newest_whole(folder)
    run.resume(folder, Watching({}))
    assert_same(tmp_path / "whole", folder)


def test_a_run_killed_and_stopped_is_the_same_in_the_end(toy_corpus, tmp_path):
    end_badly(toy_corpus, tmp_path, [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])


@pytest.mark.slow
def test_a_run_killed_many_times_is_the_same_in_the_end(toy_corpus, tmp_path):
    end_badly(toy_corpus, tmp_path, [signal.SIGKILL] * 8)


# Two trainers, damage, full disks.


def test_a_second_trainer_is_refused_and_told_who_is_first(toy_corpus, tmp_path):
    folder = tmp_path / "run"

    def second() -> None:
        with pytest.raises(InputError, match=f"in use by process {os.getpid()} on .*: wait for it, stop it"):
            run.resume(folder, Watching({}))
        with pytest.raises(InputError, match="in use by process"):
            start(folder, plan(toy_corpus, folder))

    start(folder, plan(toy_corpus, folder, steps=2), {1: second})
    with pytest.raises(InputError, match="holds a run already: --resume"):
        start(folder, plan(toy_corpus, folder))


def test_a_corpus_that_has_changed_is_refused(toy_corpus, tmp_path):
    corpus = tmp_path / "corpus"
    shutil.copytree(toy_corpus, corpus)
    start(tmp_path / "run", plan(corpus, tmp_path / "run", steps=2))
    from corpora.build import build

    build(["toy"], corpus, settings={"count": "300", "codec": "words"}, replace=True)
    with pytest.raises(InputError, match="not the corpus that this run was begun with"):
        run.resume(tmp_path / "run", Watching({}))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        run.resume(tmp_path)


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
    run.resume(folder, screen)
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
    with pytest.raises(run.Stopped):
        run.resume(folder, Watching({10: lambda: os.kill(os.getpid(), signal.SIGTERM)}))
    assert library.newest_whole(folder)[0].name == "step-000000010"


def test_without_a_whole_checkpoint_the_error_names_the_newest(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    start(folder, plan(toy_corpus, folder, steps=6))
    for path in checkpoint.listed(folder / "checkpoints"):
        (path / files.MANIFEST).unlink()
    with pytest.raises(InputError, match=r"no checkpoint of .* is whole; the newest: .*step-000000006"):
        run.resume(folder, Watching({}))


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
            run.resume(folder, Watching({}))
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
    run.resume(folder, Watching({}))
    assert not left.exists()


# Numbers that are none.


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
    run.resume(folder, Watching({}))
    start(tmp_path / "whole", plan(toy_corpus, tmp_path / "whole"))
    assert_same(tmp_path / "whole", folder)


def test_a_learning_rate_far_too_large_ends_in_one_line(toy_corpus, tmp_path):
    with pytest.raises(InputError) as error:
        start(tmp_path / "run", plan(toy_corpus, tmp_path / "run", lr=1e38, clip=0.0, every=1))
    assert "\n" not in str(error.value)


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


# The arithmetic of a step.


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
    training.steps = 4
    steps = [report.step for report in trainer.train(training, lambda n: asked.append(n) or Batch(rows[0], total=16))]
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


# Several processes.


def test_two_processes_train_as_one_does(toy_corpus, tmp_path):
    """The same losses, to rounding, and one process keeps the run."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder, chosen = tmp_path / "two", {"word_dropout": 0.2, "delete": 0.2, "classes": True}
    options = {"--steps": 20, "--every": 10, "--batch": 16, "--seed": 1, "--threads": 1, "--device": "cpu"}
    flags = [str(word) for pair in options.items() for word in pair]
    words = ["train", toy_corpus, "--out", folder, *flags, *small.worded(settings(**chosen))]
    both = [
        launch(*words, RANK=str(rank), WORLD_SIZE="2", MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port), LOCAL_RANK="0")
        for rank in (0, 1)
    ]
    said = [process.communicate(timeout=240)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    alone = tmp_path / "one"
    start(alone, plan(toy_corpus, alone, steps=20, every=10, **chosen))
    one, two = contents(alone), contents(folder)
    assert [line["step"] for line in one["metrics"]] == [line["step"] for line in two["metrics"]]
    for left, right in zip(one["metrics"], two["metrics"], strict=True):
        assert left.keys() == right.keys()
        for name, value in left.items():
            assert right[name] == pytest.approx(value, rel=1e-3, abs=1e-3), (left["step"], name)
    assert one.keys() == two.keys()


def test_too_few_rows_for_the_processes_are_refused(toy_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.Processes, "join", staticmethod(lambda device: trainer.Processes(0, 16)))
    with pytest.raises(InputError, match="--batch 16: 16 processes need at least 2 rows each"):
        start(tmp_path / "run", plan(toy_corpus, tmp_path / "run"))


# What a run writes.


def test_a_run_tells_its_numbers_and_keeps_the_newest_and_the_best(toy_corpus, tmp_path):
    folder = tmp_path / "run"
    best = start(folder, plan(toy_corpus, folder, every=3))
    lines = contents(folder)["metrics"]
    judged = {line["step"]: line for line in lines if "valid score" in line}
    assert sorted(judged) == [3, 6, 9, 12, 15, 18, 21, 24]
    scores = {
        step: line["valid distortion"] + max(line["valid rate"], run.read_plan(folder).recipe.configs["model"].rate)
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
    run.train(
        ["toy"], folder, model="lm", settings=chosen, steps=4, every=2, batch=8, threads=1, screen=Screen(quiet=True)
    )
    moved = tmp_path / "elsewhere"
    folder.rename(moved)
    assert run.resume(moved, Watching({}), steps=6).parent.parent == moved
    assert str(tmp_path) not in (moved / "recipe.json").read_text()

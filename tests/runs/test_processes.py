"""Runs in processes of their own: killed, stopped, and two at once."""

from __future__ import annotations

import os
import random
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from toyruns import assert_same, contents, plan, resume, settings, start

import small
from corpora import InputError
from textgen.core import checkpoint, trainer
from textgen.runs import library


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
    resume(folder)
    assert_same(tmp_path / "whole", folder)


def test_a_run_killed_and_stopped_is_the_same_in_the_end(toy_corpus, tmp_path):
    end_badly(toy_corpus, tmp_path, [signal.SIGKILL, signal.SIGTERM, signal.SIGINT, signal.SIGHUP])


@pytest.mark.slow
def test_a_run_killed_many_times_is_the_same_in_the_end(toy_corpus, tmp_path):
    end_badly(toy_corpus, tmp_path, [signal.SIGKILL] * 8)


def train_in_two(*arguments: object) -> None:
    """Run `textgen train` in two processes that train together, to its end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "LOCAL_RANK": "0"}
    both = [launch("train", *arguments, RANK=str(rank), **group) for rank in (0, 1)]
    said = [process.communicate(timeout=240)[1].decode() for process in both]
    assert [process.returncode for process in both] == [0, 0], said


def flags(**more: object) -> list[str]:
    """Options of small runs in processes of their own."""
    options = {"batch": 16, "seed": 1, "threads": 1, "device": "cpu", **more}
    return [text for key, value in options.items() for text in (f"--{key}", str(value))]


def test_two_processes_train_as_one_does(toy_corpus, tmp_path):
    """The same losses, to rounding, and one process keeps the run."""
    folder, chosen = tmp_path / "two", {"word_dropout": 0.2, "delete": 0.2, "classes": True}
    train_in_two(toy_corpus, "--out", folder, *flags(steps=20, every=10), *small.worded(settings(**chosen)))
    alone = tmp_path / "one"
    start(alone, plan(toy_corpus, alone, steps=20, every=10, **chosen))
    one, two = contents(alone), contents(folder)
    assert [line["step"] for line in one["metrics"]] == [line["step"] for line in two["metrics"]]
    for left, right in zip(one["metrics"], two["metrics"], strict=True):
        assert left.keys() == right.keys()
        for name, value in left.items():
            assert right[name] == pytest.approx(value, rel=1e-3, abs=1e-3), (left["step"], name)
    assert one.keys() == two.keys()


def test_two_processes_share_one_budget(toy_corpus, tmp_path):
    """The first one measures for both: they end at the same step, and wait for each other nowhere for ever."""
    folder = tmp_path / "two"
    train_in_two(toy_corpus, "--out", folder, *flags(minutes=0.05), *small.worded(settings()))
    newest, state, _ = library.newest_whole(folder)
    assert checkpoint.step_of(newest) == state["budget"]["knots"][-1][-1] >= 20


def test_too_few_rows_for_the_processes_are_refused(toy_corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(trainer.Processes, "join", staticmethod(lambda device: trainer.Processes(0, 16)))
    with pytest.raises(InputError, match="--batch 16: 16 processes need at least 2 rows each"):
        start(tmp_path / "run", plan(toy_corpus, tmp_path / "run"))

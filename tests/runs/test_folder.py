"""A run folder: one trainer at a time, and signals that save the step at hand."""

from __future__ import annotations

import os
import signal

import pytest
from toyruns import assert_same, plan, resume, start

from corpora import InputError
from textgen.core import checkpoint
from textgen.runs.folder import SIGNALS, Signals, Stopped

PLATEAU = {"schedule": "plateau", "patience": 2, "lr": 3.0, "every": 3}


@pytest.mark.parametrize("chosen", [{}, PLATEAU], ids=["cosine", "plateau"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_saves_the_step_and_the_resumed_run_is_the_same(toy_corpus, tmp_path, chosen, number):
    start(tmp_path / "whole", plan(toy_corpus, tmp_path / "whole", **chosen))
    folder = tmp_path / "stopped"
    with pytest.raises(Stopped, match=rf"{number.name} at step 9; saved") as stopped:
        start(folder, plan(toy_corpus, folder, **chosen), {9: lambda: os.kill(os.getpid(), number)})
    assert stopped.value.number == number
    assert checkpoint.listed(folder / "checkpoints")[0].name == "step-000000009"
    resume(folder)
    assert_same(tmp_path / "whole", folder)


def test_a_signal_at_the_last_step_lets_the_run_end_well(toy_corpus, tmp_path):
    ended = start(
        tmp_path / "run", plan(toy_corpus, tmp_path / "run", steps=6), {6: lambda: os.kill(os.getpid(), signal.SIGTERM)}
    )
    assert ended.name == "step-000000006"


def test_the_handlers_of_signals_are_put_back(toy_corpus, tmp_path):
    before = [signal.getsignal(number) for number in SIGNALS]
    start(tmp_path / "run", plan(toy_corpus, tmp_path / "run", steps=2))
    assert [signal.getsignal(number) for number in SIGNALS] == before


def test_a_second_signal_ends_at_once_but_a_second_hangup_does_not():
    """A terminal that closes may send SIGHUP twice; the step at hand is then still saved."""
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)
        os.kill(os.getpid(), signal.SIGHUP)
        assert signals.asked == signal.SIGHUP
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_a_hangup_that_is_ignored_stays_ignored():
    """As under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals() as signals:
            os.kill(os.getpid(), signal.SIGHUP)
            assert signals.asked == 0
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_second_trainer_is_refused_and_told_who_is_first(toy_corpus, tmp_path):
    folder = tmp_path / "run"

    def second() -> None:
        with pytest.raises(InputError, match=f"in use by process {os.getpid()} on .*: wait for it, stop it"):
            resume(folder)
        with pytest.raises(InputError, match="in use by process"):
            start(folder, plan(toy_corpus, folder))

    start(folder, plan(toy_corpus, folder, steps=2), {1: second})
    with pytest.raises(InputError, match="holds a run already: --resume"):
        start(folder, plan(toy_corpus, folder))


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(InputError, match="not a run"):
        resume(tmp_path)

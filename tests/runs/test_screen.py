"""The screen of a run: honest sums with their unit, a line at least every 30 seconds, and no trouble of its own."""

from __future__ import annotations

import errno
import re
import sys

import pytest

from textgen.core.trainer import StepReport
from textgen.runs.screen import Screen, equation


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("means", "line"),
    [
        ({"loss": 61.2, "distortion": 43.1, "rate": 18.1}, "loss 61.2 = distortion 43.1 + rate 18.1 nats per clip"),
        ({"loss": 50.34, "distortion": 43.1, "rate": 18.1}, "loss 50.3 = distortion 43.1 + 0.4 x rate 18.1"),
        ({"score": 63.1, "distortion": 43.1, "rate": 0.0}, "score 63.1 = distortion 43.1 + 20.0 for rate 0.0"),
        ({"loss": 43.1, "distortion": 43.1, "rate": 18.1}, "loss 43.1 = distortion 43.1 + 0 x rate 18.1"),
        ({"loss": 43.1, "nll": 43.1}, "nll 43.1 nats per clip"),
        ({"loss": 43.1, "distortion": 43.1}, "distortion 43.1 nats per clip"),
        ({"critic loss": 0.7, "generator loss": 1.4, "lr": 0.1}, "critic loss 0.7  generator loss 1.4"),
        ({"sharpness": 3.0, "lr": 0.1}, "sharpness 3.0"),
    ],
)
def test_a_sum_is_true_and_has_its_unit(means, line):
    shown = equation(means, "clip", 1)
    assert shown.startswith(line)
    assert ("nats per clip" in shown) == ("nll" in means or "distortion" in means)


@pytest.mark.parametrize("weight", [0.01, 0.4, 0.97, 1.0, 1.3, 8.0])
@pytest.mark.parametrize("rate", [0.2, 18.1, 300.0])
def test_the_printed_numbers_add_up(weight, rate):
    means = {"loss": 43.1 + weight * rate, "distortion": 43.1, "rate": rate}
    total, distortion, *rest = map(float, re.findall(r"\d+\.?\d*(?:e-\d+)?", equation(means, "row", 2)))
    charge = rest[0] * rest[1] if len(rest) == 2 else rest[0]
    assert total == pytest.approx(distortion + charge, abs=0.02 + 0.006 * weight * rate)


def steps(screen: Screen, clock: Clock, count: int, takes: float) -> None:
    screen.unit = "sentence"
    for step in range(1, count + 1):
        clock.now += takes
        screen.step(StepReport(step, {"loss": 5.0, "nll": 5.0}, 100), 3000.0, 1000)


@pytest.mark.parametrize("takes", [0.1, 7.0, 29.0, 45.0])
def test_a_log_gets_a_line_at_least_every_thirty_seconds(capsys, takes):
    clock = Clock()
    screen = Screen(live=False, clock=clock)
    steps(screen, clock, 600, takes)
    lines = capsys.readouterr().err.splitlines()
    seen = [takes * int(re.match(r"step\s+([\d,]+) of 1,000", line)[1].replace(",", "")) for line in lines]
    gaps = [after - before for before, after in zip([0.0, *seen], seen, strict=False)]
    assert max(gaps) <= max(30.0, takes) + 1e-6
    assert len(lines) <= 600 * takes / min(30.0, max(15.0, takes)) + 1
    assert all("nll 5.0 nats per sentence" in line and line.endswith("left") for line in lines)


def test_quiet_is_quiet_and_a_live_line_needs_no_others(capsys):
    for options in ({"quiet": True, "live": False}, {"live": True}):
        clock = Clock()
        screen = Screen(clock=clock, **options)
        with screen:
            if screen.live:
                screen.status.stop()
            steps(screen, clock, 20, 40.0)
        assert "step  " not in capsys.readouterr().err


def test_a_terminal_that_is_gone_does_not_end_the_training(monkeypatch):
    class Gone:
        def write(self, text: str) -> None:
            raise OSError(errno.EIO, "Input/output error")

        def flush(self) -> None:
            raise OSError(errno.EIO, "Input/output error")

    screen = Screen(live=False)
    monkeypatch.setattr(sys, "stderr", Gone())
    screen.say("a line")
    screen.alarm("an alarm")


def test_an_evaluation_says_of_which_split_it_is(capsys):
    screen = Screen(live=False)
    screen.evaluated(7, {"nll": 3.0}, [], True)
    screen.evaluated(8, {"nll": 3.0}, [], True, "train")
    valid, train = capsys.readouterr().err.splitlines()
    assert valid.startswith("step       7  valid nll 3.00") and train.startswith("step       8  train nll 3.00")

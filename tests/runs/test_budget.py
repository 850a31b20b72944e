"""A budget of minutes: kept whatever the machine does, progress that never jumps, repeated and resumed exactly."""

from __future__ import annotations

import itertools
import json
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from toyruns import Crash, Watching, assert_same, contents, crash, resume, settings, start
from toyruns import plan as planned

import textgen
from corpora import Corpus, InputError
from corpora.build import build
from imagegen import training as pictures
from textgen.core import checkpoint
from textgen.runs import budget as budgets
from textgen.runs import library
from textgen.runs.budget import Budget
from textgen.runs.folder import Stopped
from textgen.runs.plan import Plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen

# ------------------------------------------------------------------------------------------ the arithmetic of a budget


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class Told:
    """All that a schedule asked of a pace, for each step."""

    def __init__(self) -> None:
        self.progress: list[float] = []
        self.asked: list[tuple[float, int, float]] = []
        self.judged: list[int] = []


def simulate(
    pace: Budget,
    clock: Clock,
    step_takes: Callable[[int], float],
    evaluation_takes: float | Callable[[int], float] = 0.0,
    *,
    first: int = 0,
    stop: int | None = None,
    told: Told | None = None,
) -> Told:
    """Steps and evaluations as a run makes them, up to the end of the budget or to the step `stop`."""
    told = told or Told()
    for step in itertools.count(first):
        if step >= pace.end or step == stop:
            return told
        rise = pace.rise(200, step)
        told.progress.append(pace.progress(step))
        told.asked.append((pace.progress(step), rise, pace.share(step, rise)))
        clock.now += step_takes(step)
        pace.tick(step + 1)
        if (step + 1) % pace.every == 0 or step + 1 >= pace.end:
            seconds = evaluation_takes(step + 1) if callable(evaluation_takes) else evaluation_takes
            clock.now += seconds
            pace.evaluated(step + 1, seconds)
            told.judged.append(step + 1)
    raise AssertionError


SPEEDS: dict[str, tuple[Callable[[int], float], float | Callable[[int], float]]] = {
    "steady": (lambda step: 0.1, 0.0),
    "a slow first step": (lambda step: 8.0 if step == 0 else 0.1, 0.0),
    "half as fast from the middle": (lambda step: 0.1 if step < 3000 else 0.2, 1.0),
    "twice as fast soon": (lambda step: 0.2 if step < 300 else 0.1, 1.0),
    "uneven": (lambda step: 0.05 + 0.1 * (step * 7919 % 100) / 100, 2.0),
    "long evaluations": (lambda step: 0.1, 15.0),
    "slow steps": (lambda step: 9.0, 3.0),
    "evaluations that take longer and longer": (lambda step: 0.1, lambda step: 1 + step / 50),
    "evaluations of a busy machine later on": (lambda step: 0.1, lambda step: 2.0 if step < 3000 else 40.0),
    "a few very long evaluations": (lambda step: 4.0, 130.0),
    "an evaluation as long as the budget": (lambda step: 10.0, 590.0),
}


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_time_is_kept_and_progress_arrives_with_it(speed):
    """Within 5 %, or one evaluation, however the speed changes; progress rises without a jump from 0 on."""
    step_takes, evaluation_takes = SPEEDS[speed]
    clock, minutes, longest = Clock(), 10.0, 0.0

    def evaluation(step: int) -> float:
        nonlocal longest
        seconds = evaluation_takes(step) if callable(evaluation_takes) else evaluation_takes
        longest = max(longest, seconds)
        return seconds

    pace = Budget(minutes, clock=clock)
    told = simulate(pace, clock, step_takes, evaluation)
    taken = clock.now - 1000.0
    assert taken == pytest.approx(60 * minutes, abs=max(0.05 * 60 * minutes, longest + step_takes(10_000)))
    steps = len(told.progress)
    rises = [after - before for before, after in itertools.pairwise(told.progress)]
    assert told.progress[0] == 0
    assert min(rises) > 0
    assert max(rises[20:]) < 5 / steps + 0.02
    assert len(pace.knots) < 200
    assert told.judged[-1] == steps
    if longest < 0.05 * 60 * minutes:
        assert told.progress[-1] > 0.95, "the learning rate does not come to its end"


@pytest.mark.parametrize("every", [1, 40])
def test_evaluations_as_often_as_a_person_chose_are_reckoned_with(every):
    """From the first estimate on: else the learning rate would fall for a run that is cut short."""
    clock = Clock()
    pace = Budget(10.0, every=every, clock=clock)
    told = simulate(pace, clock, lambda step: 0.1, 4.0)
    assert clock.now - 1000.0 == pytest.approx(600, abs=8)
    assert told.judged[:2] == [every, 2 * every]
    early = next(knot for knot in pace.knots if knot.step >= 4 * every)
    assert early.end == pytest.approx(len(told.progress), rel=0.1)
    assert len(pace.knots) < 300


def test_no_evaluation_is_begun_for_which_no_time_is_left():
    """The first one took longer than was thought: the run ends with it, and does not make one step and another."""
    clock = Clock()
    told = simulate(Budget(1.0, clock=clock), clock, lambda step: 1.5, 40.0)
    assert told.judged == [25]
    assert clock.now - 1000.0 == 25 * 1.5 + 40


def test_a_budget_ends_early_where_more_would_do_no_good_and_is_never_a_handful_of_steps():
    clock = Clock()
    assert len(simulate(Budget(10.0, 500, clock=clock), clock, lambda step: 0.1).progress) == 500
    assert clock.now < 1100
    assert len(simulate(Budget(0.001, clock=clock), clock, lambda step: 10.0).progress) == budgets.LEAST
    assert len(simulate(Budget(0.001, 5, clock=clock), clock, lambda step: 10.0).progress) == 5


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_knots_alone_say_what_the_schedules_saw(speed):
    """A repetition is told the same at every step, and evaluates at the same steps, on a machine of any speed."""
    clock = Clock()
    pace = Budget(10.0, clock=clock)
    told = simulate(pace, clock, *SPEEDS[speed])
    saved = json.loads(json.dumps(pace.state(len(told.progress))["knots"]))
    again = simulate(Budget(10.0, knots=saved, repeat=True, clock=clock), clock, lambda step: 123.0, 45.0)
    assert again.asked == told.asked
    assert again.judged == told.judged


@pytest.mark.parametrize("stop", [1, 7, 130, 1234, 2345])
def test_a_resumed_budget_goes_on_with_what_is_left(stop):
    """Stopped anywhere, between knots too; the time that it lay still does not count."""
    clock = Clock()
    whole = Budget(10.0, clock=clock)
    complete = simulate(whole, clock, lambda step: 0.125, 0.5)
    clock = Clock()
    first = Budget(10.0, clock=clock)
    told = simulate(first, clock, lambda step: 0.125, 0.5, stop=stop)
    state = json.loads(json.dumps(first.state(stop)))
    clock.now += 1e6
    then = Budget(10.0, clock=clock)
    then.restore(state)
    simulate(then, clock, lambda step: 0.125, 0.5, first=stop, told=told)
    assert told.asked == complete.asked
    assert told.judged == complete.judged
    assert then.knots == whole.knots


# --------------------------------------------------------------------------------------------------------- in a run

STEP = 0.0625  # seconds that a step takes by the clock of these tests; a power of two, so that sums are exact


@pytest.fixture
def clock(monkeypatch) -> Clock:
    """Time that goes by with the steps, and only with them."""
    clock, batch = Clock(), Corpus.batch

    def slow(self: Corpus, *arguments: Any, **more: Any) -> Any:
        clock.now += STEP
        return batch(self, *arguments, **more)

    monkeypatch.setattr(Corpus, "batch", slow)
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def plan(corpus: Path, folder: Path, minutes: float | None = 0.125, **chosen: Any) -> Plan:
    """A run of 7.5 seconds, which are 120 steps by the clock of these tests."""
    return planned(corpus, folder, steps=None, every=chosen.pop("every", None), minutes=minutes, **chosen)


def test_a_run_takes_its_minutes_and_records_its_progress(toy_corpus, tmp_path, clock):
    best = start(tmp_path / "run", plan(toy_corpus, tmp_path / "run"))
    assert clock.now - 1000 == pytest.approx(7.5, abs=2 * STEP)
    knots = library.newest_whole(tmp_path / "run")[1]["budget"]["knots"]
    steps = knots[-1][-1]
    assert abs(steps - 120) <= 2
    assert checkpoint.step_of(library.newest_whole(tmp_path / "run")[0]) == steps
    assert library.open_model(best).facts["run"]["minutes"] == 0.125
    lines = contents(tmp_path / "run")["metrics"]
    assert [line["step"] for line in lines if "valid score" in line] == [25, 50, 75, 100, steps]
    rates = [line["lr"] for line in lines if "lr" in line]
    assert rates[-1] < 0.1 * max(rates), "the learning rate did not come to the end of its cosine"
    assert resume(tmp_path / "run").name == best.name, "at its end already"


@pytest.mark.parametrize("model", ["vae", "lm"])
def test_a_run_killed_between_two_knots_is_the_same_in_the_end(toy_corpus, tmp_path, clock, model):
    chosen = {"model": model, **({"aggressive": 1, "kl_warmup": 0.3} if model == "vae" else {"word_dropout": 0.2})}
    if model == "vae":
        chosen["warm_start"] = 0.2
    start(tmp_path / "whole", plan(toy_corpus, tmp_path / "whole", **chosen))
    folder = tmp_path / "killed"
    with pytest.raises(Crash):
        start(folder, plan(toy_corpus, folder, **chosen), {12: crash})
    with pytest.raises(Crash):
        resume(folder, {57: crash})
    clock.now += 4096.0
    if model == "lm":  # one batch for each step, so that the clock is the same
        with pytest.raises(Stopped):
            resume(folder, {83: lambda: os.kill(os.getpid(), signal.SIGTERM)})
    resume(folder)
    assert_same(tmp_path / "whole", folder)


def test_a_repetition_follows_the_recorded_progress_to_the_last_bit(toy_corpus, tmp_path, clock, monkeypatch):
    first, again = tmp_path / "first", tmp_path / "again"
    start(first, plan(toy_corpus, first))
    monkeypatch.setattr(budgets.Budget, "evaluated", lambda *_: None)
    start(again, plan(toy_corpus, again, minutes=None, repeat=first), {30: lambda: setattr(clock, "now", 5000.0)})
    assert Plan.read(again).knots
    one, other = contents(first), contents(again)
    assert one["metrics"] == other["metrics"]
    assert one["samples.txt"] == other["samples.txt"]
    name = next(name for name in sorted(one, reverse=True) if name.endswith(checkpoint.MODEL))
    assert one[name] == other[name]
    folder = tmp_path / "crashed"
    with pytest.raises(Crash):
        start(folder, plan(toy_corpus, folder, minutes=None, repeat=first), {60: crash})
    resume(folder)
    assert contents(folder)["metrics"] == one["metrics"]
    assert contents(folder)[name] == one[name]


def test_steps_given_to_a_resumed_run_take_the_place_of_its_minutes(toy_corpus, tmp_path, clock):
    folder = tmp_path / "run"
    with pytest.raises(Crash):
        start(folder, plan(toy_corpus, folder), {40: crash})
    assert resume(folder, steps=50).exists()
    assert (Plan.read(folder).steps, Plan.read(folder).minutes) == (50, None)
    assert checkpoint.step_of(library.newest_whole(folder)[0]) == 50


def test_how_long_it_will_be_is_said_once_it_has_been_measured(toy_corpus, tmp_path, clock):
    screen = Watching({})
    Run.create(tmp_path / "run", plan(toy_corpus, tmp_path / "run")).train(screen)
    said = [line for line in screen.said if line.startswith("budget")]
    assert len(said) == 1
    assert "0.125 minutes hold about 1" in said[0]
    assert "--minutes 3 would hold 2,000" in next(line for line in screen.said if line.startswith("note:"))


def test_minutes_are_for_pictures_and_for_a_model_trained_on_too(tmp_path):
    """With the clock on the wall: nothing is chosen by a preset, and the run ends by itself."""
    build(["sprites"], tmp_path / "sprites", settings={"count": 40, "sprites_seed": 1})
    quiet = {"screen": Screen(quiet=True), "threads": 1, "batch": 8}
    small = {"channels": 8, "layers": 1, "precision": "fp32"}
    began = time.monotonic()
    pictures.train([tmp_path / "sprites"], tmp_path / "one", minutes=0.02, settings=small, **quiet)
    pictures.train([tmp_path / "sprites"], tmp_path / "two", minutes=0.02, init=tmp_path / "one", **quiet)
    assert time.monotonic() - began < 60
    assert Plan.read(tmp_path / "two").minutes == 0.02
    assert library.newest_whole(tmp_path / "two")[1]["step"] >= budgets.LEAST


def test_numbers_that_do_not_go_together_are_refused(toy_corpus, tmp_path):
    with pytest.raises(InputError, match="steps and minutes are both given: leave out one of them"):
        textgen.train([toy_corpus], tmp_path / "run", steps=5, minutes=5)
    for minutes in (0, -1, float("nan"), 20_000):
        with pytest.raises(InputError, match=r"minutes=.*: expected more than 0, and 10,080"):
            textgen.train([toy_corpus], tmp_path / "run", minutes=minutes)
    start(tmp_path / "steps", planned(toy_corpus, tmp_path / "steps", steps=2))
    with pytest.raises(InputError, match="that run has 2 steps; give steps instead"):
        textgen.train([toy_corpus], tmp_path / "run", repeat=tmp_path / "steps", settings=settings())

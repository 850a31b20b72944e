"""The screen of a run that trains: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from corpora.commands import printable
from corpora.modality import modality_of

if TYPE_CHECKING:
    from corpora.corpus import Corpus
    from textgen.core.pace import Pace
    from textgen.core.trainer import StepReport, Training
    from textgen.runs.plan import Plan

Item = TypeVar("Item")


class Screen:
    """Prints to standard error, so that standard output stays free for results. `quiet` says warnings alone.

    On a terminal one live line shows every step; elsewhere there is a line at least every 30 seconds.
    """

    SILENCE = 30.0  # seconds without a line, where there is no live one

    def __init__(
        self, quiet: bool = False, live: bool | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.quiet, self.clock = quiet, clock
        self.live = sys.stderr.isatty() if live is None else live
        self.status: Any = None
        self.unit = "row"
        self.began = self.spoke = self.stepped = clock()
        self.first = 0

    def say(self, text: str) -> None:
        """A line, unless quiet."""
        if not self.quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        if int(os.environ.get("RANK", "0")) > 0:  # of several processes the first one speaks
            return
        with contextlib.suppress(OSError):  # the terminal was closed: training goes on to its checkpoint
            if self.status is not None:
                self.status.console.print(text, markup=False, highlight=False)
            else:
                print(text, file=sys.stderr, flush=True)

    def begin(self, folder: Path, plan: Plan, corpus: Corpus, training: Training, pace: Pace) -> None:
        """Show what will be done: corpus, model and run, a line each."""
        self.unit = modality_of(corpus.codec).unit
        rows = ", ".join(f"{name} {len(split):,}" for name, split in corpus.splits.items())
        self.say(f"corpus   rows: {rows}; {corpus.codec.name}, vocabulary {corpus.codec.vocab_size:,}")
        weights = sum(weight.numel() for weight in training.model.parameters())
        parts = ", ".join([plan.recipe.model, *filter(None, [plan.recipe.settings().get("backbone")])])
        self.say(f"model    {parts}, {weights / 1e6:.2f} M weights, on {plan.device}, {plan.threads} threads")
        until = f"{plan.minutes:g} minutes" if plan.minutes is not None else f"{pace.end:,}"
        self.say(f"run      {folder}: steps {training.step:,} to {until}, {plan.batch} rows each, seed {plan.seed}")
        self.first = training.step
        self.began = self.spoke = self.stepped = self.clock()

    def __enter__(self) -> Screen:
        if self.live and not self.quiet:
            try:
                from rich.console import Console
                from rich.status import Status
            except ImportError:  # training must run where there is torch and little else
                return self
            self.status = Status("training", console=Console(stderr=True), spinner="dots")
            self.status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.status is not None:
            with contextlib.suppress(OSError):
                self.status.stop()
            self.status = None

    def step(self, report: StepReport, speed: float, steps: int) -> None:
        """Show a step: on the live line, or on one of its own before there has been silence for too long."""
        now = self.clock()
        soon = now - self.spoke + (now - self.stepped) > self.SILENCE  # the next step would come too late
        self.stepped = now
        if self.status is None and not soon:
            return
        left = (steps - report.step) * (now - self.began) / max(1, report.step - self.first)
        pace = f"{speed / 1000:.1f}k tokens/s  {_time(left)} left"
        if self.status is not None:
            with contextlib.suppress(OSError):
                self.status.update(f"{report.step:,}/{steps:,}  {equation(report.means, self.unit, 1)}  {pace}")
        else:
            self.say(f"step {report.step:>7,} of {steps:,}  {equation(report.means, self.unit, 1)}  {pace}")
            self.spoke = now

    def evaluated(
        self,
        step: int,
        report: Mapping[str, float],
        samples: list[tuple[str, str]],
        better: bool,
        split: str = "valid",
    ) -> None:
        """Show an evaluation of a split in a line, and the samples drawn at it."""
        now = self.clock()
        best = "  best so far" if better and "score" in report else ""
        self.say(f"step {step:>7,}  {split} {equation(report, self.unit)}  {_time(now - self.began)}{best}")
        for what, text in samples:
            self.say(f"    {what:>8}  {printable(text)}")
        self.spoke = self.stepped = self.clock()

    def alarm(self, alarm: object) -> None:
        """Show a warning, quiet or not."""
        self._print(f"warning: {alarm}")


def equation(means: Mapping[str, float], unit: str, digits: int = 2) -> str:
    """The total that is minimised, as a sum: `loss 50.3 = distortion 43.1 + 0.4 x rate 18.1 nats per sentence`.

    The weight of the rate is the one that makes it true, and is left out where it is 1. A model without a likelihood
    has no nats: its losses are named as it names them.
    """

    def number(name: str) -> str:
        return f"{name} {means[name]:.{digits}f}"

    total = next((name for name in ("score", "loss") if name in means), None)
    parts = [name for name in ("nll", "distortion") if name in means]
    if not parts:
        names = [name for name in means if name in ("score", "loss") or name.endswith((" loss", " score"))]
        return "  ".join(map(number, names or [name for name in means if name not in ("lr", "gradient")][:3]))
    text = number(parts[0])
    if "rate" in means and parts == ["distortion"]:
        text += _weighted(means, total, number("rate"), digits)
    elif total is None or abs(means[total] - means[parts[0]]) < 0.5 * 10**-digits:
        return f"{text} nats per {unit}"
    if total is not None:
        text = f"{number(total)} = {text}" if "rate" in means else f"{number(total)}  {text}"
    units = f"  active units {means['active units']:.0f}" if "active units" in means else ""
    return f"{text} nats per {unit}{units}"


def _weighted(means: Mapping[str, float], total: str | None, rate: str, digits: int) -> str:
    """The rate's part of a sum, with the weight that makes the sum true."""
    if total is None:
        return f"  {rate}"
    charge = means[total] - means["distortion"]
    if abs(charge - means["rate"]) < 10**-digits:
        return f" + {rate}"
    if means["rate"] < 1e-3 or charge < 0:
        return f" + {charge:.{digits}f} for {rate}"
    return f" + {charge / means['rate']:.3g} x {rate}"


class Bar:
    """The progress of long work, on a terminal; nothing elsewhere."""

    def __init__(self) -> None:
        self.progress: Any = None

    def __enter__(self) -> Bar:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self.progress = Progress(console=Console(stderr=True), transient=True)
            self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.progress is not None:
            self.progress.stop()

    def tell(self, what: str, done: int, of: int) -> None:
        """`done` of `of` parts of `what` are done."""
        if self.progress is not None:
            if not self.progress.tasks:
                self.progress.add_task(what)
            self.progress.update(self.progress.tasks[0].id, description=what, completed=done, total=of)


def tracked(items: Sequence[Item], what: str, progress: bool = True) -> Iterator[Item]:
    """The items, with a bar that says how many are done if `progress` is asked for."""
    if not progress:
        yield from items
        return
    with Bar() as bar:
        for done, item in enumerate(items):
            bar.tell(what, done, len(items))
            yield item


def _time(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

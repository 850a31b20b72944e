"""What a person sees while a run trains: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from corpora.commands import printable

if TYPE_CHECKING:
    from corpora.corpus import Corpus
    from textgen.core.model import Latent
    from textgen.core.trainer import StepReport
    from textgen.runs.run import Plan


Item = TypeVar("Item")


class Screen:
    """Prints to standard error, so that standard output stays free for results. `quiet` says warnings alone."""

    def __init__(self, quiet: bool = False, live: bool | None = None) -> None:
        self.quiet = quiet
        self.live = sys.stderr.isatty() if live is None else live
        self.status: Any = None
        self.warned = False
        self.unit = "row"  # what is measured is nats of one

    def say(self, text: str) -> None:
        """A line, unless quiet."""
        if not self.quiet:
            self._print(text)

    def _print(self, text: str) -> None:
        if int(os.environ.get("RANK", "0")) > 0:  # of several processes the first one speaks
            return
        if self.status is not None:
            self.status.console.print(text, markup=False, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def begin(self, folder: Path, made: Plan, corpus: Corpus, weights: int, step: int) -> None:
        """What will be done: corpus, model and run, a line each."""
        self.unit = "picture" if made.recipe.package == "imagegen" else "sentence"
        rows = {name: f"{len(split):,}" for name, split in corpus.splits.items()}
        words = ", ".join(f"{name} {count}" for name, count in rows.items())
        self.say(f"corpus   rows: {words}; {corpus.codec.name}, vocabulary {corpus.codec.vocab_size:,}")
        parts = f"{made.recipe.model}, {made.recipe.settings()['backbone']}"
        self.say(f"model    {parts}, {weights / 1e6:.2f} M weights, on {made.device}, {made.threads} threads")
        self.say(f"run      {folder}: steps {step:,} to {made.steps:,}, {made.batch} rows each, seed {made.seed}")
        self.first, self.began = step, time.monotonic()

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
            self.status.stop()
            self.status = None

    def step(self, report: StepReport, speed: float, steps: int) -> None:
        """Move the live line on."""
        if self.status is None:
            return
        left = (steps - report.step) * (time.monotonic() - self.began) / max(1, report.step - self.first)
        pace = f"{speed / 1000:.1f}k tokens/s  {_time(left)} left"
        self.status.update(f"{report.step:,}/{steps:,}  {_terms(report.means, 1)}  {pace}")

    def evaluated(self, step: int, report: Mapping[str, float], samples: list[tuple[str, str]], better: bool) -> None:
        """A line on an evaluation, and the sentences written at it."""
        passed = _time(time.monotonic() - self.began)
        best = "  best so far" if better else ""
        self.say(f"step {step:>7,}  valid {_terms(report)} (nats per {self.unit})  {passed}{best}")
        for what, text in samples:
            self.say(f"    {what:>8}  {printable(text)}")

    def warn_of_collapse(self, progress: float, report: Mapping[str, float], model: Latent) -> None:
        """One line, once, when the code is being ignored: what is seen, and what would help."""
        rate, active, target = report["rate"], report["active units"], model.rate.config.rate
        early = model.rate.beta < 0.05 if target is None else progress < 0.3  # a held rate takes a while to come
        if self.warned or progress < 0.1 or model.rate.share < 1 or early:
            return
        if rate < min(0.5, 0.1 * (target or 5)) or active < 1:
            self.warned = True
            held = target is not None
            remedy = (
                "warm_start=0.2 or word_dropout=0.3"
                if held
                else "rate=8 (hold the rate at 8 nats), free_bits_dim=0.3 or warm_start=0.2"
            )
            self._print(
                f"warning: the posterior is collapsing: rate {rate:.2f} nats per row, "
                f"{active:.0f} of {model.latent} units active; "
                f"codes will not matter. What helps: {remedy}"
            )


class Bar:
    """How far long work is, on a terminal; nothing elsewhere."""

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


def _terms(report: Mapping[str, float], digits: int = 2) -> str:
    names = [name for name in ("loss", "score", "nll", "distortion", "rate") if name in report]
    words = [f"{name} {report[name]:.{digits}f}" for name in names]
    if "active units" in report:
        words.append(f"active units {report['active units']:.0f}")
    return "  ".join(words)


def _time(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{seconds:02d}" if hours else f"{minutes}:{seconds:02d}"

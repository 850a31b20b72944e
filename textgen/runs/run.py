"""A run: corpus and model in a folder, trained, saved, resumed.

The folder holds `recipe.json` (the plan, written once), `checkpoints/`, `metrics.jsonl`, `samples.txt`,
`alarms.jsonl`, `tensorboard/`, and `corpus/` if the text was built into one here.
"""

from __future__ import annotations

import contextlib
import dataclasses
from pathlib import Path

from corpora import files
from corpora.errors import InputError
from textgen.core import checkpoint, trainer
from textgen.runs.folder import CHECKPOINTS, Signals, Stopped, held, refuse_taken
from textgen.runs.library import best, newest_whole
from textgen.runs.plan import Plan
from textgen.runs.screen import Screen
from textgen.runs.session import Session


class Run:
    """A run in its folder: `Run.create` begins one, `Run.open` goes on with one, `train` does the work."""

    def __init__(self, folder: Path, plan: Plan, fresh: bool) -> None:
        self.folder, self.plan = folder, plan
        self.fresh = fresh  # nothing in the folder is of this run yet

    @classmethod
    def create(cls, folder: Path, plan: Plan) -> Run:
        """Begin a run. Raises InputError if the folder holds one already or is in use."""
        with files.explained(folder):
            folder.mkdir(parents=True, exist_ok=True)
        with held(folder):
            if trainer.Processes.join(plan.device).rank == 0:
                refuse_taken(folder)
                plan.write(folder)
        return cls(folder, plan, fresh=True)

    @classmethod
    def open(cls, folder: str | Path) -> Run:
        """The run in a folder. Raises InputError if it holds none."""
        return cls(Path(folder), Plan.read(Path(folder)), fresh=False)

    def train(self, screen: Screen | None = None, *, steps: int | None = None) -> Path:
        """Train to the end, from the newest whole checkpoint if there is one: bit for bit as if it had never stopped.

        `steps` trains longer (or shorter) than was planned; the schedule then follows the new number. Returns the best
        checkpoint. Raises InputError for bad input, Stopped after SIGINT, SIGTERM or SIGHUP.
        """
        screen = screen or Screen()
        with held(self.folder):
            if steps is not None:
                self._lengthen(steps)
            session = Session(self.folder, self.plan, screen, fresh=self.fresh)
            self.fresh = False
            # a full disk ends the run with one line
            with files.explained(self.folder), session.log or contextlib.nullcontext(), Signals() as signals, screen:
                while not session.ended:
                    report = session.training.update(session.training.batches(session.batch))
                    session.note(report)
                    asked = session.greatest(signals.asked)
                    if session.due:
                        session.judge()
                    elif asked:  # without an evaluation, which an uninterrupted run would not have made here
                        session.save()
                    if asked and not session.ended:
                        raise Stopped(asked, report.step)
            session.world.wait()
        return best(self.folder)

    def _lengthen(self, steps: int) -> None:
        """Plan for so many steps, in place of what was planned."""
        kept = checkpoint.listed(self.folder / CHECKPOINTS)
        done = checkpoint.step_of(newest_whole(self.folder)[0]) or 0 if kept else 0
        if steps < max(1, done):
            raise InputError(f"steps={steps}: the run is at step {done:,} already; give more to train it longer")
        every = self.plan.every or max(25, min(500, steps // 20))
        self.plan = dataclasses.replace(self.plan, steps=steps, every=every, minutes=None, knots=())
        if trainer.Processes.join(self.plan.device).rank == 0:  # so that a plain resume after this one goes on likewise
            self.plan.write(self.folder)

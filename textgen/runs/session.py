"""A run while it trains: its corpus, model and optimisers at hand, and what is done beside the steps."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import Any

import torch

from corpora import files
from corpora.corpus import Corpus
from corpora.errors import InputError
from textgen.core import checkpoint, recipes, trainer
from textgen.core.model import Model
from textgen.core.player import Batch
from textgen.core.randomness import manual_seed
from textgen.runs import judging
from textgen.runs.budget import Budget
from textgen.runs.folder import CHECKPOINTS
from textgen.runs.library import newest_whole, vocabulary
from textgen.runs.log import Log, alarmed
from textgen.runs.plan import Plan, check_processes
from textgen.runs.screen import Screen

_NUMBERS_EVERY = 10  # steps between lines of metrics
SOON = 200  # steps before which no alarm is raised
_ENOUGH = 2000  # steps; where a budget holds fewer, a note says so


class Session:
    """All that a step, an evaluation and a checkpoint of a run need. `fresh`: nothing is to be resumed."""

    def __init__(self, folder: Path, plan: Plan, screen: Screen, *, fresh: bool) -> None:
        self.folder, self.plan, self.screen = folder, plan, screen
        self.device = trainer.own_device(trainer.pick_device(plan.device))
        torch.set_num_threads(plan.threads)
        torch.set_flush_denormal(True)
        self.world = trainer.Processes.join(self.device)
        self.corpus = self._corpus()
        self.checkpoints = folder / CHECKPOINTS
        resuming = not fresh and bool(checkpoint.listed(self.checkpoints))
        self.pace = plan.pace()
        self.budget = self.pace if isinstance(self.pace, Budget) else None
        if self.budget is not None:
            self.budget.guess = judging.expected(self.corpus, plan.batch * plan.training.accumulate)
        self.training = trainer.Training(
            self._model(resuming),
            plan.training,
            steps=self.pace,
            seed=plan.seed,
            device=self.device,
            world=self.world,
        )
        self.judged: dict[str, Any] = {"best_step": None, "best_score": None}
        if self.world.rank == 0:
            with files.explained(folder):
                self.checkpoints.mkdir(exist_ok=True)
                checkpoint.sweep(self.checkpoints)
        self.world.wait()
        if resuming:
            self._restore()
        with files.explained(folder):
            self.log = Log(folder, self.training.step) if self.world.rank == 0 else None
            self.alarmed = alarmed(folder, self.training.step) if self.log is not None else set()
        screen.begin(folder, plan, self.corpus, self.training, self.pace)
        self.began, self.tokens = time.monotonic(), 0
        self.length_told = self.budget is not None and self.budget.settled

    def _corpus(self) -> Corpus:
        corpus = Corpus.open(self.folder / self.plan.corpus)
        check_processes(self.world.world, self.plan.batch, len(corpus.rows("train")))
        if corpus.fingerprint != self.plan.fingerprint:
            where = files.quoted_path(self.folder / self.plan.corpus)
            raise InputError(f"{where} is not the corpus that this run was begun with")
        return corpus

    def _model(self, resuming: bool) -> Model:
        manual_seed(self.plan.seed, 2**32 - 1)  # initial weights: no step has this number
        model = recipes.build(self.plan.recipe, vocabulary(self.corpus.codec, self.corpus.manifest["label_names"]))
        if self.plan.init is not None and not resuming:  # it may be gone by then
            checkpoint.fill(model, checkpoint.read_model(Path(self.plan.init)).tensors, Path(self.plan.init))
            model.begin_anew()
        return model

    def _restore(self) -> None:
        source, state, skipped = newest_whole(self.folder)
        for line in skipped:
            self.screen.say(f"skipped a damaged checkpoint: {line}")
        checkpoint.fill(self.training.model, checkpoint.read_model(source).tensors, source)
        self.training.restore(*checkpoint.read_state(source))
        self.judged = {key: state[key] for key in self.judged}
        if self.budget is not None:
            self.budget.restore(state["budget"])
        self.screen.say(f"resuming from step {self.training.step:,} of {self.pace.end:,} (verified)")

    # ---------------------------------------------------------------------------------------------------- steps

    def batch(self, number: int) -> Batch:
        """The batch of a number, this process's rows of it."""
        rank, world = self.world.rank, self.world.world
        rows = self.corpus.batch(number, self.plan.seed, self.plan.batch, rank=rank, world=world)
        tokens, labels = (torch.from_numpy(numbers).to(self.device) for numbers in (rows.tokens, rows.classes))
        return Batch(tokens, labels, rows.total)

    def note(self, report: trainer.StepReport) -> None:
        """Show and log a step; where the run has a budget, see how far it is."""
        self.tokens += report.tokens
        speed = self.tokens / max(1e-9, time.monotonic() - self.began)
        self.screen.step(report, speed, self.pace.end)
        if self.log is not None and (report.step % _NUMBERS_EVERY == 0 or report.step == 1):
            self.log.write({**report.means, "tokens per second": round(speed)}, report.step)
        if self.budget is not None:
            self.budget.tick(report.step, self.agreed)
            if self.budget.settled and not self.length_told:
                self._tell_length(self.budget, report.step)

    def _tell_length(self, budget: Budget, step: int) -> None:
        self.length_told = True
        minutes, end = budget.total / 60, budget.end
        pace = f"{1000 * budget.knots[-1].training / step:.0f} ms each so far"
        self.screen.say(f"budget   {minutes:g} minutes hold about {end:,} steps, {pace}")
        enough = min(_ENOUGH, budget.most)
        if end < enough:
            need = math.ceil(minutes * enough / end)
            self.screen.say(f"note: so few steps teach little: --minutes {need} would hold {enough:,} on this machine")

    @property
    def ended(self) -> bool:
        """Whether the last step is done."""
        return self.training.step >= self.pace.end

    @property
    def due(self) -> bool:
        """Whether an evaluation, and a checkpoint, follow the step that was just made."""
        return self.ended or self.training.step % self.pace.every == 0

    # ----------------------------------------------------------------------------------- evaluations, checkpoints

    def judge(self) -> None:
        """Evaluate the averaged weights on held-out rows, draw samples, log both, and save."""
        began, step, log = time.monotonic(), self.training.step, self.log
        written: list[tuple[str, str]] = []
        with self.training.averaged() as model:
            means = judging.validate(model, self.corpus, self.plan, self.device)
            score = model.score(means)
            if log is not None:
                written = judging.samples(model, self.corpus, self.plan, self.device, self.folder, step)
        better = score is None or self._is_best(score)
        if better:
            self.judged.update(best_step=step, best_score=score)
        self.training.evaluated(better)
        report = {name: value for name, value in means.items() if name != "loss" or score is None}
        report = report if score is None else {"score": score, **report}
        if log is not None:  # before the checkpoint: lines after it are dropped and written again by a resumed run
            log.write({f"valid {name}": value for name, value in report.items()}, step)
            log.samples(written, step)
        self._alarm(model, means)
        looked = time.monotonic()
        if self.budget is not None:  # before the checkpoint, which remembers it
            self.budget.evaluated(step, looked - began, self.agreed)
        self.save()
        if self.budget is not None:
            self.budget.saved(time.monotonic() - looked)
        self.screen.evaluated(step, report, written, better, judging.judged_split(self.corpus))

    def _is_best(self, score: float) -> bool:
        best = self.judged["best_score"]
        return math.isfinite(score) and (best is None or score < best)

    def _alarm(self, model: Model, means: dict[str, float]) -> None:
        """Print and log what the model warns of, each alarm once in a run; not before it has had time to begin."""
        if self.training.step < SOON:
            return
        progress = self.pace.progress(self.training.step)
        fresh = [alarm for alarm in model.alarms(means, progress) if alarm.name not in self.alarmed]
        self.alarmed |= {alarm.name for alarm in fresh}
        for alarm in fresh:
            self.screen.alarm(alarm)
        if self.log is not None:
            self.log.alarms([alarm._asdict() for alarm in fresh], self.training.step)

    def save(self) -> None:
        """Write a checkpoint of the step at hand, and remove those that are no longer kept."""
        if self.world.rank > 0:
            return
        training, plan, step = self.training, self.plan, self.training.step
        unseen = judging.unseen(self.corpus) if training.model.classes is not None else []
        with files.new_folder(self.checkpoints / f"step-{step:09d}", replace=True) as temporary:
            facts = {
                "recipe": plan.recipe.to_dict(),
                "length": plan.length,
                "labels": list(training.model.vocab.labels) if training.model.classes is not None else [],
                **({"labels_unseen": unseen} if unseen else {}),
                "run": {"step": step, "steps": self.pace.end, **plan.facts()},
            }
            with training.averaged() as model:
                checkpoint.write_model(temporary, facts, self.corpus.codec.to_dict(), checkpoint.weights(model))
            tensors, values = training.state()
            values |= {**self.judged, **({} if self.budget is None else {"budget": self.budget.state(step)})}
            files.write_file(temporary / checkpoint.TENSORS, checkpoint.pack(tensors))
            files.write_file(temporary / checkpoint.STATE, files.to_json(values))
            files.write_manifest(temporary, {"format": checkpoint.FORMAT})
        for path in checkpoint.listed(self.checkpoints):
            if (checkpoint.step_of(path) or 0) > step:  # damaged, and skipped when the run was resumed
                checkpoint.remove(path)
        checkpoint.prune(self.checkpoints, plan.keep, self.judged["best_step"])

    # ------------------------------------------------------------------------------------------ several processes

    def greatest(self, number: int) -> int:
        """The greatest of a number over all processes: a signal that any of them got, so that all stop together."""
        if self.world.world == 1:
            return number
        import torch.distributed as dist

        flag = torch.tensor([number], device=self.device)
        dist.all_reduce(flag, dist.ReduceOp.MAX)
        return int(flag)

    def agreed(self, values: list[float]) -> list[float]:
        """The measurements of the first process."""
        if self.world.world == 1:
            return values
        import torch.distributed as dist

        shared = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.broadcast(shared, 0)
        return [float(value) for value in shared]

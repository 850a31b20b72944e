"""The plan of a run: everything that it is but for the data, settled once and kept in `recipe.json`."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from corpora import codec as codecs
from corpora import files
from corpora.corpus import Corpus
from corpora.errors import InputError, quoted
from corpora.modality import Modality, modality_of
from corpora.settings import require
from textgen.core import checkpoint, recipes, trainer
from textgen.core.pace import Pace, Steps
from textgen.runs.budget import Budget, Knot
from textgen.runs.folder import RECIPE
from textgen.runs.library import Opened, newest_whole, vocabulary

WEEK = 10_080  # minutes


@dataclasses.dataclass(frozen=True)
class Length:
    """The length of a run, and the checkpoints that are kept. `steps` or `minutes`; None: chosen."""

    steps: int | None = None
    minutes: float | None = None
    most: int | None = None  # steps that `minutes` are cut at
    batch: int | None = None
    every: int | None = None  # steps between evaluations, each with a checkpoint
    keep: int | None = None  # newest checkpoints kept, beside the best
    seed: int | None = None
    repeat: str | Path | None = None  # a run of so many minutes whose recorded progress is followed step by step

    def check(self) -> None:
        """Raise InputError for a number that makes no sense, or two that do not go together."""
        for name, least in (("steps", 1), ("most", 1), ("batch", 1), ("every", 1), ("keep", 2)):
            value = getattr(self, name)
            require(value is None or value >= least, name, value, f"{least} or more")
        require(self.seed is None or 0 <= self.seed < 2**32, "seed", self.seed, f"0 to {2**32 - 1}")
        if self.minutes is not None:
            expected = "more than 0, and 10,080 (a week) at most"
            require(0 < self.minutes <= WEEK, "minutes", f"{self.minutes:g}", expected)
            if self.steps is not None:
                raise InputError("steps and minutes are both given: leave out one of them")
        if self.repeat is not None and (self.steps or self.minutes):
            raise InputError("repeat follows another run's progress: leave out steps and minutes")


@dataclasses.dataclass(frozen=True)
class Machine:
    """The device and the threads of a run."""

    device: str = "auto"
    threads: int | None = None

    def check(self) -> None:
        trainer.pick_device(self.device)


@dataclasses.dataclass(frozen=True)
class Plan:
    """Everything that a run is, but for the data: the contents of `recipe.json`."""

    recipe: recipes.Recipe
    training: trainer.Config
    steps: int | None  # with `minutes` at most so many, if any
    batch: int
    seed: int
    every: int | None  # steps between evaluations, each with a checkpoint; None: as the budget says
    keep: int  # newest checkpoints kept, beside the best
    device: str
    threads: int
    corpus: str  # folder, relative to the run where it lies inside
    fingerprint: str
    length: int
    init: str | None = None  # the model folder whose weights it began with
    minutes: float | None = None  # the budget; None: `steps`
    knots: tuple[Knot, ...] = ()  # of the run whose progress is repeated

    def to_dict(self) -> dict[str, Any]:
        """JSON values. Without a budget they are those of every version so far."""
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        facts |= {"recipe": self.recipe.to_dict(), "training": dataclasses.asdict(self.training)}
        facts["knots"] = [list(knot) for knot in self.knots]
        facts = {key: value for key, value in facts.items() if value or key not in ("minutes", "knots")}
        return {**facts, "format": checkpoint.FORMAT, "versions": versions()}

    @staticmethod
    def from_dict(saved: Mapping[str, Any]) -> Plan:
        """The inverse of `to_dict`. Raises InputError, KeyError or TypeError for what is no plan."""
        values = {"minutes": None, "knots": (), **saved}
        values["recipe"] = recipes.from_dict(values["recipe"])
        values["training"] = trainer.Config(**values["training"])
        values["knots"] = tuple(Knot(*knot) for knot in values["knots"])
        return Plan(**{field.name: values[field.name] for field in dataclasses.fields(Plan)})

    @staticmethod
    def read(folder: Path) -> Plan:
        """The plan of a run. Raises InputError if the folder holds none."""
        path = folder / RECIPE
        if not path.is_file():
            raise InputError(f"{files.quoted_path(folder)} is not a run: it has no {RECIPE}")
        saved = files.from_json(files.read_bytes(path, 1 << 20), path)
        if saved.get("format") != checkpoint.FORMAT:
            raise InputError(
                f"{files.quoted_path(path)} has format {quoted(saved.get('format'))}, this version of the program "
                f"reads format {checkpoint.FORMAT}: use the program that made it"
            )
        try:
            return Plan.from_dict(saved)
        except (KeyError, TypeError) as error:
            raise InputError(f"{files.quoted_path(path)} is not a recipe of ours: {error}") from error

    def write(self, folder: Path) -> None:
        """Write `recipe.json`."""
        with files.explained(folder):
            files.replace_file(folder / RECIPE, files.to_json(self.to_dict()))

    def pace(self) -> Pace:
        """The length of the run as its schedules see it."""
        if self.minutes is not None:
            return Budget(self.minutes, self.steps, self.knots, every=self.every, repeat=bool(self.knots))
        assert self.steps is not None
        return Steps(self.steps, self.every or self.steps)

    def facts(self) -> dict[str, Any]:
        """The facts that a shared model may tell of its run: no paths, no names of people or machines."""
        facts = self.to_dict()
        kept = ("training", "batch", "seed", "minutes", "fingerprint", "device", "threads", "versions")
        return {key: facts[key] for key in kept if key in facts}


def versions() -> dict[str, str]:
    """The programs that a run is made with."""
    try:
        ours = metadata.version("stroll")
    except metadata.PackageNotFoundError:  # run from a clone that was never installed
        ours = "unknown"
    return {"stroll": ours, "torch": torch.__version__, "python": platform.python_version()}


def settle(
    corpus: Corpus,
    folder: Path,
    corpus_folder: Path,
    *,
    recipe: recipes.Recipe,
    training: trainer.Config,
    length: Length | None = None,
    machine: Machine | None = None,
    init: str | None = None,
) -> Plan:
    """Settle what is left open about a run before it begins. Raises InputError for what makes no sense."""
    length, machine = length or Length(), machine or Machine()
    length.check()
    batch = length.batch or 64
    steps, minutes = length.steps or length.most, length.minutes
    knots: tuple[Knot, ...] = ()
    if length.repeat is not None:
        steps, minutes, knots = repeated(Path(length.repeat))
    elif steps is None and minutes is None:  # ten passes, within what one sitting bears; few rows need more of them
        steps = max(2000, min(20_000, 10 * corpus.epoch_steps(batch)))
    every = length.every or (max(25, min(500, steps // 20)) if steps and minutes is None else None)
    lengths = [int(split.lengths.max()) for split in corpus.splits.values() if len(split)]
    if not len(corpus.splits["train"]):
        raise InputError("the train split is empty")
    inside = corpus_folder.resolve().is_relative_to(folder.resolve())
    return Plan(
        recipe=recipe,
        training=training,
        steps=steps,
        batch=batch,
        seed=length.seed or 0,
        every=every,
        keep=length.keep or 2,
        device=trainer.pick_device(machine.device),
        threads=machine.threads or torch.get_num_threads(),
        corpus=str(corpus_folder.resolve().relative_to(folder.resolve())) if inside else str(corpus_folder.resolve()),
        fingerprint=corpus.fingerprint,
        length=max(lengths),
        init=init,
        minutes=minutes,
        knots=knots,
    )


def plan(
    corpus: Corpus,
    folder: Path,
    corpus_folder: Path,
    *,
    model: str = "vae",
    settings: Mapping[str, Any] | None = None,
    package: str = "textgen",
    **options: Any,
) -> Plan:
    """The plan of a run on a corpus at hand; `options` are those of `Length` and `Machine`, by name."""
    recipe, training = composed(corpus, model, settings or {}, package, corpus_folder)
    length, machine = grouped(options, Length, Machine)
    return settle(corpus, folder, corpus_folder, recipe=recipe, training=training, length=length, machine=machine)


def grouped(options: Mapping[str, Any], *groups: type) -> list[Any]:
    """Keyword arguments as the dataclasses that have fields of these names. Raises TypeError for any other name."""
    names = {field.name for group in groups for field in dataclasses.fields(group)}
    unknown = sorted(set(options) - names)
    if unknown:
        raise TypeError(f"unexpected keyword argument {unknown[0]!r}")
    present = {key: value for key, value in options.items() if value is not None}
    return [
        group(**{field.name: present[field.name] for field in dataclasses.fields(group) if field.name in present})
        for group in groups
    ]


def composed(
    corpus: Corpus, model: str, settings: Mapping[str, Any], package: str, corpus_folder: Path
) -> tuple[recipes.Recipe, trainer.Config]:
    """The recipe of a model for a corpus, and the settings of its training. InputError if they do not go together."""
    check_prior(settings)
    check_program(package, modality_of(corpus.codec), files.quoted_path(corpus_folder))
    recipe, (training,) = recipes.compose(model, settings, trainer.Config(), package=package)
    recipes.outline(recipe, vocabulary(corpus.codec, corpus.manifest["label_names"]))
    return recipe, training


def repeated(run: Path) -> tuple[int | None, float, tuple[Knot, ...]]:
    """Steps, minutes and recorded progress of a run to repeat. Raises InputError if it has none."""
    before = Plan.read(run)
    if before.minutes is None:
        raise InputError(f"repeat={files.quoted_path(run)}: that run has {before.steps:,} steps; give steps instead")
    knots = newest_whole(run)[1]["budget"]["knots"]
    return before.steps, before.minutes, tuple(Knot(*knot) for knot in knots)


# ------------------------------------------------------------------------------------------------------- checks


def check_program(package: str, modality: Modality, where: str) -> None:
    """Raise InputError for text to a trainer of pictures, and the other way round."""
    if modality.program != package:
        things = "text" if modality.name == "text" else modality.units
        raise InputError(f"{where}: this is {things}; train on it with {modality.program} train")


def check_prior(settings: Mapping[str, Any], where: str = "") -> None:
    """Raise InputError for a prior that is fitted to the codes of a trained model: training would change the codes."""
    name = settings.get("prior", "normal")
    if name != "normal":
        raise InputError(
            f"{where}prior={name}: train with prior=normal, and fit another afterwards: "
            "textgen prior RUN DATA --kind KIND --out DIR"
        )


def check_sizes(first: Opened, changed: Mapping[str, Any]) -> None:
    """Raise InputError if settings that are `changed` need weights of other sizes than a model's."""
    recipe, _ = recipes.compose(
        first.recipe.model, {**first.recipe.settings(), **changed}, package=first.recipe.package
    )
    try:
        weights = checkpoint.weights(first.model)
        checkpoint.check_fit(recipes.outline(recipe, first.model.vocab), weights, first.folder)
    except InputError as error:
        asked = ", ".join(f"{key}={value}" for key, value in changed.items())
        raise InputError(f"--init {first.name} has weights of other sizes than {asked} asks for") from error


def check_init(folder: Path, recipe: recipes.Recipe, corpus: Corpus) -> None:
    """Raise InputError unless a model of this recipe on a corpus can begin with the weights of a model folder."""
    stored, vocab = checkpoint.read_model(folder), vocabulary(corpus.codec, corpus.manifest["label_names"])
    where, before = files.quoted_path(folder), stored.config.get("labels", [])
    if not codecs.alike(stored.codec, corpus.codec.to_dict()):
        raise InputError(f"the corpus has another codec than {where}: build it with codec_from={where}")
    if before and before != list(vocab.labels):
        ours, its = quoted(", ".join(vocab.labels)), quoted(", ".join(before))
        raise InputError(f"the corpus has the labels {ours}, and {where} has {its}: they have to be the same")
    checkpoint.check_fit(recipes.outline(recipe, vocab), stored.tensors, folder)


def check_processes(world: int, batch: int, rows: int) -> None:
    """Raise InputError unless every process has rows in every batch."""
    if world > 1 and min(batch, rows) < 2 * world:
        raise InputError(f"--batch {batch}: {world} processes need at least 2 rows each in every batch")


def check_inputs(paths: Sequence[str]) -> None:
    """Raise InputError for a run or a model where text or pictures are expected."""
    for path in paths:
        if (Path(path) / RECIPE).is_file():  # whose samples.txt would be taken for text
            raise InputError(f"{path} is a run, not text: --resume {path} goes on with it")
        if (Path(path) / checkpoint.MODEL).is_file():
            raise InputError(f"{path} is a model, not text: name some text, and --init {path} to go on from it")

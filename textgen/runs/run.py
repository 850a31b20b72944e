"""A run: corpus + model -> trained, saved, resumed.

A run is a folder: `recipe.json` (what was asked for, written once), `checkpoints/`, `metrics.jsonl`,
`samples.txt`, `tensorboard/`, and `corpus/` if the text was built into one here.
"""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import itertools
import json
import math
import os
import platform
import re
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch

import textgen
from corpora import build, files, sheet
from corpora import codec as codecs
from corpora import settings as settings_of
from corpora.codec import TextCodec
from corpora.codecs.palette import Palette
from corpora.corpus import Batch, Corpus, Rows
from corpora.errors import InputError, choose, quoted
from corpora.settings import require
from textgen.core import checkpoint, estimators, recipes, sampler, trainer
from textgen.core.backbone import Vocabulary
from textgen.core.model import Latent, Model
from textgen.core.randomness import Draw, manual_seed
from textgen.runs.library import Opened, best, newest_whole, open_model, vocabulary
from textgen.runs.screen import Screen
from textgen.sentences.preset import MINUTES, NAMES, Auto, seconds


class Stopped(Exception):
    """Training was asked to end early, by a signal; the last step is saved."""

    def __init__(self, number: int, step: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name} at step {step}; saved")
        self.number = number


@dataclasses.dataclass(frozen=True)
class Plan:
    """What `recipe.json` holds: everything that a run is, but for the data."""

    recipe: recipes.Recipe
    training: trainer.Config
    steps: int
    batch: int
    seed: int
    every: int  # steps between evaluations, each with a checkpoint
    keep: int  # newest checkpoints kept, beside the best
    device: str
    threads: int
    corpus: str  # folder, relative to the run where it lies inside
    fingerprint: str
    length: int
    init: str | None = None  # the model folder whose weights it began with

    def to_dict(self) -> dict[str, Any]:
        facts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        facts |= {"recipe": self.recipe.to_dict(), "training": dataclasses.asdict(self.training)}
        return {**facts, "format": checkpoint.FORMAT, "versions": versions()}

    @staticmethod
    def from_dict(saved: Mapping[str, Any]) -> Plan:
        values = dict(saved)
        values["recipe"] = recipes.from_dict(values["recipe"])
        values["training"] = trainer.Config(**values["training"])
        return Plan(**{field.name: values[field.name] for field in dataclasses.fields(Plan)})


def versions() -> dict[str, str]:
    """What a run was made with."""
    return {"stroll": textgen.__version__, "torch": torch.__version__, "python": platform.python_version()}


def train(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    preset: str | None = None,
    minutes: float | None = None,
    init: str | Path | None = None,
    source: str | None = None,
    valid: str | Sequence[str] | None = None,
    test: str | Sequence[str] | None = None,
    threads: int | None = None,
    device: str = "auto",
    screen: Screen | None = None,
    package: str = "textgen",
    **options: Any,
) -> Path:
    """Train a model on text, or on a folder that `corpora build` made, and return its best checkpoint.

    `model`: vae (the default), lm or autoencoder. `preset`: auto chooses what `settings` and `options` leave open,
    from the corpus, and `steps` from `minutes` (12) of training on this machine; none leaves the defaults. Without
    it, text is sized by auto; a built corpus, and `init`, have sizes of their own and get none. `init`: a model to go
    on from: its weights, its settings (but for `warm_start`, which it has behind it) where `settings` says nothing
    else, and its codec.
    `settings`: those of the corpus (if it is to be built, into the run's folder), the model, its parts and the
    optimiser. `options`: `steps`, `batch`, `seed`, `every` and `keep`, as in `plan`. `package`: where the parts of the
    model are sought (`imagegen.train` says "imagegen"). Everything is judged before any
    work is done. Raises InputError for bad input, Stopped after SIGINT or SIGTERM.
    """
    folder, screen = Path(out), screen or Screen()
    trainer.pick_device(device)
    if threads:
        torch.set_num_threads(threads)
    words = dict(settings or {})
    for given in inputs:
        if (Path(given) / "recipe.json").is_file():  # whose samples.txt would be taken for text
            raise InputError(f"{given} is a run, not text: --resume {given} goes on with it")
        if (Path(given) / checkpoint.MODEL).is_file():
            raise InputError(f"{given} is a model, not text: name some text, and --init {given} to go on from it")
    _check_numbers(**options)
    _check_prior(words)
    built = len(inputs) == 1 and (Path(inputs[0]) / files.MANIFEST).is_file()
    auto = None
    if _is_auto(preset, minutes, built, init, options.get("steps")):
        auto = Auto({**words, **{key: value for key, value in options.items() if value is not None}}, screen.say)
    if init is not None:
        first = open_model(init)
        if model not in (None, first.recipe.model):
            raise InputError(f"--init {init} is a {first.recipe.model}: leave out --model, or give another --init")
        if package != first.recipe.package:
            raise InputError(f"--init {init} is a model of {'text' if package == 'imagegen' else 'pictures'}")
        model, init = first.recipe.model, first.folder.resolve()
        _check_prior(first.recipe.settings(), f"--init {first.name}: ")
        own = first.recipe.settings()
        _check_sizes(first, {key: value for key, value in words.items() if key in own})
        behind = {"warm_start": 0.0} if "warm_start" in own else {}  # or all that it learned would be begun afresh
        words = {**own, **behind, **({} if built else {"codec_from": str(init)}), **words}
    model = model or "vae"
    if built:
        corpus_folder = Path(inputs[0])
        corpus = Corpus.open(corpus_folder)
        extra = [name for name, given in (("source", source), ("valid", valid), ("test", test)) if given is not None]
        extra += [key for key in settings_of.known([build.Config(), codecs.Config()]) if key in words]
        if extra:
            raise InputError(f"{files.quoted_path(corpus_folder)} is a corpus already built: leave out {extra[0]}")
    else:
        corpus_folder = folder / "corpus"
        corpus, words = _built(
            [str(given) for given in inputs], corpus_folder, model, words, source, valid, test, screen, auto, package
        )
    if init is not None and first.model.classes is not None and not corpus.manifest["label_names"]:
        raise InputError(f"--init {first.name} is told the classes of rows: the corpus needs labels, and has none")
    options |= {
        "package": package,
        "model": model,
        "init": None if init is None else str(init),
        "threads": threads,
        "device": device,
    }
    if auto is None:
        made = plan(corpus, folder, corpus_folder, settings=words, **options)
    else:
        made = _sized(auto, corpus, folder, corpus_folder, words, minutes or MINUTES, options)
    return start(folder, made, screen)


def _is_auto(
    preset: str | None, minutes: float | None, built: bool, init: str | Path | None, steps: int | None
) -> bool:
    """Whether a run is to be sized by its corpus. Raises InputError for what does not go together."""
    preset = choose("preset", preset or ("none" if built or init is not None else "auto"), NAMES)
    auto = preset == "auto"
    if minutes is not None:
        require(0 < minutes <= 10_080, "minutes", f"{minutes:g}", "more than 0, and 10,080 (a week) at most")
        if not auto:
            raise InputError("minutes are counted by preset auto alone: choose it, or give steps")
        if steps is not None:
            raise InputError("steps and minutes are both given: leave out one of them")
    if auto and init is not None:
        raise InputError("preset auto chooses sizes, and init brings its own: leave out one of them")
    if auto and steps is None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("preset auto measures the speed of one process: with several give steps")
    return auto


def _sized(
    auto: Auto,
    corpus: Corpus,
    folder: Path,
    corpus_folder: Path,
    words: Mapping[str, Any],
    minutes: float,
    options: Mapping[str, Any],
) -> Plan:
    """The plan of a run that is sized by its corpus; its steps by the clock, unless `options` give them."""
    options = {key: value for key, value in options.items() if value is not None}
    rows = corpus.splits["train"]
    tokens = len(rows.tokens) + len(rows)
    # with everything as given first, so that what makes no sense is said before anything is chosen
    before = plan(corpus, folder, corpus_folder, settings=words, **options)
    settings_now = {**before.recipe.settings(), **dataclasses.asdict(before.training)}
    chosen = auto.sizes(len(rows), tokens, int(rows.lengths.max()), _entropy(rows), settings_now)
    options["batch"] = chosen.pop("batch", before.batch)
    words = {**chosen, **words}
    if "steps" not in options:
        made = plan(corpus, folder, corpus_folder, settings=words, steps=10_000, **options)
        step, judging = _timed(corpus, made)
        options["steps"] = auto.steps(step, judging, minutes, len(rows), tokens, made.batch * made.training.accumulate)
    return plan(corpus, folder, corpus_folder, settings=words, **options)


def _entropy(rows: Rows) -> float:
    """The entropy of a token, stops counted, by frequency alone, in nats; of the first ten million tokens."""
    counts = np.bincount(rows.tokens[:10_000_000], minlength=2).astype(float)
    counts[1] = len(rows) * min(1.0, 10_000_000 / max(1, len(rows.tokens)))  # the stops, which no row stores
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())


def _timed(corpus: Corpus, made: Plan) -> tuple[float, float]:
    """What a step and an evaluation of this very plan take on this machine, in seconds. The model is thrown away."""
    torch.set_num_threads(made.threads)
    torch.set_flush_denormal(True)
    device = trainer.own_device(made.device)
    model = recipes.build(made.recipe, _vocabulary(corpus))
    training = trainer.Training(model, made.training, steps=made.steps, seed=made.seed, device=device)
    numbers = itertools.count()

    def work() -> int:
        turns = made.training.accumulate * len(training.turns())
        batches = [corpus.batch(next(numbers), made.seed, made.batch) for _ in range(turns)]
        return training.update([_on_device(batch, device) for batch in batches]).tokens

    rows = corpus.splits["train"]
    token = seconds(work)  # since batches differ in length
    began = time.monotonic()
    validate(model.eval(), corpus, made)
    draw_samples(model, corpus, made)
    words = made.recipe.settings()
    turns = 1 + words.get("aggressive", 0) * words.get("aggressive_share", 0.0)  # of a step, on average
    batch = min(made.batch, len(rows)) * made.training.accumulate * turns
    return token * batch * (len(rows.tokens) + len(rows)) / len(rows), time.monotonic() - began


def _vocabulary(corpus: Corpus) -> Vocabulary:
    """What a model must know of a corpus."""
    return vocabulary(corpus.codec, corpus.manifest["label_names"])


def _on_device(batch: Batch, device: str) -> trainer.Batch:
    tokens, labels = (torch.from_numpy(numbers).to(device) for numbers in (batch.tokens, batch.classes))
    return trainer.Batch(tokens, labels, batch.total)


def _built(
    inputs: list[str],
    target: Path,
    model: str,
    words: dict[str, Any],
    source: str | None,
    valid: str | Sequence[str] | None,
    test: str | Sequence[str] | None,
    screen: Screen,
    auto: Auto | None,
    package: str,
) -> tuple[Corpus, dict[str, Any]]:
    """Build the corpus of a new run. Returns it, and the settings that are left for the model."""
    source = source or build.source_of(inputs)
    of_corpus = build.configs(source)
    for given in inputs:  # what no source knows counts as text; that would be said first
        if source == "text" and given != "-" and not Path(given).exists():
            raise InputError(f"{files.quoted_path(given)}: no such file or folder: check the path")
    _check_kind(package, build.PictureConfig() in of_corpus, ", ".join(inputs))
    names = set(settings_of.known(of_corpus))
    recipes.compose(model, words, trainer.Config(), *of_corpus, package=package)
    refuse_taken(target.parent)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("several processes need a built corpus: run `corpora build` first and train on its folder")
    screen.say(f"building the corpus {target}")
    taken = {key: value for key, value in words.items() if key in names}
    corpus = build.build(
        inputs, target, source=source, valid=valid, test=test, settings=taken, replace=target.exists(), chooser=auto
    )
    for note in corpus.manifest.get("notes", []):
        screen.say(f"note: {note}")
    return corpus, {key: value for key, value in words.items() if key not in names}


def plan(
    corpus: Corpus,
    folder: Path,
    corpus_folder: Path,
    *,
    model: str = "vae",
    settings: Mapping[str, Any] | None = None,
    init: str | None = None,
    steps: int | None = None,
    batch: int = 64,
    seed: int = 0,
    every: int | None = None,
    keep: int = 2,
    device: str = "auto",
    threads: int | None = None,
    package: str = "textgen",
) -> Plan:
    """Settle everything about a run before it begins. Raises InputError for what makes no sense."""
    _check_prior(settings or {})
    _check_kind(package, isinstance(corpus.codec, Palette), files.quoted_path(corpus_folder))
    recipe, (training,) = recipes.compose(model, settings or {}, trainer.Config(), package=package)
    recipes.outline(recipe, _vocabulary(corpus))  # parts that do not go together say so
    rows = len(corpus.splits["train"])
    if steps is None:  # ten passes, within what one sitting bears; a small corpus needs more of them
        steps = max(2000, min(20_000, 10 * corpus.epoch_steps(batch)))
    _check_numbers(steps=steps, batch=batch, seed=seed, every=every, keep=keep)
    device = trainer.pick_device(device)
    lengths = [int(split.lengths.max()) for split in corpus.splits.values() if len(split)]
    if not rows:
        raise InputError("the train split is empty")
    if init is not None:
        _check_init(Path(init), recipe, corpus)
    inside = corpus_folder.resolve().is_relative_to(folder.resolve())
    return Plan(
        recipe=recipe,
        training=training,
        steps=steps,
        batch=batch,
        seed=seed,
        every=every or max(25, min(500, steps // 20)),
        keep=keep,
        device=device,
        threads=threads or torch.get_num_threads(),
        corpus=str(corpus_folder.resolve().relative_to(folder.resolve())) if inside else str(corpus_folder.resolve()),
        fingerprint=corpus.fingerprint,
        length=max(lengths),
        init=init,
    )


def _check_kind(package: str, pictures: bool, what: str) -> None:
    """Raise InputError for text to a trainer of pictures, and the other way round."""
    if pictures != (package == "imagegen"):
        kind, verb = ("pictures", "imagegen train") if pictures else ("text", "textgen train")
        raise InputError(f"{what}: this is {kind}; train on it with {verb}")


def _check_numbers(
    *, steps: int | None = None, batch: int = 1, seed: int = 0, every: int | None = None, keep: int = 2
) -> None:
    for name, value, least in (("steps", steps, 1), ("batch", batch, 1), ("every", every, 1), ("keep", keep, 2)):
        require(value is None or value >= least, name, value, f"{least} or more")
    require(0 <= seed < 2**32, "seed", seed, f"0 to {2**32 - 1}")


def _check_prior(words: Mapping[str, Any], where: str = "") -> None:
    """Raise InputError for a prior that is fitted to the codes of a trained model: training would change the codes."""
    kind = words.get("prior", "normal")
    if kind != "normal":
        raise InputError(
            f"{where}prior={kind}: train with prior=normal, and fit another afterwards (to a model of text): "
            "textgen prior RUN DATA --kind KIND --out DIR"
        )


def _check_sizes(first: Opened, changed: dict[str, Any]) -> None:
    """Raise InputError if settings that are `changed` need weights of other sizes than a model's."""
    recipe, _ = recipes.compose(
        first.recipe.model, {**first.recipe.settings(), **changed}, package=first.recipe.package
    )
    try:
        weights = checkpoint.weights(first.model)
        checkpoint.check_fit(recipes.outline(recipe, first.model.vocab), weights, first.folder)
    except InputError as error:
        words = ", ".join(f"{key}={value}" for key, value in changed.items())
        raise InputError(f"--init {first.name} has weights of other sizes than {words} asks for") from error


def _check_init(folder: Path, recipe: recipes.Recipe, corpus: Corpus) -> None:
    """Raise InputError unless a model of this recipe on a corpus can begin with the weights of a model folder."""
    stored, vocab, where = checkpoint.read_model(folder), _vocabulary(corpus), files.quoted_path(folder)
    if not codecs.alike(stored.codec, corpus.codec.to_dict()):
        raise InputError(f"the corpus has another codec than {where}: build it with codec_from={where}")
    before = stored.config.get("labels", [])
    if before and before != list(vocab.labels):
        ours, its = quoted(", ".join(vocab.labels)), quoted(", ".join(before))
        raise InputError(f"the corpus has the labels {ours}, and {where} has {its}: they have to be the same")
    checkpoint.check_fit(recipes.outline(recipe, vocab), stored.tensors, folder)


def start(folder: Path, made: Plan, screen: Screen | None = None) -> Path:
    """Begin a run in `folder` and train it to its end. Returns the best checkpoint.

    Raises InputError if the folder holds a run already or is in use, Stopped after SIGINT or SIGTERM.
    """
    with files.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with held(folder):
        if trainer.Processes.join(made.device).rank == 0:
            refuse_taken(folder)
            with files.explained(folder):
                files.replace_file(folder / "recipe.json", files.to_json(made.to_dict()))
        return _train(folder, made, screen or Screen(), resuming=False)


def refuse_taken(folder: Path) -> None:
    """Raise InputError if the folder holds a run."""
    if (folder / "recipe.json").exists():
        where = files.quoted_path(folder)
        raise InputError(f"{where} holds a run already: --resume {where} goes on with it, or choose another --out")


def resume(folder: Path, screen: Screen | None = None, *, steps: int | None = None) -> Path:
    """Go on with a run from its newest whole checkpoint, bit for bit as if it had never stopped.

    `steps` trains it longer (or shorter) than was planned; the schedule then follows the new number.
    """
    made = read_plan(folder)
    with held(folder):
        if steps is not None:
            kept = checkpoint.listed(folder / "checkpoints")
            done = checkpoint.step_of(newest_whole(folder)[0]) or 0 if kept else 0
            if steps < done:
                raise InputError(f"steps={steps}: the run is at step {done:,} already; give more to train it longer")
            made = dataclasses.replace(made, steps=steps)
            if int(os.environ.get("RANK", "0")) == 0:  # so that a plain --resume after this one goes on likewise
                with files.explained(folder):
                    files.replace_file(folder / "recipe.json", files.to_json(made.to_dict()))
        return _train(folder, made, screen or Screen(), resuming=True)


def read_plan(folder: Path) -> Plan:
    """The plan of a run. Raises InputError if the folder holds none."""
    path = folder / "recipe.json"
    if not path.is_file():
        raise InputError(f"{files.quoted_path(folder)} is not a run: it has no recipe.json")
    saved = files.from_json(files.read_bytes(path, 1 << 20), path)
    if saved.get("format") != checkpoint.FORMAT:
        raise InputError(
            f"{files.quoted_path(path)} has format {quoted(saved.get('format'))}, this version of the program reads "
            f"format {checkpoint.FORMAT}: use the program that made it"
        )
    try:
        return Plan.from_dict(saved)
    except (KeyError, TypeError) as error:
        raise InputError(f"{files.quoted_path(path)} is not a recipe of ours: {error}") from error


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold a run folder alone. Raises InputError, saying who has it, if another process does."""
    if int(os.environ.get("RANK", "0")) > 0:  # the first process of a group holds it for all
        yield
        return
    with files.explained(folder):
        handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(handle, 200).decode(errors="replace").strip() or "another process"
            raise InputError(
                f"{files.quoted_path(folder)} is in use by {owner}: wait for it, stop it, or choose another folder"
            ) from error
        os.ftruncate(handle, 0)
        os.write(
            handle, f"process {os.getpid()} on {platform.node()} since {time.strftime('%Y-%m-%d %H:%M:%S')}".encode()
        )
        yield
    finally:
        os.close(handle)


class _Signals:
    """SIGINT and SIGTERM ask for an end after the step at hand; a second one ends at once."""

    def __init__(self) -> None:
        self.asked = 0

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = number

    def __enter__(self) -> _Signals:
        self.before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


def _train(folder: Path, made: Plan, screen: Screen, *, resuming: bool) -> Path:
    made = dataclasses.replace(made, device=trainer.own_device(trainer.pick_device(made.device)))
    torch.set_num_threads(made.threads)
    torch.set_flush_denormal(True)
    among = trainer.Processes.join(made.device)
    lead = among.rank == 0
    checkpoints = folder / "checkpoints"
    corpus = Corpus.open(folder / made.corpus)
    if among.world > 1 and min(made.batch, len(corpus.rows("train"))) < 2 * among.world:
        raise InputError(f"--batch {made.batch}: {among.world} processes need at least 2 rows each in every batch")
    if corpus.fingerprint != made.fingerprint:
        raise InputError(f"{files.quoted_path(folder / made.corpus)} is not the corpus that this run was begun with")
    manual_seed(made.seed, 2**32 - 1)  # initial weights: no step has this number
    model = recipes.build(made.recipe, _vocabulary(corpus))
    if made.init is not None and not (resuming and checkpoint.listed(checkpoints)):  # it may be gone by then
        checkpoint.fill(model, checkpoint.read_model(Path(made.init)).tensors, Path(made.init))
        if isinstance(model, Latent):
            model.rate.restarted.fill_(False)  # a warm start that is asked for anew ends as any other
    training = trainer.Training(model, made.training, steps=made.steps, seed=made.seed, device=made.device, world=among)
    judged: dict[str, Any] = {"best_step": None, "best_score": None}
    if lead:
        with files.explained(folder):
            checkpoints.mkdir(exist_ok=True)
            checkpoint.sweep(checkpoints)
    among.wait()
    if resuming and checkpoint.listed(checkpoints):
        source, state, skipped = newest_whole(folder)
        for line in skipped:
            screen.say(f"skipped a damaged checkpoint: {line}")
        stored = checkpoint.read_model(source)
        checkpoint.fill(model, stored.tensors, source)
        training.restore(*checkpoint.read_state(source))
        judged = {key: state[key] for key in judged}
        screen.say(f"resuming from step {training.step:,} of {made.steps:,} (verified)")
    with files.explained(folder):
        log = _Log(folder, training.step) if lead else None
    weights = sum(weight.numel() for weight in model.parameters())
    screen.begin(folder, made, corpus, weights, training.step)

    def batch(number: int) -> trainer.Batch:
        rows = corpus.batch(number, made.seed, made.batch, rank=among.rank, world=among.world)
        return _on_device(rows, made.device)

    def save() -> None:
        if not lead:
            return
        target = checkpoints / f"step-{training.step:09d}"
        with files.new_folder(target, replace=True) as temporary:
            facts = {
                "recipe": made.recipe.to_dict(),
                "length": made.length,
                "labels": list(model.vocab.labels) if model.classes is not None else [],
                "run": {"step": training.step, **_facts(made)},
            }
            with training.averaged() as averaged:
                checkpoint.write_model(temporary, facts, corpus.codec.to_dict(), checkpoint.weights(averaged))
            tensors, values = training.state()
            files.write_file(temporary / checkpoint.TENSORS, checkpoint.pack(tensors))
            files.write_file(temporary / checkpoint.STATE, files.to_json({**values, **judged}))
            files.write_manifest(temporary, {"format": checkpoint.FORMAT})
        for path in checkpoint.listed(checkpoints):
            if (checkpoint.step_of(path) or 0) > training.step:  # damaged, and passed over when the run was resumed
                checkpoint.remove(path)
        checkpoint.prune(checkpoints, made.keep, judged["best_step"])

    def judge() -> None:
        with training.averaged() as averaged:
            report = validate(averaged, corpus, made)
            score = averaged.score(report)
            report = {"score": score, **{name: value for name, value in report.items() if name != "loss"}}
            written = _shown(averaged, corpus, made, folder, training.step) if lead else []
        better = math.isfinite(score) and (judged["best_score"] is None or score < judged["best_score"])
        if better:
            judged.update(best_step=training.step, best_score=score)
        training.evaluated(better)
        if log is not None:  # before the checkpoint: lines after it are dropped and written again by a resumed run
            log.write({f"valid {name}": value for name, value in report.items()}, training.step)
            log.samples(written, training.step)
        save()
        screen.evaluated(training.step, report, written, better)
        if isinstance(averaged, Latent) and averaged.noise and training.step >= 200:  # before that, who can say
            screen.warn_of_collapse(training.step / made.steps, report, averaged)

    clock = time.monotonic()
    tokens = 0
    # a full disk ends the run with one line
    with files.explained(folder), log or contextlib.nullcontext(), _Signals() as signals, screen:
        for report in trainer.train(training, batch):
            tokens += report.tokens
            speed = tokens / max(1e-9, time.monotonic() - clock)
            screen.step(report, speed, made.steps)
            if log is not None and (report.step % 10 == 0 or report.step == 1):
                log.write({**report.means, "tokens per second": round(speed)}, report.step)
            asked = _any(among, signals.asked, made.device)
            if report.step % made.every == 0 or report.step == made.steps:
                judge()
            elif asked:  # without an evaluation, which an uninterrupted run would not have made here
                save()
            if asked and report.step < made.steps:
                raise Stopped(asked, report.step)
    among.wait()
    return best(folder)


def _any(among: trainer.Processes, number: int, device: str) -> int:
    """A signal that any process got, so that all stop at the same step."""
    if among.world == 1:
        return number
    import torch.distributed as dist

    flag = torch.tensor([number], device=device)
    dist.all_reduce(flag, dist.ReduceOp.MAX)
    return int(flag)


def _facts(made: Plan) -> dict[str, Any]:
    """What a shared model may tell of its run: no paths, no names of people or machines."""
    facts = made.to_dict()
    return {
        key: facts[key]
        for key in ("training", "steps", "batch", "seed", "fingerprint", "device", "threads", "versions")
    }


@torch.inference_mode()
def validate(model: Model, corpus: Corpus, made: Plan, most: int = 2000) -> dict[str, float]:
    """Mean loss terms over the valid split (`most` rows of it, drawn once), nats per row, and the active units.

    One code from the posterior per row, from a fixed seed, so that two evaluations differ by the weights alone.
    """
    rows = corpus.splits.get("valid")
    if rows is None or not len(rows):
        rows = corpus.splits["train"]
    count = min(most, len(rows))
    some = np.sort(np.random.default_rng(0).choice(len(rows), count, replace=False))  # files may stand in any order
    order = some[rows.lengths[some].argsort(kind="stable")]
    totals: dict[str, float] = {}
    means = []
    for number in range(0, count, 128):
        some = order[number : number + 128]
        tokens, labels = (torch.from_numpy(numbers).to(made.device) for numbers in (rows.pad(some), rows.classes(some)))
        draw = Draw(0, number, total=len(tokens), device=made.device)
        with trainer.autocast(made.training.precision, made.device):
            terms = model.judge(trainer.Batch(tokens, labels, len(tokens)), draw)
        for name, values in {"loss": terms.loss, **terms.report}.items():
            totals[name] = totals.get(name, 0.0) + float(values.double().sum())
        if isinstance(model, Latent):
            means.append(model.posterior(tokens).mean)
    report = {name: value / count for name, value in totals.items()}
    if means:
        report["active units"] = estimators.active_units(torch.cat(means))
    return report


@torch.inference_mode()
def draw_samples(model: Model, corpus: Corpus, made: Plan) -> list[tuple[str, str]]:
    """A few lines to see how training goes, (what, text): reconstructions of valid rows, and samples."""
    greedy = sampler.Choice(temperature=0)
    shown = []
    rows, codec = corpus.splits.get("valid") or corpus.splits["train"], corpus.codec
    if not isinstance(codec, TextCodec):
        return []
    if isinstance(model, Latent):
        for row in range(min(2, len(rows))):
            tokens = torch.from_numpy(rows.pad([row])).to(made.device)
            labels = torch.from_numpy(rows.classes([row])).to(made.device)
            context = model.given(1, labels, model.posterior(tokens).mean)
            found = sampler.sample(model.backbone, model.vocab, rows=1, length=made.length, context=context, how=greedy)
            shown += [("given", rows.text(row)), ("decoded", codec.decode(found[0].tolist()))]
    found = model.sample(2, length=made.length, seed=made.seed)
    shown += [("sample", codec.decode(row)) for row in found.tolist()]
    return [(what, " ".join(text.split())) for what, text in shown]  # bytes and characters may hold line breaks


def _shown(model: Model, corpus: Corpus, made: Plan, folder: Path, step: int) -> list[tuple[str, str]]:
    """`draw_samples`; of pictures the file in the run's folder that has 16 of them, drawn from one seed."""
    if not isinstance(corpus.codec, Palette):
        return draw_samples(model, corpus, made)
    found = model.sample(16, length=made.length, seed=made.seed)
    drawn = sheet.grid([corpus.codec.decode(row) for row in found.tolist()])
    target = folder / "samples" / f"step-{step:09d}.png"
    target.parent.mkdir(exist_ok=True)
    sheet.write(target, sheet.png(drawn, sheet.scale_for(corpus.codec.height, corpus.codec.width)))
    return [("samples", f"samples/{target.name}")]


class _Log:
    """`metrics.jsonl`, `samples.txt` and TensorBoard events of a run; lines after the resumed step are dropped."""

    def __init__(self, folder: Path, step: int) -> None:
        self.metrics, self.written = folder / "metrics.jsonl", folder / "samples.txt"
        for path in (self.metrics, self.written):
            if path.exists():
                _cut(path, step)
        self.board: Any = None
        with contextlib.suppress(ImportError):  # the one optional thing here: training must run with torch alone
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> _Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self.board is not None:
            self.board.close()  # or its thread would live on

    def write(self, values: Mapping[str, float], step: int) -> None:
        line = {"step": step, **{name: value for name, value in values.items() if math.isfinite(value)}}
        with self.metrics.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name.replace("valid ", "valid/"), value, step)

    def samples(self, written: list[tuple[str, str]], step: int) -> None:
        with self.written.open("a", encoding="utf-8") as file:
            file.writelines(f"{step}\t{what}\t{text}\n" for what, text in written)
        if self.board is not None:
            self.board.add_text("samples", "\n\n".join(f"{what}: {text}" for what, text in written), step)
            self.board.flush()


def _cut(path: Path, step: int) -> None:
    """Keep the lines up to a step: those after it will be written again."""
    kept = []
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        match = re.match(r'\{"step": (\d+)|(\d+)\t', line)
        if match and line.endswith("\n") and int(match[1] or match[2]) <= step:
            kept.append(line)
    files.replace_file(path, "".join(kept).encode())

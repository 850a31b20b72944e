"""From what a person names to a run: the corpus is opened or built, sizes are chosen, everything is checked."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from corpora import build, files
from corpora import codec as codecs
from corpora import settings as settings_of
from corpora.corpus import Corpus, Rows
from corpora.errors import InputError, choose
from corpora.modality import modality_of
from corpora.sources import images
from textgen.core import recipes, trainer
from textgen.runs import plan as plans
from textgen.runs.folder import refuse_taken
from textgen.runs.library import Opened, open_model
from textgen.runs.plan import Length, Machine, Plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen

MINUTES = 12.0  # of training with preset auto, where nobody says how long
PRESETS = ("auto", "none")
_COUNTED = 10_000_000  # tokens that an entropy is taken from


class Sizer(Protocol):
    """Chooses what a person left open by what is in the corpus, as preset `auto` does; a `corpora` chooser too."""

    def codec(self, rows: int, texts: Sequence[str], held_out: bool) -> Mapping[str, Any]:
        """Settings of the codec and of the split."""

    def longest(self, lengths: np.ndarray) -> Mapping[str, Any]:
        """Settings that follow from the lengths of rows."""

    def sizes(
        self, rows: int, tokens: int, longest: int, entropy: float, settings: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Settings of model and training, and `batch`."""

    def steps(self, minutes: float, rows: int, tokens: int, batch: int) -> int:
        """Steps that the budget is cut at: more would only overfit."""


# From the settings that a person gave, and where a line of reason goes.
MakeSizer = Callable[[Mapping[str, Any], Callable[[str], None]], Sizer]


@dataclasses.dataclass(frozen=True)
class Inputs:
    """The data of a run: a built corpus, or the files that one is built from."""

    paths: tuple[str, ...] = ()
    source: str | None = None
    valid: str | Sequence[str] | None = None
    test: str | Sequence[str] | None = None

    @property
    def built(self) -> bool:
        """Whether the one input is a corpus already."""
        return len(self.paths) == 1 and (Path(self.paths[0]) / files.MANIFEST).is_file()

    @property
    def modality(self) -> str:
        """The name of what the rows are, or will be."""
        if self.built:
            return codecs.read(Path(self.paths[0])).modality
        return build.modality_of_source(self.source or build.source_of(self.paths)).name


@dataclasses.dataclass(frozen=True)
class Wish:
    """The model that a run shall have: its name, where its parts are found, settings, and one whose weights it gets."""

    model: str
    package: str
    settings: Mapping[str, Any]
    first: Opened | None = None  # begin with its weights


def begin(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    init: str | Path | None = None,
    preset: str | None = None,
    package: str = "textgen",
    sizer: MakeSizer | None = None,
    screen: Screen | None = None,
    **options: Any,
) -> Run:
    """A new run in the folder `out`, ready to train, on a corpus or on what one is built from.

    `preset` auto has the `sizer` choose what `settings` and `options` leave open, and a budget of 12 minutes where
    neither `steps` nor `minutes` is given; none leaves the defaults. Without it, text is sized by auto; a built corpus,
    and `init`, have sizes of their own and get none. `init`: a model to go on from: its weights, its settings (but
    for `warm_start`, which it has behind it) where `settings` says nothing else, and its codec. `options`: the fields
    of `Inputs`, `Length` and `Machine`, by name. Raises InputError before any work is done, where that can be known.
    """
    folder, screen = Path(out), screen or Screen()
    source, length, machine = plans.grouped(options, Inputs, Length, Machine)
    source = dataclasses.replace(source, paths=tuple(map(str, inputs)))
    machine.check()
    if machine.threads:
        torch.set_num_threads(machine.threads)
    plans.check_inputs(source.paths)
    length.check()
    if length.repeat is not None:
        plans.repeated(Path(length.repeat))
    plans.check_prior(settings or {})
    sizes = None
    if _is_sized(preset, source, init, sizer is not None):
        assert sizer is not None
        lengths = {key: value for key, value in dataclasses.asdict(length).items() if value is not None}
        sizes = sizer({**(settings or {}), **lengths}, screen.say)
        if length.steps is None and length.repeat is None:
            length = dataclasses.replace(length, minutes=length.minutes or MINUTES)
    wish = Wish(model or "vae", package, dict(settings or {}))
    if init is not None:
        wish = _from_model(init, model, wish, source.built)
    corpus, corpus_folder, wish = _corpus(source, folder, wish, sizes, screen)
    if wish.first is not None and wish.first.model.classes is not None and not corpus.manifest["label_names"]:
        raise InputError(f"--init {wish.first.name} is told the classes of rows: the corpus needs labels, and has none")
    return Run.create(folder, _settled(corpus, folder, corpus_folder, wish, sizes, length, machine))


def _is_sized(preset: str | None, source: Inputs, init: str | Path | None, known: bool) -> bool:
    """Whether a run is to be sized by its corpus. Raises InputError for what does not go together."""
    usual = "auto" if known and not source.built and init is None and source.modality == "text" else "none"
    sized = choose("preset", preset or usual, PRESETS if known else ("none",)) == "auto"
    if sized and init is not None:
        raise InputError("preset auto chooses sizes, and init brings its own: leave out one of them")
    if sized and source.modality != "text":
        raise InputError(f"preset auto is for text: leave it out, or choose none, for {source.modality}")
    return sized


def _from_model(init: str | Path, model: str | None, wish: Wish, built: bool) -> Wish:
    """The wish for a run that goes on from a model: its settings beneath those of the wish."""
    first = open_model(init)
    if model not in (None, first.recipe.model):
        raise InputError(f"--init {init} is a {first.recipe.model}: leave out --model, or give another --init")
    if wish.package != first.recipe.package:
        raise InputError(f"--init {init} is a model of {'text' if wish.package == 'imagegen' else 'pictures'}")
    own = first.recipe.settings()
    plans.check_prior(own, f"--init {first.name}: ")
    plans.check_sizes(first, {key: value for key, value in wish.settings.items() if key in own})
    behind = {"warm_start": 0.0} if "warm_start" in own else {}  # or all that it learned would be re-initialised
    codec = {} if built else {"codec_from": str(first.folder.resolve())}
    return Wish(first.recipe.model, wish.package, {**own, **behind, **codec, **wish.settings}, first)


def _corpus(source: Inputs, folder: Path, wish: Wish, sizes: Sizer | None, screen: Screen) -> tuple[Corpus, Path, Wish]:
    """The corpus of a new run, its folder, and the wish with the settings that are left for the model."""
    if not source.built:
        return _built(source, folder / "corpus", wish, sizes, screen)
    target = Path(source.paths[0])
    corpus = Corpus.open(target)
    extra = [name for name in ("source", "valid", "test") if getattr(source, name) is not None]
    extra += [key for key in settings_of.known(modality_of(corpus.codec).configs()) if key in wish.settings]
    if extra:
        raise InputError(f"{files.quoted_path(target)} is a corpus already built: leave out {extra[0]}")
    return corpus, target, wish


def _built(inputs: Inputs, target: Path, wish: Wish, sizes: Sizer | None, screen: Screen) -> tuple[Corpus, Path, Wish]:
    """Build the corpus of a new run, once all else has been checked."""
    source = inputs.source or build.source_of(inputs.paths, wish.settings)
    of_corpus = build.configs(source)
    for path in inputs.paths:  # what no source knows counts as text; that would be said first
        if source == "text" and path != "-" and not Path(path).exists():
            raise InputError(f"{files.quoted_path(path)}: no such file or folder: check the path")
        if source == "text" and path != "-" and inputs.source is None and wish.package == "imagegen":
            images.refuse(path)
    plans.check_program(wish.package, build.modality_of_source(source), ", ".join(inputs.paths))
    recipes.compose(wish.model, wish.settings, trainer.Config(), *of_corpus, package=wish.package)
    refuse_taken(target.parent)
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("several processes need a built corpus: run `corpora build` first and train on its folder")
    screen.say(f"building the corpus {target}")
    names = settings_of.known(of_corpus)
    corpus = build.build(
        list(inputs.paths),
        target,
        source=source,
        valid=inputs.valid,
        test=inputs.test,
        settings={key: value for key, value in wish.settings.items() if key in names},
        replace=target.exists(),
        chooser=sizes,
    )
    for note in corpus.manifest.get("notes", []):
        screen.say(f"note: {note}")
    left = {key: value for key, value in wish.settings.items() if key not in names}
    return corpus, target, dataclasses.replace(wish, settings=left)


def _settled(
    corpus: Corpus,
    folder: Path,
    corpus_folder: Path,
    wish: Wish,
    sizes: Sizer | None,
    length: Length,
    machine: Machine,
) -> Plan:
    """The plan of a new run; the sizer chooses what is left open, once what is given makes sense."""
    recipe, training = plans.composed(corpus, wish.model, wish.settings, wish.package, corpus_folder)
    if sizes is not None:
        rows = corpus.splits["train"]
        count, tokens = len(rows), len(rows.tokens) + len(rows)
        now = {**recipe.settings(), **dataclasses.asdict(training)}
        chosen = sizes.sizes(count, tokens, int(rows.lengths.max(initial=0)), entropy(rows), now)
        length = dataclasses.replace(length, batch=length.batch or chosen.pop("batch", None))
        recipe, training = plans.composed(corpus, wish.model, {**chosen, **wish.settings}, wish.package, corpus_folder)
        if length.minutes is not None:
            batch = (length.batch or 64) * training.accumulate
            length = dataclasses.replace(length, most=sizes.steps(length.minutes, count, tokens, batch))
    init = None if wish.first is None else str(wish.first.folder.resolve())
    if init is not None:
        plans.check_init(Path(init), recipe, corpus)
    return plans.settle(
        corpus, folder, corpus_folder, recipe=recipe, training=training, length=length, machine=machine, init=init
    )


def entropy(rows: Rows) -> float:
    """The entropy of a token, stops counted, by frequency alone, in nats; of the first ten million tokens."""
    counts = np.bincount(rows.tokens[:_COUNTED], minlength=2).astype(float)
    counts[1] = len(rows) * min(1.0, _COUNTED / max(1, len(rows.tokens)))  # the stops, which no row stores
    shares = counts[counts > 0] / counts.sum()
    return float(-(shares * np.log(shares)).sum())

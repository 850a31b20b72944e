"""Models that were trained: found by name, opened from a folder or the hub, given a prior, written to be shared."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

from corpora import codec as codecs
from corpora import files
from corpora.codec import Codec
from corpora.errors import InputError, quoted
from textgen.core import checkpoint, recipes, trainer
from textgen.core.backbone import Vocabulary
from textgen.core.int8 import quantised
from textgen.core.model import Latent
from textgen.runs.card import card
from textgen.runs.opened import Label as Label
from textgen.runs.opened import Opened

_PACKAGES = Path(__file__).parents[2]  # beside each other stand the packages that have models: of text, of pictures
DEFAULT_MODEL = "everyday"
_HUB = re.compile(r"[\w-][\w.-]{0,95}/[\w-][\w.-]{0,95}")


def shipped(*packages: str) -> dict[str, Path]:
    """The models that come with these packages (by default with all): names and their folders."""
    folders = (_PACKAGES / package / "pretrained" for package in packages or ("imagegen", "textgen"))
    return {path.parent.name: path.parent for folder in folders for path in sorted(folder.glob("*/config.json"))}


def locate(name: str | Path) -> Path:
    """The model folder of a shipped name, a run, a checkpoint, a model folder, or a Hugging Face id (downloaded).

    Raises InputError naming the nearest shipped model if it is none of these.
    """
    known = shipped()
    if isinstance(name, str) and name in known:
        return known[name]
    if not str(name):  # a variable of the shell that is not set, say; as a path it would be the folder here
        raise InputError(f"no model '': the name is empty; models that ship: {', '.join(known)}")
    path = Path(name)
    if (path / "recipe.json").is_file():
        return best(path)
    if path.is_dir():
        return path
    if path.exists():
        raise InputError(f"{files.quoted_path(path)} is a file; a model is a folder, a run or a name")
    text = str(name)
    if _HUB.fullmatch(text) and ".." not in text:
        return _download(text)
    import difflib

    near = difflib.get_close_matches(text, known, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}? " if near else ""
    raise InputError(
        f"no model {quoted(text)}: {hint}give a run, a model folder, owner/name on the Hugging Face hub, "
        f"or a model that ships: {', '.join(known) or '(none)'}"
    )


def _download(hub_id: str) -> Path:
    import huggingface_hub
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    wanted = ["config.json", "codec.json", "manifest.json", "README.md", checkpoint.MODEL]
    try:
        return Path(huggingface_hub.snapshot_download(hub_id, allow_patterns=wanted))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(
            f"no folder {hub_id!r} here, and the Hugging Face hub did not give it: {quoted(reason, 160)}"
        ) from error


def open_model(name: str | Path = DEFAULT_MODEL, device: str = "cpu", prior: str | None = None) -> Opened:
    """Open a model by shipped name, folder, run or Hugging Face id. Raises InputError if it is not whole.

    `prior="normal"` puts N(0, I) in the place of a prior that was fitted.
    """
    if prior not in (None, "normal"):
        raise InputError(
            f"prior {quoted(prior)}: only `normal` can take the place of a model's own; "
            "another is fitted: textgen prior"
        )
    folder = locate(name)
    stored = checkpoint.read_model(folder)
    try:
        codec = codecs.from_dict(stored.codec)
        recipe = recipes.from_dict(stored.config.get("recipe") or {})
        length = stored.config["length"]
        if type(length) is not int or not 1 <= length <= 1_000_000:
            raise ValueError(f"length {quoted(length)} is not a number of tokens")
        labels = stored.config.get("labels", [])
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ValueError("the labels are not a list of words")
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{files.quoted_path(folder)}: config.json or codec.json is not usable: {error}") from error
    # shapes first: a config that asks for a giant costs nothing
    vocab = vocabulary(codec, labels)
    checkpoint.check_fit(recipes.outline(recipe, vocab), stored.tensors, folder)
    model = recipes.build(recipe, vocab)
    checkpoint.fill(model, stored.tensors, folder)
    opened = Opened(model.to(device).eval(), codec, recipe, length, stored.config, folder)
    return opened if prior is None else with_prior(opened, prior)


def ready(
    model: str | Path | Opened = DEFAULT_MODEL,
    *,
    device: str = "auto",
    threads: int | None = None,
    prior: str | None = None,
) -> Opened:
    """Open a model for a verb, on a device and with so many threads (None: leave them as they are); one that is open
    already is taken as it is."""
    if threads:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    if isinstance(model, Opened):
        return model if prior is None else with_prior(model, prior)
    return open_model(model, trainer.pick_device(device), prior)


def with_prior(opened: Opened, kind: str, settings: Mapping[str, Any] | None = None) -> Opened:
    """The model, which is changed, under a prior of this kind as it is before any fitting; its recipe and facts too.

    Raises InputError for a model without codes, an unknown prior or an unknown setting.
    """
    model, recipe = opened.model, opened.recipe
    if not isinstance(model, Latent) or model.latent is None:
        raise InputError(f"{opened.name}: a {recipe.model} has no codes, so it has no prior")
    before = {field.name for field in dataclasses.fields(recipe.configs["prior"])}
    values = {key: value for key, value in recipe.settings().items() if key not in before}
    composed, _ = recipes.compose(recipe.model, {**values, **(settings or {}), "prior": kind}, package=recipe.package)
    model.prior = recipes.Parts(composed, model.vocab).prior(model.latent).to(model.summary.weight.device).eval()
    facts = {key: value for key, value in opened.facts.items() if key not in ("figures", "prior")}
    return opened._replace(recipe=composed, facts={**facts, "recipe": composed.to_dict()})


def vocabulary(codec: Codec, labels: Iterable[str] = ()) -> Vocabulary:
    """The vocabulary of a model on rows of a codec; it numbers the labels of a corpus in alphabetical order."""
    colours = None if codec.lab is None else tuple(tuple(lab) for lab in codec.lab.tolist())
    special, named = (codec.pad, codec.stop, codec.blank), tuple(sorted(labels))
    return Vocabulary(codec.vocab_size, *special, codec.shape, colours, named, codec.unknown)


def best(run: Path) -> Path:
    """The best checkpoint of a run that is there and whole; the newest whole one if none was judged."""
    newest, state, _ = newest_whole(run)
    judged = state.get("best_step")
    if isinstance(judged, int):
        chosen = run / "checkpoints" / f"step-{judged:09d}"
        with contextlib.suppress(InputError):
            files.read_manifest(
                chosen, what=checkpoint.WHAT, format_version=checkpoint.FORMAT, needed=(checkpoint.MODEL,)
            )
            return chosen
    return newest


def newest_whole(run: Path) -> tuple[Path, dict[str, Any], list[str]]:
    """The newest whole checkpoint, its state, and a line on each newer one that is damaged. InputError if none is."""
    skipped: list[str] = []
    for folder in checkpoint.listed(run / "checkpoints"):
        try:
            needed = (checkpoint.MODEL, checkpoint.STATE, checkpoint.TENSORS)
            files.read_manifest(folder, what=checkpoint.WHAT, format_version=checkpoint.FORMAT, needed=needed)
            state = files.from_json(files.read_bytes(folder / checkpoint.STATE, 64 << 20), folder / checkpoint.STATE)
            return folder, state, skipped
        except InputError as error:
            skipped.append(str(error))
    if skipped:
        raise InputError(f"no checkpoint of {files.quoted_path(run)} is whole; the newest: {skipped[0]}")
    raise InputError(f"{files.quoted_path(run)} has no checkpoint yet: it was stopped before the first; train it again")


def export(
    source: str | Path | Opened,
    folder: Path,
    *,
    half: bool = True,
    int8: bool = False,
    figures: Mapping[str, Any] | None = None,
    about: str | None = None,
    name: str | None = None,
) -> Path:
    """Write one shareable model folder: weights (float16, or float32 without `half`), config, codec and a model card.

    `int8`: matrices as whole numbers (int8 with a scale for each row), half the size of float16.
    `figures`: what `evaluate --json` printed; `about`: words on the data and its licence; both go into the card.
    `name`: what the card calls the model, where it is not the folder's name.
    Raises InputError if the source is no model or the folder exists.
    """
    opened = source if isinstance(source, Opened) else open_model(source)
    facts = {key: value for key, value in opened.facts.items() if key != "format"}
    if about is not None:
        facts["about"] = about
    if figures is not None:
        facts["figures"] = dict(figures)
    tensors = checkpoint.weights(opened.model)
    if int8:
        tensors = quantised(tensors)
    elif half:
        tensors = {name: value.half() if value.dtype == torch.float32 else value for name, value in tensors.items()}
    try:
        text = card(name or folder.name, facts, opened)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            "no model card can be made: the figures are not what `textgen evaluate --json` prints"
        ) from error
    with files.new_folder(folder) as temporary:
        checkpoint.write_model(temporary, facts, opened.codec.to_dict(), tensors, text)
        files.write_manifest(temporary, {"format": checkpoint.FORMAT})
    return folder

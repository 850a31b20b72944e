"""The model card of an exported model: the model, its data, its figures, and how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from corpora.modality import modality_of
from textgen.core.numbers import shown
from textgen.runs.opened import Opened

_TAGS = {"text": ("text-generation", "text"), "picture": ("unconditional-image-generation", "pictures")}
_USE = {
    "text": """\
from textgen import SentenceVAE

vae = SentenceVAE.from_pretrained("{name}")  # or this folder
print(vae.interpolate("a first sentence", "a second one", steps=8))""",
    "picture": """\
from imagegen import PictureModel

model = PictureModel.from_pretrained("{name}")  # or this folder
pictures = model.pictures(model.sample(16))  # arrays (height, width, 4) of uint8""",
}
_USE_OTHER = """\
from textgen import open_model

opened = open_model("{name}")  # or this folder; opened.model.sample(4, length=opened.length, seed=0) gives tokens"""


def card(name: str, facts: Mapping[str, Any], opened: Opened) -> str:
    """Markdown with the hub's YAML head. Every figure carries its unit, split and estimator."""
    about = str(facts["about"]).strip() if "about" in facts else "No words on the data were given with this model."
    use = _USE.get(opened.codec.modality, _USE_OTHER).format(name=name)
    lines = [*_head(opened), "", f"# {name}", "", about, "", "## Use", "", "```python", use, "```", ""]
    lines += ["## Model", "", *_model(facts, opened), *_run(facts.get("run", {}))]
    if facts.get("figures"):
        lines += _figures(facts["figures"], modality_of(opened.codec).units)
    return "\n".join([*lines, ""])


def _head(opened: Opened) -> list[str]:
    modality = modality_of(opened.codec)
    pipeline, tag = _TAGS.get(modality.name, ("other", modality.units))
    tags = [opened.recipe.model, tag, *["latent-variable"] * (opened.model.latent is not None)]
    return ["---", "library_name: stroll", f"pipeline_tag: {pipeline}", f"tags: [{', '.join(tags)}]", "---"]


def _model(facts: Mapping[str, Any], opened: Opened) -> list[str]:
    recipe, codec = opened.recipe, opened.codec
    weights = sum(weight.numel() for weight in opened.model.parameters())
    size = f"rows of at most {opened.most} tokens" if codec.stop is not None else f"rows of {opened.most:,} tokens"
    lines = [
        f"- {recipe.model}: {weights / 1e6:.2f} M weights, {size}",
        f"- codec: {modality_of(codec).describe(codec)}",
        f"- settings: {', '.join(f'`{key}={value}`' for key, value in sorted(recipe.settings().items()))}",
    ]
    if opened.model.classes is not None:
        lines += [f"- classes, for `--label`: {', '.join(f'`{label}`' for label in opened.model.vocab.labels)}"]
    prior = facts.get("prior")
    if prior:
        lines += [
            f"- prior: {prior['prior']}, fitted after training to {prior['rows']:,} codes of {prior['data']}: "
            f"{prior['gain']:+.2f} nats per code over N(0, I), on {prior['held_out']}"
        ]
    return lines


def _run(run: Mapping[str, Any]) -> list[str]:
    if not run:
        return []
    versions = ", ".join(f"{key} {value}" for key, value in sorted(run.get("versions", {}).items()))
    budget = f", a budget of {run['minutes']:g} minutes" if run.get("minutes") else ""
    return [
        f"- trained for {run.get('step', 0):,} of {run.get('steps') or 0:,} steps of {run.get('batch')} rows{budget}, "
        f"seed {run.get('seed')}, on {run.get('device')} with {run.get('threads')} threads",
        f"- optimiser: {', '.join(f'`{key}={value}`' for key, value in sorted(run.get('training', {}).items()))}",
        f"- corpus fingerprint {run.get('fingerprint')}; {versions}",
    ]


def _figures(figures: Mapping[str, Any], units: str) -> list[str]:
    lines = ["", "## Figures", "", f"On {figures['data']}: {figures['rows']:,} {units}, seed {figures['seed']}.", ""]
    lines += ["| figure | value | unit | estimator |", "|---|---|---|---|"]
    for figure in figures["figures"]:
        estimator = str(figure["estimator"]).replace("|", r"\|")  # sacreBLEU's signature has bars in it
        error = "" if figure.get("error") is None else f" ± {shown(float(figure['error']))}"
        lines += [f"| {figure['name']} | {shown(float(figure['value']))}{error} | {figure['unit']} | {estimator} |"]
    notes = [str(note) for note in figures.get("notes", ())]
    return [*lines, *([""] if notes else []), *(f"Note: {note}." for note in notes)]

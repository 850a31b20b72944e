"""The model card of an exported model: what it is, its data, its figures, how to load it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from corpora.codecs.palette import Palette

if TYPE_CHECKING:
    from textgen.runs.library import Opened


def card(name: str, facts: Mapping[str, Any], opened: Opened) -> str:
    """Markdown with the hub's YAML head. Every figure carries its unit, split and estimator."""
    recipe, run = opened.recipe, facts.get("run", {})
    weights = sum(weight.numel() for weight in opened.model.parameters())
    pictures, coded = isinstance(opened.codec, Palette), opened.model.latent is not None
    lines = [
        "---",
        "library_name: stroll",
        f"pipeline_tag: {'unconditional-image-generation' if pictures else 'text-generation'}",
        f"tags: [{', '.join([recipe.model, 'pictures' if pictures else 'text', *['latent-variable'] * coded])}]",
        "---",
    ]
    lines += ["", f"# {name}", ""]
    lines += [
        str(facts["about"]).strip() if "about" in facts else "No words on the data were given with this model.",
        "",
    ]
    lines += [
        "## Use",
        "",
        "```python",
    ]
    if isinstance(opened.codec, Palette):
        size = f"pictures of {opened.codec.height} x {opened.codec.width} pixels"
        lines += [
            "from imagegen import PictureModel",
            "",
            f'model = PictureModel.from_pretrained("{name}")  # or this folder',
            "pictures = model.pictures(model.sample(16))  # arrays (height, width, 4) of uint8",
        ]
    else:
        size = f"rows of at most {opened.length - 1} tokens"
        lines += [
            "from textgen import SentenceVAE",
            "",
            f'vae = SentenceVAE.from_pretrained("{name}")  # or this folder',
            'print(vae.interpolate("a first sentence", "a second one", steps=8))',
        ]
    lines += ["```", "", "## Model", ""]
    lines += [f"- {recipe.model}: {weights / 1e6:.2f} M weights, {size}"]
    lines += [f"- codec: {opened.codec.name}, vocabulary {opened.codec.vocab_size:,}"]
    lines += [f"- settings: {', '.join(f'`{key}={value}`' for key, value in sorted(recipe.settings().items()))}"]
    if opened.model.classes is not None:
        lines += [f"- classes, for `--label`: {', '.join(f'`{label}`' for label in opened.model.vocab.labels)}"]
    prior = facts.get("prior")
    if prior:
        lines += [
            f"- prior: {prior['prior']}, fitted after training to {prior['rows']:,} codes of {prior['data']}: "
            f"{prior['gain']:+.2f} nats per code over N(0, I), on {prior['held_out']}"
        ]
    if run:
        versions = ", ".join(f"{key} {value}" for key, value in sorted(run.get("versions", {}).items()))
        lines += [
            f"- trained for {run.get('step', 0):,} of {run.get('steps', 0):,} steps of {run.get('batch')} rows, "
            f"seed {run.get('seed')}, on {run.get('device')} with {run.get('threads')} threads"
        ]
        lines += [
            f"- optimiser: {', '.join(f'`{key}={value}`' for key, value in sorted(run.get('training', {}).items()))}"
        ]
        lines += [f"- corpus fingerprint {run.get('fingerprint')}; {versions}"]
    figures = facts.get("figures")
    if figures:
        lines += [
            "",
            "## Figures",
            "",
            f"On {figures['data']}: {figures['rows']:,} {'pictures' if pictures else 'sentences'}, "
            f"seed {figures['seed']}.",
            "",
        ]
        lines += ["| figure | value | unit | estimator |", "|---|---|---|---|"]
        for figure in figures["figures"]:
            how = str(figure["estimator"]).replace("|", r"\|")  # sacreBLEU's signature has bars in it
            error = "" if figure.get("error") is None else f" ± {figure['error']:.2f}"
            lines += [f"| {figure['name']} | {figure['value']:.2f}{error} | {figure['unit']} | {how} |"]
    return "\n".join([*lines, ""])

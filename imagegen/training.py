"""Training models of pictures on the core's one loop; `imagegen/models/` has the kinds.

All of them are the core's two models with other parts. Without a code p(x) = prod_i p(x_i | x_<i) over the pixels in
raster order is a PixelRNN, PixelCNN or Transformer by its backbone; with a code and a decoder that looks back at
nothing it is an image VAE, and with a PixelCNN for a decoder a PixelVAE (Gulrajani et al. 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpora.errors import InputError
from textgen.core import recipes
from textgen.runs import library
from textgen.runs.begin import begin
from textgen.runs.run import Run
from textgen.runs.screen import Screen

DEFAULT = "pixelcnn"


def train(inputs: Sequence[str | Path], out: str | Path, *, screen: Screen | None = None, **options: Any) -> Path:
    """Train a model on pictures, or on a corpus of them that `corpora build` made; returns its best checkpoint.

    `model`: pixelcnn (the default), pixelrnn, pixelformer, lstm, vae, pixelvae or autoencoder. All else is as for
    `textgen.train`. Raises InputError for bad input, Stopped after a signal.
    """
    return new_run(inputs, out, screen=screen, **options).train(screen)


def new_run(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    init: str | Path | None = None,
    screen: Screen | None = None,
    **options: Any,
) -> Run:
    """Begin the run that `train` trains."""
    if init is None:
        model = model or DEFAULT
    elif model is not None:
        first = library.open_model(init)
        _check_same(model, first.recipe, f"--init {first.name}")
        model = None
    return begin(inputs, out, model=model, settings=settings, init=init, package="imagegen", screen=screen, **options)


def _check_same(kind: str, first: recipes.Recipe, what: str) -> None:
    """Raise InputError unless a model of this kind has the parts of another's recipe."""
    fresh = recipes.compose(kind, {}, package="imagegen")[0]
    builds = [recipes.resolve_kind(recipe.model, recipe.package).build for recipe in (fresh, first)]
    backbones = [recipe.settings()["backbone"] for recipe in (fresh, first)]
    if builds[0] is not builds[1] or backbones[0] != backbones[1]:
        raise InputError(f"{what} is no {kind}: leave out --model, or give another --init")

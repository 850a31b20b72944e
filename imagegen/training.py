"""Training models of pictures: kinds of models by the names that people know them by, on the core's one loop.

All of them are the core's two models with other parts. Without a code p(x) = prod_i p(x_i | x_<i) over the pixels in
raster order is a PixelRNN, PixelCNN or Transformer by its backbone; with a code and a decoder that looks back at
nothing it is an image VAE, and with a PixelCNN for a decoder a PixelVAE (Gulrajani et al. 2017).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from corpora.errors import InputError, choose
from corpora.settings import names
from textgen.runs import library
from textgen.runs.begin import begin
from textgen.runs.screen import Screen

DEFAULT = "pixelcnn"
CODES = 10  # of a VAE, as in the lecture
_CODED: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("vae", {"backbone": "deconv"}),
    "pixelvae": ("vae", {"backbone": "pixelcnn"}),
    "autoencoder": ("autoencoder", {"backbone": "deconv"}),
}


def kinds() -> list[str]:
    """The models that `train` knows: backbones that go pixel by pixel, and models with codes."""
    raster = {name for name in names("imagegen.backbones") if name != "deconv"}
    return sorted({*raster, "lstm", *_CODED})


def meant(kind: str) -> tuple[str, dict[str, Any]]:
    """The core's model and its settings that a kind stands for. Raises InputError for an unknown one."""
    kind = choose("model", kind, kinds())
    if kind in _CODED:
        model, settings = _CODED[kind]
        return model, {**settings, "encoder": "conv", "latent": CODES}
    return "lm", {"backbone": kind}


def train(
    inputs: Sequence[str | Path],
    out: str | Path,
    *,
    model: str | None = None,
    settings: Mapping[str, Any] | None = None,
    init: str | Path | None = None,
    screen: Screen | None = None,
    **options: Any,
) -> Path:
    """Train a model on pictures, or on a corpus of them that `corpora build` made; returns its best checkpoint.

    `model`: pixelcnn (the default), pixelrnn, pixelformer, lstm, vae, pixelvae or autoencoder. All else is as for
    `textgen.train`. Raises InputError for bad input, Stopped after a signal.
    """
    settings = dict(settings or {})
    if init is None:
        model, own = meant(model or DEFAULT)
        settings = {**own, **settings}
    elif model is not None:
        kind, first = model, library.open_model(init)
        model, own = meant(kind)
        if (model, own["backbone"]) != (first.recipe.model, first.recipe.settings()["backbone"]):
            raise InputError(f"--init {first.name} is no {kind}: leave out --model, or give another --init")
    run = begin(inputs, out, model=model, settings=settings, init=init, package="imagegen", screen=screen, **options)
    return run.train(screen)

"""How far a picture is from one, colours; and that noise makes points between the codes of two moons phases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from corpora.sources import moons
from imagegen.pictures.measures import colourfulness, nearest, saturation
from textgen.core import recipes, trainer
from textgen.core.backbone import Vocabulary
from textgen.core.model import Latent
from textgen.core.player import Batch


def test_the_nearest_picture():
    truths = torch.tensor([[0, 0, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]])
    which, share = nearest(torch.tensor([[0, 0, 1, 1], [2, 1, 1, 1], [0, 0, 0, 2], [0, 1, 1, 2]]), truths)
    assert which.tolist() == [1, 2, 0, 1]
    assert share.tolist() == [0, 0.25, 0.25, 0.5]


def test_colourfulness_and_saturation():
    grey = np.array([[0, 0, 0], [128, 128, 128], [255, 255, 255]])
    assert colourfulness(grey) == saturation(grey) == 0
    # red - green and yellow - blue are 255, 127.5 and -255, 127.5: deviations 255 and 0, means 0 and 127.5
    primaries = np.array([[255, 0, 0, 9], [0, 255, 0, 9]], np.uint8)
    assert colourfulness(primaries) == pytest.approx(255 + 0.3 * 127.5)
    assert colourfulness(np.array([[10, 20, 110]])) == pytest.approx(0.3 * math.hypot(10, 95))
    assert saturation(primaries) == 1
    assert saturation(np.array([[200, 150, 100], [0, 0, 0]])) == pytest.approx(0.25)


SMALL = {"channels": 16, "dropout": 0.0, "encoder_width": 16, "encoder_embedding": 8}  # as benchmarks/moons.py
KINDS = {
    "autoencoder": ("autoencoder", {}),
    "vae": ("vae", {"rate": 4.0}),
    "without its rate": ("vae", {"rate": None, "beta": 0.0}),
}


def fitted(
    name: str, truths: torch.Tensor, side: int, *, steps: int, lr: float, seed: int = 0, **own: object
) -> Latent:
    """A model of KINDS, trained on true phases (N, L), in evaluation mode."""
    kind, settings = KINDS[name]
    torch.manual_seed(seed)
    recipe = recipes.compose(kind, {**SMALL, **settings, **own}, package="imagegen")[0]
    model = recipes.build(recipe, Vocabulary(int(truths.max()) + 1, shape=(side, side)))
    fitting = trainer.Training(model, trainer.Config(lr=lr, ema=0.0, precision="fp32"), steps=steps, seed=seed)
    draw = np.random.default_rng(seed)
    for _ in range(steps):
        fitting.update([Batch(truths[draw.integers(0, len(truths), size=32)])])
    return model.eval()


def phases(side: int, shades: int) -> torch.Tensor:
    """Phases from new to full, evenly spaced, (201, L)."""
    return torch.tensor(np.stack([moons.lit(phase, side, shades).ravel() + 1 for phase in np.linspace(0, 0.5, 201)]))


def test_without_its_rate_a_vae_makes_its_noise_small():
    """Half would do. Seeds 0 to 3 had 0.05, 0.03, 0.04 and 0.06 of the other's noise, and seed 0 is asked here."""
    truths = phases(8, 2)
    noise = {}
    for name in ("vae", "without its rate"):
        model = fitted(name, truths, 8, steps=150, lr=5e-3, channels=8, encoder_width=8)
        with torch.inference_mode():
            posterior = model.posterior(truths)
        noise[name] = float(posterior.stddev.mean() / posterior.mean.std(0).mean())  # as the decoder sees it
    assert noise["without its rate"] < 0.5 * noise["vae"], noise


@pytest.mark.slow
def test_between_two_moons_a_vae_draws_phases_and_an_autoencoder_does_not():
    """The direction of benchmarks/moons.py."""
    truths = phases(20, 5)
    off = {}
    for name in ("vae", "autoencoder"):
        model = fitted(name, truths, 20, steps=500, lr=2e-3)
        with torch.inference_mode():
            codes = model.posterior(truths).mean
            crescents, full = codes[20:80:5], codes[140:200:5]
            between = torch.cat([crescents + share * (full - crescents) for share in (0.25, 0.375, 0.5, 0.625, 0.75)])
            drawn = model.backbone(torch.zeros(len(between), 400, dtype=torch.long), between).argmax(-1)
        off[name] = float(nearest(drawn, truths)[1].mean())
    assert off["vae"] < 0.75 * off["autoencoder"], off

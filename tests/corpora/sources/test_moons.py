"""Moons: what phases look like, how far a picture is from one; and that noise makes points between codes phases."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from corpora.errors import InputError
from corpora.settings import override
from corpora.sources import moons
from imagegen import training
from imagegen.pictures.measures import colourfulness, nearest, saturation
from textgen.core import recipes, trainer
from textgen.core.backbone import Vocabulary
from textgen.core.model import Latent


def read(**words: object) -> list:
    (config,) = override([moons.Config()], words)
    return list(moons.read(["moons"], config))


def test_a_month():
    month = [moons.lit(phase) for phase in (0, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 1)]
    names = "new", "waxing crescent", "waxing half", "waxing gibbous", "full"
    assert [moons.named(light) for light in month[:5]] == list(names)
    assert [moons.named(light) for light in month[5:]] == [name.replace("waxing", "waning") for name in names[3::-1]]
    for waxing, waning in zip(month, month[::-1], strict=True):
        assert (waxing == waning[:, ::-1]).all()  # the other side
        assert (waxing == waxing[::-1]).all()  # as much light above as below
    assert set(np.unique(month[4])) == {-1, 4} and set(np.unique(month[0])) == {-1, 0}
    assert math.isclose((month[4] == 4).mean(), math.pi * 0.45**2, rel_tol=0.03)


@pytest.mark.parametrize(("side", "shades"), [(20, 5), (11, 3), (16, 2)])
def test_a_waxing_moon_gains_light_everywhere_and_loses_none(side, shades):
    lights = np.stack([moons.lit(phase, side, shades) for phase in np.linspace(0, moons.FULL, 60)])
    assert (np.diff(lights, axis=0) >= 0).all()
    disc = lights[0] >= 0
    assert lights.shape[1:] == (side, side) and ((lights == -1) == ~disc).all()
    share = lights[:, disc].mean(1) / (shades - 1)
    # the lit share of a disc is (1 - cos(2 pi phase)) / 2
    assert np.abs(share - (1 - np.cos(np.linspace(0, np.pi, 60))) / 2).max() < 0.05


def test_moons_follow_from_seed_and_number():
    few, more = read(count=20), read(count=60)
    assert all((one.pixels == other.pixels).all() for one, other in zip(few, more, strict=False))
    assert any((one.pixels != other.pixels).any() for one, other in zip(few, read(count=20, moons_seed=1), strict=True))
    small = read(count=60, moon_side=12, moon_shades=3)
    assert small[0].pixels.shape == (12, 12, 4)
    assert len(np.unique(np.concatenate([one.pixels.reshape(-1, 4) for one in small]), axis=0)) == 4  # with the sky
    assert not any(one.label.startswith("waning") for one in more)
    months = [one.label for one in read(count=300, waning=True)]
    assert {"waxing crescent", "waning gibbous"} < set(months)
    assert 0.4 < np.mean([label.startswith("waning") for label in months]) < 0.6
    words = {one.pixels.tobytes(): one.label for one in read(count=300, waning=True)}
    assert all(words[one.pixels.tobytes()] == one.label for one in read(count=300, waning=True))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"moon_side": 3}, "moon_side=3: expected 4 to 1,024 pixels"),
        ({"moon_shades": 1}, "moon_shades=1: expected 2 to 64"),
        ({"count": 2}, "count=2: expected 3 to 100,000,000 pictures"),
    ],
)
def test_settings_that_cannot_be(words, message):
    with pytest.raises(InputError, match=message):
        read(**words)
    with pytest.raises(InputError, match="the moons source reads no files: write `moons`"):
        list(moons.read(["x"], moons.Config()))


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


def fitted(name: str, truths: torch.Tensor, side: int, *, steps: int, lr: float, **own: object) -> Latent:
    """A model of KINDS, trained on true phases (N, L), in evaluation mode."""
    kind, settings = KINDS[name]
    model, words = training.meant(kind)
    torch.manual_seed(0)
    recipe = recipes.compose(model, {**words, **SMALL, **settings, **own}, package="imagegen")[0]
    made = recipes.build(recipe, Vocabulary(int(truths.max()) + 1, shape=(side, side)))
    fitting = trainer.Training(made, trainer.Config(lr=lr, ema=0.0, precision="fp32"), steps=steps, seed=0)
    draw = np.random.default_rng(0)
    for _ in range(steps):
        fitting.update([trainer.Batch(truths[draw.integers(0, len(truths), total=32)], 32)])
    return made.eval()


def phases(side: int, shades: int) -> torch.Tensor:
    """Phases from new to full, evenly spaced, (201, L)."""
    return torch.tensor(np.stack([moons.lit(phase, side, shades).ravel() + 1 for phase in np.linspace(0, 0.5, 201)]))


def test_without_its_rate_a_vae_makes_its_noise_small():
    truths = phases(8, 2)
    noise = {}
    for name in ("vae", "without its rate"):
        model = fitted(name, truths, 8, steps=150, lr=5e-3, channels=8, encoder_width=8)
        with torch.inference_mode():
            posterior = model.posterior(truths)
        noise[name] = float(posterior.stddev.mean() / posterior.mean.std(0).mean())  # as the decoder sees it
    assert noise["without its rate"] < 0.25 * noise["vae"], noise


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


@pytest.mark.parametrize("side", [20, 21])
def test_phases_wax_where_their_light_is_to_the_right(side):
    for phase in (0.1, 0.2, 0.4):
        assert moons.named(moons.lit(phase, side)).startswith("waxing")
        assert moons.named(moons.lit(1 - phase, side)).startswith("waning")

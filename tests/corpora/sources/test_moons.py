"""Moons: what phases look like, how they are named, and that they follow from seed and number."""

from __future__ import annotations

import math

import numpy as np
import pytest

from corpora.errors import InputError
from corpora.settings import override
from corpora.sources import moons


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


@pytest.mark.parametrize("side", [20, 21])
def test_phases_wax_where_their_light_is_to_the_right(side):
    for phase in (0.1, 0.2, 0.4):
        assert moons.named(moons.lit(phase, side)).startswith("waxing")
        assert moons.named(moons.lit(1 - phase, side)).startswith("waning")

"""Weights as int8: small, near, the same model again; and scales of a stranger that fit nothing are refused."""

from __future__ import annotations

import json

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from corpora.errors import InputError
from textgen.core.int8 import SCALE, quantised, restored

FLOATS = st.floats(-8, 8, width=32)


@given(
    arrays.arrays(
        "float32", arrays.array_shapes(min_dims=2, max_dims=4, max_side=6), elements=st.floats(-8, 8, width=32)
    )
)
def test_a_weight_is_off_by_half_a_scale_at_most(values):
    matrix = torch.from_numpy(values)
    packed = quantised({"w": matrix, "b": matrix.flatten()})
    again = restored(packed)
    assert packed["w"].dtype == torch.int8 and torch.equal(again["b"], matrix.flatten())
    scale = packed["w" + SCALE].view(-1, *[1] * (matrix.dim() - 1))
    assert bool(((again["w"] - matrix).abs() <= scale * 0.5001 + 1e-30).all())


def test_what_was_stored_once_is_stored_the_same_again():
    matrix = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    once = quantised({"w": matrix})
    twice = quantised(restored(once))
    assert torch.equal(once["w"], twice["w"])
    torch.testing.assert_close(once["w" + SCALE], twice["w" + SCALE])


@pytest.mark.parametrize(
    "wrong",
    [
        {"w" + SCALE: torch.ones(2)},
        {"w": torch.ones(2, 2), "w" + SCALE: torch.ones(2)},
        {"w": torch.ones(2, 2, dtype=torch.int8), "w" + SCALE: torch.ones(3)},
        {"w": torch.ones(2, dtype=torch.int8), "w" + SCALE: torch.ones(2)},
        {"w": torch.ones(2, 2, dtype=torch.int8), "w" + SCALE: torch.tensor([1.0, torch.nan])},
        {"w": torch.ones(2, 2, dtype=torch.int8), "w" + SCALE: torch.ones(2, dtype=torch.int8)},
    ],
)
def test_scales_that_fit_nothing_are_refused(wrong):
    with pytest.raises(InputError):
        restored(wrong)


def test_a_model_exported_as_int8_opens_and_is_nearly_the_same(toy_run, tmp_path, capsys):
    from textgen.cli import main
    from textgen.runs import library

    for name, option in (("half", []), ("small", ["--int8"])):
        assert main(["export", str(toy_run), "--out", str(tmp_path / name), *option]) == 0
    sizes = [(tmp_path / name / "model.safetensors").stat().st_size for name in ("half", "small")]
    assert sizes[1] < 0.7 * sizes[0]
    half, small = (library.open_model(tmp_path / name).model for name in ("half", "small"))
    for (_, one), (_, other) in zip(half.named_parameters(), small.named_parameters(), strict=True):
        assert float((one - other).detach().abs().max()) <= 0.01 * float(one.detach().abs().max()) + 1e-3
    capsys.readouterr()
    assert main(["export", str(toy_run), "--out", str(tmp_path / "no"), "--int8", "--full"]) == 2
    assert "--int8" in capsys.readouterr().err
    assert main(["export", str(tmp_path / "small"), "--out", str(tmp_path / "again"), "--int8", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["out"] == str(tmp_path / "again")

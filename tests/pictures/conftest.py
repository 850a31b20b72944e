"""A corpus of bars and models trained on it for a moment, which the tests of this folder open and never change."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bars import COLOURS, HEIGHT, WIDTH

from corpora.build import build
from imagegen import training
from textgen.runs.screen import Screen

SMALL = {
    "pixelcnn": {"channels": 12, "layers": 2},
    "vae": {"channels": 8, "rate": 3.0, "latent": 3, "stages": 1},
}


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """Bars of one of two colours on white, from a random row down."""
    folder = tmp_path_factory.mktemp("bars")
    draw = np.random.default_rng(0)
    made = np.broadcast_to(COLOURS[0], (80, HEIGHT, WIDTH, 4)).copy()
    for number, picture in enumerate(made):
        picture[draw.integers(1, HEIGHT) :, draw.integers(WIDTH)] = COLOURS[1 + number % 2]
    np.savez(folder / "bars.npz", pictures=made)
    build([str(folder / "bars.npz")], folder / "corpus", settings={"keep_duplicates": "true"})
    return folder / "corpus"


@pytest.fixture(scope="session")
def runs(corpus, tmp_path_factory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("runs")
    for kind, settings in SMALL.items():
        training.train(
            [corpus], folder / kind, model=kind, settings={**settings, "lr": 3e-3, "precision": "fp32"}, steps=40,
            batch=16, every=40, threads=1, screen=Screen(quiet=True),
        )  # fmt: skip
    return {kind: folder / kind for kind in SMALL}

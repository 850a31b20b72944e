"""Runs on whatever there is: text, pictures, sound. Each resumes bit for bit, shows itself, and names its unit."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from toyruns import Crash, assert_same, contents, crash, resume, start

from corpora import Corpus, modality
from corpora.build import build
from textgen.runs import fit_prior, library
from textgen.runs.plan import Plan, plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen


def _clips(folder: Path) -> Corpus:
    """Short tones of two pitches."""
    import numpy as np

    from corpora.build import build_items
    from corpora.row import Clip

    def tones() -> Iterator[Any]:
        for number in range(40):
            time = np.arange(60 + number)
            wave = np.sin(time * (0.3 if number % 2 else 0.7) + number)
            yield Clip((8000 * wave).astype(np.int16), 8000, "high" if number % 2 else "low", f"tone {number}")

    build_items({"train": tones()}, folder, "audio", settings={"valid_share": 0.2})
    return Corpus.open(folder)


# A corpus of every modality; one that is new needs a line here.
CORPORA: dict[str, Callable[[Path], Corpus]] = {
    "text": lambda folder: build(["toy"], folder, settings={"count": 60, "codec": "words", "valid_share": 0.2}),
    "picture": lambda folder: build(["sprites"], folder, settings={"count": 40, "sprites_seed": 1, "valid_share": 0.2}),
    "audio": _clips,
}
SMALL = {"precision": "fp32", "lr_warmup": 4, "lr": 5e-3}
MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "text": {"lm": {"width": 16, "embedding": 8}, "vae": {"width": 16, "latent": 4, "rate": 4.0}},
    "picture": {"pixelcnn": {"channels": 8, "layers": 1}, "vae": {"channels": 8, "latent": 4, "rate": 4.0}},
    "audio": {
        "lm": {"backbone": "wavenet", "width": 8, "layers": 2},
        "vae": {"backbone": "wavenet", "width": 8, "layers": 2, "latent": 4, "rate": 4.0},
    },
}
every_model = pytest.mark.parametrize(
    ("name", "model"), [(name, model) for name in modality.names() for model in MODELS[name]]
)


@pytest.fixture(scope="module")
def corpora(tmp_path_factory) -> dict[str, Path]:
    """Corpus folders by modality."""
    folder = tmp_path_factory.mktemp("corpora")
    for name in modality.names():
        CORPORA[name](folder / name)
    return {name: folder / name for name in modality.names()}


def planned(corpora: dict[str, Path], folder: Path, name: str, model: str) -> Plan:
    corpus = Corpus.open(corpora[name])
    options = {"steps": 8, "every": 4, "batch": 8, "seed": 1, "device": "cpu", "threads": 1}
    package = modality.get(name).program
    values = {**SMALL, **MODELS[name][model]}
    return plan(corpus, folder, corpora[name], model=model, settings=values, package=package, **options)


@every_model
def test_a_run_that_crashed_is_resumed_bit_for_bit(corpora, tmp_path, name, model):
    start(tmp_path / "whole", planned(corpora, tmp_path / "whole", name, model))
    folder = tmp_path / "crashed"
    with pytest.raises(Crash):
        start(folder, planned(corpora, folder, name, model), {6: crash})
    resume(folder)
    assert_same(tmp_path / "whole", folder)


@every_model
def test_it_names_its_unit_shows_samples_and_has_a_card(corpora, tmp_path, capsys, name, model):
    folder, kind = tmp_path / "run", modality.get(name)
    Run.create(folder, planned(corpora, folder, name, model)).train(Screen())
    said = capsys.readouterr().err
    assert f"nats per {kind.unit}" in said
    lines = (folder / "samples.txt").read_text().splitlines()
    assert any(line.startswith("8\tsample") for line in lines)
    written = [line.split("\t")[2] for line in lines if line.split("\t")[2].startswith("samples/")]
    assert all((folder / line.split(" (")[0]).is_file() for line in written)
    assert bool(written) == (name != "text")
    assert any(text.startswith("samples/") for text in contents(folder)) == (name != "text")
    figures = {"data": "test", "rows": 3, "seed": 0, "figures": []}
    card = (library.export(folder, tmp_path / "shared", figures=figures) / "README.md").read_text()
    assert f"3 {kind.units}" in card


@pytest.mark.parametrize("name", modality.names())
def test_a_prior_is_fitted_to_the_codes_of_anything(corpora, tmp_path, name):
    run = tmp_path / "run"
    start(run, planned(corpora, run, name, "vae"))
    how = {"kind": "mixture", "settings": {"components": 2}, "keep_worse": True}
    fitted = fit_prior.fit(run, corpora[name], tmp_path / "fitted", **how)
    assert fitted.rows > 20
    assert math.isfinite(fitted.gain)  # of so short a training it may be anything
    program = modality.get(name).program
    assert str(fitted).splitlines()[-1] == f"try: {program} sample --model {tmp_path / 'fitted'}"
    opened = library.open_model(tmp_path / "fitted")
    assert len(opened.model.sample(2, length=min(opened.length, 12), seed=0)) == 2
    other = next((one for one in corpora if one != name), None)
    with pytest.raises(library.InputError):
        fit_prior.fit(run, corpora[other], tmp_path / "no", kind="mixture")

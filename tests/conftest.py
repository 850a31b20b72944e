"""Shared by all tests: one thread, and small runs that are trained once."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch
from hypothesis import settings

import small

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # begun in the background: its children could not be interrupted
    signal.signal(signal.SIGINT, signal.default_int_handler)


torch.set_num_threads(1)
settings.register_profile("quiet", deadline=None)
settings.load_profile("quiet")
WIDE = {"width": 48, "embedding": 24, "encoder_width": 24, "encoder_embedding": 24, "latent": 8, "rate": 12.0}


@pytest.fixture(autouse=True)
def all_numbers() -> None:
    """Training and the command line flush denormal numbers to zero in the whole process; hypothesis needs them."""
    torch.set_flush_denormal(False)


@pytest.fixture(scope="session")
def toy_corpus(tmp_path_factory) -> Path:
    """A corpus folder: 400 sentences of the toy grammar, in words."""
    from corpora.build import build

    folder = tmp_path_factory.mktemp("toy") / "corpus"
    build(["toy"], folder, settings={"count": "400", "codec": "words", "valid_share": "0.1", "test_share": "0.1"})
    return folder


def trained(toy_corpus: Path, folder: Path, model: str, **settings: object) -> Path:
    from corpora import Corpus
    from textgen.runs.plan import plan
    from textgen.runs.run import Run
    from textgen.runs.screen import Screen

    options = {"steps": 240, "batch": 32, "seed": 3, "every": 80, "device": "cpu", "threads": 1}
    settings = {**small.settings(model), "precision": "fp32", "lr": 1e-2, "lr_warmup": 10, **settings}
    planned = plan(Corpus.open(toy_corpus), folder, toy_corpus, model=model, settings=settings, **options)
    Run.create(folder, planned).train(Screen(quiet=True))
    return folder


@pytest.fixture(scope="session")
def toy_run(toy_corpus, tmp_path_factory) -> Path:
    """The run folder of a small VAE that has learned something. Tests must not write into it."""
    return trained(toy_corpus, tmp_path_factory.mktemp("runs") / "vae", "vae", **WIDE)


@pytest.fixture(scope="session")
def faded_run(toy_corpus, tmp_path_factory) -> Path:
    """The same of a VAE whose decoder is a language model too."""
    run = tmp_path_factory.mktemp("runs") / "faded"
    return trained(toy_corpus, run, "vae", code_fade=0.5, code_free=0.1, **WIDE)


@pytest.fixture(scope="session")
def toy_language_model(toy_corpus, tmp_path_factory) -> Path:
    """The run folder of a small language model. Tests must not write into it."""
    return trained(toy_corpus, tmp_path_factory.mktemp("runs") / "lm", "lm")


@pytest.fixture(scope="session")
def toy_autoencoder(toy_corpus, tmp_path_factory) -> Path:
    """The folder of a plain autoencoder that has learned nothing. Tests must not write into it."""
    from corpora import Corpus, files
    from textgen.core import checkpoint, recipes
    from textgen.runs import library

    corpus, folder = Corpus.open(toy_corpus), tmp_path_factory.mktemp("models") / "autoencoder"
    recipe = recipes.compose("autoencoder", small.settings("autoencoder"))[0]
    torch.manual_seed(0)
    weights = checkpoint.weights(recipes.build(recipe, library.vocabulary(corpus.codec)))
    with files.new_folder(folder) as new:
        checkpoint.write_model(new, {"recipe": recipe.to_dict(), "length": 16}, corpus.codec.to_dict(), weights)
        files.write_manifest(new, {"format": checkpoint.FORMAT})
    return folder

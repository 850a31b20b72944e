"""Sentences you can steer, and the core that sentences, pixels and latents share.

`import textgen` imports nothing heavy; the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpora.errors import InputError
    from textgen.core.backbone import Backbone, Vocabulary
    from textgen.core.model import Autoregressive, Latent
    from textgen.core.sampler import Choice
    from textgen.runs.library import open_model
    from textgen.sentences.sentence_vae import SentenceVAE
    from textgen.verbs import train

__version__ = "0.1.0"

# Read by libgomp and torch when torch is first imported, so set before that, and only where the user has not.
# Without the first, threads that wait for each other spin: with one other busy program on two cores a walk takes
# many times as long (benchmarks/busy.py). Without the second, page faults hold up every training step.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")

_HOMES = {
    "SentenceVAE": "textgen.sentences.sentence_vae",
    "Backbone": "textgen.core.backbone",
    "Vocabulary": "textgen.core.backbone",
    "Autoregressive": "textgen.core.model",
    "Latent": "textgen.core.model",
    "Choice": "textgen.core.sampler",
    "open_model": "textgen.runs.library",
    "train": "textgen.verbs",
    "InputError": "corpora.errors",
}

__all__ = [
    "Autoregressive",
    "Backbone",
    "Choice",
    "InputError",
    "Latent",
    "SentenceVAE",
    "Vocabulary",
    "open_model",
    "train",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'textgen' has no attribute {name!r}")

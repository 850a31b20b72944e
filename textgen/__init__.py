"""Sentences you can steer, and the core that sentences, pixels and latents share.

`import textgen` imports nothing heavy; the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpora.errors import InputError
    from textgen.backbone import Backbone, Vocabulary
    from textgen.model import Autoregressive, Latent
    from textgen.opening import open_model
    from textgen.run import train
    from textgen.sampler import Choice
    from textgen.sentences import SentenceVAE

__version__ = "0.1.0"

_HOMES = {
    "SentenceVAE": "textgen.sentences",
    "Backbone": "textgen.backbone",
    "Vocabulary": "textgen.backbone",
    "Autoregressive": "textgen.model",
    "Latent": "textgen.model",
    "Choice": "textgen.sampler",
    "open_model": "textgen.opening",
    "train": "textgen.run",
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

"""Tokens and the things they stand for: corpora of sentences, pictures and sound, built once and opened instantly.

`import corpora` imports nothing heavy; the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from corpora.build import from_texts
    from corpora.codec import Codec
    from corpora.codecs.palette import Palette
    from corpora.corpus import Batch, Corpus, Rows
    from corpora.errors import InputError
    from corpora.row import Clip, Picture, Row

_HOMES = {
    "Batch": "corpora.corpus",
    "Clip": "corpora.row",
    "Codec": "corpora.codec",
    "Corpus": "corpora.corpus",
    "from_texts": "corpora.build",
    "InputError": "corpora.errors",
    "Palette": "corpora.codecs.palette",
    "Picture": "corpora.row",
    "Row": "corpora.row",
    "Rows": "corpora.corpus",
}

__all__ = ["Batch", "Clip", "Codec", "Corpus", "InputError", "Palette", "Picture", "Row", "Rows", "from_texts"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'corpora' has no attribute {name!r}")

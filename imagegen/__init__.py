"""Pictures as rows of palette tokens, on the core that `textgen` holds.

`import imagegen` imports nothing heavy; the names below are fetched when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

import textgen  # noqa: F401  sets how torch's threads wait, before torch is imported

if TYPE_CHECKING:
    from imagegen.pictures.picture_model import PictureModel
    from imagegen.training import train

_HOMES = {"PictureModel": "imagegen.pictures.picture_model", "train": "imagegen.training"}

__all__ = ["PictureModel", "train"]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first asked for."""
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'imagegen' has no attribute {name!r}")

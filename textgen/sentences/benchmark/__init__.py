"""Benchmarks: `textgen benchmark NAME`, each a file with `arguments` and `main`, found by its name.

`judge.py` is no benchmark but what they share. Their heads import nothing heavy, for the sake of --help.
"""

from __future__ import annotations

from corpora import settings


def names() -> list[str]:
    """The benchmarks, by file name."""
    return [name for name in settings.names(__name__) if name != "judge"]

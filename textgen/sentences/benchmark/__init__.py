"""Benchmarks: `textgen benchmark NAME`, each a file with `main`, found by its name.

`main(chosen, opening)` has the values of its options as attributes of `chosen`, their ranges checked, and
`opening(name)`, which opens a model, by default the one to be measured; it returns a `judge.Report`. `judge.py` is no
benchmark: they share it.
"""

from __future__ import annotations

from corpora import settings


def names() -> list[str]:
    """The benchmarks, by file name."""
    return [name for name in settings.names(__name__) if name != "judge"]

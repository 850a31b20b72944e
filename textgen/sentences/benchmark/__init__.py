"""Benchmarks: `textgen benchmark NAME`, each a file of that name, found by it; its first line is the line of help.

The file has a function of its name, which declares words and options, and `main(chosen, opening)`, which `run` calls.
`chosen` has the values of the options as attributes, their ranges checked. `opening(name)` opens a model, by default
the one to be measured. `main` returns a `judge.Report`. `judge.py` is no benchmark: they share it. Since `--help`
imports the file, what is heavy is imported inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from corpora import settings
from corpora.cli import show_result
from corpora.commands import Verb
from textgen.runs import options


def names() -> list[str]:
    """The benchmarks, by file name."""
    return [name for name in settings.names(__name__) if name != "judge"]


def verbs() -> dict[str, Verb]:
    """An entry of the command line for each benchmark."""
    return {name: Verb(f"{__name__}.{name}", _first_line(name)) for name in names()}


def _first_line(name: str) -> str:
    """The first line of the docstring of a benchmark, which is not imported for it."""
    text = Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8")
    line = text.removeprefix('"""').partition("\n")[0].removesuffix('"""').removesuffix(".")
    return line[0].lower() + line[1:]


def run(main: Callable[[SimpleNamespace, Callable[..., Any]], Any], values: Mapping[str, Any]) -> int:
    """Call `main` of a benchmark with the values of its options, and print its report. Returns the exit code."""
    from textgen.runs import library

    chosen = SimpleNamespace(**values)
    ways = {name: values[name] for name in ("device", "threads") if name in values}

    def opening(other: str | None = None) -> Any:
        if other is not None:
            return library.ready(other, **ways)
        model = options.named(chosen.model, options.DEFAULT_MODEL)
        return library.ready(model, prior=values.get("prior"), **ways)

    return show_result(main(chosen, opening), chosen.as_json)

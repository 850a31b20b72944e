"""Small runs: begun, crashed at will, resumed and compared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import small
from corpora import Corpus
from textgen.runs import plan as plans
from textgen.runs.plan import Plan
from textgen.runs.run import Run
from textgen.runs.screen import Screen

SIZES = {"precision": "fp32", "layers": 1, "lr": 5e-3, "lr_warmup": 4}


def settings(model: str = "vae", **chosen: Any) -> dict[str, Any]:
    """Settings of a small model and of its training."""
    own = {**SIZES, "latent": 4, "encoder_layers": 1} if model == "vae" else SIZES
    parts = {key: value for key, value in chosen.items() if key in ("backbone", "encoder")}
    return {**small.settings(model, **parts), **own, **chosen}


def plan(
    corpus: Path, folder: Path, model: str = "vae", steps: int | None = 24, every: int | None = 6, **chosen: Any
) -> Plan:
    """The plan of a small run on a corpus of text."""
    options = {"steps": steps, "every": every, "batch": 16, "seed": 1, "device": "cpu", "threads": 1}
    options |= {key: chosen.pop(key) for key in ("minutes", "repeat") if key in chosen}
    values = settings(model, **chosen)
    return plans.plan(Corpus.open(corpus), folder, corpus, model=model, settings=values, **options)


class Crash(BaseException):
    """The power fails."""


class Watching(Screen):
    """Calls `at[step]()` after that step, before it is logged or saved."""

    def __init__(self, at: dict[int, Any]) -> None:
        super().__init__(quiet=True, live=False)
        self.at = at
        self.said: list[str] = []

    def step(self, report, speed, steps) -> None:
        self.at.pop(report.step, lambda: None)()

    def say(self, text: str) -> None:
        self.said.append(text)


def crash() -> None:
    """End without saving."""
    raise Crash


def start(folder: Path, plan: Plan, at: dict[int, Any] | None = None) -> Path:
    """Begin a run and train it; `at` as in `Watching`."""
    return Run.create(folder, plan).train(Watching(at or {}))


def resume(folder: Path, at: dict[int, Any] | None = None, *, steps: int | None = None) -> Path:
    """Go on with a run; `at` as in `Watching`."""
    return Run.open(folder).train(Watching(at or {}), steps=steps)


def contents(folder: Path) -> dict[str, Any]:
    """All that a run left, but for the speed, the lock and the events of TensorBoard."""
    left: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not name.startswith(("tensorboard/", "corpus/")) and name != ".lock":
            left[name] = path.read_bytes()
    lines = [json.loads(line) for line in left.pop("metrics.jsonl").decode().splitlines()]
    return {**left, "metrics": [{k: v for k, v in line.items() if k != "tokens per second"} for line in lines]}


def assert_same(one: Path, other: Path) -> None:
    left, right = contents(one), contents(other)
    assert left["metrics"] == right["metrics"]
    assert left.keys() == right.keys()
    for name in left:
        assert left[name] == right[name], name

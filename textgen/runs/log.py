"""The log of a run: numbers, samples and alarms, also for TensorBoard."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from corpora import files

METRICS, SAMPLES, ALARMS = "metrics.jsonl", "samples.txt", "alarms.jsonl"


class Log:
    """`metrics.jsonl`, `samples.txt`, `alarms.jsonl` and TensorBoard events of a run.

    Lines after the resumed step are dropped: the run writes them again.
    """

    def __init__(self, folder: Path, step: int) -> None:
        self.metrics, self.written, self.alarmed = folder / METRICS, folder / SAMPLES, folder / ALARMS
        for path in (self.metrics, self.written, self.alarmed):
            if path.exists():
                _cut(path, step)
        self.board: Any = None
        with contextlib.suppress(ImportError):  # the one optional thing here: training must run with torch alone
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step + 1)

    def __enter__(self) -> Log:
        return self

    def __exit__(self, *_: object) -> None:
        if self.board is not None:
            self.board.close()  # or its thread would live on

    def write(self, values: Mapping[str, float], step: int) -> None:
        """A line of numbers; those that are not finite are left out."""
        _append(self.metrics, {"step": step, **{name: value for name, value in values.items() if math.isfinite(value)}})
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name.replace("valid ", "valid/"), value, step)

    def samples(self, written: Iterable[tuple[str, str]], step: int) -> None:
        """A line for each (what, text)."""
        written = list(written)
        with self.written.open("a", encoding="utf-8") as file:
            file.writelines(f"{step}\t{what}\t{text}\n" for what, text in written)
        if self.board is not None:
            self.board.add_text("samples", "\n\n".join(f"{what}: {text}" for what, text in written), step)
            self.board.flush()

    def alarms(self, raised: Iterable[Mapping[str, str]], step: int) -> None:
        """A line for each alarm: its name, cause and advice."""
        for alarm in raised:
            _append(self.alarmed, {"step": step, **alarm})


def alarmed(folder: Path, step: int) -> set[str]:
    """The names of the alarms that a run has raised up to a step."""
    path = folder / ALARMS
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines() if path.exists() else []
    kept = [json.loads(line) for line in lines if (number := _step_of(line)) is not None and number <= step]
    return {alarm["name"] for alarm in kept}


def _append(path: Path, line: Mapping[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _step_of(line: str) -> int | None:
    match = re.match(r'\{"step": (\d+)|(\d+)\t', line)
    return int(match[1] or match[2]) if match else None


def _cut(path: Path, step: int) -> None:
    """Keep the whole lines up to a step."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    kept = [line for line in lines if line.endswith("\n") and (n := _step_of(line)) is not None and n <= step]
    files.replace_file(path, "".join(kept).encode())

"""Timing contestants in turn, so that their ratios hold on a machine whose speed drifts.

Round by round each contestant runs once, A B C A B C ...; what slows the machine for a while then slows all of them.
The figure to trust is the median, over the rounds, of the ratio within a round.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any, NamedTuple

import torch


class Entry(NamedTuple):
    """A contestant: `run` does its work once and returns how much of it there was, in units (tokens, requests)."""

    name: str
    run: Callable[[], float]
    bar: float | None = None  # how many times faster than the first contestant it should be


class Result(NamedTuple):
    """The rates of a contestant, units per second, round by round, and what they say."""

    name: str
    bar: float | None
    rates: list[float]
    ratios: list[float]  # over the first contestant's rate in the same round

    @property
    def ratio(self) -> float:
        return median(self.ratios)

    def to_dict(self) -> dict[str, Any]:
        rates = {"min": min(self.rates), "median": median(self.rates), "max": max(self.rates)}
        return {"name": self.name, "rates": rates, "ratio": self.ratio, "ratios": self.ratios, "bar": self.bar}


def in_turn(entries: Sequence[Entry], chosen: argparse.Namespace) -> list[Result]:
    """Run every contestant once to warm up, then once per round; ratios are over the first of them."""
    clock = time.process_time if chosen.cpu_time else time.perf_counter
    for entry in entries:
        entry.run()
    rates: list[list[float]] = [[] for _ in entries]
    for _ in range(1 if chosen.quick else chosen.rounds):
        for entry, found in zip(entries, rates, strict=True):
            start = clock()
            units = entry.run()
            found.append(units / (clock() - start))
    return [
        Result(
            entry.name,
            None if chosen.quick else entry.bar,
            found,
            [rate / first for rate, first in zip(found, rates[0], strict=True)],
        )
        for entry, found in zip(entries, rates, strict=True)
    ]


def arguments(description: str) -> argparse.ArgumentParser:
    """The flags that every benchmark has."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor threads (default: all)")
    parser.add_argument("--rounds", type=int, default=5, help="times that each contestant runs (default: 5)")
    parser.add_argument(
        "--cpu-time", action="store_true", help="count processor time, for a busy machine; only with --threads 1"
    )
    parser.add_argument("--quick", action="store_true", help="tiny sizes: does it run at all? The figures mean nothing")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def begin(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Read the flags and set torch up as the command lines do."""
    chosen = parser.parse_args()
    if chosen.cpu_time and chosen.threads != 1:
        parser.error("--cpu-time adds the time of all threads up: give --threads 1 with it")
    torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)
    return chosen


class Report:
    """Prints tables as they come, or with `--json` everything at the end."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.as_json = chosen.json
        self.found: dict[str, Any] = {
            "threads": torch.get_num_threads(),
            "torch": torch.__version__,
            "python": platform.python_version(),
            "machine": platform.machine(),
            "quick": chosen.quick,
            "clock": "processor time" if chosen.cpu_time else "wall clock",
        }

    def say(self, key: str, value: Any, text: str) -> None:
        """One fact under a key, and as a line of text."""
        self.found[key] = value
        if not self.as_json:
            print(text, flush=True)

    def table(self, title: str, unit: str, results: Sequence[Result]) -> None:
        """What `in_turn` found."""
        self.found[title] = {"unit": unit, "results": [result.to_dict() for result in results]}
        if self.as_json:
            return
        print(f"\n{title} ({unit})\n{'':42}{'min':>10}{'median':>10}  ratio (least to most)", flush=True)
        for result in results:
            line = f"{result.name:42}{min(result.rates):>10,.1f}{median(result.rates):>10,.1f}"
            line += f"{result.ratio:>8.2f}x"
            if result is not results[0]:
                line += f" ({min(result.ratios):.2f} to {max(result.ratios):.2f})"
            if result.bar is not None:
                line += f"  bar {result.bar:g}x: {'met' if result.ratio >= result.bar else 'NOT met'}"
            print(line, flush=True)

    def end(self) -> None:
        if self.as_json:
            print(json.dumps(self.found, indent=1))

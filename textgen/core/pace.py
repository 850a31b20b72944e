"""The length of a run, and its progress after a number of steps, as schedules see them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class Pace(Protocol):
    """The length of a run, and its progress: a function of the step."""

    @property
    def end(self) -> int:
        """Steps in all, as far as is known now."""

    @property
    def every(self) -> int:
        """Steps between evaluations."""

    @property
    def stride(self) -> int:
        """Batches set aside for each turn of a step; a step's second turn reads so far on from its first."""

    def progress(self, step: int) -> float:
        """The share of the run that is done after `step` steps, in [0, 1)."""

    def rise(self, most: int, step: int) -> int:
        """Steps of warming up: `most`, or a fifth of the run where that is less, as far as is known after `step`."""

    def share(self, step: int, rise: int) -> float:
        """The share that is done, after `step` steps, of what follows the first `rise` steps."""


@dataclass(frozen=True)
class Steps:
    """A run of a known number of steps."""

    end: int
    every: int = 1  # as `Pace.every`

    @property
    def stride(self) -> int:
        """As `Pace.stride`."""
        return self.end

    def progress(self, step: int) -> float:
        """As `Pace.progress`."""
        return step / self.end

    def rise(self, most: int, step: int) -> int:
        """As `Pace.rise`."""
        return min(most, self.end // 5)

    def share(self, step: int, rise: int) -> float:
        """As `Pace.share`."""
        return max(0.0, step - rise) / max(1, self.end - rise)

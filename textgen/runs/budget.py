"""A run of so many minutes: its length in steps is measured while it trains, and recorded so that it can be repeated.

Every per cent of the run a *knot* is made: after `step` steps a share `progress` is done, and by what steps and
evaluations took until now the time will be up after `end` steps in all. Up to the next knot progress is a straight
line from there to (end, 1). So progress never jumps, the learning rate arrives at its end when the time does, and
the knots alone say what the progress of every step was. They are part of each checkpoint.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

LEAST = 20  # steps: a run has no fewer, however short its time
UNKNOWN = 1_000_000_000  # steps, while nothing has been measured
_SETTLED = 10  # steps after which a first estimate is good enough for the warm-up and the evaluations
_RECENT = 10  # knots that the speed is measured over
_STRIDE = 1 << 40  # more batches than any run has


class Knot(NamedTuple):
    """A decision after a number of steps: how far the run is, and when it will end."""

    step: int
    seconds: float  # of the budget, gone by
    training: float  # of them, without evaluations
    progress: float
    end: int  # steps in all, as far as was known


class Budget:
    """The pace of a run of so many minutes, and of at most `most` steps.

    `knots` are those of a run that is resumed. With `repeat` they are all there are: the clock is not looked at.
    """

    def __init__(
        self,
        minutes: float,
        most: int | None = None,
        knots: Iterable[Sequence[Any]] = (),
        *,
        repeat: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.total, self.most, self.repeat = 60 * minutes, most or UNKNOWN, repeat
        self.clock = clock or time.monotonic
        self.knots = [Knot(*values) for values in knots] or [Knot(0, 0.0, 0.0, 0.0, self.most)]
        self.evaluations = 0
        self.evaluating = 0.0  # seconds of them
        self._began = self.clock()

    @property
    def end(self) -> int:
        """As `Pace.end`."""
        return self.knots[-1].end

    @property
    def stride(self) -> int:
        """As `Pace.stride`."""
        return _STRIDE

    def progress(self, step: int) -> float:
        """As `Pace.progress`."""
        knot = next((knot for knot in reversed(self.knots) if knot.step <= step), self.knots[0])
        return min(1.0, knot.progress + (1 - knot.progress) * (step - knot.step) / max(1, knot.end - knot.step))

    def rise(self, most: int, step: int) -> int:
        """As `Pace.rise`."""
        return min(most, self._estimate(step).end // 5)

    def share(self, step: int, rise: int) -> float:
        """As `Pace.share`."""
        before = self.progress(rise)
        return max(0.0, self.progress(step) - before) / max(1e-9, 1 - before)

    @property
    def every(self) -> int:
        """Steps between evaluations where nobody chose: a twentieth of the run, 25 to 500."""
        return max(25, min(500, self._estimate(self.knots[-1].step).end // 20))

    @property
    def settled(self) -> bool:
        """Whether enough steps were measured to say how long the run will be."""
        return self.knots[-1].step >= _SETTLED

    def _estimate(self, step: int) -> Knot:
        """The first knot that is good enough, as far as was known after a step."""
        known = [knot for knot in self.knots if knot.step <= step]
        return next((knot for knot in known if knot.step >= _SETTLED), known[-1])

    @property
    def pending(self) -> int:
        """The step after which the next knot is due: 1 % of the run on, sooner near its beginning and its end."""
        step, end = self.knots[-1].step, self.end
        return step + max(1, min(step, end // 100, (end - step + 1) // 2))

    def tick(self, step: int, agree: Callable[[list[float]], list[float]] = lambda values: values) -> Knot | None:
        """Make a knot after a step if one is due. `agree` gives all processes the measurements of the first."""
        if step < self.pending or self.repeat or step >= self.end:
            return None
        elapsed = self.clock() - self._began
        seconds, evaluating, evaluations = agree([elapsed, self.evaluating, float(self.evaluations)])
        if step == 1:  # it warms up: what it took says nothing of the others
            self.knots.append(Knot(step, seconds, seconds - evaluating, self.progress(step), self.end))
            return self.knots[-1]
        first = self.knots[max(1, len(self.knots) - _RECENT)]
        step_takes = max(1e-9, (seconds - evaluating - first.training) / (step - first.step))
        evaluation_takes = evaluating / max(1.0, evaluations)
        left = max(0.0, self.total - seconds - evaluation_takes)  # one comes at the very end
        fits = int(left / (step_takes + evaluation_takes / self.every))
        end = min(self.most, max(step + fits, LEAST))
        self.knots.append(Knot(step, seconds, seconds - evaluating, self.progress(step), end))
        return self.knots[-1]

    def evaluated(self, seconds: float, evaluations: int = 1) -> None:
        """Take note of what so many evaluations took; 0: what one took beyond what is noted already."""
        self.evaluations += evaluations
        self.evaluating += seconds

    def state(self, step: int) -> dict[str, Any]:
        """The JSON values that a checkpoint after `step` steps keeps."""
        elapsed = self.knots[-1].seconds if self.repeat else self.clock() - self._began
        return {
            "knots": [list(knot) for knot in self.knots if knot.step <= step],
            "seconds": elapsed,
            "evaluations": [self.evaluations, self.evaluating],
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what is left of the budget."""
        if not self.repeat:
            self.knots = [Knot(*values) for values in state["knots"]]
        self.evaluations, self.evaluating = state["evaluations"]
        self._began = self.clock() - state["seconds"]

"""A run of so many minutes: its length in steps is measured while it trains, and recorded so that it can be repeated.

Every per cent of the run a *knot* is made: after `step` steps a share `progress` is done, and by what steps and
evaluations took until now the time will be up after `end` steps in all. Up to the next knot progress is a straight
line from there to (end, 1). So progress never jumps, the learning rate arrives at its end when the time does, and
the knots alone say what the progress of every step was. They are part of each checkpoint.

The time is that of steps, evaluations and checkpoints. It is kept within 5 %, or the time of one evaluation where that
is more: one that has begun is not cut off, and none is begun that would not fit.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

LEAST = 20  # steps: a run has no fewer, however short its time
UNKNOWN = 1_000_000_000  # steps, while nothing has been measured
_SETTLED = 10  # steps after which a first estimate is good enough for the warm-up and the evaluations
_RECENT = 10  # knots that the speed is measured over
_LAST = 3  # evaluations that the time of the next ones is taken from
_STRIDE = 1 << 40  # more batches than any run has

Agree = Callable[[list[float]], list[float]]  # measurements of a process -> those of the first one


class Knot(NamedTuple):
    """A decision after a number of steps: how far the run is, and when it will end."""

    step: int
    seconds: float  # of the budget, gone by
    training: float  # of them, without evaluations
    progress: float
    end: int  # steps in all, as far as was known


class Budget:
    """The pace of a run of so many minutes, and of at most `most` steps.

    `every`: steps between evaluations; None: a twentieth of the run, 25 to 500. `knots` are those of a run that is
    resumed. With `repeat` they are all there are: the clock is not looked at.
    """

    def __init__(
        self,
        minutes: float,
        most: int | None = None,
        knots: Iterable[Sequence[Any]] = (),
        *,
        every: int | None = None,
        repeat: bool = False,
        clock: Callable[[], float] | None = None,
    ) -> None:
        self.total, self.most, self.repeat = 60 * minutes, most or UNKNOWN, repeat
        self.chosen = every
        self.clock = clock or time.monotonic
        self.knots = [Knot(*values) for values in knots] or [Knot(0, 0.0, 0.0, 0.0, self.most)]
        self.evaluations = 0
        self.evaluating = 0.0  # seconds of them
        self.recent: list[float] = []  # seconds of each of the last ones
        self.guess = 0.0  # steps that an evaluation is thought to take until one was measured
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
        """As `Pace.every`."""
        return self.chosen or max(25, min(500, self._estimate(self.knots[-1].step).end // 20))

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

    def tick(self, step: int, agree: Agree = list) -> None:
        """Make a knot after a step if one is due; where an evaluation follows, `evaluated` makes it."""
        if not self.repeat and self.pending <= step < self.end and step % self.every:
            self.knots.append(self._measured(step, agree))

    def evaluated(self, step: int, seconds: float, agree: Agree = list) -> None:
        """Take note of an evaluation after a step, and make a knot if one is due or it changes the length."""
        self.evaluations += 1
        self.evaluating += seconds
        self.recent = [*self.recent, seconds][-_LAST:]
        if self.repeat or step >= self.end:
            return
        knot = self._measured(step, agree)
        if step >= self.pending or knot.end <= step or abs(knot.end - self.end) > self.end // 100:
            self.knots.append(knot)

    def saved(self, seconds: float) -> None:
        """Take note of the checkpoint that is part of the last evaluation."""
        self.evaluating += seconds
        self.recent[-1:] = [last + seconds for last in self.recent[-1:]]

    def _measured(self, step: int, agree: Agree) -> Knot:
        """The knot after a step. `agree` gives all processes the measurements of the first."""
        elapsed, count = self.clock() - self._began, max(1, len(self.recent))
        seconds, evaluating, evaluation_takes = agree([elapsed, self.evaluating, sum(self.recent) / count])
        if step == 1:  # it warms up: what it took says nothing of the others
            return Knot(step, seconds, seconds - evaluating, self.progress(step), self.end)
        first = self.knots[max(1, len(self.knots) - _RECENT)]
        step_takes = max(1e-9, (seconds - evaluating - first.training) / (step - first.step))
        fits = self._fitting(step, self.total - seconds, step_takes, evaluation_takes or self.guess * step_takes)
        end = min(self.most, max(step + fits, LEAST))
        return Knot(step, seconds, seconds - evaluating, self.progress(step), end)

    def _fitting(self, step: int, left: float, step_takes: float, evaluation_takes: float) -> int:
        """Steps that fit into what is left: an evaluation comes every so many of them, and one at the very end."""
        every = self.every
        first = every - step % every  # steps to the next evaluation
        if left < first * step_takes + evaluation_takes:
            return max(0, int((left - evaluation_takes) / step_takes))
        left -= first * step_takes + evaluation_takes
        rounds, left = divmod(left, every * step_takes + evaluation_takes)
        return first + int(rounds) * every + max(0, int((left - evaluation_takes) / step_takes))

    def state(self, step: int) -> dict[str, Any]:
        """The JSON values that a checkpoint after `step` steps keeps."""
        elapsed = self.knots[-1].seconds if self.repeat else self.clock() - self._began
        return {
            "knots": [list(knot) for knot in self.knots if knot.step <= step],
            "seconds": elapsed,
            "evaluations": [self.evaluations, self.evaluating],
            "recent": self.recent,
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Go on with what is left of the budget."""
        if not self.repeat:
            self.knots = [Knot(*values) for values in state["knots"]]
        self.evaluations, self.evaluating = state["evaluations"]
        mean = [self.evaluating / self.evaluations] if self.evaluations else []
        self.recent = list(state.get("recent", mean))  # runs begun before 2026-12 have none
        self._began = self.clock() - state["seconds"]

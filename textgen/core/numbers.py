"""Numbers as figures print them, without torch: exponentials that may be infinite, and how many places are shown."""

from __future__ import annotations

import math


def shown(value: float, places: int = 2) -> str:
    """A number with so many places; in scientific notation from a million on, and `inf` beyond floating point."""
    return f"{value:.{places}f}" if abs(value) < 1e6 else f"{value:.3g}"


def exponential(nats: float) -> float:
    """e to the power of `nats`; infinite beyond floating point."""
    try:
        return math.exp(nats)
    except OverflowError:
        return math.inf

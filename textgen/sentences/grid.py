"""A sentence with one or two of its codes turned over a grid of values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from corpora.errors import InputError


@dataclass(frozen=True)
class Grid:
    """A sentence with one or two of its codes turned: a row for each value of the first, a column for the second's."""

    sentence: str
    codes: list[int]  # which ones, by number
    rates: list[float]  # KL(q(z_d | x) || N(0, 1)) of each for this sentence, nats
    places: list[float]  # the sentence's own value of each
    values: list[float]
    texts: list[list[str]]

    def __str__(self) -> str:
        facts = zip(self.codes, self.rates, self.places, strict=True)
        lines = [f"given  {self.sentence}"]
        lines += [f"code {code}: rate {rate:.2f} nats, stands at {place:+.2f}" for code, rate, place in facts]
        for value, row in zip(self.values, self.texts, strict=True):
            lines.append(f"code {self.codes[0]} at {value:+.2f}")
            marks = [f"{other:+.2f}  " for other in self.values] if len(self.codes) == 2 else [""]
            lines += [f"    {mark}{text}" for mark, text in zip(marks, row, strict=True)]
        return "\n".join(lines)


def chosen(dims: Sequence[int] | int, rates: Tensor) -> list[int]:
    """The codes to turn: those numbered, or so many of the greatest of the `rates` (Z,).

    Raises InputError unless they are one or two different ones that there are.
    """
    numbers = rates.argsort(descending=True)[:dims].tolist() if isinstance(dims, int) else list(dims)
    known = all(0 <= number < len(rates) for number in numbers)
    if not 1 <= len(numbers) <= 2 or len({*numbers}) < len(numbers) or not known:
        raise InputError(f"codes {dims}: expected one or two different ones from 0 to {len(rates) - 1}")
    return numbers


def turned(code: Tensor, codes: Sequence[int], values: Tensor) -> Tensor:
    """A code (Z,) with some of its numbers set to each of the values (S,), the first one slowest: (S ** n, Z)."""
    grid = code.repeat(len(values) ** len(codes), 1)
    grid[:, list(codes)] = torch.cartesian_prod(*[values] * len(codes)).view(len(grid), -1).to(grid)
    return grid

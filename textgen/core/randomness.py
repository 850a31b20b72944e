"""Randomness by arithmetic: what is drawn is a function of (seed, step) or of (seed, row), never of history.

So a resumed run needs no generator's state, the number of processes changes nothing, and row i of a sample is
the same whatever else is drawn beside it.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


class Draw:
    """The noise of one training step: drawn for the whole batch of all processes, of which each keeps its rows.

    `rank` of `world` processes holds rows rank, rank + world, ... of the `total` rows of the batch.
    """

    def __init__(self, seed: int, step: int, *, total: int, rank: int = 0, world: int = 1, device: str = "cpu") -> None:
        self.total, self.rank, self.world, self.device = total, rank, world, device
        self.generator = torch.Generator().manual_seed(_mix(seed, step, 1))

    def normal(self, *sizes: int) -> Tensor:
        """Standard normal numbers, (rows of this process, *sizes)."""
        return self._mine(torch.randn(self.total, *sizes, generator=self.generator))

    def uniform(self, *sizes: int) -> Tensor:
        """Uniform numbers in [0, 1), (rows of this process, *sizes)."""
        return self._mine(torch.rand(self.total, *sizes, generator=self.generator))

    def _mine(self, numbers: Tensor) -> Tensor:
        return numbers[self.rank :: self.world].to(self.device)


def _mix(seed: int, step: int, purpose: int) -> int:
    """A 63-bit seed from three numbers; numpy's SeedSequence is documented never to change."""
    return int(np.random.SeedSequence([seed, step, purpose]).generate_state(1, np.uint64)[0] >> 1)


def manual_seed(seed: int, step: int, rank: int = 0) -> None:
    """Seed torch's own generators, which dropout draws from, for one step of one process."""
    torch.manual_seed(_mix(seed + (rank << 32), step, 0))


def uniforms(seed: int, first: int, rows: int, length: int) -> Tensor:
    """Uniform numbers in [0, 1) for rows first, first + 1, ...: (rows, length), float64, one stream per row."""
    return torch.from_numpy(np.stack([_stream(seed, first + row, 0).random(length) for row in range(rows)]))


def normals(seed: int, first: int, rows: int, size: int) -> Tensor:
    """Standard normal numbers for rows first, first + 1, ...: (rows, size), float32, one stream per row."""
    drawn = [_stream(seed, first + row, 1).standard_normal(size, np.float32) for row in range(rows)]
    return torch.from_numpy(np.stack(drawn))


def _stream(seed: int, row: int, purpose: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([(seed << 1) | purpose, row], dtype=np.uint64)))

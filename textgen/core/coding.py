"""Rows as few bytes as a model finds them likely: an arithmetic coder driven by a backbone's own steps.

A code of n bytes says more than a likelihood that is printed: the rows come back from it, by the model alone, so their
probabilities did add up to 1 and none of them looked ahead. Its length is -log2 p(rows) bits and less than a byte more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor

from textgen.core.backbone import Backbone, Vocabulary, without

_TOTAL = 1 << 24  # that the counts of a distribution add up to, at most
_STATE, _LEAST = 56, 48  # bits of the state; the width of the interval is at least 2 ** _LEAST
_MASK = (1 << _STATE) - 1


class RangeEncoder:
    """A range coder (Martin 1979, "Range encoding"), in exact integers: `put` tokens, then `finish` once."""

    def __init__(self) -> None:
        self._low, self._width, self._out = 0, 1 << _STATE, bytearray()

    def put(self, heights: np.ndarray, token: int) -> None:
        """Code a token of a distribution: `heights` (V + 1,) int64 rise from 0, and token v has [v], up to [v + 1]."""
        unit = self._width // int(heights[-1])
        self._low += unit * int(heights[token])
        self._width = unit * int(heights[token + 1] - heights[token])
        self._carry()
        while self._width < 1 << _LEAST:
            self._shift()

    def finish(self) -> bytes:
        """The code: the shortest number inside the interval, followed by as many zeros as are asked for."""
        self._low += (1 << _LEAST) - 1
        self._carry()
        self._shift()
        return bytes(self._out.rstrip(b"\0"))

    def _carry(self) -> None:
        if self._low > _MASK:
            self._low &= _MASK
            place = len(self._out) - 1
            while self._out[place] == 255:
                self._out[place] = 0
                place -= 1
            self._out[place] += 1

    def _shift(self) -> None:
        self._out.append(self._low >> _LEAST)
        self._low = self._low << 8 & _MASK
        self._width <<= 8


class RangeDecoder:
    """The inverse of `RangeEncoder`: `get` tokens with the same distributions in the same order."""

    def __init__(self, data: bytes) -> None:
        self._bytes: Iterator[int] = iter(data)
        self._width = 1 << _STATE
        self._above = 0  # how far the code lies above the lower end of the interval
        for _ in range(_STATE // 8):
            self._above = self._above << 8 | next(self._bytes, 0)

    def get(self, heights: np.ndarray) -> int:
        """The next token. Bytes that no encoder wrote give some tokens or other."""
        unit = self._width // int(heights[-1])
        target = min(self._above // unit, int(heights[-1]) - 1)
        token = int(np.searchsorted(heights, target, side="right")) - 1
        self._above -= unit * int(heights[token])
        self._width = unit * int(heights[token + 1] - heights[token])
        while self._width < 1 << _LEAST:
            self._above = self._above << 8 | next(self._bytes, 0)
            self._width <<= 8
        return token


def heights(logits: Tensor) -> np.ndarray:
    """Logits (B, V) as cumulative counts (B, V + 1) int64, every token's count at least 1: a share of 2 ** -24 goes
    even to one without probability."""
    shares = logits.double().softmax(-1).cpu().numpy()
    counts = np.floor(shares * (_TOTAL - shares.shape[1])).astype(np.int64) + 1
    return np.concatenate([np.zeros((len(counts), 1), np.int64), counts.cumsum(1)], 1)


def encode(backbone: Backbone, vocab: Vocabulary, tokens: Tensor, context: Tensor | None = None) -> bytes:
    """The code of rows (B, L), each up to its stop where there is one."""
    coder, known, (rows, length) = RangeEncoder(), tokens.cpu().numpy(), tokens.shape

    def put(counts: np.ndarray, row: int, place: int) -> int:
        coder.put(counts, known[row, place])
        return int(known[row, place])

    _walk(backbone, vocab, rows, length, context, put)
    return coder.finish()


def decode(
    backbone: Backbone, vocab: Vocabulary, data: bytes, rows: int, length: int, context: Tensor | None = None
) -> Tensor:
    """Rows (B, L) of a code, as many and as long as those that were encoded.

    The model must be the same, and run on the same kind of machine with as many threads: it is the very same
    probabilities that bring the rows back.
    """
    coder = RangeDecoder(data)
    return _walk(backbone, vocab, rows, length, context, lambda counts, row, place: coder.get(counts))


@torch.inference_mode()
def _walk(
    backbone: Backbone,
    vocab: Vocabulary,
    rows: int,
    length: int,
    context: Tensor | None,
    token: Callable[[np.ndarray, int, int], int],
) -> Tensor:
    """Go through rows place by place as the sampler does, `token(counts, row, place)` being what comes next."""
    stepper = backbone.start(rows, length, context)
    written = np.full((rows, length), 0 if vocab.pad is None else vocab.pad)
    open_rows = np.ones(rows, bool)
    for place in range(length):
        counts = heights(without(stepper.logits, vocab.impossible))
        for row in np.flatnonzero(open_rows):
            written[row, place] = token(counts[row], int(row), place)
        if vocab.stop is not None:
            open_rows &= written[:, place] != vocab.stop
        if place + 1 == length or not open_rows.any():
            break
        stepper.step(torch.from_numpy(written[:, place]).to(stepper.logits.device))
    return torch.from_numpy(written)

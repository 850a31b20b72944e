"""Raster order: a picture of H x W pixels as a row of L = H W tokens, line by line, each from left to right.

That is how models see pictures; a palette whose order is not `down` turned or mirrored them before.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def neighbours(shape: tuple[int, int], offsets: Sequence[tuple[int, int]]) -> Tensor:
    """Places of each pixel's neighbours in a row behind a start symbol, (H W, N).

    `offsets` are N pairs (rows down, columns right), each of a pixel that comes before. 0 is the start symbol, which
    stands for all that is outside the picture; pixel i is i + 1. What counts as left of a line's first pixel is the
    last one of the line above, so that the pixel drawn last is always seen.
    """
    if any(offset >= (0, 0) for offset in offsets):
        raise ValueError(f"offsets {offsets} reach a pixel that is not drawn yet")
    height, width = shape

    def place(row: int, column: int, down: int, right: int) -> int:
        last = (down, right) == (0, -1)
        inside = row + down >= 0 and 0 <= column + right < width
        return (row + down) * width + column + right + 1 if inside or last else 0

    pixels = [(row, column) for row in range(height) for column in range(width)]
    return torch.tensor([[place(*pixel, *offset) for offset in offsets] for pixel in pixels])


def look_up(tables: Tensor, tokens: Tensor) -> Tensor:
    """The sum over n of row tokens[..., n] of the n-th table: (N, V, D) tables and (..., N) tokens -> (..., D).

    A linear layer of N embeddings side by side is such a sum, and much cheaper this way: the tables, one for each
    place, are the embeddings times the layer's weights for that place.
    """
    count, size, width = tables.shape
    rows = (tokens + torch.arange(count, device=tokens.device) * size).flatten(0, -2)
    return F.embedding_bag(rows, tables.reshape(count * size, width), mode="sum").unflatten(0, tokens.shape[:-1])

"""Encoder: a whole row of tokens to one vector, from which a model makes its posterior."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Encoder(nn.Module):
    """`forward(tokens (B, L), mask (B, L)) -> (B, size)`; what `mask` hides must not matter."""

    size: int


def pool(outputs: Tensor, mask: Tensor) -> Tensor:
    """(B, L, D) -> (B, 2 D): maximum and mean over the positions that `mask` (B, L) shows.

    Long et al. (2019, arXiv:1911.03976) found that pooling instead of the last state prevents much collapse.
    """
    hidden = ~mask[..., None]
    greatest = outputs.masked_fill(hidden, -torch.inf).amax(1)
    mean = outputs.masked_fill(hidden, 0).sum(1) / mask.sum(1, keepdim=True)
    return torch.cat([greatest, mean], 1)

"""Numbers precise enough for likelihoods: float32 at least, whatever precision matrix products ran in."""

from __future__ import annotations

import torch
from torch import Tensor


def precise(tensor: Tensor) -> Tensor:
    """The tensor in float32, or in float64 if it is that: half-precision logits must not reach a logarithm."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()

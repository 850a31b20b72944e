"""Weights as int8: each row of a matrix as whole numbers from -127 to 127 and a scale, a quarter of float32's size.

The rounding error of a weight is at most half a scale, the greatest weight of its row / 254. Vectors stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from corpora.errors import InputError, quoted

SCALE = "/scale"  # what the name of a row's scales adds to that of its matrix; no weight of a model has it


def quantised(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Each float tensor of two or more dimensions, (N, ...), as int8, and its scales (N,) in float32."""
    packed: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        packed[name] = tensor
        if tensor.is_floating_point() and tensor.dim() >= 2:
            rows = tensor.detach().flatten(1).float()  # (N, M)
            scale = rows.abs().amax(1) / 127
            whole = (rows / scale.clamp_min(torch.finfo(torch.float32).tiny)[:, None]).round()
            packed[name], packed[name + SCALE] = whole.to(torch.int8).view(tensor.shape), scale
    return packed


def restored(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `quantised`, in float32. Raises InputError for scales that fit no matrix."""
    floats = {name: tensor for name, tensor in tensors.items() if not name.endswith(SCALE)}
    for name in tensors.keys() - floats.keys():
        scale, whole = tensors[name], floats.get(name.removesuffix(SCALE))
        if whole is None or whole.dtype != torch.int8 or whole.dim() < 2 or scale.shape != whole.shape[:1]:
            raise InputError(f"the scales {quoted(name)} fit no int8 matrix")
        if not scale.is_floating_point() or not bool(torch.isfinite(scale).all()):
            raise InputError(f"the scales {quoted(name)} are not all finite numbers")
        rows = whole.flatten(1).float() * scale.float()[:, None]
        floats[name.removesuffix(SCALE)] = rows.view(whole.shape)
    return floats

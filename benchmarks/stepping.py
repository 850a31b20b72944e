"""Our sampler as a contestant, and whether it draws from the model's own distribution."""

from __future__ import annotations

from collections.abc import Callable

import torch

from textgen import sampler
from textgen.backbone import Backbone, Vocabulary


def ours(backbone: Backbone, vocab: Vocabulary, rows: int, length: int) -> Callable[[], float]:
    """`length` tokens of `rows` rows, by our sampler."""

    def run() -> float:
        return sampler.sample(backbone, vocab, rows=rows, length=length).numel()

    return run


@torch.inference_mode()
def stepping_error(backbone: Backbone, vocab: Vocabulary, rows: int, length: int) -> float:
    """The greatest difference between the logits of `start` and `step` and those of `forward`."""
    tokens = sampler.sample(backbone, vocab, rows=rows, length=length)
    logits, state = backbone.start(rows, length, None)
    stepped = [logits]
    for position in range(length - 1):
        logits, state = backbone.step(tokens[:, position], state)
        stepped.append(logits)
    return float((torch.stack(stepped, 1) - backbone(tokens)).abs().max())

"""Our sampler as a contestant, whether it draws from the model's own distribution, and a palette to draw in."""

from __future__ import annotations

from collections.abc import Callable

import torch

from textgen.core import sampler
from textgen.core.backbone import Backbone, Vocabulary


def palette(shape: tuple[int, int]) -> Vocabulary:
    """167 random colours, as many as the lecture's sprites have, for pictures of this shape."""
    drawn = torch.rand(167, 3, generator=torch.Generator().manual_seed(0))
    lab = drawn * torch.tensor([100.0, 120, 120]) - torch.tensor([0.0, 60, 60])
    return Vocabulary(len(lab), shape=shape, colours=tuple(tuple(colour) for colour in lab.tolist()))


def ours(backbone: Backbone, vocab: Vocabulary, rows: int, length: int) -> Callable[[], float]:
    """`length` tokens of `rows` rows, by our sampler."""

    def run() -> float:
        return sampler.sample(backbone, vocab, rows=rows, length=length).numel()

    return run


@torch.inference_mode()
def stepping_error(backbone: Backbone, vocab: Vocabulary, rows: int, length: int) -> float:
    """The greatest difference between the logits of `start` and `step` and those of `forward`."""
    tokens = sampler.sample(backbone, vocab, rows=rows, length=length)
    stepper = backbone.start(rows, length)
    stepped = [stepper.logits]
    for position in range(length - 1):
        stepper.step(tokens[:, position])
        stepped.append(stepper.logits)
    return float((torch.stack(stepped, 1) - backbone(tokens)).abs().max())

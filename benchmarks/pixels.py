"""Sampling pictures: with a cache beside a forward pass over the whole picture for every pixel.

    python benchmarks/pixels.py --threads 1      # about three minutes
    python benchmarks/pixels.py --only pixelcnn

Pictures of 20 x 20 pixels in 167 colours, each backbone at its default size. Weights are random: speed does not depend
on them. Counted are pixels per second over all pictures together; ours is `textgen.core.sampler.sample`, fp32, start to
end, of one picture and of 64.

The naive sampler is how scripts for such models draw: for each pixel one forward pass of the same backbone over the
whole picture, of which the logits of that pixel are used, and the same choice from them. So that this does not take
minutes, only a few pixels are timed; every pixel costs it the same. It draws one picture at a time. The bars are for
one thread: a pass over a whole picture gains by a second one, a lone pixel has too little work to share.

Beforehand each backbone reads back pictures that it drew: the greatest difference between the logits of stepping and
those of one forward pass is printed. Equal logits mean that the cache draws from the model's own distribution.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from corpora.settings import find
from stepping import ours, palette, stepping_error
from textgen.core import sampler
from textgen.core.backbone import Backbone
from turns import Entry, Report, arguments, begin, in_turn

# times faster than the naive sampler: one picture, and per picture of 64 (None: no bar)
BARS: dict[str, tuple[float, float | None]] = {
    "pixelcnn": (50, 250),
    "pixelformer": (20, None),
    "pixelrnn": (15, None),
}
MANY = 64
NAIVE_PIXELS = 8


def naive(backbone: Backbone, length: int) -> Callable[[], float]:
    """A few pixels of one picture, each by a forward pass over all."""
    how, pixels = sampler.Choice(), min(NAIVE_PIXELS, length)
    numbers = torch.rand(length, 1, generator=torch.Generator().manual_seed(0))

    @torch.inference_mode()
    def run() -> float:
        picture = torch.zeros(1, length, dtype=torch.long)
        for pixel in range(pixels):
            picture[:, pixel] = sampler.choose(backbone(picture)[:, pixel], numbers[pixel], how)
        return pixels

    return run


def main() -> None:
    """Measure the naive sampler and ours in turn."""
    parser = arguments(str(__doc__))
    parser.add_argument("--only", choices=list(BARS), help="one of the backbones")
    chosen = begin(parser)
    report = Report(chosen)
    shape = (4, 5) if chosen.quick else (20, 20)
    length, many = shape[0] * shape[1], 4 if chosen.quick else MANY
    vocab = palette(shape)
    for name in [chosen.only] if chosen.only else BARS:
        torch.manual_seed(0)
        module = find("imagegen.backbones", name)
        backbone = module.build(module.Config(), vocab, 0).eval()
        weights = sum(weight.numel() for weight in backbone.parameters())
        error = stepping_error(backbone, vocab, 4, length)
        said = f"\n{name}: {weights:,} weights; stepping and forward differ by at most {error:.1e}"
        report.say(name, {"weights": weights, "stepping error": error}, said)
        one, together = BARS[name]
        entries = [
            Entry("naive, one at a time", naive(backbone, length)),
            Entry("ours, 1 picture", ours(backbone, vocab, 1, length), one),
            Entry(f"ours, {many} pictures together", ours(backbone, vocab, many, length), together),
        ]
        report.table(f"{name}, {shape[0]} x {shape[1]}", "pixels per second", in_turn(entries, chosen))
    report.end()


if __name__ == "__main__":
    main()

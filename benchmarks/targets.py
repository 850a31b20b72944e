"""Training on every pixel of a picture: ours beside a plain fp32 loop.

    python benchmarks/targets.py --threads 1
    python benchmarks/targets.py --threads 1 --only lstm

Rows of 400 tokens, as pictures of 20 x 20 pixels in 167 colours, every one a target. Counted are pixels per second of
whole steps: forward, backward and update. Tokens are random: speed does not depend on them.

The plain loop is what one writes first: `F.cross_entropy` over all logits, `torch.optim.Adam` as it comes, fp32. For
the lecture's LSTM (512 cells) it reads one-hot colours into `nn.LSTM`, as that exercise is done, and every pixel is
its target; for other backbones it trains the very module that ours trains. Ours is `textgen.core.trainer` as `imagegen
train` runs it, with its default clipping and weight averaging, fp32 and bf16.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

from imagegen.training import meant
from onehot import OneHotLSTM
from stepping import palette
from textgen.core import recipes, trainer
from textgen.core.backbone import Vocabulary
from textgen.core.model import Autoregressive
from turns import Entry, Report, arguments, begin, in_turn

BARS = {"lstm": 1.7, "pixelcnn": None, "pixelformer": None}
BATCH = {"lstm": 64, "pixelcnn": 16, "pixelformer": 16}


def made(kind: str, vocab: Vocabulary, precision: str) -> tuple[Autoregressive, trainer.Config]:
    """A model of default size and how it is trained."""
    model, words = meant(kind)
    recipe, (settings,) = recipes.compose(
        model, {**words, "precision": precision}, trainer.Config(), package="imagegen"
    )
    return recipes.build(recipe, vocab), settings


def plain(kind: str, vocab: Vocabulary, tokens: Tensor, steps: int) -> Callable[[], float]:
    """Steps of the plain loop, and how many pixels they saw."""
    model = OneHotLSTM(vocab.size) if kind == "lstm" else made(kind, vocab, "fp32")[0].backbone.train()
    logits = model.everywhere if isinstance(model, OneHotLSTM) else model
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)

    def run() -> float:
        for _ in range(steps):
            optimiser.zero_grad()
            F.cross_entropy(logits(tokens).flatten(0, 1), tokens.flatten()).backward()
            optimiser.step()
        return steps * tokens.numel()

    return run


def ours(kind: str, vocab: Vocabulary, tokens: Tensor, steps: int, precision: str) -> Callable[[], float]:
    """Steps of our trainer, and how many pixels they saw."""
    model, settings = made(kind, vocab, precision)
    training = trainer.Training(model, settings, steps=1_000_000, seed=0)
    reports = trainer.steps(training, lambda number: trainer.Batch(tokens, total=len(tokens)))

    def run() -> float:
        return sum(next(reports).tokens for _ in range(steps))

    return run


def main() -> None:
    """Train each backbone both ways, in turn."""
    parser = arguments(str(__doc__))
    parser.add_argument("--only", choices=list(BARS), help="one of the backbones")
    chosen = begin(parser)
    report = Report(chosen)
    shape, steps = ((4, 5), 1) if chosen.quick else ((20, 20), 2)
    vocab = palette(shape)
    for name in [chosen.only] if chosen.only else BARS:
        torch.manual_seed(0)
        tokens = torch.randint(vocab.size, (BATCH[name], shape[0] * shape[1]))
        entries = [Entry("plain loop, fp32", plain(name, vocab, tokens, steps))]
        for precision, bar in (("fp32", None), ("bf16", BARS[name])):
            entries.append(Entry(f"ours, {precision}", ours(name, vocab, tokens, steps, precision), bar))
        report.table(f"{name}, batches of {BATCH[name]}", "pixels per second", in_turn(entries, chosen))
    report.end()


if __name__ == "__main__":
    main()

"""Training on every pixel of a picture: ours beside a plain fp32 loop.

    python benchmarks/targets.py --threads 1
    python benchmarks/targets.py --threads 1 --only lstm

Rows of 400 tokens, as pictures of 20 x 20 pixels in 167 colours, every one a target. Counted are pixels per second of
whole steps: forward, backward and update. Tokens are random: speed does not depend on them.

The plain loop is what one writes first: `F.cross_entropy` over all logits, `torch.optim.Adam` as it comes, fp32. For
the lecture's LSTM (512 cells) it reads one-hot colours into `nn.LSTM`, as that exercise is done, and every pixel is
its target; for other backbones it trains the very module that ours trains. Ours is `textgen.trainer` as `imagegen
train` runs it, with its default clipping and weight averaging, fp32 and bf16.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from imagegen.training import meant
from stepping import palette
from textgen import config, trainer
from textgen.backbone import Vocabulary
from turns import Entry, Report, arguments, begin, in_turn

BARS = {"lstm": 1.7, "pixelcnn": None, "pixelformer": None}
BATCH = {"lstm": 64, "pixelcnn": 16, "pixelformer": 16}
CELLS = 512


class Peer(nn.Module):
    """One-hot colours, one LSTM layer, one linear layer: logits (B, L, V) of every pixel."""

    def __init__(self, colours: int) -> None:
        super().__init__()
        self.colours = colours
        self.lstm = nn.LSTM(colours, CELLS, batch_first=True)
        self.head = nn.Linear(CELLS, colours)

    def forward(self, tokens: Tensor) -> Tensor:
        before = F.pad(F.one_hot(tokens[:, :-1], self.colours).float(), (0, 0, 1, 0))
        return self.head(self.lstm(before)[0])


def plain(model: nn.Module, tokens: Tensor, steps: int) -> Callable[[], float]:
    """Steps of the plain loop, and how many pixels they saw."""
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()

    def run() -> float:
        for _ in range(steps):
            optimiser.zero_grad()
            F.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten()).backward()
            optimiser.step()
        return steps * tokens.numel()

    return run


def ours(kind: str, vocab: Vocabulary, tokens: Tensor, steps: int, precision: str) -> Callable[[], float]:
    """Steps of our trainer, and how many pixels they saw."""
    model, words = meant(kind)
    recipe, (settings,) = config.recipe(model, {**words, "precision": precision}, trainer.Config(), package="imagegen")
    training = trainer.Training(config.build(recipe, vocab), settings, steps=1_000_000, seed=0)
    reports = trainer.train(training, lambda number: trainer.Rows(tokens, len(tokens)))

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
        model, words = meant(name)
        recipe = config.recipe(model, words, package="imagegen")[0]
        peer = Peer(vocab.size) if name == "lstm" else config.build(recipe, vocab).backbone
        entries = [Entry("plain loop, fp32", plain(peer, tokens, steps))]
        for precision, bar in (("fp32", None), ("bf16", BARS[name])):
            entries.append(Entry(f"ours, {precision}", ours(name, vocab, tokens, steps, precision), bar))
        report.table(f"{name}, batches of {BATCH[name]}", "pixels per second", in_turn(entries, chosen))
    report.end()


if __name__ == "__main__":
    main()

"""Training speed of a sentence VAE, ours beside a loop in the style of the classic PyTorch implementation.

    python benchmarks/training.py                # all threads, about six minutes on two cores
    python benchmarks/training.py --threads 1

Both train on the same synthetic corpus: 10,000 words drawn by Zipf's law with favourite successors (so that there is
something to learn), rows as long as those of the Penn Treebank (22.8 tokens on average, at most 60). Counted are real
tokens, stops included, per second of whole steps: batch, forward, backward and update.

The peer is written here after timbmg/Sentence-VAE (same parts and sizes, none of its code): embedding 300 shared by a
GRU encoder, whose last state gives the posterior, and a GRU decoder, both of width 256 over packed sequences; latent
16; batches of 32 random rows; logits and log-softmax over the vocabulary at every position up to the batch's longest
row, padding included; logistic KL annealing; Adam updating one parameter at a time; fp32.

Ours is `textgen.core.trainer` as `textgen train` runs it, with its default clipping and weight averaging: batches of
rows of like length from a Corpus, output layer on real positions only, fused AdamW, fp32 or bf16. Its parts differ
(pooled bidirectional encoder, the code at every step, tied embedding), so its sizes are set to have the peer's weight
count and the peer's output layer, 256 x 10,000, which is three quarters of the arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from corpora.build import from_texts
from corpora.codecs.words import Words
from corpora.corpus import Corpus
from textgen.core import recipes, trainer
from textgen.runs.library import vocabulary
from turns import Entry, Report, arguments, begin, in_turn

VOCABULARY = 10_000
LONGEST = 60
SETTINGS = {
    "embedding": 256,
    "encoder_embedding": 300,
    "width": 256,
    "encoder_width": 128,
    "latent": 16,
    "rate": None,  # the plain ELBO with an annealed KL, as the peer has it
    "kl_warmup": 1.0,
}


def make_corpus(rows: int, seed: int = 0) -> Corpus:
    """A corpus in memory whose words follow Zipf's law; half of them are one of four favourites of the word before."""
    draw = np.random.default_rng(seed)
    size = VOCABULARY - 3  # beside pad, stop and blank
    shares = 1 / np.arange(1, size + 1)
    shares /= shares.sum()
    favourites = draw.choice(size, (size, 4), p=shares)
    lengths = np.clip(draw.gamma(4.5, 22.3 / 4.5, rows), 3, LONGEST - 1).astype(int)
    words = draw.choice(size, lengths.sum(), p=shares)
    follow = draw.random(len(words)) < 0.5
    which = draw.integers(4, size=len(words))
    for place in np.flatnonzero(follow[1:]) + 1:
        words[place] = favourites[words[place - 1], which[place]]
    texts = (" ".join(f"w{word}" for word in row) for row in np.split(words, lengths.cumsum()[:-1]))
    return from_texts(texts, Words([f"w{word}" for word in range(size)]))


class Peer(nn.Module):
    """The classic sentence VAE (Bowman et al. 2016 with GRUs), as its best known implementation lays it out."""

    def __init__(self, vocab: int, embedding: int = 300, width: int = 256, latent: int = 16) -> None:
        super().__init__()
        self.embedding = nn.Embedding(vocab + 1, embedding)  # the last row is the start symbol
        self.encoder = nn.GRU(embedding, width, batch_first=True)
        self.decoder = nn.GRU(embedding, width, batch_first=True)
        self.mean = nn.Linear(width, latent)
        self.log_variance = nn.Linear(width, latent)
        self.first = nn.Linear(latent, width)
        self.output = nn.Linear(width, vocab)
        self.dropout = nn.Dropout(0.5)

    def forward(self, inputs: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Log-probabilities (B, L, V), and the posterior's mean and log variance (B, Z)."""
        embedded = self.embedding(inputs)
        packed = pack_padded_sequence(embedded, lengths, batch_first=True, enforce_sorted=False)
        last = self.encoder(packed)[1][0]
        mean, log_variance = self.mean(last), self.log_variance(last)
        code = mean + (log_variance / 2).exp() * torch.randn_like(mean)
        packed = pack_padded_sequence(self.dropout(embedded), lengths, batch_first=True, enforce_sorted=False)
        outputs = pad_packed_sequence(self.decoder(packed, self.first(code)[None])[0], batch_first=True)[0]
        return self.output(outputs).log_softmax(-1), mean, log_variance


class PeerTraining:
    """The peer's loop: random batches, padded to 60, cut to their longest row."""

    def __init__(self, corpus: Corpus, batch: int, seed: int = 0) -> None:
        rows = corpus.rows("train")
        start, pad, stop = corpus.codec.vocab_size, corpus.codec.pad, corpus.codec.stop
        self.pad = pad
        self.lengths = torch.from_numpy(rows.lengths)
        self.inputs = torch.full((len(rows), LONGEST), pad)
        self.targets = torch.full((len(rows), LONGEST), pad)
        for place, row in enumerate(rows):
            tokens = torch.from_numpy(row.astype(np.int64))
            self.inputs[place, : len(row) + 1] = torch.cat([torch.tensor([start]), tokens])
            self.targets[place, : len(row) + 1] = torch.cat([tokens, torch.tensor([stop])])
        torch.manual_seed(seed)
        self.model = Peer(corpus.codec.vocab_size)
        self.optimiser = torch.optim.Adam(self.model.parameters(), lr=1e-3, foreach=False, fused=False)
        self.batches = self._batches(batch)
        self.step = 0

    def _batches(self, size: int) -> Iterator[Tensor]:
        while True:
            yield from torch.randperm(len(self.lengths)).split(size)

    def update(self) -> tuple[int, float]:
        """One step: how many real tokens it saw, and the negative ELBO in nats per token."""
        rows = next(self.batches)
        lengths = self.lengths[rows]
        targets = self.targets[rows][:, : int(lengths.max())]
        scores, mean, log_variance = self.model(self.inputs[rows], lengths)
        nll = F.nll_loss(scores.flatten(0, 1), targets.flatten(), ignore_index=self.pad, reduction="sum")
        kl = (log_variance.exp() + mean.square() - 1 - log_variance).sum() / 2
        weight = 1 / (1 + math.exp(-0.0025 * (self.step - 2500)))
        self.optimiser.zero_grad()
        ((nll + weight * kl) / len(rows)).backward()
        self.optimiser.step()
        self.step += 1
        tokens = int(lengths.sum())
        return tokens, float(nll.detach() + kl.detach()) / tokens


class OurTraining:
    """`textgen.core.trainer` on batches of a Corpus."""

    def __init__(self, corpus: Corpus, batch: int, precision: str, steps: int, seed: int = 0) -> None:
        words = {**SETTINGS, "precision": precision}
        recipe, (settings,) = recipes.compose("vae", words, trainer.Config(lr_warmup=20, schedule="constant"))
        torch.manual_seed(seed)
        self.model = recipes.build(recipe, vocabulary(corpus.codec))
        training = trainer.Training(self.model, settings, steps=steps, seed=seed)

        def rows(number: int) -> trainer.Batch:
            found = corpus.batch(number, seed, batch)
            return trainer.Batch(torch.from_numpy(found.tokens), total=found.total)

        self.batch = batch
        self.reports = trainer.steps(training, rows)

    def update(self) -> tuple[int, float]:
        """One step: how many real tokens it saw, and the negative ELBO in nats per token."""
        report = next(self.reports)
        nats = report.means["distortion"] + report.means["rate"]
        return report.tokens, nats * self.batch / report.tokens


def until(update: Callable[[], tuple[int, float]], tokens: int, losses: list[tuple[int, float]]) -> Callable[[], float]:
    """Steps until `tokens` tokens are done; every step's tokens and loss go onto `losses`."""

    def run() -> float:
        done = 0
        while done < tokens:
            losses.append(update())
            done += losses[-1][0]
        return done

    return run


def reached(losses: list[tuple[int, float]], tokens: int, last: int) -> float:
    """Mean loss per token over the `last` tokens of the first `tokens`."""
    done = np.cumsum([count for count, _ in losses])
    inside = [
        (count, loss)
        for (count, loss), total in zip(losses, done, strict=True)
        if total - count < tokens and total > tokens - last
    ]
    return sum(count * loss for count, loss in inside) / sum(count for count, _ in inside)


def main() -> None:
    """Measure the peer and ours in turn."""
    parser = arguments(str(__doc__))
    parser.add_argument("--tokens", type=int, default=12_000, help="real tokens per turn (default: 12,000)")
    chosen = begin(parser)
    tokens = 1500 if chosen.quick else chosen.tokens
    corpus = make_corpus(1000 if chosen.quick else 20_000)
    report = Report(chosen)
    lengths = corpus.rows("train").lengths
    report.say("rows", len(lengths), f"{len(lengths):,} rows of {lengths.mean():.1f} tokens on average")

    plans = [("B32, fp32", 32, "fp32", None), ("B128, fp32", 128, "fp32", 2.2)]
    plans += [("B32, bf16", 32, "bf16", None), ("B128, bf16", 128, "bf16", 4.0)]
    peer = PeerTraining(corpus, 32)
    trainings: dict[str, PeerTraining | OurTraining] = {"peer, B32, fp32": peer}
    bars: dict[str, float | None] = {"peer, B32, fp32": None}
    for name, batch, precision, bar in plans:
        steps = (chosen.rounds + 2) * (tokens // (10 * batch) + 2)  # more than will be made
        trainings[f"ours, {name}"], bars[f"ours, {name}"] = OurTraining(corpus, batch, precision, steps), bar
    counts = {name: sum(p.numel() for p in one.model.parameters()) for name, one in list(trainings.items())[:2]}
    report.say("weights", counts, "weights: " + "; ".join(f"{name}: {count:,}" for name, count in counts.items()))

    losses: dict[str, list[tuple[int, float]]] = {name: [] for name in trainings}
    entries = [Entry(name, until(one.update, tokens, losses[name]), bars[name]) for name, one in trainings.items()]
    results = in_turn(entries, chosen)
    report.table("training", "real tokens per second", results)
    seen = min(sum(count for count, _ in found) for found in losses.values())
    ends = {name: reached(found, seen, seen // 4) for name, found in losses.items()}
    starts = {name: found[0][1] for name, found in losses.items()}
    report.say(
        "negative ELBO, nats per token",
        {"tokens": seen, "first": starts, "reached": ends},
        f"\nnegative ELBO in nats per token, at the first step and over the last quarter of {seen:,} tokens:\n"
        + "\n".join(f"{name:42}{starts[name]:>10.2f}{ends[name]:>10.2f}" for name in losses),
    )
    report.end()


if __name__ == "__main__":
    main()

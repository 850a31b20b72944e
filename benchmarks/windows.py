"""The lecture's exercise as it is usually done, beside ours: one target for each window of 100 pixels.

    python benchmarks/windows.py lecture --minutes 5 --model runs/lstm --threads 1

Well-known code for this exercise trains an LSTM of 512 cells on one-hot colours, and for every step reads a window of
100 pixels to predict the one that follows: one target for a hundred steps of the recurrence. It never predicts the
first 100 pixels. This trains such a model, written anew (Adam, 1e-3 after a short warm-up then a cosine, batches of
64 windows), for so many minutes of processor time, keeps the weights that are best on the valid split, and measures
on the split asked for, over the pixels after the first 100:

- NLL, nats per pixel, exact: of the window model given the last 100 pixels, as it was trained; of the model of
  --model (a run of `imagegen train`) given all pixels before;
- right: the share of pixels that the likeliest colour gets right.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import time
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from corpora.corpus import Corpus
from imagegen.pictures.picture_model import PictureModel
from onehot import OneHotLSTM

WINDOW, BATCH, LR = 100, 64, 1e-3


@torch.inference_mode()
def measured(model: OneHotLSTM, tokens: Tensor) -> tuple[float, float]:
    """Nats per pixel and the share of right pixels over those after the first WINDOW, of pictures (N, L)."""
    windows = tokens.unfold(1, WINDOW, 1)[:, :-1].reshape(-1, WINDOW)
    targets = tokens[:, WINDOW:].reshape(-1)
    nll = right = 0.0
    for some, wanted in zip(windows.split(512), targets.split(512), strict=True):
        logits = model(some)
        nll += float(F.cross_entropy(logits, wanted, reduction="sum"))
        right += float((logits.argmax(1) == wanted).sum())
    return nll / len(targets), right / len(targets)


def trained(
    train: Tensor, valid: Tensor, colours: int, minutes: float, seed: int
) -> tuple[OneHotLSTM, dict[str, float]]:
    """The model after so many minutes of processor time, and what it saw."""
    torch.manual_seed(seed)
    model = OneHotLSTM(colours)
    optimiser = torch.optim.Adam(model.parameters(), lr=LR)
    best, kept, steps, looked, spent = math.inf, model, 0, 0.0, 0.0
    began = time.process_time()
    while spent < 60 * minutes:
        share = spent / (60 * minutes)
        optimiser.param_groups[0]["lr"] = LR * min(1, steps / 100) * (1 + math.cos(math.pi * share)) / 2
        rows = torch.randint(len(train), (BATCH,))
        places = torch.randint(train.shape[1] - WINDOW, (BATCH,))
        span = places[:, None] + torch.arange(WINDOW + 1)
        windows = train[rows[:, None], span]
        loss = F.cross_entropy(model(windows[:, :-1]), windows[:, -1])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
        now = time.process_time() - began
        spent += now - looked
        looked = now
        if steps % 300 == 0:  # a few pictures tell when it gets worse; what this takes is not counted
            score = measured(model, valid[:16])[0]
            if score < best:
                best, kept = score, copy.deepcopy(model)
            looked = time.process_time() - began
    return kept.eval(), {
        "steps": steps,
        "targets": steps * BATCH,
        "weights": sum(p.numel() for p in model.parameters()),
    }


def main() -> None:
    """Train, measure, print both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="CORPUS")
    parser.add_argument("--model", help="a run of imagegen train on the same corpus, to stand beside it")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--minutes", type=float, default=5.0, help="processor time of the training (default 5)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor threads (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    corpus = Corpus.open(chosen.data)
    splits = map(corpus.rows, ("train", "valid", chosen.split))
    train, valid, held = (torch.from_numpy(rows.pad(range(len(rows)))) for rows in splits)
    model, facts = trained(train, valid, corpus.codec.vocab_size, chosen.minutes, chosen.seed)
    rows = {"one target per window": measured(model, held)}
    if chosen.model:
        ours = PictureModel.from_pretrained(chosen.model)
        log_p = torch.cat([some[:, WINDOW:] for some in ours.log_probabilities(held)])
        truth = held[:, WINDOW:]
        rows[ours.opened.name] = (
            float(-log_p.gather(2, truth[..., None]).double().mean()),
            float((log_p.argmax(2) == truth).double().mean()),
        )
    if chosen.json:
        print(json.dumps({"split": chosen.split, "pictures": len(held), **facts, "rows": rows}, indent=1))
        return
    print(f"{chosen.data.name}, {chosen.split} split: {len(held)} pictures, the pixels after the first {WINDOW}")
    print(
        f"one target per window: {facts['weights']:,} weights, {facts['steps']:,} steps, {facts['targets']:,} targets"
    )
    for name, (nll, right) in rows.items():
        print(f"  {name:28} {nll:.3f} nats per pixel, {100 * right:.1f} % of pixels right")


if __name__ == "__main__":
    main()

"""What is it worth to ask several models, or one model twice? Likelihoods of held-out pictures under averages.

    python benchmarks/averages.py lecture-views --model runs/a runs/b runs/c --merge 15 --threads 1

CORPUS is a folder that `corpora build` made; the models go pixel by pixel, in the same order over the same palette.
Each row of the table is a distribution over pictures, so its NLL is a likelihood:

- each model by itself;
- the ensemble: at every pixel the mean of the models' probabilities, given the true pixels before;
- both hands: a picture is drawn, and mirrored with probability 1/2: p(x) = (p(x) + p(mirrored x)) / 2;
- ensemble and both hands.

NLL is exact, in nats per pixel; +- is the standard error over pictures. --merge counts colours as one that differ by so
little in red, green and blue (of 255; `Palette.alike`): the cost of each pixel's group given the true pixels before, in
all their colours. That is no distribution over merged pictures, as what comes before tells more than its groups do:
models compare by it, but it cannot be averaged over both hands.
"""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from corpora.errors import InputError
from imagegen.pictures.measures import corpus_of, merged_nll, tokens_of
from imagegen.pictures.picture_model import PictureModel
from textgen.core.figures import picked


def measured(models: list[PictureModel], tokens: Tensor, labels: Tensor, kinds: list[Tensor]) -> Tensor:
    """-log p(x) of each model, and of the mean of their probabilities if they are several, in each of the groups of
    colours `kinds`, (M or M + 1, K, N) nats. Every model reads every picture once."""
    found = []
    for own in zip(*(model.log_probabilities(tokens, label=labels) for model in models), strict=True):
        each = [*own]
        if len(each) > 1:
            each.append(torch.stack(each).logsumexp(0) - math.log(len(own)))
        first = sum(part.shape[2] for part in found)
        some = tokens[first : first + len(own[0])]
        found.append(torch.stack([torch.stack([merged_nll([p], some, groups) for groups in kinds]) for p in each]))
    return torch.cat(found, 2)


def either(nll: Tensor, mirrored: Tensor) -> Tensor:
    """-log of the mean of two probabilities, nats (N,)."""
    return math.log(2) - torch.stack([-nll, -mirrored]).logsumexp(0)


def main() -> None:
    """Measure and print every row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="CORPUS")
    parser.add_argument("--model", nargs="+", required=True, help="runs or model folders")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="pictures drawn by the seed (default 0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--merge", type=int, metavar="X", help="colours alike by X of 255 count as one, too")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor threads (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    models = [PictureModel.from_pretrained(name) for name in chosen.model]
    try:
        corpora = [corpus_of(model, chosen.data) for model in models]
    except InputError as error:
        parser.error(str(error))
    found = corpora[0].rows(chosen.split)
    some = picked(np.random.default_rng(chosen.seed), len(found), chosen.rows)
    (tokens, labels), palette = tokens_of(models[0], found, some), models[0].palette
    mirrored = torch.from_numpy(palette.scan(palette.unscan(tokens.numpy())[..., ::-1]).copy())
    kinds = [torch.arange(palette.vocab_size)]
    if chosen.merge is not None:
        kinds.append(torch.from_numpy(palette.alike(chosen.merge)))
    names = [model.opened.name for model in models] + ["ensemble"] * (len(models) > 1)
    straight, other = measured(models, tokens, labels, kinds), measured(models, mirrored, labels, kinds[:1])
    rows: dict[str, list[tuple[float, float]]] = {}
    for name, own, hand in zip(names, straight, other, strict=True):
        for row, nll in ((name, [*own]), (f"{name}, both hands", [either(own[0], hand[0])])):
            pixels = [each / tokens.shape[1] for each in nll]
            rows[row] = [(float(each.mean()), float(each.std() / len(each) ** 0.5)) for each in pixels]
    colours = [int(groups.max()) + 1 for groups in kinds]
    if chosen.json:
        print(json.dumps({"split": chosen.split, "pictures": len(some), "colours": colours, "rows": rows}, indent=1))
        return
    print(f"{chosen.data.name}, {chosen.split} split, {len(some)} pictures; nats per pixel (bits)")
    print("| | " + " | ".join(f"{count} colours" for count in colours) + " |")
    print("|---" * (len(colours) + 1) + "|")
    for name, cells in rows.items():
        told = [f"{nats:.3f} ± {error:.3f} ({nats / math.log(2):.3f})" for nats, error in cells]
        print(f"| {name} | " + " | ".join(told + [""] * (len(kinds) - len(told))) + " |")


if __name__ == "__main__":
    main()

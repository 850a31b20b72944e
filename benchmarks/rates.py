"""Is the rate what was asked for, and what does it buy? A grid of corpora, backbones and target rates.

    python benchmarks/rates.py ptb yelp coco fiction --backbones lstm transformer wavenet --rates none 8
    python benchmarks/rates.py yelp --rates 2 4 8 16 32 --steps 4000 --plot dial.png

Corpora are folders that `corpora build` made. Each cell is a run of `textgen train` of the same number of steps, in
--out/CORPUS-BACKBONE-RATE; a cell that is there already is not trained again, one that was stopped goes on. `none` is
the plain VAE (rate=none, nothing else), the control, which collapses. Measured on the test split:

- rate: the mean of the exact KL(q(z | x) || N(0, I)), mutual information and active units, over up to 4,000 sentences
  drawn by the seed (so at most 8.29 nats of information); "off": how far the rate is from its target, there and on as
  many sentences of the train split, which the multiplier holds;
- NLL: importance-weighted bound; distortion; BLEU of the greedy reconstruction from the posterior mean: of --rows.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

import textgen
from corpora.corpus import Corpus
from textgen.core import estimators
from textgen.core.model import Latent
from textgen.runs import library
from textgen.runs.run import Run
from textgen.runs.screen import Screen
from textgen.sentences import measures

MOST = 4000  # sentences for the rate, mutual information and active units


def trained(folder: Path, data: Path, backbone: str, rate: str, chosen: argparse.Namespace) -> library.Opened:
    """The run of a cell, made, finished or found."""
    screen = Screen(quiet=True)
    if not (folder / "recipe.json").is_file():
        settings = dict(word.split("=", 1) for word in chosen.settings)
        if backbone != "lstm":  # its settings alone
            settings = {key: value for key, value in settings.items() if key not in ("embedding", "tied")}
        textgen.train(
            [data],
            folder,
            settings={"backbone": backbone, **settings, "rate": rate},
            steps=chosen.steps,
            batch=chosen.batch,
            seed=chosen.seed,
            every=chosen.steps,
            threads=chosen.threads,
            screen=screen,
        )
    elif library.newest_whole(folder)[1]["step"] < chosen.steps:
        Run.open(folder).train(screen, steps=chosen.steps)
    return library.open_model(folder)


def drawn(data: Path, split: str, seed: int) -> list[str]:
    """Up to `MOST` sentences of a split."""
    rows = Corpus.open(data).rows(split)
    order = np.random.default_rng(seed).permutation(len(rows))[:MOST]
    return [rows.text(int(row)) for row in sorted(order)]


def mean_rate(opened: library.Opened, texts: list[str]) -> float:
    """The mean KL(q(z | x) || N(0, I)) of sentences, nats."""
    model, whole = opened.model, measures.Tokenised(opened, texts)
    assert isinstance(model, Latent)
    batches = (whole.padded(batch) for batch in whole.batches(range(len(whole.rows)), 256))
    return float(model.rates(estimators.posteriors(model, batches)).sum(1).mean())


def measured(opened: library.Opened, data: Path, chosen: argparse.Namespace) -> dict[str, float]:
    """The figures of a cell."""
    train, test = (drawn(data, split, chosen.seed) for split in ("train", "test"))
    found = measures.measure(opened, test, where=data.name, rows=chosen.rows, samples=chosen.samples, seed=chosen.seed)
    names = ("distortion", "NLL", "mutual information", "active units", "reconstruction BLEU")
    assert isinstance(opened.model, Latent)
    return {name: found[name] for name in names} | {
        "rate": mean_rate(opened, test),
        "rate, train": mean_rate(opened, train),
        "latent": opened.model.latent or 0,
    }


def row(cell: dict[str, Any]) -> str:
    """A cell as a line of the table."""
    asked, found = cell["asked"], cell["figures"]
    off = "" if asked == "none" else f"{100 * (found['rate'] / float(asked) - 1):+.1f} %"
    held = "" if asked == "none" else f"{100 * (found['rate, train'] / float(asked) - 1):+.1f} %"
    return (
        f"| {cell['corpus']} | {cell['backbone']} | {asked} | {found['rate']:.2f} | {off} | {held} "
        f"| {found['mutual information']:.2f} | {found['active units']:.0f} of {found['latent']:.0f} "
        f"| {found['distortion']:.2f} | {found['NLL']:.2f} | {found['reconstruction BLEU']:.1f} |"
    )


def plot(cells: list[dict[str, Any]], target: Path) -> None:
    """Distortion, NLL and BLEU against the rate, a line for each corpus and backbone."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.4), layout="constrained")
    for corpus, backbone in dict.fromkeys((cell["corpus"], cell["backbone"]) for cell in cells):
        own = [c for c in cells if (c["corpus"], c["backbone"]) == (corpus, backbone) and c["asked"] != "none"]
        own.sort(key=lambda cell: cell["figures"]["rate"])
        rates = [cell["figures"]["rate"] for cell in own]
        for axis, name in zip(axes, ("distortion", "NLL", "reconstruction BLEU"), strict=True):
            axis.plot(rates, [cell["figures"][name] for cell in own], marker="o", label=f"{corpus}, {backbone}")
            axis.set(xlabel="rate (nats per sentence)", title=name, xscale="log")
            axis.set_xticks(rates, [f"{rate:.1f}" for rate in rates], minor=False)
            axis.minorticks_off()
            axis.grid(alpha=0.3)
    for axis, unit in zip(axes, ("nats per sentence", "nats per sentence", "0 to 100"), strict=True):
        axis.set_ylabel(unit)
    axes[0].legend(fontsize=8)
    figure.savefig(target, dpi=130)


def main() -> None:
    """Train, measure and print every cell, as it comes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("corpora", nargs="+", metavar="CORPUS", help="folders that `corpora build` made")
    parser.add_argument("--backbones", nargs="+", default=["lstm"], metavar="NAME")
    parser.add_argument("--rates", nargs="+", default=["none", "8"], metavar="R", help="nats, or none: the plain VAE")
    parser.add_argument("--set", nargs="*", default=[], dest="settings", metavar="KEY=VALUE", help="for every run")
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=500, help="sentences for distortion, NLL and BLEU")
    parser.add_argument("--samples", type=int, default=50, help="K of the importance-weighted bound")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--out", type=Path, default=Path("runs/rates"))
    parser.add_argument("--plot", type=Path, metavar="FILE.png")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write every figure there")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)
    how = f"test split; rates, mutual information and active units of {MOST:,} sentences, the rest of {chosen.rows:,}"
    print(f"{chosen.steps:,} steps of {chosen.batch} rows, seed {chosen.seed}; {how}; NLL by K={chosen.samples}")
    print(
        "| corpus | backbone | target | rate | off | off, train | mutual information | active units "
        "| distortion | NLL | BLEU |\n|---|---|---|---|---|---|---|---|---|---|---|",
        flush=True,
    )
    cells = []
    for data in map(Path, chosen.corpora):
        for backbone in chosen.backbones:
            for rate in chosen.rates:
                opened = trained(chosen.out / f"{data.name}-{backbone}-{rate}", data, backbone, rate, chosen)
                cell = {"corpus": data.name, "backbone": backbone, "asked": rate}
                cells.append({**cell, "figures": measured(opened, data, chosen)})
                print(row(cells[-1]), flush=True)
    if chosen.json:
        chosen.json.write_text(json.dumps(cells, indent=1) + "\n")
    if chosen.plot:
        plot(cells, chosen.plot)


if __name__ == "__main__":
    main()

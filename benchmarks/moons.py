"""Why a VAE: what lies half way between the codes of a crescent and of a full moon?

    python benchmarks/moons.py --plot moons.png             # about six minutes of one core
    python benchmarks/moons.py --rates 2 4 6 none --seeds 0

The lecture's argument: an autoencoder learns to give back the moons it saw, and nothing tells it what a code between
two of theirs should mean. A VAE adds noise to every code, so that a whole region decodes to each moon; where the
regions of two moons meet, what decodes well is a phase between them. Without the term that costs it its noise (the
rate), it learns to make the noise small, and is an autoencoder again.

Trained on the `moons` corpus, which knows nothing but phases, each with codes of 10 numbers where one would do: the
autoencoder, VAEs at the given rates (nats per picture; none: the ELBO, with beta=1) and the VAE with rate=none beta=0.
Encoder, decoder, steps, batches and seeds are the same. Measured, by the likeliest colour of each pixel:

- reconstruction: the test split from its posterior means, pixels that are wrong;
- half way, on the line: straight lines between the codes (posterior means) of --pairs pairs of a crescent and a
  gibbous or full moon, the same for every model. How many pixels of the decoding in the middle, and of all decodings
  between the ends, differ from the nearest of all true phases. 0 is a phase. "two moons laid over each other" is what
  no model at all gives: in the middle the mean of the colours of both, in the nearest colours of the palette;
- between: share of decodings between the ends whose nearest phase lies between those of the ends;
- forward: share of the steps along the line at which the nearest phase does not go back;
- noise: the mean deviation of the posterior, and that over the deviation of the codes themselves over all phases, which
  is what a decoder sees of it: codes can grow in place of the noise shrinking.

Each figure is the mean over pairs and seeds; in brackets the least and the most of the seeds' means.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

import rows
from corpora.build import build
from corpora.corpus import Corpus
from corpora.sources import moons
from imagegen import PictureModel, training
from imagegen.pictures.measures import nearest
from textgen.runs import library
from textgen.runs.run import Run
from textgen.runs.screen import Screen

SMALL = {
    "channels": 16,
    "dropout": 0.0,
    "encoder_width": 16,
    "encoder_embedding": 8,
    "latent": 10,
    "lr": 2e-3,
    "ema": 0.99,
    "precision": "fp32",
}
CRESCENT = 0.1
FINE = 1000  # true phases in half a month


def contestants(rates: list[str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """The kind of each model and the settings that are its own, by name."""
    made: dict[str, tuple[str, dict[str, Any]]] = {"autoencoder": ("autoencoder", {})}
    for rate in rates:
        made["VAE, beta=1" if rate == "none" else f"VAE, rate={rate}"] = ("vae", {"rate": rate})
    return {**made, "VAE without its rate": ("vae", {"rate": "none", "beta": 0.0})}


def pairs(count: int, seed: int) -> list[tuple[float, float]]:
    """The phases of a crescent and of a gibbous or full moon, (count, 2); the first pair is that of the lecture."""
    draw = np.random.default_rng(seed)
    others = zip(draw.uniform(0.05, 0.2, count - 1), draw.uniform(0.35, moons.FULL, count - 1), strict=True)
    return [(CRESCENT, moons.FULL), *((float(one), float(other)) for one, other in others)]


def pictures(model: PictureModel, phases: np.ndarray) -> Tensor:
    """True phases as tokens, (N, L)."""
    return model.tokens([moons.coloured(moons.lit(phase, model.width)) for phase in phases])


def overlaid(model: PictureModel, ends: Tensor, steps: int) -> Tensor:
    """Two moons (2, L) faded into each other, in the nearest colours of the palette, (steps, L)."""
    one, other = (picture.astype(np.float64) for picture in model.pictures(ends))
    shares = np.linspace(0, 1, steps)
    return model.tokens([((1 - share) * one + share * other).round().astype(np.uint8) for share in shares])


def lines(found: list[Tensor], truths: Tensor, phases: np.ndarray, ends: list[tuple[float, float]]) -> dict[str, float]:
    """What the decodings along each pair's line, (steps, L) each, are."""
    middle, along, between, forward = [], [], [], []
    for path, (one, other) in zip(found, ends, strict=True):
        which, off = nearest(path, truths)
        phase = phases[which.numpy()]
        middle.append(100 * float(off[len(off) // 2]))
        along.append(100 * float(off[1:-1].mean()))
        between.append(100 * float(np.mean((phase[1:-1] > one) & (phase[1:-1] < other))))
        forward.append(100 * float(np.mean(np.diff(phase) >= 0)))
    names = ("half way", "on the line", "between", "forward")
    return {name: float(np.mean(values)) for name, values in zip(names, (middle, along, between, forward), strict=True)}


@torch.inference_mode()
def codes(model: PictureModel, truths: Tensor, test: Tensor) -> dict[str, float]:
    """Reconstruction of the test split, and what the codes of all phases are like."""
    figures = {"reconstruction": 100 * float((model.reconstruct(test) != test).double().mean())}
    if model.latent.noise:
        posterior = model.latent.posterior(truths)
        noise, spread = posterior.stddev, posterior.mean.std(0)  # (M, Z), (Z,)
        figures["rate"] = float(model.rates(truths).sum(1).mean())
        figures["noise"] = float(noise.mean())
        figures["relative noise"] = float(noise.mean() / spread.mean())
    return figures


def said(values: list[float], digits: int) -> str:
    """Mean and extremes over the seeds."""
    if not values:
        return ""
    few = f" ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{few}"


COLUMNS = {  # heading and digits
    "reconstruction": ("reconstruction, % wrong", 2),
    "half way": ("half way, % of pixels off a phase", 1),
    "on the line": ("on the line, % off", 1),
    "between": ("between, %", 0),
    "forward": ("forward, %", 0),
    "rate": ("rate, nats per picture", 1),
    "noise": ("noise", 3),
    "relative noise": ("noise / deviation of codes", 3),
}


def row(name: str, found: list[dict[str, float]]) -> str:
    """A contestant as a line of the table."""
    cells = [said([one[key] for one in found if key in one], digits) for key, (_, digits) in COLUMNS.items()]
    return f"| {name} | {' | '.join(cells)} |"


def options() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--rates", nargs="+", default=["4"], metavar="R", help="nats per picture, or none (default: 4)")
    parser.add_argument("--count", type=int, default=2000, help="moons to train on and to test (default: 2000)")
    parser.add_argument("--waning", action="store_true", help="whole months, in place of waxing moons alone")
    parser.add_argument("--steps", type=int, default=500, help="of training (default: 500)")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2], help="of the trainings (default: 0 1 2)")
    parser.add_argument("--pairs", type=int, default=100, help="lines from a crescent on, drawn by seed 0")
    parser.add_argument("--points", type=int, default=9, help="of each line, the ends among them; an odd number")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("runs/moons"),
        help="runs; one that is there is not repeated, one that was stopped goes on",
    )
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="the first seed's lines from crescent to full")
    return parser


def trained(
    chosen: argparse.Namespace, data: Path, name: str, kind: str, own: dict[str, Any], seed: int
) -> PictureModel:
    """The model of a run that is trained, resumed or there already."""
    folder = chosen.out / f"{data.name}-{name.replace(' ', '-')}-{chosen.steps}x{chosen.batch}-{seed}"
    if not (folder / "recipe.json").is_file():
        length = {"steps": chosen.steps, "batch": chosen.batch, "every": chosen.steps, "seed": seed}
        machine = {"threads": chosen.threads, "device": "cpu"}
        settings = {**SMALL, **own}
        training.train([data], folder, model=kind, settings=settings, screen=Screen(quiet=True), **length, **machine)
    elif library.newest_whole(folder)[1]["step"] < chosen.steps:
        Run.open(folder).train(Screen(quiet=True))
    return PictureModel.from_pretrained(folder)


def main() -> None:
    """Train, measure and print every contestant, as it comes."""
    parser = options()
    chosen = parser.parse_args()
    if chosen.points < 3 or chosen.points % 2 == 0:
        parser.error("--points: an odd number, 3 or more, so that one lies half way")
    torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)
    data = chosen.out / f"corpus-{chosen.count}{'-waning' if chosen.waning else ''}"
    if not data.exists():
        build(["moons"], data, settings={"count": str(chosen.count), "waning": str(chosen.waning)})
    corpus = Corpus.open(data)
    ends = pairs(chosen.pairs, 0)
    months = 1.0 if chosen.waning else moons.FULL
    phases = np.linspace(0, months, round(2 * months * FINE) + 1)
    print(
        f"{len(corpus.rows('train'))} different moons, {chosen.steps} steps of {chosen.batch}, seeds "
        f"{', '.join(map(str, chosen.seeds))}; test split of {len(corpus.rows('test'))}; {chosen.pairs} lines"
    )
    headings = " | ".join(heading for heading, _ in COLUMNS.values())
    print(f"| model | {headings} |\n|{'---|' * (len(COLUMNS) + 1)}", flush=True)
    shown: dict[str, list[np.ndarray]] = {}
    for name, (kind, own) in contestants(chosen.rates).items():
        figures = []
        for seed in chosen.seeds:
            model = trained(chosen, data, name, kind, own, seed)
            truths = pictures(model, phases)
            drawn = [pictures(model, np.array(pair)) for pair in ends]
            walks = [model.interpolate(*two, steps=chosen.points) for two in drawn]
            test = torch.from_numpy(corpus.rows("test").pad(range(len(corpus.rows("test")))))
            figures.append({**codes(model, truths, test), **lines(walks, truths, phases, ends)})
            shown.setdefault(name, model.pictures(walks[0]))
        print(row(name, figures), flush=True)
    faded = [overlaid(model, two, chosen.points) for two in drawn]
    name = "two moons laid over each other"
    print(row(name, [lines(faded, truths, phases, ends)]))
    if chosen.plot:
        rows.write(chosen.plot, {**shown, name: model.pictures(faded[0])})


if __name__ == "__main__":
    main()

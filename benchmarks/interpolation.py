"""Latency of one interpolation: 2 sentences encoded, 10 points of 20 tokens decoded, warm; and the command from cold.

    python benchmarks/interpolation.py             # under a minute on two cores
    python benchmarks/interpolation.py --threads 1

Warm: the sizes of the model that ships (vocabulary 8,000, width 512, embedding 256, latent 64), random weights, which
write all 20 tokens: speed depends on neither. Greedy, then with the 10 beams, the re-ranking and the cycle check that
`textgen interpolate` has by default. The contestant to beat decodes the points one after another, greedily, as scripts
in this field do, with the same backbone and carried state. Cold: the whole process of `textgen interpolate` with the
model that ships, from exec to exit, torch's import included.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor

from textgen import config, run, sampler
from textgen.backbone import Vocabulary
from textgen.model import Latent
from turns import Entry, Report, arguments, begin, in_turn

TOKENS, POINTS = 20, 10
VOCAB = Vocabulary(8000, 0, 1, 2)
PAIR = ["i went to the store to buy some groceries", "don't worry about it, she said"]


def model() -> Latent:
    """The shipped sizes, freshly initialised; the stop is made impossible so that every point has all its tokens."""
    recipe, _ = config.recipe("vae", {"width": 512, "embedding": 256, "latent": 64, "encoder_width": 256})
    made = config.build(recipe, VOCAB)
    assert isinstance(made, Latent)
    made.backbone.head.bias.data[VOCAB.stop] = -1e9
    return made.eval()


def codes(made: Latent, tokens: Tensor) -> Tensor:
    """The codes of 10 points between the two rows of `tokens`."""
    ends = made.posterior(tokens).mean
    return torch.stack([ends[0] + number / (POINTS - 1) * (ends[1] - ends[0]) for number in range(POINTS)])


def contestants(made: Latent) -> list[Entry]:
    """Ways to do the same request; each run is one."""
    tokens = torch.randint(3, VOCAB.size, (2, TOKENS), generator=torch.Generator().manual_seed(0))
    greedy = sampler.Choice(temperature=0)

    @torch.inference_mode()
    def one_by_one() -> float:
        for code in codes(made, tokens):
            sampler.sample(made.backbone, VOCAB, rows=1, length=TOKENS, context=code[None], how=greedy)
        return 1

    @torch.inference_mode()
    def together() -> float:
        sampler.sample(made.backbone, VOCAB, rows=POINTS, length=TOKENS, context=codes(made, tokens), how=greedy)
        return 1

    def searched(beams: int) -> Callable[[], float]:
        @torch.inference_mode()
        def work() -> float:
            points = codes(made, tokens)
            found = sampler.beam(
                made.backbone, VOCAB, rows=POINTS, length=TOKENS, beams=beams, context=points
            ).tokens.view(POINTS * beams, -1)
            made.posterior(found)  # the cycle check
            return 1

        return work

    return [
        Entry("greedy, one point after another", one_by_one),
        Entry("ours, greedy", together),
        Entry("ours, 10 beams and cycle check", searched(10)),
    ]


def main() -> None:
    """Measure the warm request in its variants, and the cold command."""
    chosen = begin(arguments(str(__doc__)))
    report = Report(chosen)
    torch.manual_seed(0)
    results = in_turn(contestants(model()), chosen)
    report.table("One warm interpolation", "requests per second", results)
    for result in results:
        milliseconds = 1000 / median(result.rates)
        report.say(result.name, milliseconds, f"{result.name}: {milliseconds:.0f} ms")
    if run.DEFAULT_MODEL in run.shipped():
        command = [sys.executable, "-m", "textgen.cli", "interpolate", *PAIR, "--threads", str(chosen.threads)]
        times = []
        for _ in range(1 if chosen.quick else chosen.rounds):
            start = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.perf_counter() - start)
        report.say("cold", times, f"textgen interpolate, from cold: {median(times):.1f} s (least {min(times):.1f} s)")
    report.end()


if __name__ == "__main__":
    main()

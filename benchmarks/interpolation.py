"""How long one walk between two sentences takes, warm and from a cold start.

    python benchmarks/interpolation.py           # all threads, about a minute
    python benchmarks/interpolation.py --threads 1

Warm: `SentenceVAE.interpolate` on a model of the shipped size (vocabulary 8,000, LSTM 512, embedding 256, latent 64,
encoder 256) with random weights, in fp32: two sentences of 10 words encoded, 10 points decoded to 20 tokens each,
greedily (beams=1), by a beam search of 10 with re-ranking, and as by default, where 28 points are so decoded and 10 of
them kept (pace=text). No row stops early.

The peer does the same greedy walk on the same weights as a plain script would: one sentence encoded at a time, one
point decoded at a time, `nn.LSTM` called with one token and its state. It should find our sentences; where a step of
these untrained weights is nearly a tie, rounding may decide otherwise.

Cold: the whole process `textgen interpolate A B` on the default model, beside one that only imports torch; left out
where no model is shipped.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from torch import Tensor

from corpora.codecs.words import Words
from textgen.core import recipes
from textgen.runs import library
from textgen.sentences.sentence_vae import SentenceVAE
from turns import Entry, Report, arguments, begin, in_turn

SETTINGS = {"width": 512, "embedding": 256, "latent": 64, "encoder_width": 256}
POINTS = 10
LENGTH = 20


def untrained(vocabulary: int) -> SentenceVAE:
    """A model of the shipped size that never stops before `LENGTH` tokens."""
    codec = Words([f"w{number}" for number in range(vocabulary - 3)])
    recipe, _ = recipes.compose("vae", SETTINGS)
    torch.manual_seed(0)
    model = recipes.build(recipe, library.vocabulary(codec)).eval()
    with torch.no_grad():
        for token in (codec.stop, codec.pad, codec.blank):
            model.backbone.head.bias[token] = -1e4
    return SentenceVAE(library.Opened(model, codec, recipe, LENGTH, {}, Path("untrained")))


class Peer:
    """The same walk, one row and one token at a time."""

    def __init__(self, vae: SentenceVAE) -> None:
        self.vae, self.model, self.backbone = vae, vae.model, vae.model.backbone

    @torch.inference_mode()
    def walk(self, start: str, end: str) -> list[str]:
        """The sentences at `POINTS` points of the line between two sentences."""
        first, last = (self.model.posterior(self.vae.tokens([sentence])).mean for sentence in (start, end))
        codes = [first + number / (POINTS - 1) * (last - first) for number in range(POINTS)]
        return [self.vae.codec.decode(self.greedy(code)) for code in codes]

    def greedy(self, code: Tensor) -> list[int]:
        """The most probable token, again and again, from a code (1, Z)."""
        backbone = self.backbone
        state = backbone._first(1, code)
        token = torch.full((1,), backbone.vocab)
        tokens: list[int] = []
        while len(tokens) < LENGTH and self.vae.codec.stop not in tokens:
            inputs = torch.cat([backbone.embedding(token), code], 1)[:, None]  # (1, 1, E + Z)
            outputs, state = backbone.lstm(inputs, state)
            token = backbone.head(torch.cat([outputs[:, 0], code], 1)).argmax(-1)
            tokens.append(int(token))
        return tokens


def walks(walk: Callable[[], object], times: int) -> Callable[[], float]:
    """`times` walks as one turn."""

    def run() -> float:
        for _ in range(times):
            walk()
        return times

    return run


def cold(command: list[str], times: int) -> float:
    """Median seconds of a whole process."""
    found = []
    for _ in range(times):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        found.append(time.perf_counter() - start)
    return median(found)


def main() -> None:
    """Measure the warm walk in turn with the peer's, then the cold start."""
    parser = arguments(str(__doc__))
    chosen = begin(parser)
    report = Report(chosen)
    vae = untrained(300 if chosen.quick else 8000)
    words = [f"w{number}" for number in range(20)]
    ends = " ".join(words[:10]), " ".join(words[10:])
    peer = Peer(vae)
    ours = [point.text for point in vae.interpolate(*ends, steps=POINTS, beams=1, pace="code")]
    same = sum(one == other for one, other in zip(ours, peer.walk(*ends), strict=True))
    report.say("same sentences", same, f"the peer's greedy sentences that are ours: {same} of {POINTS}")

    times = 1 if chosen.quick else 10
    entries = [Entry("peer, greedy, one row at a time", walks(lambda: peer.walk(*ends), times))]
    for beams, pace in ((1, "code"), (10, "code"), (10, "text")):
        how = {"steps": POINTS, "beams": beams, "pace": pace}
        walk = walks(lambda how=how: vae.interpolate(*ends, **how), times)
        entries.append(Entry(f"ours, beams={beams}, pace={pace}", walk))
    results = in_turn(entries, chosen)
    report.table("one walk, warm", "walks per second", results)
    latencies = {result.name: 1000 / median(result.rates) for result in results}
    text = "\n".join(f"{name:42}{value:>10.1f} ms" for name, value in latencies.items())
    report.say("milliseconds", latencies, f"\nmedian latency\n{text}")

    if library.shipped():
        times = 1 if chosen.quick else 5
        bare = cold([sys.executable, "-c", "import torch"], times)
        whole = cold([sys.executable, "-m", "textgen.cli", "interpolate", "it was late .", "she left ."], times)
        text = f"\ncold start: textgen interpolate {whole:.2f} s, of which importing torch {bare:.2f} s"
        report.say("cold start, seconds", {"textgen interpolate": whole, "import torch": bare}, text)
    else:
        report.say("cold start, seconds", None, "\ncold start: no model is shipped here")
    report.end()


if __name__ == "__main__":
    main()

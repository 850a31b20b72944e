"""Sets of sentences to be judged from outside: walks between seeded held-out pairs, their ends and middles, samples.

    python benchmarks/walk_sets.py runs/everyday valid.txt --out sets.json

Pairs and real sentences are drawn from the lines of 4 to 12 words. The JSON has for each set a list of
[group, sentence]; a group is a walk. `interior` has each line of a walk that is neither of its ends, once, `middle`
those of the two points in its middle, `real` 600 lines of the file that are in no pair. The walks, and samples by the
defaults of `textgen sample`, are printed too. Ends are exact up to case and final mark.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from pathlib import Path

import torch

from textgen.runs.library import open_model
from textgen.sentences.sentence_vae import SentenceVAE

MOST, REAL = 200, 600


def plain(sentence: str) -> str:
    """A sentence without case and final mark."""
    return sentence.lower().strip().rstrip(".?!")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a shipped model, a run or a model folder")
    parser.add_argument("sentences", type=Path, help="held-out sentences, one on a line")
    parser.add_argument("--out", type=Path, required=True, help="the JSON to write")
    parser.add_argument("--pairs", type=int, default=40, help=f"walks (default 40, at most {MOST})")
    parser.add_argument("--points", type=int, default=10, help="of each walk (default 10)")
    parser.add_argument("--samples", type=int, default=100, help="default samples (default 100)")
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    lines = [line for line in given.sentences.read_text(encoding="utf-8").splitlines() if 4 <= len(line.split()) <= 12]
    drawn = random.Random(given.seed).sample(lines, 2 * MOST + REAL)
    pairs = list(zip(drawn[: 2 * MOST : 2], drawn[1 : 2 * MOST : 2], strict=True))[: given.pairs]
    vae = SentenceVAE(open_model(given.model))
    sets: dict[str, list[tuple[int, str]]] = {"real": list(enumerate(drawn[2 * MOST :]))}
    sets.update(ends=[], interior=[], middle=[])
    exact, began = 0, time.process_time()
    for first in range(0, len(pairs), 8):
        for number, walk in enumerate(vae.walks(pairs[first : first + 8], steps=given.points), first):
            texts = [point.text for point in walk]
            ends, half = (texts[0], texts[-1]), given.points // 2
            exact += sum(plain(one) == plain(other) for one, other in zip(ends, pairs[number], strict=True))
            sets["ends"] += [(number, text) for text in ends]
            sets["interior"] += [(number, text) for text in dict.fromkeys(texts[1:-1]) if text not in ends]
            middle = dict.fromkeys(texts[half - 1 : half + 1])
            sets["middle"] += [(number, text) for text in middle if text not in ends]
            print("\n".join([f"given {pairs[number][0]}", *texts, f"given {pairs[number][1]}", ""]), flush=True)
    spent = (time.process_time() - began) / len(pairs)
    texts = vae.sample(given.samples, seed=1)
    sets["samples"] = list(enumerate(texts))
    print("\n".join(["samples", *texts]))
    print(f"ends exact: {exact} of {2 * len(pairs)}; {spent:.2f} s of processor time for a walk")
    given.out.write_text(json.dumps(sets), encoding="utf-8")


if __name__ == "__main__":
    main()

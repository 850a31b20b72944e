"""Is a likelihood what it says? Held-out rows as an arithmetic code, whose length is compared with the reported NLL.

    python benchmarks/coding.py pokemon-corpus --model runs/1 --threads 1
    python benchmarks/coding.py ptb --model runs/2 --split valid --rows 200

CORPUS is a folder that `corpora build` made; the model goes pixel by pixel or word by word (a model with codes has a
bound, which no code of this kind attains). The rows are coded by the probabilities of `start` and `step`, those that
the sampler draws from, in exact integers (`textgen/coding.py`), and decoded again by the model alone. The reported NLL
is that of `evaluate`: one forward pass over whole rows. So this shows at once that the probabilities add up to 1, that
no position looks ahead, and that sampling and likelihoods are of one model. The bar: the rows come back as they were,
and the code is within 1 % of the NLL. For comparison, xz on the tokens (a byte each, or two), which knows no train.
"""

from __future__ import annotations

import argparse
import json
import lzma
import math
import time
from pathlib import Path

import numpy as np
import torch

from corpora.corpus import Corpus
from textgen.core import coding, estimators
from textgen.core.model import Autoregressive
from textgen.runs import library

BAR = 0.01  # of the NLL, by which the code may be longer or shorter


def main() -> None:
    """Code, decode, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, metavar="CORPUS")
    parser.add_argument("--model", required=True, help="a run or a model folder")
    parser.add_argument("--split", default="test", help="train, valid or test (default)")
    parser.add_argument("--rows", type=int, default=0, metavar="N", help="rows drawn by the seed (default 0: all)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--batch", type=int, default=128, metavar="N", help="rows coded together (default 128)")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="processor threads (default: all)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    chosen = parser.parse_args()
    torch.set_num_threads(chosen.threads)
    opened, corpus = library.open_model(chosen.model), Corpus.open(chosen.data)
    model = opened.model
    if not isinstance(model, Autoregressive):
        parser.error(f"{opened.name} draws from codes: a bound is no probability that could be coded by")
    if corpus.codec.to_dict() != opened.codec.to_dict():
        parser.error(f"{chosen.data} has another codec than {opened.name}: build it with codec_from=MODEL")
    found = corpus.rows(chosen.split)
    draw = np.random.default_rng(chosen.seed)
    some = np.arange(len(found))
    if 0 < chosen.rows < len(found):
        some = draw.choice(len(found), chosen.rows, replace=False)
    some = some[np.argsort(found.lengths[some], kind="stable")]
    kind = np.uint8 if model.vocab.size <= 256 else np.uint16
    octets, tokens, nll, plain = 0, 0, 0.0, b""
    began = time.perf_counter()
    for first in range(0, len(some), chosen.batch):
        rows = torch.from_numpy(found.pad(some[first : first + chosen.batch]))
        code = coding.encode(model.backbone, model.vocab, rows)
        again = coding.decode(model.backbone, model.vocab, code, *rows.shape)
        assert torch.equal(again, rows), "the rows that came back are not those that were coded"
        octets += len(code)
        tokens += int(model.vocab.mask(rows).sum())
        nll += float(estimators.exact_nll(model, rows).double().sum())
        plain += rows[model.vocab.mask(rows)].numpy().astype(kind).tobytes()
    unit = "pixel" if model.vocab.shape else "token"
    code_nats, reported = 8 * octets * math.log(2) / tokens, nll / tokens
    xz = 8 * math.log(2) * len(lzma.compress(plain, preset=9 | lzma.PRESET_EXTREME)) / tokens
    off = code_nats / reported - 1
    facts = {
        "model": opened.name, "data": f"{chosen.data.name}, {chosen.split} split", "rows": len(some), "bytes": octets,
        f"{unit}s": tokens, "code": code_nats, "reported": reported, "off": off, "xz": xz, "met": abs(off) <= BAR,
        "seconds": time.perf_counter() - began,
    }  # fmt: skip
    if chosen.json:
        print(json.dumps(facts, indent=1))
        return
    print(f"{opened.name} on {facts['data']}: {len(some):,} rows, {tokens:,} {unit}s, all of them came back")
    print(f"  code, {octets:,} bytes       {code_nats:.4f} nats per {unit} ({code_nats / math.log(2):.4f} bits)")
    print(f"  NLL, one forward pass    {reported:.4f} nats per {unit} ({reported / math.log(2):.4f} bits)")
    print(f"  xz, of the tokens        {xz:.4f} nats per {unit} ({xz / math.log(2):.4f} bits)")
    print(f"  the code is {100 * off:+.3f} % off; bar {100 * BAR:g} %: {'met' if facts['met'] else 'NOT met'}")


if __name__ == "__main__":
    main()

"""Pairs of held-out sentences to walk between.

They are drawn by a seed. Each sentence is used once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Annotated, Any

from typer import Option

from corpora.commands import new_file
from corpora.errors import InputError
from textgen.runs import options as o
from textgen.sentences.benchmark import run
from textgen.sentences.benchmark.judge import Report
from textgen.sentences.units import spaced, units


def pairs(
    data: o.Data,
    out: Annotated[str, Option(metavar="PAIRS.tsv", help="the file to write")],
    n: Annotated[int, Option("-n", min=1, max=1_000_000, metavar="N", help="pairs to draw")] = 200,
    split: o.Split = "test",
    max_words: Annotated[
        int, Option(min=1, max=1_000_000, metavar="N", help="of a sentence; characters without spaces")
    ] = 12,
    skip: Annotated[
        int,
        Option(min=0, max=1_000_000, metavar="N", help="leave out the first N pairs of this seed: those used before"),
    ] = 0,
    seed: o.Seed = 0,
    force: o.Force = False,
    as_json: o.Json = False,
) -> int:
    """Draw pairs of different sentences, for `textgen benchmark interpolation`.

      textgen benchmark pairs fiction --split test -n 200 --seed 0 --max-words 12 --out pairs.tsv

      textgen benchmark pairs fiction --split test -n 400 --skip 200 --out fresh.tsv

    No sentence is in two pairs, so pairs are independent of each other, as confidence intervals take them to be. The
    first N pairs of a seed are the same whatever -n is: with --skip N come pairs that no earlier choice has seen.
    """
    new_file(out, out, force)
    return run(main, locals())


def main(chosen: SimpleNamespace, opening: Callable[..., Any]) -> Report:
    """The command: write the pairs of `draw`. Raises InputError for bad input."""
    from corpora import files
    from textgen.sentences import measures

    texts, where = measures.texts(Path(chosen.data), chosen.split)
    pairs = draw(texts, chosen.n, max_words=chosen.max_words, seed=chosen.seed, skip=chosen.skip)
    out = Path(chosen.out)
    with files.explained(out):
        files.replace_file(out, "".join(f"{one}\t{other}\n" for one, other in pairs).encode())
    facts: dict[str, Any] = {"out": str(out), "pairs": len(pairs), "data": where, "seed": chosen.seed}
    facts["skipped"] = chosen.skip
    after = f", after the first {chosen.skip}" if chosen.skip else ""
    return Report(f"{out}: {len(pairs)} pairs from {where}, seed {chosen.seed}{after}", facts, [])


def draw(
    texts: Sequence[str], count: int, *, max_words: int = 12, seed: int = 0, skip: int = 0
) -> list[tuple[str, str]]:
    """`count` pairs of different texts of at most `max_words` words (characters in a script without spaces), after the
    first `skip` of the same seed.

    No text is in two pairs, up to case and punctuation. Raises InputError if there are too few.
    """
    import numpy as np

    from corpora.row import clean, near_key

    by_word = spaced(texts)
    cleaned = {near_key(text): clean(text) for text in texts}
    kept = [text for text in cleaned.values() if 1 <= len(units(text, by_word)) <= max_words]
    if len(kept) < 2 * (count + skip):
        unit = "words" if by_word else "characters"
        raise InputError(
            f"{len(kept)} different sentences of at most {max_words} {unit}: "
            f"{count + skip} pairs take {2 * (count + skip)}; "
            "ask for fewer pairs (-n) or longer sentences (--max-words)"
        )
    rows = np.random.default_rng(seed).permutation(len(kept))[2 * skip : 2 * (skip + count)].tolist()
    return [(kept[one], kept[other]) for one, other in zip(rows[::2], rows[1::2], strict=True)]

"""Pairs of held-out sentences to walk between: drawn by a seed, each sentence used once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser
from corpora.errors import InputError
from textgen.sentences.benchmark.judge import Report
from textgen.sentences.units import spaced, units

if TYPE_CHECKING:
    import argparse

    from textgen.runs.library import Opened

_ABOUT = """\
Draw pairs of different sentences, for `textgen benchmark interpolation`.

  textgen benchmark pairs fiction --split test -n 200 --seed 0 --max-words 12 --out pairs.tsv

No sentence is in two pairs, so pairs are independent of each other, as confidence intervals take them to be."""


def arguments(add: Callable[..., Parser]) -> None:
    """Make the parser of this verb; `add(help, description, model=...)` gives one."""
    made = add("draw pairs of held-out sentences for the others", _ABOUT, model=False)
    made.add_argument("data", metavar="CORPUS|FILE", help="a folder that `corpora build` made, or a text file")
    made.add_argument("--split", default="test", help="of a corpus: train, valid or test (default)")
    made.add_argument("-n", type=int, default=200, metavar="N", help="how many pairs (default 200)")
    made.add_argument(
        "--max-words", type=int, default=12, metavar="N", help="of a sentence; characters without spaces (default 12)"
    )
    made.add_argument("--seed", type=int, default=0, metavar="N", help="which are drawn (default 0)")
    made.add_argument("--out", required=True, metavar="PAIRS.tsv", help="the file to write")
    made.add_argument("--json", action="store_true", help="print the outcome as JSON")


def main(chosen: argparse.Namespace, open_model: Callable[[], Opened]) -> Report:
    """The command: write the pairs of `draw`. Raises InputError for bad input."""
    for name in ("n", "max_words"):
        if not 1 <= getattr(chosen, name) <= 1_000_000:
            option = "-n" if name == "n" else "--max-words"
            raise InputError(f"{option} {getattr(chosen, name)}: expected 1 to 1,000,000")
    from corpora import files
    from textgen.sentences import measures

    texts, where = measures.texts(Path(chosen.data), chosen.split)
    pairs = draw(texts, chosen.n, max_words=chosen.max_words, seed=chosen.seed)
    out = Path(chosen.out)
    with files.explained(out):
        files.replace_file(out, "".join(f"{one}\t{other}\n" for one, other in pairs).encode())
    facts: dict[str, Any] = {"out": str(out), "pairs": len(pairs), "data": where, "seed": chosen.seed}
    return Report(f"{out}: {len(pairs)} pairs from {where}, seed {chosen.seed}", facts, [])


def draw(texts: Sequence[str], count: int, *, max_words: int = 12, seed: int = 0) -> list[tuple[str, str]]:
    """`count` pairs of different texts of at most `max_words` words (characters in a script without spaces).

    No text is in two pairs, up to case and punctuation. Raises InputError if there are too few.
    """
    import numpy as np

    from corpora.row import clean, near_key

    words = spaced(texts)
    cleaned = {near_key(text): clean(text) for text in texts}
    kept = [text for text in cleaned.values() if 1 <= len(units(text, words)) <= max_words]
    if len(kept) < 2 * count:
        unit = "words" if words else "characters"
        raise InputError(
            f"{len(kept)} different sentences of at most {max_words} {unit}: {count} pairs take {2 * count}; "
            "ask for fewer pairs (-n) or longer sentences (--max-words)"
        )
    rows = np.random.default_rng(seed).permutation(len(kept))[: 2 * count].tolist()
    return [(kept[one], kept[other]) for one, other in zip(rows[::2], rows[1::2], strict=True)]

"""Sentences made on the spot by a small grammar: `the small cat sees a red bird`. For trying things out and for tests.

A row is drawn from (toy_seed, its number) alone. The label says whether an animal or a person is the subject.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from corpora.errors import InputError
from corpora.row import Row
from corpora.settings import Settings, setting

ANIMALS = ("cat", "dog", "bird", "horse", "mouse", "fox")
PEOPLE = ("girl", "boy", "king", "queen", "farmer", "sailor")
THINGS = ("ball", "book", "boat", "flower", "stone", "drum")
PLACES = ("river", "house", "garden", "hill", "bridge")
ADJECTIVES = ("small", "big", "red", "black", "white", "young", "happy", "quiet")
SEES = ("sees", "likes", "finds", "follows", "hears", "wants")
RESTS = ("sleeps", "sings", "runs", "waits", "laughs", "dances")
NEAR = ("near", "behind", "under")
HOW = ("slowly", "often", "today", "again")

MODALITY = "text"


@dataclass(frozen=True)
class Config(Settings):
    """Settings of the toy grammar."""

    count: int = setting(2000, "sentences", low=3, high=100_000_000, unit="sentences")
    toy_seed: int = setting(0, "which sentences")


def accepts(address: str) -> bool:
    """Whether this source is meant when none is named."""
    return address == "toy"


def read(inputs: Sequence[str], config: Config) -> Iterator[Row]:
    """`count` rows; the inputs may be nothing or `toy`."""
    if any(address != "toy" for address in inputs):
        raise InputError("the toy source reads no files: write `toy` in place of a file name")
    for number in range(config.count):
        # Python seeds from a string through SHA-512, the same in every version and process.
        yield _sentence(random.Random(f"{config.toy_seed}/{number}"))


def _sentence(draw: random.Random) -> Row:
    label, nouns = draw.choice((("animal", ANIMALS), ("person", PEOPLE)))
    parts = _noun(draw, nouns)
    shape = draw.randrange(5)
    if shape == 0:
        parts += [draw.choice(RESTS)]
    elif shape == 1:
        parts += [draw.choice(RESTS), draw.choice(NEAR), "the", draw.choice(PLACES)]
    elif shape == 2:
        parts += ["is", draw.choice(ADJECTIVES)]
    else:
        parts += [draw.choice(SEES), *_noun(draw, draw.choice((ANIMALS, PEOPLE, THINGS)))]
        if shape == 4:
            parts += [draw.choice(NEAR), "the", draw.choice(PLACES)]
    if draw.random() < 0.25:
        parts.append(draw.choice(HOW))
    return Row(" ".join(parts), label)


def _noun(draw: random.Random, nouns: Sequence[str]) -> list[str]:
    adjective = [draw.choice(ADJECTIVES)] if draw.random() < 0.4 else []
    return [draw.choice(("the", "a")), *adjective, draw.choice(nouns)]

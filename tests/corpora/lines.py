"""Lines to build corpora of."""

from __future__ import annotations

TOY = {"count": "600", "codec": "words"}


def numbered(count: int, words: int = 6) -> list[str]:
    """Lines that differ in letters, since digits count as the same."""
    names = ["ab", "cd", "ef", "gh", "ij", "kl", "mn", "op", "qr", "st"]
    return [" ".join([names[int(d)] for d in f"{i:05d}"] + ["x"] * (i * 7 % words)) for i in range(count)]

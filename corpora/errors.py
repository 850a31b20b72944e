"""The one error that a person is meant to read (one line: what is wrong, where, what to do), and parts of messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

_MOST_NAMED = 30  # choices in a message


class InputError(ValueError):
    """Something that came from outside is not usable. Command lines print its text as one line and exit with 2."""


def quoted(value: object, limit: int = 80) -> str:
    """A value from outside as it may stand in a message: escaped, on one line, and cut."""
    text = repr(value)
    return text if len(text) <= limit else text[: limit - 4] + "..." + text[0]


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its noun: `1 row`, `2,000 rows`; `several` where an s does not make the plural."""
    return f"{number:,} {one if number == 1 else several or f'{one}s'}"


def choose(what: str, name: str, choices: Iterable[str]) -> str:
    """Return `name` if it is one of `choices`; otherwise raise an InputError that offers the nearest."""
    known = sorted(choices)
    if name in known:
        return name
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]!r}? " if near else ""
    more = f", ... ({len(known):,} in all)" if len(known) > _MOST_NAMED else ""
    raise InputError(f"no {what} {quoted(name)}: {hint}choose from {', '.join(known[:_MOST_NAMED]) or '(none)'}{more}")

"""The rows of docs/formats.md: a situation, its outcome, and the function that tests it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from desk import Desk

Test = Callable[[Desk], None]


class Case(NamedTuple):
    """A row of the table, and its test."""

    group: str
    situation: str
    outcome: str
    test: Test


CASES: dict[str, Case] = {}


def group(title: str) -> Callable[..., Callable[[Test], Test]]:
    """A decorator `case(situation, outcome)` that makes a function the test of a row under this title.

    The row has the name of the function, or `name`.
    """

    def case(situation: str, outcome: str, *, name: str = "") -> Callable[[Test], Test]:
        def register(test: Test) -> Test:
            key = name or test.__name__
            assert key not in CASES, key
            assert outcome.startswith(("read", "refused", "told")), key
            CASES[key] = Case(title, situation, outcome, test)
            return test

        return register

    return case


def table() -> str:
    """The tables of the document."""
    parts = []
    for title in dict.fromkeys(one.group for one in CASES.values()):
        rows = [f"| {one.situation} | {one.outcome} | `{key}` |" for key, one in CASES.items() if one.group == title]
        parts.append("\n".join([f"## {title}", "", "| you have | what happens | test |", "|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"

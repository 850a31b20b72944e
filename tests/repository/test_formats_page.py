"""docs/formats.md and its tests say the same: every row has its case, and every case its row."""

from __future__ import annotations

import sys
from pathlib import Path

TESTS = Path(__file__).parents[1]
sys.path.insert(0, str(TESTS / "corpora"))

import cases  # noqa: E402
import test_formats  # noqa: E402

ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in test_formats.DOCUMENT.read_text().splitlines()
    if line.startswith("| ") and not line.startswith("| you have")
]


def test_every_row_has_its_case_and_every_case_its_row():
    expected = [[case.situation, case.outcome, f"`{name}`"] for name, case in cases.CASES.items()]
    assert expected == ROWS, "run `python tests/corpora/test_formats.py`, which writes the tables"


def test_there_are_many_and_each_says_what_happens():
    assert len(ROWS) >= 120
    assert all(outcome.startswith(("read", "refused", "told")) for _, outcome, _ in ROWS)
    assert len({situation + name for situation, _, name in ROWS}) == len(ROWS)


def test_the_tables_are_as_they_are_written():
    assert test_formats.DOCUMENT.read_text().endswith(cases.table())

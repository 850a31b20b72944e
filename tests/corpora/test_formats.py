"""docs/formats.md, row by row: what people have, and what a build makes of it.

A case is a function under `@case(situation, outcome)` in one of the files `cases_*.py`. It puts its own small files on
a desk, runs the real command, and checks rows, labels, pixels, notes, or the one line of the error. The outcome begins
with `read`, `refused` or `told` (read, and a note says what was changed, left out or guessed). The tables of the
document are written from the cases:

    python tests/corpora/test_formats.py

A test of the repository holds the two together.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
from cases import CASES, table
from desk import Desk

DOCUMENT = Path(__file__).parents[2] / "docs" / "formats.md"
for part in ("text", "tables", "pictures", "sound"):  # in the order of the document
    importlib.import_module(f"cases_{part}")


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys) -> Desk:
    monkeypatch.chdir(tmp_path)
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize("name", CASES)
def test_format(name, desk):
    CASES[name].test(desk)


def main() -> None:
    """Write the tables into the document, under its head."""
    head = DOCUMENT.read_text().partition("\n## ")[0].rstrip()
    DOCUMENT.write_text(f"{head}\n\n{table()}")


if __name__ == "__main__":
    main()

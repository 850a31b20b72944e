"""Laws of the tables of results: each row says what it was measured on, and by which rows it was chosen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import corpora

FOLDER = Path(corpora.__file__).parents[1] / "docs" / "results"
PAGES = [path for path in sorted(FOLDER.glob("*.md")) if path.name != "speed.md"]  # times have no split
CHOSEN = {"train", "valid", "test", "other", "none"}
SPLITS = re.compile(r"(train|valid|test|none|held-out)?(, .*)?")
CHOICE = "Chosen by:"  # a line after which commands stand that made a choice
PICK = re.compile(r"(textgen|imagegen) (evaluate|novelty|benchmark (pairs|samples|attribute|likelihood))\b")


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").replace(r"\|", "/").split("|")]


def tables(path: Path) -> Iterator[tuple[list[str], list[list[str]]]]:
    """The heads and the rows of the tables of a page; but not the list of pages."""
    block: list[str] = []
    for line in [*path.read_text().split("\n"), ""]:
        if line.startswith("|"):
            block.append(line)
        elif block:
            head = cells(block[0])
            if head != ["page", "answers"]:
                yield head, [cells(row) for row in block[2:]]
            block = []


def blocks(text: str) -> Iterator[list[str]]:
    """The commands after each line that says that they made a choice."""
    lines = text.split("\n")
    for number, line in enumerate(lines):
        if line.endswith(CHOICE):
            yield [one.strip() for one in _indented(lines[number + 1 :])]


def _indented(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if line.strip() and not line.startswith("    "):
            return
        if line.strip():
            yield line


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_table_names_its_split_and_what_it_was_chosen_on(path):
    for head, rows in tables(path):
        assert "chosen on" in head, f"{path.name}: {head}"
        split = next((n for n, name in enumerate(head) if name.startswith("split")), None)
        assert split is not None, f"{path.name}: {head}"
        for row in rows:
            assert len(row) == len(head), f"{path.name}: {row}"
            assert row[head.index("chosen on")] in CHOSEN, f"{path.name}: {row}"
            assert SPLITS.fullmatch(row[split]), f"{path.name}: {row}"


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_with_rows_chosen_on_test_says_so_in_words(path):
    chosen = {row[head.index("chosen on")] for head, rows in tables(path) for row in rows}
    assert "test" not in chosen or "chosen on test" in " ".join(path.read_text().split()), path.name


@pytest.mark.parametrize("path", [*PAGES, *(FOLDER.parent / "recipes").glob("*.md")], ids=lambda path: path.name)
def test_commands_of_a_choice_name_the_valid_split(path):
    for commands in blocks(path.read_text()):
        assert commands, f"{path.name}: no command after {CHOICE!r}"
        measured = [command for command in commands if PICK.match(command)]
        assert measured, f"{path.name}: nothing is measured by {commands}"
        for command in measured:
            assert "--split valid" in command, f"{path.name}: {command}"


def test_there_are_commands_of_choices():
    assert sum(1 for path in PAGES for _ in blocks(path.read_text())) >= 3

"""Laws of the words: the field's terms and plain English, in code and in documents.

A retired word is written with its replacement, so that a failure says what to write. Code blocks of documents are not
read: what a model wrote is nobody's choice of words.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import corpora

ROOT = Path(corpora.__file__).parents[1]
CODE = [path for package in ("corpora", "textgen", "imagegen") for path in sorted((ROOT / package).rglob("*.py"))]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
TREES = {path: ast.parse(path.read_text()) for path in CODE}

RETIRED = {
    r"stands? (?:verbatim )?in (?:the )?train": "verbatim in train",
    r"\bby heart\b": "memorised",
    r"\b(?:begun|begins?|began|start(?:s|ed)?) (?:\w+ )?(?:afresh|anew)\b": "re-initialised",
    r"\bhang(?:s|ing)? on\b": "depends on",
    r"\blikeliest\b": "most probable",
    r"\bsurest\b": "best of N by NLL per token",
    r"\bwhat stands for\b": "class embedding, concatenated to z",
    r"\bbest checkpoint has least\b": "selection score, lower is better",
    r"\bwords? that (?:are|is) none\b": "invented words",
    r"\bwhatever came\b": "not selected",
    r"\blogvar\b": "log_std",
}
CLASSES = {"Noise": "Corruption"}
FUNCTIONS = {"meant": "resolve_kind", "reading": "Corruption", "told": "say what is returned"}
OF_KINDS = {("among", "Processes"): "world", ("among", "trainer.Processes"): "world"}  # of parameters, by annotation
LOCALS = {"found", "given", "told", "made", "words"}
RIDDLES = ("What", "Which", "Who", "How")
# A term, and what a page that uses it has to say somewhere.
EXPLAINED = {
    r"\bnats\b": r"units? of information|how-to-read-the-numbers|1\.44 bits",
    r"\bactive units\b": r"numbers? of (?:the|a) code|how-to-read-the-numbers",
    r"\bpalettes?\b": r"list of (?:the )?colours",
}


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(path: Path) -> list[str]:
    """The lines of a document, with those of its code blocks made empty."""
    lines, fenced = [], False
    for line in path.read_text().splitlines():
        fence = line.startswith("```")
        fenced ^= fence
        lines.append("" if fence or fenced or line.startswith("    ") else line)
    return lines


def retired(lines: list[str]) -> Iterator[str]:
    """The retired words in some lines, also those that are broken over two of them."""
    text = "\n".join(lines)
    for pattern, better in RETIRED.items():
        for match in re.finditer(pattern.replace(" ", r"[\s#]+"), text, re.IGNORECASE):
            yield f"line {text.count(chr(10), 0, match.start()) + 1}: {' '.join(match[0].split())!r}: write {better!r}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_documents_have_no_retired_words(path):
    assert list(retired(prose(path))) == []


@pytest.mark.parametrize("path", CODE, ids=name)
def test_code_has_no_retired_words(path):
    assert list(retired(path.read_text().splitlines())) == []


def parameters(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) -> list[ast.arg]:
    every = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    return [one for one in every if one]


def retired_parameter(parameter: ast.arg) -> str:
    """Advice for a name that is retired, or that says nothing."""
    kind = ast.unparse(parameter.annotation) if parameter.annotation else ""
    return OF_KINDS.get((parameter.arg, kind), "say what it holds" if parameter.arg in LOCALS else "")


def names(tree: ast.AST) -> Iterator[str]:
    """The names of a module that are retired: of classes, functions, parameters and variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef) and node.name in CLASSES:
            yield f"{node.lineno}: class {node.name}: write {CLASSES[node.name]}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name in FUNCTIONS:
            yield f"{node.lineno}: def {node.name}: write {FUNCTIONS[node.name]}"
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            for one in parameters(node):
                if advice := retired_parameter(one):
                    yield f"{node.lineno}: parameter {one.arg}: {advice}"
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in LOCALS:
            yield f"{node.lineno}: variable {node.id}: say what it holds"


@pytest.mark.parametrize("path", CODE, ids=name)
def test_names_say_what_they_hold(path):
    assert list(names(TREES[path])) == []


def documented(node: ast.AST) -> Iterator[ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """A module, and the public classes, functions and methods in it."""
    if isinstance(node, ast.Module):
        yield node
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            yield child
            if isinstance(child, ast.ClassDef):
                yield from documented(child)


@pytest.mark.parametrize("path", CODE, ids=name)
def test_docstrings_open_with_a_noun_or_an_imperative(path):
    riddles = []
    for node in documented(TREES[path]):
        first = (ast.get_docstring(node) or "").partition("\n")[0]
        if re.match(rf"(?:{'|'.join(RIDDLES)})\b", first):
            riddles.append(f"{getattr(node, 'name', 'module')}: {first[:60]}")
    assert riddles == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=name)
def test_a_page_explains_its_terms(path):
    if "recipes" in path.parts:
        pytest.skip("a recipe goes into a model's folder, for those who know the terms")
    text = "\n".join(prose(path))
    used = {term: why for term, why in EXPLAINED.items() if re.search(term, text, re.IGNORECASE)}
    assert [term for term, why in used.items() if not re.search(why, " ".join(text.split()))] == []

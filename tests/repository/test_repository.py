"""Laws of the code as text: which way imports point, what is never called, and that the documents tell the truth."""

from __future__ import annotations

import ast
import importlib
import inspect
import itertools
import re
import shlex
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer

import corpora
from corpora import cli as corpora_cli
from corpora import codec, commands, settings
from corpora.commands import Verb
from corpora.errors import InputError
from corpora.modalities import picture as picture_modality
from corpora.modalities import text as text_modality
from imagegen import cli as imagegen_cli
from textgen import cli as textgen_cli
from textgen.core import recipes, sampler, trainer

ROOT = Path(corpora.__file__).parents[1]
PACKAGES = ("corpora", "textgen", "imagegen")
# Layers, lowest first: a module imports from its own layer and from those below it. A file belongs to the layer of the
# longest prefix that fits, so that a new file is placed by its folder alone.
LAYERS = [
    ("corpora",),
    ("textgen.core",),
    ("textgen.backbones", "textgen.encoders", "textgen.priors", "textgen.models"),
    ("imagegen.raster", "imagegen.backbones", "imagegen.encoders", "imagegen.models"),
    ("textgen.runs",),
    ("textgen.sentences", "imagegen.pictures"),
    ("textgen", "imagegen"),  # verbs, options, cli
]
FOUNDATION = {"corpora.errors", "corpora.settings", "corpora.files"}
LEAVES = [folder for layer in LAYERS[2:4] for folder in layer]
PARTS = tuple(f"{folder}." for folder in [*LEAVES, "corpora.sources", "corpora.codecs", "corpora.modalities"])


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


FILES = {module_name(path): path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))}
TREES = {name: ast.parse(path.read_text()) for name, path in FILES.items()}
every_module = pytest.mark.parametrize("name", FILES)


def statements(node: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only the type checker sees."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            for other in child.orelse:
                yield other
                yield from statements(other)
            continue
        yield child
        yield from statements(child)


@cache
def imports(name: str, typing: bool = False) -> set[str]:
    """The modules that a module imports, at its head or inside a function; ours by their full names. `typing`: those
    that only the type checker sees, too."""
    found = set()
    for node in ast.walk(TREES[name]) if typing else statements(TREES[name]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name}:{node.lineno}: a relative import"
            inside = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {one if one in FILES else str(node.module) for one in inside}
    return found


def ours(name: str, typing: bool = False) -> set[str]:
    return {one for one in imports(name, typing) if one.partition(".")[0] in PACKAGES}


# ---------------------------------------------------------------------------------------------------- imports


def layer(name: str) -> int:
    """The number of the layer that a module lies in, by the longest prefix."""
    fits = [
        (len(prefix), n) for n, layer in enumerate(LAYERS) for prefix in layer if f"{name}.".startswith(f"{prefix}.")
    ]
    return max(fits)[1]


@every_module
def test_imports_go_down(name):
    """Imports inside functions count too. A package's own `__init__` may name what lies in it."""
    if FILES[name].name == "__init__.py" and "." not in name:
        return
    for other in ours(name) - set(PACKAGES):
        assert layer(other) <= layer(name), f"{name} imports {other}, which lies above it"


def test_there_is_no_cycle():
    """Not even through an import inside a function or for the type checker: every module can be put after all that it
    imports."""
    left = {name: {one for one in ours(name, typing=True) if one in FILES} - {name, *PACKAGES} for name in FILES}
    left = {name: needs for name, needs in left.items() if name not in PACKAGES}
    while ready := {name for name, needs in left.items() if not needs & left.keys()}:
        left = {name: needs for name, needs in left.items() if name not in ready}
    assert not left, f"a cycle among {', '.join(sorted(left))}"


def test_corpora_imports_nothing_of_the_packages_above_it():
    for name in FILES:
        if name.partition(".")[0] == "corpora":
            assert {one.partition(".")[0] for one in ours(name)} <= {"corpora"}, name


def test_the_foundation_stands_on_errors_alone():
    for name in FOUNDATION:
        assert ours(name) <= {"corpora.errors"}, name


def test_core_and_leaves_know_no_corpus():
    """They are about rows of tokens: of `corpora` they know errors, settings and files alone."""
    for name in FILES:
        if 1 <= layer(name) <= 3:
            assert {one for one in ours(name) if one.startswith("corpora")} <= FOUNDATION, name


def test_textgen_imports_nothing_of_imagegen():
    for name in FILES:
        if name.partition(".")[0] == "textgen":
            assert not any(one.startswith("imagegen") for one in ours(name)), name


# ------------------------------------------------------------------------------------------------ never called

UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml", "_pickle", "jsonpickle"}
UNSAFE_CALLS = {"torch.load", "torch.save", "torch.hub.load", "os.system", "os.popen", "eval", "exec", "__import__"}


@every_module
def test_nothing_is_called_that_can_run_code_from_a_file(name):
    assert not {one.partition(".")[0] for one in imports(name)} & UNSAFE_MODULES
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.Call):
            where = f"{name}:{node.lineno}"
            assert ast.unparse(node.func) not in UNSAFE_CALLS, where
            for keyword in node.keywords:
                said = f"{keyword.arg}={ast.unparse(keyword.value)}"
                assert said not in ("allow_pickle=True", "shell=True", "trust_remote_code=True"), where
        elif isinstance(node, ast.ImportFrom) and node.module == "torch":
            assert not {"load", "save"} & {alias.name for alias in node.names}, f"{name}:{node.lineno}"


def test_modules_are_imported_by_name_in_few_places_alone():
    """By `settings`, which looks names up among our own files, by `commands`, which has them from a table of ours, and
    for the public names of a package."""
    found = {name for name, tree in TREES.items() if "import_module" in ast.unparse(tree)}
    assert found <= {"corpora.settings", "corpora.commands", "corpora", "textgen", "imagegen"}


# ---------------------------------------------------------------------------------------------------- settings


def found(package: str) -> dict[str, type]:
    return {name: settings.find(package, name).Config for name in settings.names(package)}


FOR_PICTURES = [folder for kind in recipes.PACKAGES for folder in recipes.folders("imagegen", kind)[:-1]]
CONFIGS = {
    f"{package}.{name}": kind
    for package in ("textgen.models", *recipes.PACKAGES.values(), *FOR_PICTURES, "corpora.sources")
    for name, kind in found(package).items()
}
CONFIGS |= {f"fitting of {name}": settings.find("textgen.priors", name).Fit for name in ("mixture", "flow")}
CONFIGS |= {"build": text_modality.Config, "codec": codec.Config, "trainer": trainer.Config, "sampler": sampler.Choice}
CONFIGS |= {"pictures": picture_modality.Config}
CONFIGS |= {f"modality {name}": kind for name, kind in found("corpora.modalities").items()}


def test_configs_that_can_meet_share_no_setting():
    combinations = itertools.product(
        found("textgen.models").values(),
        [*found("textgen.backbones").values(), *found("imagegen.backbones").values()],
        [*found("textgen.encoders").values(), *found("imagegen.encoders").values()],
        found("textgen.priors").values(),
        found("corpora.sources").values(),
    )
    for parts in combinations:
        settings.known([*parts, text_modality.Config, codec.Config, trainer.Config])
        settings.known([*parts, picture_modality.Config, trainer.Config])


@pytest.mark.parametrize("name", CONFIGS)
def test_every_setting_has_a_line_of_help(name):
    for key, _, about in settings.describe(CONFIGS[name]):
        assert about.strip(), f"{name}: {key}"
        assert "\n" not in about
        assert not about.endswith("."), f"{name}: {key}"


@pytest.mark.parametrize("name", CONFIGS)
def test_the_defaults_of_every_config_make_sense(name):
    made = CONFIGS[name]()
    if hasattr(made, "check"):
        made.check()


def test_every_part_has_what_its_kind_has():
    for package in (*recipes.PACKAGES.values(), *FOR_PICTURES):
        for name in settings.names(package):
            assert callable(settings.find(package, name).build)
    for name in settings.names("textgen.models"):
        assert callable(settings.find("textgen.models", name).build)


# -------------------------------------------------------------------------------------------------- docstrings


@every_module
def test_every_public_thing_says_what_it_is(name):
    """Of a part (a model, a backbone, ...) the file's docstring speaks for `Config` and `build` too; a method may
    inherit its docstring, and `check`, `to_dict` and `from_dict` mean the same everywhere."""
    tree, where = TREES[name], FILES[name].relative_to(ROOT)
    assert ast.get_docstring(tree) or not tree.body, f"{where} has no docstring"
    module = importlib.import_module(name)
    common = {"check", "to_dict", "from_dict"}
    silent = []
    for node in tree.body:
        if not isinstance(node, ast.ClassDef | ast.FunctionDef) or node.name.startswith("_"):
            continue
        if not ast.get_docstring(node) and not (name.startswith(PARTS) and node.name in ("Config", "build")):
            silent.append(node.name)
        if isinstance(node, ast.ClassDef):
            kind = getattr(module, node.name)
            methods = [one.name for one in node.body if isinstance(one, ast.FunctionDef)]
            public = [one for one in methods if not one.startswith("_") and one not in common]
            silent += [f"{node.name}.{one}" for one in public if not inspect.getdoc(getattr(kind, one))]
    assert not silent, f"{where}: no docstring: {', '.join(silent)}"


# --------------------------------------------------------------------------------------------------- documents

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
PROGRAMS = {
    module.__name__.partition(".")[0]: commands.build(
        module.__name__.partition(".")[0], Verb(module.VERBS, module.ABOUT)
    )
    for module in (textgen_cli, corpora_cli, imagegen_cli)
}


@cache
def verbs(program: str) -> dict[str, Any]:
    return {name: PROGRAMS[program].get_command(None, name) for name in PROGRAMS[program].table}


def within(command: Any) -> Iterator[Any]:
    """A command and those of its own table."""
    yield command
    for name in getattr(command, "table", {}):
        yield from within(command.get_command(None, name))


@cache
def options(command: Any) -> set[str]:
    context = typer.Context(command)
    params = [param for one in within(command) for param in one.get_params(context)]
    return {option for param in params for option in (*param.opts, *param.secondary_opts)}


def values(program: str, words: list[str]) -> dict[str, Any]:
    """The parameters of a verb by these words. Nothing is called."""
    context = PROGRAMS[program].make_context(program, list(words))
    while getattr(context.command, "table", None):
        name, command, rest = context.command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)
    return context.params


def code(path: Path) -> tuple[list[str], list[str]]:
    """The lines of the code blocks of a document, continued ones joined, and the code inside its sentences."""
    lines, inline, fenced = [], [], False
    for text in path.read_text().replace("\\\n", " ").splitlines():
        if text.startswith("```"):
            fenced = not fenced
        elif fenced or text.startswith("    "):
            lines.append(text.strip())
        else:
            inline += re.findall(r"`([^`]+)`", text)
    return lines, inline


def calls(text: str) -> list[list[str]]:
    """The words of the calls of our programs in a line of shell."""
    found = []
    text = re.sub(r"^.*-m textgen\.cli ", "textgen ", text)
    for part in re.split(r"[|>]|&&", text):
        part = part.strip().removeprefix(".venv/bin/")
        if part.partition(" ")[0] in PROGRAMS and "(" not in part.partition(" ")[0]:
            found.append(shlex.split(part, comments=True))
    return found


def blocks() -> Iterator[tuple[str, list[str]]]:
    for path in DOCUMENTS:
        for line in code(path)[0]:
            for words in calls(line):
                yield str(path.relative_to(ROOT)), words
    for program in PROGRAMS:
        for verb, command in verbs(program).items():
            for line in (line for one in within(command) for line in (one.help or "").splitlines()):
                for words in calls(line) if line.startswith("  ") else []:
                    yield f"{program} {verb} --help", words


@pytest.mark.parametrize(("where", "words"), blocks(), ids=lambda value: value if isinstance(value, str) else None)
def test_every_command_in_the_documents_is_one(where, words):
    """Each is parsed, and each of its settings is one; nothing is run."""
    program, *rest = words
    try:
        chosen = values(program, rest).get("arguments") or []
    except typer.Exit as end:  # after --help
        assert end.exit_code == 0
        return
    except (typer.TyperException, InputError) as error:
        pytest.fail(f"{where}: {' '.join(words)}: {error}")
    keys = [word.partition("=")[0] for word in chosen if re.match(r"[a-z_]+=", word)]
    known = {field for kind in CONFIGS.values() for field in kind.__dataclass_fields__}
    assert set(keys) <= known, f"{where}: {' '.join(words)}"


def test_there_are_commands_in_the_documents():
    assert len(list(blocks())) > 20


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_verb_and_option_named_in_a_sentence_exists(path):
    known = {option for program in PROGRAMS for verb in verbs(program).values() for option in options(verb)}
    for text in code(path)[1]:
        for program, verb, *rest in (words for words in calls(text) if len(words) > 1):
            assert verb in verbs(program), f"{path.name}: {text}"
            for option in (word.partition("=")[0] for word in rest if word.startswith("-")):
                assert option in options(verbs(program)[verb]), f"{path.name}: {text}"
        if text.startswith("--") and text[2:3].isalpha():
            assert text.split()[0].partition("=")[0] in known | {"--help"}, f"{path.name}: {text}"


def test_the_readme_lists_every_verb():
    text = (ROOT / "README.md").read_text()
    for program in PROGRAMS:
        for verb in verbs(program):
            assert re.search(rf"`(?:{program} )?{verb}\b", text), f"{program} {verb}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_python_in_the_documents_compiles_and_imports_what_exists(path):
    for block in re.findall(r"^```python\n(.*?)^```", path.read_text(), re.DOTALL | re.MULTILINE):
        for node in ast.walk(ast.parse(block)):
            if isinstance(node, ast.ImportFrom):
                assert all(hasattr(importlib.import_module(str(node.module)), name.name) for name in node.names)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_between_documents_lead_somewhere(path):
    for target in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_changelog_tells_of_this_version():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert importlib.import_module("textgen").__version__ == version
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_no_tracked_file_knows_the_machine_it_was_written_on():
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        pytest.skip("not a git checkout")
    here = re.compile(rf"(?<![\w.])/(?:{'work'}|{'tmp'}|home|root)/[A-Za-z0-9]|\.\./{'shared'}\b")
    for name in filter(None, done.stdout.split("\0")):
        path = ROOT / name
        data = path.read_bytes() if path.is_file() else b""
        if b"\0" not in data[:8192]:
            for number, text in enumerate(data.decode("utf-8", "replace").splitlines(), 1):
                assert not here.search(text), f"{name}:{number}: {text.strip()[:100]}"

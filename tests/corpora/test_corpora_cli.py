"""The command `corpora`: what it prints, its exit codes, and its errors of one line."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import corpora
from corpora import Corpus
from corpora.cli import main
from corpora.commands import Parser, run, split_words
from corpora.errors import InputError

ROOT = str(Path(corpora.__file__).parents[1])


def call(capsys, *words: str) -> tuple[int, str, str]:
    try:
        code = main(list(words))
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "x.txt").write_text("".join(f"line {'ab' * i} here\n" for i in range(40)))
    return tmp_path


def test_build_and_show(here, capsys):
    code, out, err = call(capsys, "build", "x.txt", "codec=words", "--out", "c", "lower=true", "limit=30")
    assert (code, err) == (0, "")
    assert out.startswith("built c: 28 train, 1 valid, 1 test; words codec with ")
    assert "read      30 rows; dropped: none" in out
    code, out, err = call(capsys, "show", "c", "-n", "1", "--verify")
    assert (code, err) == (0, "")
    assert "every byte verified" in out
    assert "from      text: x.txt" in out
    assert "not in vocabulary" in out
    assert "line" in out
    code, out, _ = call(capsys, "show", "c", "--json", "-n", "2")
    facts = json.loads(out)
    assert facts["splits"]["train"]["rows"] == 28
    assert facts["splits"]["train"]["fallback"] == 0
    assert facts["splits"]["valid"]["fallback"] > 0
    assert len(facts["examples"]["train"]) == 2
    code, out, _ = call(capsys, "build", "x.txt", "--out", "c", "--replace", "--json", "--errors", "replace")
    assert code == 0
    assert json.loads(out)["source"]["settings"]["errors"] == "replace"
    assert (
        call(capsys, "build", "x.txt", "--valid", "x.txt", "--out", "d", "keep_duplicates=yes", "codec=bytes")[0] == 0
    )


def test_held_out_rows_come_from_several_files(here, capsys):
    for name in ("five", "seven"):
        for split, count in (("train", 20), ("valid", 3), ("test", 2)):
            (here / f"{name}.{split}.txt").write_text("".join(f"{name} {split} {i * 'x'}\n" for i in range(count)))
    words = ["five.train.txt", "seven.train.txt"]
    words += [
        word
        for split in ("valid", "test")
        for name in ("five", "seven")
        for word in (f"--{split}", f"{name}.{split}.txt")
    ]
    assert main(["build", *words, "--out", "c", "codec=characters", "--json"]) == 0
    splits = Corpus.open(here / "c").splits
    assert {name: len(split) for name, split in splits.items()} == {"train": 40, "valid": 6, "test": 4}


def test_labels_and_losses_are_shown(here, capsys):
    Path("v.txt").write_text("line abab here\nnew one\n")
    assert call(capsys, "build", "x.txt", "--valid", "v.txt", "--out", "c", "codec=bytes", "max_length=60")[0] == 0
    out = call(capsys, "show", "c")[1]
    assert "too long" in out
    assert "removed   1 of valid that stand in another split" in out
    assert call(capsys, "build", "toy", "count=50", "--out", "t")[0] == 0
    out = call(capsys, "show", "t")[1]
    assert "labels    2: " in out
    assert "note      vocab=8,000 was asked for" in out


def test_list(capsys):
    code, out, _ = call(capsys, "list")
    assert code == 0
    for words in (
        "source text:",
        "source table:",
        "source hub:",
        "source toy:",
        "valid_share=0.02",
        "codecs: bytes, characters, pieces, words",
    ):
        assert words in out
    facts = json.loads(call(capsys, "list", "--json")[1])
    assert facts["every build of sentences"]["max_length"]["default"] == "200"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "corpora: the following arguments are required: COMMAND\n"),
        (["biuld"], "corpora: no command 'biuld': did you mean 'build'? choose from build, fetch, list, show\n"),
        (["build", "toy"], "corpora build: the following arguments are required: --out\n"),
        (["build", "toy", "--out", "c", "--relpace"],
         "corpora build: unknown option '--relpace': did you mean --replace? see corpora build --help\n"),
        (["build", "toy", "--out"], "corpora build: argument --out: expected one argument\n"),
        (["build", "toy", "--out", "c", "--errors", "ignor"], "corpora build: no errors 'ignor': "),
        (["show", "a", "b"], "corpora show: unknown word 'b': see corpora show --help\n"),
        (["show", "a", "-n", "x"], "corpora show: argument -n: invalid int value: 'x'\n"),
        (["show", "nothing"], "error: nothing is not a corpus: it has no manifest.json\n"),
        (["build", "toy", "counts=5", "--out", "c"], "error: unknown setting 'counts': did you mean 'count'? known: "),
        (["build", "toy", "count=x", "--out", "c"], "error: count='x': expected a whole number\n"),
        (["build", "toy", "count=5", "count=6", "--out", "c"], "error: the setting 'count' is given twice\n"),
        (["build", "no.txt", "--out", "c"], "error: no.txt: no such file or folder: check the path\n"),
        (["build", "x.txt", "--source", "tabel", "--out", "c"], "error: no source 'tabel': did you mean 'table'? "),
        (["build", "limit=5", "--out", "c"], "error: nothing to read: name a file, a folder, hf:NAME, toy, "),
        (["build", "toy", "--out", "c", "--rep"], "corpora build: unknown option '--rep': did you mean --replace? "),
        (["build", "x.txt", "--out", "x.txt"], "error: x.txt exists already: choose another folder "),
    ],
)  # fmt: skip
def test_errors_are_one_line(here, capsys, words, message):
    code, out, err = call(capsys, *words)
    assert code == 2
    assert out == ""
    assert err.startswith(message)
    assert err.count("\n") == 1
    assert [path.name for path in here.iterdir()] == ["x.txt"]


def test_words_are_settings_unless_a_file_has_that_name(here):
    (here / "a=b").write_text("x")
    assert split_words(["x.txt", "a=b", "lower=true", "hf:x=y", "-", "b="]) == (
        ["x.txt", "a=b", "hf:x=y", "-"],
        {"lower": "true", "b": ""},
    )


@pytest.mark.parametrize("words", [["--help"], ["list", "--help"], ["build", "--help"], ["show", "--help"]])
def test_help_imports_nothing_heavy(words):
    program = (
        "import sys\nfrom corpora.cli import main\n"
        "try:\n main(sys.argv[1:])\nexcept SystemExit as end:\n code = end.code\n"
        "heavy = {'numpy', 'torch', 'sentencepiece', 'datasets', 'pyarrow', 'rich'} & set(sys.modules)\n"
        "assert code == 0 and not heavy, (code, heavy)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *words], capture_output=True, text=True, env={**os.environ, "PYTHONPATH": ROOT}
    )
    assert done.returncode == 0, done.stderr
    assert "usage: corpora" in done.stdout


def test_importing_corpora_imports_nothing_heavy_and_none_of_ours():
    program = (
        "import sys, corpora\nassert 'numpy' not in sys.modules\n"
        "import corpora.build, corpora.cli, corpora.sources.hub, corpora.sources.toy\n"
        "assert not {'torch', 'textgen', 'imagegen', 'datasets', 'sentencepiece'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, env={**os.environ, "PYTHONPATH": ROOT})
    assert corpora.Corpus.__name__ == "Corpus"
    with pytest.raises(AttributeError, match="has no attribute 'Corpse'"):
        _ = corpora.Corpse


def test_run_gives_the_exit_codes(capsys):
    def raising(error: BaseException):
        def program(argv):
            raise error

        return program

    assert run(lambda argv: 7) == 7
    assert run(raising(InputError("two\nlines"))) == 2
    assert capsys.readouterr().err == "error: two lines\n"
    assert run(raising(KeyboardInterrupt())) == 130


def test_a_reader_that_goes_away_is_no_error(here):
    where = {**os.environ, "PYTHONPATH": ROOT}
    for words in (["list"], ["list", "--json"]):
        process = subprocess.Popen(
            [sys.executable, "-m", "corpora.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=where
        )
        process.stdout.close()
        assert (process.stderr.read(), process.wait()) == (b"", 0)
        process.stderr.close()


def test_standard_input(here, capsys, monkeypatch):
    data = "".join(f"{'ab' * i} z\n" for i in range(9)).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
    assert call(capsys, "build", "-", "--out", "c", "codec=characters")[0] == 0
    assert corpora.Corpus.open("c").manifest["source"]["inputs"] == {"train": [{"name": "-"}]}


def test_a_parser_takes_words_and_options_mixed(capsys):
    parser = Parser(prog="p")
    parser.add_argument("words", nargs="*")
    parser.add_argument("--size", type=int, default=1)
    found = parser.parse_args(["a", "--size", "3", "b=2", "c"])
    assert (found.words, found.size) == (["a", "b=2", "c"], 3)
    assert parser.parse_args(["--", "-x"]).words == ["-x"]
    assert parser.parse_args([]).words == []
    with pytest.raises(SystemExit):
        parser.parse_args(["--sise", "3"])
    assert capsys.readouterr().err == "p: unknown option '--sise': did you mean --size? see p --help\n"

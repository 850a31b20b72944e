"""The command `corpora`: what it prints, its exit codes, and its errors of one line."""

from __future__ import annotations

import io
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated, Literal

import pytest
from typer import Argument, Option

import corpora
from corpora import Corpus, commands
from corpora.cli import main
from corpora.commands import Verb, complete_folders, new_file, run, split_words
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
    assert "removed   1 of valid that are in another split" in out
    assert call(capsys, "build", "toy", "count=50", "--out", "t")[0] == 0
    out = call(capsys, "show", "t")[1]
    assert "labels    2: " in out
    assert "note      vocab=8,000 was asked for" in out


def test_show_draws_a_contact_sheet(here, capsys):
    assert call(capsys, "build", "sprites", "count=40", "--out", "s")[0] == 0
    code, out, err = call(capsys, "show", "s", "--out", "s.png", "-n", "16")
    assert (code, err) == (0, "") and Path("s.png").read_bytes().startswith(b"\x89PNG")
    assert "palette, with the share of the pixels of train" in out
    assert "wrote s.png: pictures of train over the palette; lines from the top: " in out
    before = Path("s.png").read_bytes()
    code, out, err = call(capsys, "show", "s", "--out", "s.png")
    assert (code, out) == (2, "") and "s.png exists already" in err and Path("s.png").read_bytes() == before
    assert call(capsys, "show", "s", "--out", "s.png", "--force")[0] == 0
    assert call(capsys, "build", "x.txt", "--out", "c", "codec=words")[0] == 0
    code, out, err = call(capsys, "show", "c", "--out", "c.png")
    assert (code, out) == (2, "") and "a contact sheet is of pictures" in err and not Path("c.png").exists()
    assert "lengths of train, in tokens (stop counted)" in call(capsys, "show", "c")[1]


def test_list(capsys):
    code, out, _ = call(capsys, "list")
    assert code == 0
    for words in (
        "source text:",
        "source table:",
        "source hub:",
        "source toy:",
        "valid_share=0.02",
        "codecs of sentences: bytes, characters, pieces, words",
    ):
        assert words in out
    facts = json.loads(call(capsys, "list", "--json")[1])
    assert facts["every build of sentences"]["max_length"]["default"] == "200"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "corpora: missing command: see corpora --help\n"),
        (["biuld"], "corpora: no command 'biuld': did you mean 'build'? choose from build, fetch, list, palette"),
        (["build", "toy"], "corpora build: missing --out: see corpora build --help\n"),
        (["build", "toy", "--out", "c", "--relpace"],
         "corpora build: unknown option '--relpace': did you mean --replace? see corpora build --help\n"),
        (["build", "toy", "--out"], "corpora build: option '--out' needs a value: see corpora build --help\n"),
        (["build", "toy", "--out", "c", "--errors", "ignor"], "error: --errors 'ignor': choose from strict, "),
        (["show", "a", "b"], "corpora show: unknown word 'b': see corpora show --help\n"),
        (["show", "a", "-n", "x"], "error: -n x: expected a whole number from 0 to 1,000,000\n"),
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
        "code = main(sys.argv[1:])\n"
        "heavy = {'numpy', 'torch', 'sentencepiece', 'datasets', 'pyarrow', 'rich', 'pydantic'} & set(sys.modules)\n"
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


# ------------------------------------------------------------------------------------------------- the toolkit

HERE = __name__
SEEN: list[tuple] = []


def mix(
    words: Annotated[list[str] | None, Argument(metavar="WORD")] = None,
    size: Annotated[int, Option(min=-9, max=1_000_000, metavar="N", help="a size")] = 1,
    factor: Annotated[float, Option(min=0, max=2)] = 1.0,
    kind: Annotated[Literal["round", "square"] | None, Option()] = None,
) -> int:
    """Mix words and options."""
    SEEN.append((words, size, factor, kind))
    return 0


TABLE = {"mix": Verb(HERE, "mix words and options"), "more": Verb({"mix": Verb(HERE, "mix again")}, "a table inside")}


def called(*words: str) -> tuple:
    SEEN.clear()
    assert commands.main("p", "A program.", TABLE, list(words)) == 0
    return SEEN[0]


def test_words_and_options_may_be_mixed():
    assert called("mix", "a", "--size", "3", "b=2", "c") == (["a", "b=2", "c"], 3, 1.0, None)
    assert called("more", "mix", "--size=3", "a")[:2] == (["a"], 3)
    assert called("mix", "--", "-x", "--size")[0] == ["-x", "--size"]
    assert called("mix") == (None, 1, 1.0, None)
    assert called("mix", "--size", "-3", "-5", "-.5")[:2] == (["-5", "-.5"], -3)
    assert called("mix", "- said he, --size 3", "--kind", "round") == (["- said he, --size 3"], 1, 1.0, "round")


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["mix", "--sise", "3"], "p mix: unknown option '--sise': did you mean --size? see p mix --help\n"),
        (["mix", "--siz=3"], "p mix: unknown option '--siz': did you mean --size? see p mix --help\n"),
        (["mix", "-q"], "p mix: unknown option '-q': see p mix --help\n"),
        (["more", "mux"], "p more: no command 'mux': did you mean 'mix'? choose from mix\n"),
        (["mix", "--size", "1000001"], "error: --size 1000001: expected -9 to 1,000,000\n"),
        (["mix", "--size", "-10"], "error: --size -10: expected -9 to 1,000,000\n"),
        (["mix", "--size", "1.5"], "error: --size 1.5: expected a whole number from -9 to 1,000,000\n"),
        (["mix", "--size", "a\nb"], "error: --size 'a\\nb': expected a whole number from -9 to 1,000,000\n"),
        (["mix", "--size", "9" * 5000], "error: --size '9999"),
        (["mix", "--factor", "3"], "error: --factor 3: expected a number from 0 to 2\n"),
        (["mix", "--factor", "nan"], "error: --factor nan: expected a number from 0 to 2\n"),
        (["mix", "--kind", "sqare"], "error: --kind 'sqare': did you mean 'square'? choose from round, square\n"),
        (["--install"], "p: unknown option '--install': did you mean --install-completion? see p --help\n"),
    ],
)
def test_errors_name_the_option_its_value_and_what_is_expected(capsys, words, message):
    assert commands.main("p", "A program.", TABLE, words) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(message) and err.count("\n") == 1


def test_a_file_of_the_user_is_never_replaced_unasked(here):
    assert new_file(None, "sample.png") == Path("sample.png")
    for name in ("sample.png", "sample-2.png"):
        Path(name).touch()
    assert new_file(None, "sample.png") == Path("sample-3.png")
    assert new_file(None, "sample.png", force=True) == Path("sample.png")
    with pytest.raises(InputError, match=r"x\.txt exists already: choose another --out, or give --force to replace it"):
        new_file("x.txt", "sample.png")
    assert new_file("x.txt", "sample.png", force=True) == new_file("x.txt", "x", force=True) == Path("x.txt")
    assert new_file("new.png", "sample.png") == Path("new.png")


# ------------------------------------------------------------------------------------------------- completion


def completed(program: str, line: str, **variables: str) -> str:
    call = f"import sys; from {program}.cli import main; sys.exit(main())"
    where = {**os.environ, "PYTHONPATH": ROOT, **variables}
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, env=where)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("textgen sa", ["sample"]),
        ("textgen benchmark pa", ["pairs"]),
        ("textgen sample --te", ["--temperature"]),
        ("textgen sample --model en", ["english-fiction"]),
        ("textgen sample --model ru", ["runs/1"]),
        ("imagegen sample --model creatures-", ["creatures-vae"]),
        ("imagegen train --model pixelc", ["pixelcnn"]),
        ("textgen train --model a", ["autoencoder"]),
        ("textgen train po", ["poems"]),
        ("textgen train --errors s", ["strict", "skip"]),
        ("corpora show po", ["poems"]),
        ("corpora build --source lect", ["lecture"]),
        ("corpora bogus x", []),
    ],
)
def test_the_shell_completes_commands_options_and_names(here, line, wanted):
    """Bash asks through its environment for the last word of a line."""
    for marker in ("runs/1/recipe.json", "poems/manifest.json", "elsewhere/x"):
        Path(marker).parent.mkdir(parents=True)
        Path(marker).touch()
    program = line.split()[0]
    variables = {"COMP_WORDS": line, "COMP_CWORD": str(len(line.split()) - 1)}
    assert completed(program, line, **{f"_{program.upper()}_COMPLETE": "complete_bash"}, **variables).split() == wanted


def test_zsh_and_fish_complete_too_and_all_three_have_a_script():
    line = {"_TYPER_COMPLETE_ARGS": "textgen sample --model engl"}
    out = completed("textgen", "", _TEXTGEN_COMPLETE="complete_zsh", **line)
    assert '"english-fiction"' in out and out.startswith("_arguments")
    fish = {"_TEXTGEN_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    assert completed("textgen", "", **fish, **line).split() == ["english-fiction"]
    for shell, mark in (("bash", "complete -o default -F"), ("zsh", "#compdef"), ("fish", "complete --command")):
        assert mark in completed("imagegen", "", _IMAGEGEN_COMPLETE=f"source_{shell}")


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash")
def test_the_script_works_in_bash(tmp_path):
    program = tmp_path / "textgen"
    program.write_text(f"#!{sys.executable}\nimport sys\nfrom textgen.cli import main\nsys.exit(main())\n")
    program.chmod(0o755)
    line = (
        'eval "$(_TEXTGEN_COMPLETE=source_bash textgen)"; COMP_WORDS=(textgen sample --model cre); COMP_CWORD=3; '
        '_textgen_completion textgen cre --model; echo "${COMPREPLY[@]}"'
    )
    where = {**os.environ, "PYTHONPATH": ROOT, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=where)
    assert (done.stdout, done.stderr) == ("creatures creatures-vae\n", "")


def test_completion_is_installed_where_bash_reads_it(tmp_path):
    call = "import sys; from textgen.cli import main; sys.exit(main(['--install-completion']))"
    line = f"'{sys.executable}' -c \"{call}\"; exit $?"
    where = {**os.environ, "PYTHONPATH": ROOT, "HOME": str(tmp_path), "SHELL": "/bin/bash"}
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=where)
    assert done.returncode == 0, done.stderr
    assert "complete -o default -F" in (tmp_path / ".bash_completions" / "textgen.sh").read_text()


def test_folders_complete_one_level_below(here):
    for marker in ("runs/1/recipe.json", "runs/2/recipe.json", "rune/recipe.json", "runs/3/x"):
        Path(marker).parent.mkdir(parents=True)
        Path(marker).touch()
    assert complete_folders("ru", "recipe.json") == ["rune", "runs/1", "runs/2"]
    assert complete_folders("runs/", "recipe.json") == complete_folders("runs", "recipe.json") == ["runs/1", "runs/2"]
    assert complete_folders("nowhere/x", "recipe.json") == []


# ------------------------------------------------------------------------------------------------- the process

STRANGE = "import sys; from corpora.commands import run; sys.exit(run(lambda argv: {work}))"


def process(work: str, **options) -> subprocess.CompletedProcess:
    where = {**os.environ, "PYTHONPATH": ROOT, **options.pop("env", {})}
    call = [sys.executable, "-c", STRANGE.format(work=work)]
    return subprocess.run(call, env=where, capture_output=True, **options)


def test_output_to_a_pipe_is_utf8_whatever_the_locale():
    plain = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    where = {key: value for key, value in os.environ.items() if key != "PYTHONIOENCODING"}
    work = r"print('\u5e8a') or print('\xe9', file=sys.stderr) or 0"
    call = [sys.executable, "-c", STRANGE.format(work=work)]
    done = subprocess.run(call, env={**where, "PYTHONPATH": ROOT, **plain}, capture_output=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "床\n".encode(), "é\n".encode())


@pytest.mark.parametrize("errors", ["", ":strict", ":ignore"])
def test_characters_that_the_output_lacks_are_told_of(errors):
    """Whoever asks for another encoding gets it; what it cannot hold is no reason to stop, and not lost silently."""
    work = r"print('\u5e8a\u5e8b caf\xe9') or 0"
    done = process(work, env={"PYTHONIOENCODING": f"cp1252{errors}"})
    assert (done.returncode, done.stdout) == (0, "?? café\n".encode("cp1252"))
    assert done.stderr.decode("cp1252") == (
        "note: the output is cp1252: 2 different characters that it lacks are written as ?: set "
        "PYTHONIOENCODING=utf-8 (or leave it unset)\n"
    )
    assert process(r"print('caf\xe9') or 0", env={"PYTHONIOENCODING": "cp1252"}).stderr == b""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed):
    work = "print(len(sys.stdin.read()), flush=True) or print('x', file=sys.stderr) or 0"
    call = shlex.join([sys.executable, "-c", STRANGE.format(work=work)])
    where = {**os.environ, "PYTHONPATH": ROOT}
    done = subprocess.run(["sh", "-c", f"{call} {closed}"], env=where, capture_output=True, text=True, input="")
    assert done.returncode == 0, done.stderr
    assert "Error" not in done.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_closed_terminal_and_a_polite_kill_clean_up(number):
    call = "import sys, time; from corpora.commands import run\n"
    call += "def work(argv):\n try:\n  print('here', flush=True); time.sleep(60)\n"
    call += " finally: print('cleaned', flush=True)\n"
    call += "sys.exit(run(work))"
    where = {**os.environ, "PYTHONPATH": ROOT}
    with subprocess.Popen([sys.executable, "-c", call], stdout=subprocess.PIPE, text=True, env=where) as running:
        assert running.stdout is not None and running.stdout.readline() == "here\n"
        running.send_signal(number)
        assert running.communicate()[0] == "cleaned\n"
    assert running.returncode == 128 + number


def test_nohup_is_respected():
    work = "__import__('signal').raise_signal(1) or print('still here') or 0"
    done = subprocess.run(
        ["nohup", sys.executable, "-c", STRANGE.format(work=work)], env={**os.environ, "PYTHONPATH": ROOT},
        capture_output=True, text=True, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "still here\n")

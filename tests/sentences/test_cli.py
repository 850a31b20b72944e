"""The command `textgen`: what each verb prints, its exit codes, and its errors of one line."""

from __future__ import annotations

import inspect
import io
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import torch

import small
import textgen
from corpora import Corpus, commands
from corpora import cli as corpora_cli
from corpora.sounds import sound
from imagegen import cli as image_cli
from imagegen import verbs as image_verbs
from imagegen.pictures import defaults
from textgen import cli
from textgen import verbs as textgen_verbs
from textgen.cli import main
from textgen.core import checkpoint
from textgen.runs import library
from textgen.runs import options as shared

ROOT = str(Path(textgen.__file__).parents[1])
FRESH = {**os.environ, "PYTHONPATH": ROOT}
ONE, OTHER = "the cat sleeps", "a small dog sees the red ball"


def call(capsys, *words: str) -> tuple[int, str, str]:
    """Exit code, standard output and standard error of `textgen WORDS`."""
    capsys.readouterr()
    try:
        code = main([str(word) for word in words])
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err


def said(capsys, *words: object) -> str:
    """What a call that goes well prints; it says nothing on standard error."""
    code, out, err = call(capsys, *words)
    assert (code, err) == (0, "")
    return out


def parsed(capsys, *words: object):
    return json.loads(said(capsys, *words, "--json"))


def refused(capsys, *words: object) -> str:
    """The one line of a call that is refused: exit code 2, nothing printed, no traceback."""
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert err.endswith("\n")
    assert "Traceback" not in err
    assert len(err) < 1000
    return err


def contents(folder: Path) -> dict[str, int]:
    """Every file and folder below, with its time of change."""
    return {str(path): path.lstat().st_mtime_ns for path in folder.rglob("*")}


SIZES = small.worded({**small.settings("vae"), "precision": "fp32"})


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working folder with some text in it, good and bad."""
    monkeypatch.chdir(tmp_path)
    lines = [f"the {animal} {verb} {how}" for animal in ("cat", "dog", "fox") for verb in ("runs", "waits", "sings")
             for how in ("today", "often", "again")]  # fmt: skip
    (tmp_path / "good.txt").write_text("\n".join(lines) + "\n")
    (tmp_path / "empty.txt").touch()
    (tmp_path / "one.txt").write_text("a single line\n")
    (tmp_path / "binary.txt").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    (tmp_path / "nul.txt").write_bytes(b"ab\ncd\0ef\n")
    (tmp_path / "latin.txt").write_bytes("\n".join(lines).encode() + b"\ncaf\xe9 au lait\n")
    (tmp_path / "long.txt").write_bytes(b"short\n" + b"word " * 300_000 + b"\n")
    (tmp_path / "table.csv").write_text("title,body\n" + "".join(f"t{i},{line}\n" for i, line in enumerate(lines)))
    return tmp_path


@pytest.fixture
def model(toy_run) -> list[str]:
    return ["--model", str(toy_run)]


# --------------------------------------------------------------------------------------------- help and parsing


HEAVY = "torch numpy datasets sentencepiece rich safetensors huggingface_hub sacrebleu tensorboard pyarrow pydantic "
HEAVY += "sklearn scipy zuko PIL"


def test_help_imports_nothing_heavy():
    """All of it in one fresh interpreter, since importing torch takes a second."""
    program = f"""
import contextlib, io, sys
import corpora.cli, imagegen.cli, textgen.cli

def verbs(table, before=()):
    for name, verb in table.items():
        yield [*before, name]
        if not isinstance(verb.home, str):
            yield from verbs(verb.home, [*before, name])

for cli in (textgen.cli, imagegen.cli, corpora.cli):
    program = cli.__name__.partition(".")[0]
    for words in [[], *verbs(cli.VERBS)]:
        shown = io.StringIO()
        with contextlib.redirect_stdout(shown):
            assert cli.main([*words, "--help"]) == 0, words
        assert shown.getvalue().startswith("usage: " + " ".join([program, *words]) + " "), shown.getvalue()
print(*sorted(set("{HEAVY}".split()) & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=FRESH)
    assert (done.returncode, done.stderr, done.stdout) == (0, "", "\n")


def entries(table, before=()):
    for name, verb in table.items():
        yield " ".join([*before, name]), verb
        if not isinstance(verb.home, str):
            yield from entries(verb.home, [*before, name])


@pytest.mark.parametrize("program", [cli, image_cli, corpora_cli], ids=lambda module: module.__name__)
def test_every_entry_of_a_table_is_a_function_with_a_line_of_help(program):
    for words, verb in entries(program.VERBS):
        assert verb.help and "\n" not in verb.help and not verb.help.endswith("."), words
        if isinstance(verb.home, str):
            function = commands.function(words.split()[-1], verb.home)
            assert inspect.getdoc(function), words
            assert function.__module__ in (verb.home, "textgen.cli"), words


# What a command says in another way than its function does: text for numbers, and files.
OTHERWISE = {("textgen", "interpolate", "steps"), ("textgen", "encode", "out")}


@pytest.mark.parametrize(("program", "verbs"), [(cli, textgen_verbs), (image_cli, image_verbs)])
def test_a_command_has_the_defaults_of_its_function(program, verbs):
    compared = 0
    for words, verb in entries(program.VERBS):
        function = getattr(verbs, words, None)
        if function is None or words in ("train", "prior"):
            continue
        own = inspect.signature(function).parameters
        for name, parameter in inspect.signature(commands.function(words, verb.home)).parameters.items():
            if name not in own or (program.ABOUT and (verbs.__package__, words, name) in OTHERWISE):
                continue
            said, meant = parameter.default, own[name].default
            usual = {shared.DEFAULT_MODEL, defaults.MODEL, ()}
            assert said == meant or (said is None and meant in {*usual, *SETTLED}), (words, name)
            compared += 1
    assert compared > 50


SETTLED = {defaults.KEEP, defaults.COMPLETIONS, defaults.PARTICLES}  # named in the help, since not giving them matters


def test_train_and_sample_show_the_options_that_matter_first(capsys):
    for program, verb in ((main, "train"), (main, "sample"), (image_cli.main, "train"), (image_cli.main, "sample")):
        assert program([verb, "--help"]) == 0
        shown = capsys.readouterr().out
        first = shown.partition("\nOptions:\n")[2].partition("\n\n")[0]
        assert len(re.findall(r"^  -", first, re.MULTILINE)) == 5, shown
        assert "  --model " in first and "\nMore:\n" in shown


def test_importing_textgen_imports_nothing_heavy_and_its_names_are_there():
    program = "import sys, textgen\nassert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, env=FRESH)
    assert all(getattr(textgen, name) for name in textgen.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'SentenceVEA'"):
        _ = textgen.SentenceVEA


def test_the_packages_tell_libgomp_not_to_spin_unless_the_user_does():
    """Set before torch can be imported, by either package and so by every command."""
    program = "import os, sys, {0}; assert 'torch' not in sys.modules; print(os.environ['GOMP_SPINCOUNT'])"
    fresh = {key: value for key, value in FRESH.items() if key != "GOMP_SPINCOUNT"}
    for package in ("textgen", "imagegen"):
        for variables, wanted in (({}, "1000\n"), ({"GOMP_SPINCOUNT": "7"}, "7\n")):
            call = [sys.executable, "-c", program.format(package)]
            done = subprocess.run(call, capture_output=True, text=True, env={**fresh, **variables}, check=True)
            assert done.stdout == wanted


def test_small_work_takes_one_thread_and_long_work_all():
    for program in (cli, image_cli):
        for words, verb in entries(program.VERBS):
            if isinstance(verb.home, str):
                function = commands.function(words.split()[-1], verb.home)
                parameter = inspect.signature(function).parameters.get("threads")
                long = words.split()[0] in ("train", "evaluate", "prior", "benchmark", "novelty")
                assert parameter is None or parameter.default == (None if long else 1), words


def test_the_functions_are_there_for_python(toy_run, capsys, model):
    opened = textgen.open_model(toy_run)
    walk = textgen_verbs.interpolate(ONE, OTHER, model=opened)
    assert said(capsys, "interpolate", ONE, OTHER, *model) == f"{walk}\n"
    samples = textgen_verbs.sample(3, model=opened, how=textgen_verbs.choice(temperature=0.5))
    assert samples.to_dict() == parsed(capsys, "sample", "-n", "3", "--temperature", "0.5", *model)
    codes = textgen_verbs.encode([ONE, OTHER], model=opened).codes
    assert textgen_verbs.decode(codes, model=toy_run).sentences == [
        pair["decoded"] for pair in parsed(capsys, "reconstruct", ONE, OTHER, *model)
    ]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "textgen: missing command: see textgen --help\n"),
        (["smaple"], "textgen: no command 'smaple': did you mean 'sample'? choose from arithmetic, "),
        (
            ["sample", "--temprature", "1"],
            "textgen sample: unknown option '--temprature': did you mean --temperature? ",
        ),
        (["sample", "--temp", "1"], "textgen sample: unknown option '--temp': did you mean --temperature? "),
        (["sample", "a"], "textgen sample: unknown word 'a': see textgen sample --help\n"),
        (["sample", "-n", "x"], "error: -n x: expected a whole number from 1 to 1,000,000\n"),
        (["sample", "--n", "3"], "textgen sample: unknown option '--n': did you mean -n? see textgen sample --help\n"),
        (["sample", "--model", ""], "error: no model ''"),
        (["sample", "--top-k"], "textgen sample: option '--top-k' needs a value: see textgen sample --help\n"),
        (["interpolate", "a"], "textgen interpolate: missing SENTENCE: see "),
        (["interpolate", "a", "b", "c"], "textgen interpolate: unknown word 'c': "),
        (["encode", "a"], "textgen encode: missing --out: see textgen encode --help\n"),
        (["train", "a.txt", "--errors", "ignor"], "error: --errors 'ignor': choose from strict, replace, skip\n"),
        (["export"], "textgen export: missing RUN|FOLDER: see textgen export --help\n"),
    ],
)
def test_words_that_are_not_understood_get_one_line(here, capsys, words, message):
    assert refused(capsys, *words).startswith(message)


# ------------------------------------------------------------------------------------------------ train, refused


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "error: nothing to train on: give files, a folder, hf:NAME, or one made up (toy, sprites, moons)"),
        (["width=16"], "error: nothing to train on: "),
        (["nowhere.txt"], "error: nowhere.txt: no such file or folder: check the path"),
        (["empty.txt"], "error: empty.txt: the file is empty"),
        (["one.txt"], "error: only 1 usable sentence, counting near-duplicates once: at least 3 are needed"),
        (["binary.txt"], "error: binary.txt: this is pictures; train on it with imagegen train"),
        (["nul.txt"], "error: nul.txt: not a text file: it holds NUL bytes (byte 5)"),
        (["latin.txt"], "error: latin.txt: line 28, byte 534: not UTF-8 (0xe9), perhaps cp1252: say encoding="),
        (["long.txt"], "error: long.txt: line 2 is longer than 1,048,576 bytes; put one sentence on each line"),
        (["table.csv", "column=bdy"], "error: table.csv: no column 'bdy': did you mean 'body'? "),
        (["good.txt", "vocab=2000000"], "error: vocab=2000000: expected 4 to 1,000,000 tokens"),
        (["good.txt", "vocab=100"], "error: vocab=100 is too small for this text: it needs at least "),
        (["good.txt", "--steps", "0"], "error: --steps 0: expected 1 to 1,000,000,000"),
        (["good.txt", "--batch", "0"], "error: --batch 0: expected 1 to 1,000,000,000"),
        (["good.txt", "--every", "0"], "error: --every 0: expected 1 to 1,000,000,000"),
        (["good.txt", "--keep", "1"], "error: --keep 1: expected 2 to 1,000,000,000"),
        (["good.txt", "--seed", "-1"], "error: --seed -1: expected 0 to 4,294,967,295"),
        (["good.txt", "--threads", "0"], "error: --threads 0: expected 1 to 1,024"),
        (["good.txt", "rate=-3"], "error: rate=-3: expected a number of nats above 0, or none"),
        (["good.txt", "rate=abc"], "error: rate='abc': expected a number or none"),
        (["good.txt", "rate=nan"], "error: rate=nan is not a finite number"),
        (["good.txt", "width=0"], "error: width=0: expected 1 to 16,384"),
        (["good.txt", "widht=16"], "error: unknown setting 'widht': did you mean 'width'? known: "),
        (["good.txt", "width=16", "width=32"], "error: the setting 'width' is given twice"),
        (["good.txt", "--model", "vea"], "error: no model 'vea': did you mean 'vae'? choose from autoencoder, lm, vae"),
        (["good.txt", "--model", "os"], "error: no model 'os': "),
        (["good.txt", "backbone=lstn"], "error: no backbone 'lstn': did you mean 'lstm'? choose from lstm, "),
        (["good.txt", "--model", "lm", "latent=8"], "error: unknown setting 'latent'"),
        (["good.txt", "--source", "tabel"], "error: no source 'tabel': did you mean 'table'? "),
        (["good.txt", "--valid", "nowhere.txt"], "error: nowhere.txt: no such file or folder"),
        (["good.txt", "--device", "gpu"], "error: --device 'gpu': expected auto, cpu, cuda, cuda:N or mps"),
        (["good.txt", "--device", "cpu:x"], "error: --device 'cpu:x': expected auto, cpu, cuda, cuda:N or mps"),
        (["good.txt", "--device", "cuda:4096"], "error: --device cuda:4096: this machine's PyTorch sees no "),
        (["good.txt", "--out", "one.txt"], "error: one.txt"),
        (["good.txt", "--out", "one.txt/deep"], "error: one.txt/deep"),
        (["good.txt", "--init", "nowhere"], "error: no model 'nowhere': "),
        (["good.txt", "--init", "empty.txt"], "error: empty.txt is a file; a model is a folder, a run or a name"),
        (["good.txt", "--repeat", "nowhere"], "error: nowhere is not a run: it has no recipe.json"),
        (["--resume", "nowhere"], "error: nowhere is not a run: it has no recipe.json"),
        (["--resume", "one.txt"], "error: one.txt is not a run: it has no recipe.json"),
        (["--resume", "nowhere", "good.txt", "width=9", "--batch", "3", "--out", "x"],
         "error: --resume goes on with a run as it was begun: leave out good.txt, width, --out, --batch"),
        (["--resume", "nowhere", "--steps", "0"], "error: --steps 0: expected 1 to 1,000,000,000"),
    ],
)  # fmt: skip
def test_training_that_cannot_be_is_refused_and_leaves_nothing(here, capsys, words, message):
    before = contents(here)
    assert refused(capsys, "train", "--quiet", *words).startswith(message)
    assert contents(here) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_named(here, model, capsys):
    message = "error: --device cuda: this machine's PyTorch sees no such device; use --device auto\n"
    assert refused(capsys, "train", "good.txt", "--device", "cuda") == message
    assert refused(capsys, "sample", *model, "--device", "cuda") == message


def test_a_folder_that_holds_a_run_is_not_written_into(here, toy_run, toy_corpus, capsys):
    copy = Path(shutil.copytree(toy_run, here / "run"))
    before = {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name != ".lock"}
    for given in ("good.txt", str(toy_corpus)):
        said = refused(capsys, "train", given, "--quiet", "--out", "run")
        assert said == "error: run holds a run already: --resume run goes on with it, or choose another --out\n"
    assert {path: path.read_bytes() for path in copy.rglob("*") if path.is_file() and path.name != ".lock"} == before


def test_a_run_is_not_taken_for_text(here, toy_run, capsys):
    said = refused(capsys, "train", toy_run, "--out", "r")
    assert said == f"error: {toy_run} is a run, not text: --resume {toy_run} goes on with it\n"
    assert not (here / "r").exists()


def test_a_corpus_takes_no_second_source(here, toy_corpus, capsys):
    said = refused(capsys, "train", toy_corpus, "--valid", "good.txt", "--out", "r")
    assert "is a corpus already built: leave out valid" in said
    assert "already built: leave out vocab" in refused(capsys, "train", toy_corpus, "vocab=300", "--out", "r")
    assert not (here / "r").exists()


def test_bytes_that_are_not_utf8_are_replaced_if_asked(here, capsys):
    options = ["codec=words", *SIZES, "--steps", "2", "--batch", "8", "--out", "run", "--quiet"]
    said(capsys, "train", "latin.txt", "--errors", "replace", *options)
    corpus = Corpus.open("run/corpus")
    texts = [rows.text(row) for rows in corpus.splits.values() for row in range(len(rows))]
    assert corpus.manifest["read"] == len(texts) == 28
    assert corpus.manifest["source"]["settings"]["errors"] == "replace"


# ---------------------------------------------------------------------------------------------- train, end to end


def test_a_run_from_nothing_and_on(here, capsys):
    toy = ["toy", "count=120", "codec=words", *SIZES]
    threads = threading.active_count()
    code, out, err = call(capsys, "train", *toy, "--out", "deep/run", "--steps", "20", "--batch", "16", "--every", "10")
    assert code == 0
    assert re.fullmatch(r"deep/run: best checkpoint step-0000000[12]0; try: textgen sample --model deep/run\n", out)
    seen = ["building the corpus", "corpus   rows: ", "model    vae, ", "steps 0 to 20, 16 rows each, seed 0"]
    seen += ["step      10  valid score ", "nats per sentence", "best so far", "      given  ", "     sample  "]
    assert all(words in err for words in seen)
    names = {path.name for path in Path("deep/run").iterdir()}
    assert names >= {"recipe.json", "checkpoints", "metrics.jsonl", "samples.txt", "corpus"}
    assert threading.active_count() == threads  # TensorBoard's writer is gone
    assert len(said(capsys, "sample", "--model", "deep/run", "-n", "3").splitlines()) == 3

    found = json.loads(call(capsys, "train", "--resume", "deep/run", "--steps", "30", "--json", "--quiet")[1])
    assert found["run"] == "deep/run"
    assert checkpoint.step_of(Path(found["best"])) in (10, 20, 30)
    newest = checkpoint.listed(Path("deep/run/checkpoints"))[0]
    assert checkpoint.step_of(newest) == 30
    steps = [json.loads(line)["step"] for line in Path("deep/run/metrics.jsonl").read_text().splitlines()]
    assert steps == sorted(steps)
    assert (steps[0], steps[-1]) == (1, 30)
    assert said(capsys, "train", "--resume", "deep/run", "--quiet", "--steps", "30").startswith("deep/run: best ")


def test_a_run_without_a_name_takes_the_first_free_number(here, toy_corpus, capsys):
    sizes = small.worded({**small.settings("lm"), "precision": "fp32"})
    options = ["--model", "lm", *sizes, "--steps", "1", "--batch", "4", "--quiet", "--json"]
    assert [json.loads(said(capsys, "train", toy_corpus, *options))["run"] for _ in range(2)] == ["runs/1", "runs/2"]
    recipes = [json.loads(Path(f"runs/{number}/recipe.json").read_text()) for number in (1, 2)]
    assert recipes[0] == recipes[1]
    assert recipes[0]["recipe"]["model"] == "lm"
    same = [library.best(Path(f"runs/{number}")) / checkpoint.MODEL for number in (1, 2)]
    assert same[0].read_bytes() == same[1].read_bytes()


# --------------------------------------------------------------------------------------------------- interpolate


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--path", "arc"],
        ["--pace", "code"],
        ["--no-rerank"],
        ["--beams", "1"],
        ["--steps", "3"],
        ["--steps", "auto"],
    ],
)
def test_interpolate(model, capsys, options):
    out = said(capsys, "interpolate", ONE, OTHER, *model, *options).splitlines()
    facts = parsed(capsys, "interpolate", ONE, OTHER, *model, *options)
    assert (out[0], out[-1]) == (f"given  {ONE}", f"given  {OTHER}")
    texts = [point["text"] for point in facts["points"]]
    runs = [list(run) for _, run in itertools.groupby(facts["points"], key=lambda point: point["text"])]
    assert len(out) == len(runs) + 2
    for line, run in zip(out[1:-1], runs, strict=True):
        first, last = (f"{run[end]['position']:.2f}" for end in (0, -1))
        assert line.split()[0] == (first if len(run) == 1 else f"{first}-{last}")
        assert line.partition("  ")[2].strip().removesuffix("(not the sentence given)").strip() == run[0]["text"]
    assert facts["distinct"] == len(set(texts))
    assert facts["path"] == ("arc" if "arc" in options else "line")
    if "auto" not in options:
        assert len(texts) == (3 if "3" in options else 8)


def test_interpolate_is_the_call_of_the_same_name(model, toy_run, capsys):
    vae = textgen.SentenceVAE.from_pretrained(toy_run)
    walks = {
        (): vae.interpolate(ONE, OTHER),
        ("--steps", "40"): vae.interpolate(ONE, OTHER, steps=40),
        ("--steps", "40", "--no-rerank"): vae.interpolate(ONE, OTHER, steps=40, rerank=False),
        ("--beams", "2", "--steps", "20"): vae.interpolate(ONE, OTHER, beams=2, steps=20),
        ("--path", "arc", "--steps", "auto"): vae.interpolate(ONE, OTHER, path="arc", steps=None),
    }
    assert len({str(walk) for walk in walks.values()}) == len(walks)
    for options, walk in walks.items():
        assert said(capsys, "interpolate", ONE, OTHER, *model, *options) == f"{walk}\n"
        assert parsed(capsys, "interpolate", ONE, OTHER, *model, *options) == walk.to_dict()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([ONE, OTHER, "--steps", "1"], "error: --steps 1: expected 2 to 1000, or auto\n"),
        ([ONE, OTHER, "--steps", "-3"], "error: --steps -3: expected 2 to 1000, or auto\n"),
        ([ONE, OTHER, "--steps", "x"], "error: --steps 'x': expected a whole number from 2 to 1000, or auto\n"),
        ([ONE, OTHER, "--steps=--3"], "error: --steps '--3': expected a whole number"),
        ([ONE, OTHER, "--steps", "9" * 5000], "error: --steps '9999"),
        ([ONE, OTHER, "--beams", "0"], "error: --beams 0: expected 1 to 100\n"),
        ([ONE, OTHER, "--path", "curve"], "error: path 'curve': choose from auto, fluent, line, arc\n"),
        ([ONE, OTHER, "--pace", "fast"], "error: pace 'fast': choose from text, code\n"),
        ([ONE, ""], "error: sentence 2 of 2, '' is empty: give at least one word\n"),
        ([" \t", ONE], "error: sentence 1 of 2, ' \\t' is empty: give at least one word\n"),
        ([ONE, "cat " * 99], "error: sentence 2 of 2, 'cat cat "),
    ],
)
def test_interpolate_refuses(model, capsys, words, message):
    said = refused(capsys, "interpolate", *words, *model)
    assert said.startswith(message)
    assert "cat cat" not in said or said.endswith(" shorten it\n")


def test_a_language_model_has_nothing_to_interpolate(toy_language_model, capsys, tmp_path):
    model = ["--model", str(toy_language_model)]
    for words in (["interpolate", ONE, OTHER], ["reconstruct", ONE], ["encode", ONE, "--out", str(tmp_path / "x.npz")]):
        said = refused(capsys, *words, *model)
        assert "a lm has no codes; interpolate, reconstruct, encode and decode need a vae or an autoencoder" in said
    assert not list(tmp_path.iterdir())


# -------------------------------------------------------------------------------------------------------- sample


@pytest.mark.parametrize(
    "options",
    [[], ["--beams", "3", "--best-of", "2"], ["--beams", "3", "--code-temperature", "0"], ["--prompt", "the small"],
     ["--temperature", "0"],
     ["--temperature", "0.7", "--top-k", "5", "--top-p", "0.9", "--min-p", "0.05", "--no-repeat", "2"]],
)  # fmt: skip
def test_sample(model, capsys, options):
    out = said(capsys, "sample", "-n", "5", *model, *options)
    facts = parsed(capsys, "sample", "-n", "5", *model, *options)
    assert out.splitlines() == facts["sentences"]
    assert (len(facts["sentences"]), facts["seed"]) == (5, 0)
    if "--code-temperature" in options:
        assert len(set(facts["sentences"])) == 1
    elif "0" in options:
        assert parsed(capsys, "sample", "-n", "5", *model, "--temperature", "1e-300") == facts
    if "--prompt" in options:
        assert all(text.startswith("the small") for text in facts["sentences"])


def test_sentences_are_written_to_be_read_unless_draws_are_asked_for(model, capsys):
    def drawn(*options):
        return parsed(capsys, "sample", "-n", "6", *model, *options)

    readable = drawn("--beams", "5", "--code-temperature", "0.7", "--best-of", "4")
    exact = drawn("--beams", "0")
    assert (readable["beams"], readable["code_temperature"], readable["best_of"]) == (5, 0.7, 4)
    assert (exact["beams"], exact["code_temperature"], exact["best_of"]) == (0, 1.0, 1)
    assert drawn() == drawn("--beams", "5") == readable != exact
    assert drawn("--temperature", "1") == exact != drawn("--code-temperature", "1") != readable
    assert drawn("--top-k", "3")["beams"] == drawn("--prompt", "the")["beams"] == drawn("--top-p", "1")["beams"] == 0


def test_a_folder_here_that_is_named_as_a_model_that_ships_is_told_of(toy_run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(toy_run, "verse-zh")
    words = ["sample", "-n", "2", "--json", "--model"]
    assert main([*words, "verse-zh"]) == 0
    ships = capsys.readouterr()
    assert ships.err == "note: verse-zh is the model that ships; ./verse-zh is the one in this folder\n"
    assert main([*words, "./verse-zh"]) == 0
    here = capsys.readouterr()
    assert here.err == "" and here.out != ships.out


def test_the_default_model_is_that_of_python():
    assert shared.DEFAULT_MODEL == library.DEFAULT_MODEL
    assert shared.shipped("textgen") == [*library.shipped("textgen")]
    assert shared.shipped("imagegen") == [*library.shipped("imagegen")]


def test_the_same_seed_gives_the_same_output_and_another_one_another(model, toy_language_model, capsys):
    for which in (model, ["--model", str(toy_language_model)]):
        first = said(capsys, "sample", "-n", "6", *which, "--seed", "7")
        assert said(capsys, "sample", "-n", "6", *which, "--seed", "7", "--threads", "1") == first
        assert said(capsys, "sample", "-n", "2", *which, "--seed", "7") == "".join(first.splitlines(True)[:2])
        assert said(capsys, "sample", "-n", "6", *which, "--seed", "8") != first


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--temperature", "-1"], "error: --temperature -1: expected a number from 0 to 100\n"),
        (["--temperature", "nan"], "error: --temperature nan: expected a number from 0 to 100\n"),
        (["--top-k", "-1"], "error: --top-k -1: expected 0 or more\n"),
        (["--top-p", "0"], "error: --top-p 0: expected a number above 0 and at most 1\n"),
        (["--min-p", "1"], "error: --min-p 1: expected 0 or more, below 1\n"),
        (["--no-repeat", "-2"], "error: --no-repeat -2: expected 0 or more\n"),
        (["-n", "0"], "error: -n 0: expected 1 to 1,000,000\n"),
        (["--beams", "-1"], "error: --beams -1: expected 0 to 100\n"),
        (["--best-of", "0"], "error: --best-of 0: expected 1 to 1,000\n"),
        (["--code-temperature", "nan"], "error: --code-temperature nan: expected a number from 0 to 100\n"),
        (["--seed", "4294967296"], "error: --seed 4294967296: expected 0 to 4,294,967,295\n"),
        (["--prompt", "cat " * 99], "error: the prompt has 99 tokens; this model writes at most "),
        *(
            (["--beams", "2", *words], "error: beams write each code's most probable sentence: leave out the prompt")
            for words in (["--prompt", "the"], ["--temperature", "1"], ["--temperature", "0.5"])
        ),
    ],
)
def test_sample_refuses(model, capsys, words, message):
    assert refused(capsys, "sample", *model, *words).startswith(message)


def test_a_language_model_has_no_beams(toy_language_model, capsys):
    said = refused(capsys, "sample", "--model", toy_language_model, "--beams", "3")
    assert said.startswith("error: --beams needs a model with codes")


# --------------------------------------------------------------------------------- reconstruct, encode and decode


def typed(monkeypatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))


def test_reconstruct(model, capsys, monkeypatch):
    facts = parsed(capsys, "reconstruct", ONE, OTHER, *model)
    assert [pair["given"] for pair in facts] == [ONE, OTHER]
    assert all(pair["exact"] == (pair["given"] == pair["decoded"]) for pair in facts)
    lines = [f"{what:<7}  {pair[what]}" for pair in facts for what in ("given", "decoded")]
    lines.append(f"{sum(pair['exact'] for pair in facts)} of 2 exactly")
    assert said(capsys, "reconstruct", ONE, OTHER, *model).splitlines() == lines
    typed(monkeypatch, f"{ONE}\n\n  {OTHER}\r\n".encode())
    assert parsed(capsys, "reconstruct", "-", *model) == facts
    typed(monkeypatch, b" \n\n")
    assert refused(capsys, "reconstruct", "-", *model) == "error: standard input holds no sentence\n"


def test_what_a_terminal_cannot_show_is_no_reason_to_stop(model, capsys):
    assert "given    ? cat" in said(capsys, "reconstruct", "\udcff cat", *model)


def test_encode_and_decode(here, model, capsys, monkeypatch):
    assert said(capsys, "encode", ONE, OTHER, "--out", "codes.npz", *model) == "codes.npz: 2 codes of 8 numbers\n"
    with np.load("codes.npz", allow_pickle=False) as arrays:
        codes, given = arrays["codes"], arrays["sentences"].tolist()
    assert (codes.shape, codes.dtype, given) == ((2, 8), np.float32, [ONE, OTHER])
    facts = parsed(capsys, "reconstruct", ONE, OTHER, *model, "--beams", "1")
    texts = parsed(capsys, "decode", "codes.npz", *model, "--beams", "1")
    assert texts == [pair["decoded"] for pair in facts]  # one beam: there is nothing to re-rank
    assert said(capsys, "decode", "codes.npz", *model, "--beams", "1").splitlines() == texts
    typed(monkeypatch, f"{ONE}\n{OTHER}\n".encode())
    assert parsed(capsys, "encode", "-", "--out", "codes.npz", "--force", *model) == {
        "out": "codes.npz",
        "shape": [2, 8],
    }
    with np.load("codes.npz") as arrays:
        assert np.array_equal(arrays["codes"], codes)
    drawn = []
    for seed in ("1", "1", "2"):
        said(capsys, "encode", ONE, "--draw", "--seed", seed, "--out", "drawn.npz", "--force", *model)
        with np.load("drawn.npz") as arrays:
            drawn.append(arrays["codes"])
    assert np.array_equal(drawn[0], drawn[1])
    assert not np.array_equal(drawn[1], drawn[2])
    assert sorted(path.name for path in here.glob("*.npz")) == ["codes.npz", "drawn.npz"]


def npz(path: Path, **arrays: np.ndarray) -> bytes:
    np.savez(path, **arrays)
    return path.read_bytes()


def test_codes_that_cannot_be_read_are_refused(here, model, capsys, tmp_path):
    class Trap:
        def __reduce__(self) -> object:
            return Path.touch, (tmp_path / "canary",)

    good = npz(here / "c.npz", codes=np.zeros((2, 8), np.float32))
    packed = here / "packed.npz"
    np.savez_compressed(packed, codes=np.arange(800, dtype=np.float32).reshape(100, 8))
    squeezed = bytearray(packed.read_bytes())
    squeezed[60:90] = bytes(30)
    bad = {
        "empty": b"",
        "text": b"not a zip file\n",
        "cut off": good[:-30],
        "squeezed": bytes(squeezed),
        "other array": npz(here / "c.npz", points=np.zeros((2, 8))),
        "words": npz(here / "c.npz", codes=np.array(["a", "b"])),
        "objects": npz(here / "c.npz", codes=np.array([Trap()], dtype=object)),
    }
    np.save(here / "c.npy", np.zeros((2, 8)))
    bad["npy"] = (here / "c.npy").read_bytes()
    for name, data in bad.items():
        (here / "bad.npz").write_bytes(data)
        message = "error: bad.npz: no .npz file with an array `codes` of numbers; `textgen encode` writes such files\n"
        assert refused(capsys, "decode", "bad.npz", *model) == message, name
    assert not (tmp_path / "canary").exists()
    assert refused(capsys, "decode", "nowhere.npz", *model).startswith("error: nowhere.npz: no such file")
    assert refused(capsys, "decode", ".", *model) == "error: .: not a regular file\n"


@pytest.mark.parametrize("shape", [(2, 7), (8,), (1, 2, 8), ()])
def test_codes_of_another_shape_are_refused(here, model, capsys, shape):
    npz(here / "c.npz", codes=np.zeros(shape, np.float32))
    said = refused(capsys, "decode", "c.npz", *model)
    assert said == f"error: codes of shape {shape}: expected (N, 8), as `encode` gives them\n"


def test_codes_that_are_not_finite_are_refused(here, model, capsys):
    npz(here / "c.npz", codes=np.full((1, 8), np.nan))
    assert refused(capsys, "decode", "c.npz", *model) == "error: the codes hold NaN or infinity\n"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["encode", "", "--out", "c.npz"], "error: the sentence '' is empty"),
        (["encode", "cat " * 99, "--out", "c.npz"], "error: the sentence 'cat "),
        (["encode", ONE, "--out", "no/such/c.npz"], "error: no/such/c.npz: no such file or folder: check the path"),
        (["encode", ONE, "--out", "."], "error: .: this is no plain file: choose another name\n"),
        (["encode", ONE, "--out", "pipe"], "error: pipe: this is no plain file: choose another name\n"),
        (["encode", ONE, "--out", "link"], "error: link: this is no plain file: choose another name\n"),
        (["encode", ONE, "--out", "good.txt/c.npz"], "error: good.txt/c.npz: a part of the path is a file"),
        (["reconstruct", ONE, "--beams", "0"], "error: --beams 0: expected 1 to 100"),
        (["decode", "c.npz", "--beams", "101"], "error: --beams 101: expected 1 to 100"),
    ],
)
def test_what_cannot_be_encoded_leaves_nothing(here, model, capsys, words, message):
    os.mkfifo("pipe")  # as /dev/null and /dev/stdout, must not give way to a file
    Path("link").symlink_to("good.txt")
    before = contents(here)
    assert refused(capsys, *words, *model).startswith(message)
    assert contents(here) == before


# ------------------------------------------------------------------------------------------------------ evaluate

FEW = ["--rows", "8", "--samples", "4"]


def figures(facts: dict) -> dict[str, float]:
    return {figure["name"]: figure["value"] for figure in facts["figures"]}


def test_evaluate_on_a_corpus_and_on_a_text_file(here, model, toy_corpus, capsys):
    facts = parsed(capsys, "evaluate", toy_corpus, *model, *FEW)
    rows = Corpus.open(toy_corpus).rows("test")
    assert (facts["rows"], facts["seed"], facts["data"]) == (8, 0, "corpus, test split")
    found = figures(facts)
    names = ["NLL", "perplexity", "token perplexity", "bits per byte", "effective sample size", "greatest weight"]
    names += ["negative ELBO", "distortion", "rate", "mutual information", "mutual information, at most"]
    names += ["active units", "reconstruction BLEU", "exact match"]
    names += ["reconstruction BLEU, refined", "exact match, refined"]
    assert list(found) == names
    assert found["negative ELBO"] == pytest.approx(found["distortion"] + found["rate"])
    assert found["NLL"] <= found["negative ELBO"] + 0.5
    assert all(figure["unit"] and figure["estimator"] for figure in facts["figures"])
    assert parsed(capsys, "evaluate", toy_corpus, *model, *FEW) == facts
    Path("held-out.txt").write_text("\n".join(rows.text(row) for row in range(len(rows))))
    again = parsed(capsys, "evaluate", "held-out.txt", *model, *FEW)
    assert again["data"] == "held-out.txt"
    assert figures(again) == pytest.approx(found)
    out = said(capsys, "evaluate", "held-out.txt", *model, *FEW)
    assert out.splitlines()[0] == "vae at step 240 on held-out.txt: 8 sentences, seed 0"
    lines = out.splitlines()[1:]
    assert [line.split("  ")[1] for line in lines if not line.endswith(":") and not line.startswith("note: ")] == names
    heading = lines.index(next(line for line in lines if line.startswith("  refined codes")))
    assert [line.split("  ")[1] for line in lines[heading + 1 : heading + 3]] == names[-2:], "they stand apart"
    assert "note: the effective sample size is" in lines[-1], "4 codes are few"
    assert facts["notes"] == [lines[-1].removeprefix("note: ")]
    assert found["mutual information"] <= found["mutual information, at most"]
    assert "as the model reads it" in next(f["estimator"] for f in facts["figures"] if f["name"] == "bits per byte")


def test_evaluate_by_annealing_and_with_errors_over_groups(here, model, toy_corpus, capsys):
    facts = parsed(capsys, "evaluate", toy_corpus, *model, "--rows", "6", "--ais", "4", "--samples", "3")
    nll = facts["figures"][0]
    assert nll["estimator"].startswith("annealed importance sampling, 3 chains of 4 steps, prior N(0, I)")
    rows = Corpus.open(toy_corpus).rows("test")
    Path("held-out.txt").write_text("\n".join(rows.text(row) for row in range(len(rows))))
    Path("authors.txt").write_text("\n".join("ab"[row % 2] for row in range(len(rows))))
    grouped = parsed(capsys, "evaluate", "held-out.txt", *model, *FEW, "--groups", "authors.txt")
    plain = parsed(capsys, "evaluate", "held-out.txt", *model, *FEW)
    assert figures(grouped) == pytest.approx(figures(plain))
    assert grouped["figures"][0]["error"] != plain["figures"][0]["error"]
    assert "error over 2 groups (few: take it for rough)" in grouped["figures"][0]["estimator"]
    line = refused(capsys, "evaluate", "good.txt", *model, *FEW, "--groups", "authors.txt")
    assert "expected the name of a group for each" in line


def test_two_models_are_compared_sentence_by_sentence(here, model, toy_language_model, toy_corpus, capsys):
    words = ["benchmark", "likelihood", toy_corpus, *model, "--other", toy_language_model, "--samples", "20"]
    facts = parsed(capsys, *words, "--rows", "12")
    found = {one["name"]: one for one in facts["figures"]}
    first, second, apart = (found[name] for name in list(found)[:3])
    assert apart["value"] == pytest.approx(first["value"] - second["value"])
    assert second["definition"] == "exact"
    assert "K=20" in first["definition"] and "effective sample size" in first["definition"]
    assert apart["high"] - apart["low"] < first["high"] - first["low"], "the difference is the surer"
    twice = ["--model", toy_language_model, "--other", toy_language_model]
    same = parsed(capsys, "benchmark", "likelihood", toy_corpus, *twice)
    assert [one["value"] for one in same["figures"]][2:] == [0, 0, 1]


def test_evaluate_a_language_model_and_an_autoencoder(here, toy_language_model, toy_autoencoder, toy_corpus, capsys):
    found = figures(parsed(capsys, "evaluate", toy_corpus, "--model", toy_language_model, *FEW, "--split", "valid"))
    assert list(found) == ["NLL", "perplexity", "token perplexity", "bits per byte"]
    assert 0 < found["bits per byte"] < 8
    found = figures(parsed(capsys, "evaluate", "good.txt", "--model", toy_autoencoder, *FEW))
    assert list(found) == ["active units", "reconstruction BLEU", "exact match"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.txt"], "error: nowhere.txt: no such file or folder"),
        (["empty.txt"], "error: empty.txt: the file is empty"),
        (["latin.txt"], "error: latin.txt: line 28, byte 534: not UTF-8"),
        (["blank.txt"], "error: blank.txt: nothing but white space"),
        (["wide.txt"], "error: every sentence is empty or longer than the "),
        (["CORPUS", "--split", "tets"], "error: no split 'tets': did you mean 'test'? choose from test, train, valid"),
        (["good.txt", "--samples", "0"], "error: --samples 0: expected 1 to 1,000,000"),
        (["good.txt", "--rows", "-1"], "error: --rows -1: expected 0 to 100,000,000"),
        (["good.txt", "--beams", "0"], "error: --beams 0: expected 1 to 100"),
    ],
)
def test_evaluate_refuses(here, model, toy_corpus, capsys, words, message):
    Path("blank.txt").write_text("\n \n")
    Path("wide.txt").write_text("cat " * 99)
    words = [str(toy_corpus) if word == "CORPUS" else word for word in words]
    assert refused(capsys, "evaluate", *words, *model).startswith(message)


# ------------------------------------------------------------------------------------------------ models, export


def test_models_lists_every_part_and_setting(capsys):
    out = said(capsys, "models")
    facts = parsed(capsys, "models")
    assert facts["shipped"] == [*library.shipped("textgen")]
    titles = {*(f"model {name}" for name in small.MODELS), *(f"backbone {name}" for name in small.BACKBONES)}
    titles |= {*(f"encoder {name}" for name in small.ENCODERS), *(f"prior {name}" for name in small.PRIORS)}
    titles |= {"training", "fitting of prior mixture", "fitting of prior flow"}
    assert set(facts["settings"]) == titles
    for title, settings in facts["settings"].items():
        assert f"\n{title}: " in out
        for name, setting in settings.items():
            assert f"  {name}={setting['default']}" in out
            assert setting["doc"] in out


def test_an_exported_model_is_one_to_use(here, model, toy_run, toy_corpus, capsys):
    Path("figures.json").write_text(said(capsys, "evaluate", toy_corpus, *model, *FEW, "--json"))
    Path("about.md").write_text("Made-up sentences, in the public domain.\n")
    options = ["--full", "--figures", "figures.json", "--about", "about.md"]
    out = said(capsys, "export", toy_run, "--out", "mine", *options)
    assert out.startswith("mine: ")
    assert out.endswith(" MB; try: textgen sample --model mine\n")
    card = Path("mine/README.md").read_text()
    for words in ("# mine", "in the public domain.", "| NLL | ", "nats per sentence", "corpus, test split", "seed 3"):
        assert words in card
    assert str(here) not in card
    assert str(toy_run) not in Path("mine/config.json").read_text()
    walk = ["interpolate", ONE, OTHER, "--model"]
    assert said(capsys, *walk, "mine") == said(capsys, *walk, toy_run)
    said(capsys, "export", toy_run, "--out", "half")
    assert len(said(capsys, "sample", "--model", "half").splitlines()) == 8
    assert Path("half/model.safetensors").stat().st_size < 0.6 * Path("mine/model.safetensors").stat().st_size


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--out", "x"], "error: no model 'nowhere': "),
        (["RUN", "--out", "good.txt"], "error: good.txt exists already: choose another folder or remove it first"),
        (["RUN", "--out", "good.txt/x"], "error: good.txt/x: a file of that name is in the way"),
        (["RUN", "--out", "x", "--figures", "nowhere.json"], "error: nowhere.json: no such file"),
        (["RUN", "--out", "x", "--figures", "good.txt"], "error: good.txt is not valid JSON: "),
        (["RUN", "--out", "x", "--figures", "odd.json"], "error: no model card can be made: the figures "),
        (["RUN", "--out", "x", "--about", "nowhere.md"], "error: nowhere.md: no such file"),
    ],
)
def test_export_refuses_and_leaves_nothing(here, toy_run, capsys, words, message):
    Path("odd.json").write_text('{"figures": [1]}')
    before = contents(here)
    words = [str(toy_run) if word == "RUN" else word for word in words]
    assert refused(capsys, "export", *words).startswith(message)
    assert contents(here) == before


# ---------------------------------------------------------------------------------------------------- the model


def test_a_model_that_is_none_is_named(here, monkeypatch, capsys):
    monkeypatch.setattr(library, "shipped", lambda: ["english-fiction"])
    message = "error: no model 'english-ficton': did you mean 'english-fiction'? give a run, a model folder, "
    assert refused(capsys, "sample", "--model", "english-ficton").startswith(message)
    (here / "folder").mkdir()
    assert (
        refused(capsys, "sample", "--model", "folder")
        == "error: folder is not a model folder: it has no manifest.json\n"
    )
    message = "error: good.txt is a file; a model is a folder, a run or a name\n"
    assert refused(capsys, "sample", "--model", "good.txt") == message


def test_a_truncated_checkpoint_is_named(here, toy_run, capsys):
    copy = Path(shutil.copytree(toy_run, here / "run"))
    for one in checkpoint.listed(copy / "checkpoints"):
        path = one / checkpoint.MODEL
        path.write_bytes(path.read_bytes()[:1000])
    for words in (["sample", "--model", "run"], ["train", "--resume", "run", "--quiet", "--steps", "250"]):
        said = refused(capsys, *words)
        assert said.startswith(
            "error: no checkpoint of run is whole; the newest: run/checkpoints/step-000000240/model."
        )
        assert "is truncated or altered: 1,000 bytes instead of " in said
    said = refused(capsys, "sample", "--model", "run/checkpoints/step-000000240")
    assert said.startswith("error: run/checkpoints/step-000000240/model.safetensors is truncated or altered: ")


# -------------------------------------------------------------------------------------------------- the process


@pytest.mark.parametrize("words", [["models"], ["sample", "-n", "300", "--json"]])
def test_a_reader_that_goes_away_is_no_error(toy_run, words):
    words = [*words, "--model", str(toy_run)] if words[0] == "sample" else words
    process = subprocess.Popen(
        [sys.executable, "-m", "textgen.cli", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=FRESH
    )
    process.stdout.close()
    assert (process.stderr.read(), process.wait()) == (b"", 0)
    process.stderr.close()


def test_what_a_model_writes_cannot_steer_the_terminal():
    from corpora.commands import printable

    assert printable("a\x1b[2Jb\x07\x9b\r\tc\nd é 我") == "a\ufffd[2Jb\ufffd\ufffd\ufffd\ufffdc\nd é 我"


# ------------------------------------------------------------------------------------------------------- sound


def test_a_model_of_sound_writes_clips(here, capsys):
    """From WAV files by the commands alone; files that are there are never replaced unasked."""
    Path("clips").mkdir()
    for number in range(12):
        wave = 8000 * np.sin(np.arange(60 + number) * (0.2 + 0.02 * number))
        sound.write(Path(f"clips/tone_{number}.wav"), wave.astype(np.int16), 2000)
    assert corpora_cli.main(["build", "clips", "--out", "corpus"]) == 0
    sizes = ["width=8", "embedding=8", "layers=1", "precision=fp32", "--steps", "2", "--batch", "4", "--quiet"]
    assert main(["train", "corpus", "--model", "lm", *sizes, "--out", "run"]) == 0
    words = ["sample", "-n", "2", "--model", "run", "--temperature", "0.5"]
    out = said(capsys, *words)
    assert [line.split()[0] for line in out.splitlines()] == ["sample-1.wav", "sample-2.wav", "2"]
    first = Path("sample-1.wav").read_bytes()
    assert first[:4] == b"RIFF"
    facts = parsed(capsys, *words)
    assert facts["out"] == ["sample2-1.wav", "sample2-2.wav"] and len(facts["tokens"]) == 2
    assert Path("sample2-1.wav").read_bytes() == first
    assert "exist already: choose another --out" in refused(capsys, *words, "--out", "sample.wav")
    assert said(capsys, *words, "--out", "sample.wav", "--force").startswith("sample-1.wav")
    message = "error: --prompt is for sentences: run at step 2 draws clips\n"
    assert refused(capsys, "sample", "--model", "run", "--prompt", "la") == message


def test_sentences_are_printed_not_written(model, capsys):
    message = "error: --out x.txt: sentences are printed; send them to a file with > x.txt\n"
    assert refused(capsys, "sample", *model, "--out", "x.txt") == message

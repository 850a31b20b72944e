"""The command `textgen`: parse a verb's words and options, call the function of that name in `verbs`, print its result.

Nothing heavy is imported until a verb is called, so that --help answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from corpora import commands
from corpora.cli import show_result as show
from corpora.commands import Verb, new_file, split_words
from corpora.errors import InputError, quoted
from textgen import options as o
from textgen.sentences import defaults

if TYPE_CHECKING:
    from textgen.runs.run import Run

ABOUT = "Sentences you can steer: train, walk between, sample, measure."
EXPORT = "write one shareable model folder with a model card"
HERE = "textgen.cli"
BENCHMARKS = {
    "attribute": Verb(HERE, "accuracy, content and fluency of changed sentences"),
    "interpolation": Verb(HERE, "walks between held-out sentences: fluency, order, smoothness, fidelity"),
    "pairs": Verb(HERE, "draw pairs of held-out sentences for the others"),
    "samples": Verb(HERE, "fluency, coverage, variety and novelty of samples"),
}
VERBS = {
    "train": Verb(HERE, "train a model on text"),
    "sample": Verb(HERE, "draw new sentences"),
    "interpolate": Verb(HERE, "walk from one sentence to another"),
    "reconstruct": Verb(HERE, "encode sentences and decode them again"),
    "neighbours": Verb(HERE, "the sentences of a corpus nearest to a sentence, by their codes"),
    "arithmetic": Verb(HERE, "a sentence, minus some, plus others"),
    "vary": Verb(HERE, "turn one or two of a sentence's codes, the others held"),
    "encode": Verb(HERE, "write the codes of sentences to a .npz file"),
    "decode": Verb(HERE, "write a sentence for each code in a .npz file"),
    "evaluate": Verb(HERE, "likelihood, rate, mutual information and reconstruction, with units"),
    "prior": Verb(HERE, "fit a prior to the codes of a trained model"),
    "benchmark": Verb(BENCHMARKS, "quality of walks and samples beside real text, with confidence intervals"),
    "models": Verb(HERE, "the models that ship, and the settings of each kind of model"),
    "export": Verb(HERE, EXPORT),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for bad input, 130 or 143 after Ctrl-C or SIGTERM."""
    return commands.main("textgen", ABOUT, VERBS, argv)


# -------------------------------------------------------------------------------------------- shared by programs


def named(model: str | None, default: str) -> str:
    """The model that --model names; a note if a folder here has the name of a model that ships."""
    ships = {*o.shipped("textgen"), *o.shipped("imagegen")}
    if model in ships and any((Path(model) / file).is_file() for file in ("recipe.json", "config.json")):
        print(f"note: {model} is the model that ships; ./{model} is the one in this folder", file=sys.stderr)
    return model or default


def how(temperature: Any, top_k: Any, top_p: Any, min_p: Any, no_repeat: Any) -> Any:
    """The choice of tokens that options ask for, or None; errors name the option."""
    from textgen import verbs

    try:
        return verbs.choice(temperature, top_k, top_p, min_p, no_repeat)
    except InputError as error:
        key, equals, rest = str(error).partition("=")
        raise InputError(f"--{key.replace('_', '-')} {rest}" if equals else str(error)) from error


def numbers(option: str, text: str, kind: type) -> list[Any]:
    """Numbers with commas between them."""
    try:
        return [kind(word) for word in text.split(",")]
    except ValueError as error:
        raise InputError(f"{option} {quoted(text)}: expected numbers with commas between them") from error


def trained(
    program: str,
    new_run: Callable[..., Run],
    arguments: Sequence[str] | None,
    *,
    out: str | None,
    resume: str | None,
    quiet: bool,
    as_json: bool,
    errors: str | None = None,
    **options: Any,
) -> int:
    """The verb `train` of a program: begin a run, or go on with one, and train it."""
    inputs, settings = split_words(arguments or [])
    if errors is not None:
        settings["errors"] = errors
    chosen = {name: value for name, value in options.items() if value is not None}
    if "minutes" in chosen and not 0 < chosen["minutes"] <= o.WEEK:
        raise InputError(f"--minutes {chosen['minutes']:g}: expected more than 0, and 10,080 (a week) at most")
    if resume is not None:
        _check_resume(inputs, settings, {"out": out, **chosen})
    elif not inputs:
        raise InputError("nothing to train on: give files, a folder, hf:NAME, or one made up (toy, sprites, moons)")
    from textgen import verbs
    from textgen.runs.folder import Stopped
    from textgen.runs.run import Run
    from textgen.runs.screen import Screen

    folder = Path(resume or out or verbs.free_run())
    screen = Screen(quiet=quiet)
    try:
        if resume is not None:
            best = Run.open(folder).train(screen, steps=options["steps"])
        else:
            best = new_run(inputs, folder, settings=settings, screen=screen, **chosen).train(screen)
    except Stopped as stopped:
        print(f"{stopped}; go on with: {program} train --resume {folder}", file=sys.stderr)
        return 128 + stopped.number
    if int(os.environ.get("RANK", "0")) == 0:
        text = f"{folder}: best checkpoint {best.name}; try: {program} sample --model {folder}"
        print(json.dumps({"run": str(folder), "best": str(best)}) if as_json else text)
    return 0


def _check_resume(inputs: Sequence[str], settings: dict[str, str], chosen: dict[str, Any]) -> None:
    options = [f"--{name}" for name, value in chosen.items() if value is not None and name != "steps"]
    extra = [*inputs, *settings, *options]
    if extra:
        raise InputError(f"--resume goes on with a run as it was begun: leave out {', '.join(extra)}")


# -------------------------------------------------------------------------------------------------------- verbs


def train(
    arguments: o.Words = None,
    model: Annotated[
        str | None,
        Option(metavar="KIND", help="vae (default), lm or autoencoder", autocompletion=o.kinds("textgen")),
    ] = None,
    out: o.RunOut = None,
    minutes: o.Minutes = None,
    steps: o.Steps = None,
    resume: o.Resume = None,
    preset: Annotated[
        str | None, Option(metavar="NAME", help="auto: sizes chosen by the corpus (default for text), or none")
    ] = None,
    init: o.Init = None,
    repeat: o.Repeat = None,
    batch: o.Batch = None,
    every: o.Every = None,
    keep: o.Keep = None,
    seed: o.RunSeed = None,
    device: o.RunDevice = None,
    threads: o.RunThreads = None,
    source: o.Source = None,
    valid: o.Valid = None,
    test: o.Test = None,
    errors: o.Errors = None,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
) -> int:
    """Train a model on text and keep it in a run folder.

      textgen train poems.txt
      textgen train poems.txt --minutes 30 rate=20
      textgen train reviews.csv column=body --model vae rate=12 width=256 --steps 5000 --out runs/reviews
      textgen train corpus-folder --model lm backbone=transformer layers=6
      textgen train --resume runs/reviews
      torchrun --nproc-per-node 2 -m textgen.cli train corpus-folder --out runs/two

    IN: files, folders, hf:NAME, toy or - as for `corpora build`, or a folder that it built.
    KEY=VALUE: settings of the corpus, the model, its parts and the training; `textgen models` lists them.

    Text is sized by --preset auto: it looks at the corpus and chooses codec, model, rate and steps, with a line of
    reason for each. What you set yourself wins. A built corpus, and --init, have sizes already: there the defaults
    hold (--preset none).
    """
    return trained(
        "textgen", _new_run, arguments, out=out, resume=resume, quiet=quiet, as_json=as_json, errors=errors,
        model=model, preset=preset, minutes=minutes, init=init, repeat=repeat, steps=steps, batch=batch, every=every,
        keep=keep, seed=seed, device=device, threads=threads, source=source, valid=valid, test=test,
    )  # fmt: skip


def _new_run(*arguments: Any, **options: Any) -> Run:
    from textgen import verbs

    return verbs.new_run(*arguments, **options)


def sample(
    n: Annotated[int, Option("-n", min=1, max=1_000_000, metavar="N", help="sentences to draw")] = defaults.SAMPLES,
    model: o.Model = None,
    prompt: Annotated[str, Option(metavar="TEXT", help="how each begins")] = "",
    temperature: o.Temperature = None,
    seed: o.Seed = 0,
    beams: Annotated[
        int | None,
        Option(
            min=0,
            max=100,
            metavar="N",
            help=f"write each code's most probable sentence, of N (default {defaults.SAMPLE_BEAMS}); 0: token by token",
        ),
    ] = None,
    best_of: Annotated[
        int | None,
        Option(
            min=1,
            max=1000,
            metavar="N",
            help=f"draw N for each, keep the best by NLL per token (default {defaults.SAMPLE_BEST_OF}; by token 1)",
        ),
    ] = None,
    code_temperature: Annotated[
        float | None,
        Option(
            min=0,
            max=100,
            metavar="X",
            help="noise of the codes times X: below 1 nearer to the middle of the prior "
            f"(default {defaults.SAMPLE_CODE_TEMPERATURE}; by token 1)",
        ),
    ] = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    label: o.Label = None,
    length: o.Length = None,
    tones: o.Tones = None,
    rhyme: o.Rhyme = None,
    new_words: o.NewWords = None,
    prior: o.Prior = None,
    out: Annotated[
        str | None,
        Option(metavar="FILE", help="clips of sound: written as FILE-1.wav, ... (default sample-1.wav, ...)"),
    ] = None,
    force: o.Force = False,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Draw new sentences; of a model of sound, draw clips and write them as WAV files.

      textgen sample -n 20
      textgen sample -n 20 --temperature 1
      textgen sample --prompt "the old man" --top-p 0.9

    A model with codes by default writes what reads best: the most probable sentences (--beams 5) of codes nearer to
    the middle of the prior (--code-temperature 0.7), and of each four the best by NLL per token (--best-of 4). With
    --temperature, --top-p, a prompt or --beams 0, and from a language model, sentences are drawn token by token,
    exactly from the model unless another option says otherwise.
    """
    chosen = how(temperature, top_k, top_p, min_p, no_repeat)
    from textgen import verbs

    samples = verbs.sample(
        n, model=named(model, o.DEFAULT_MODEL), prompt=prompt, how=chosen, beams=beams, best_of=best_of,
        code_temperature=code_temperature, label=label, length=length, tones=tones, rhyme=rhyme, new_words=new_words,
        prior=prior, seed=seed, device=device, threads=threads,
    )  # fmt: skip
    if isinstance(samples, verbs.Clips):
        return _write_clips(samples, out, force, as_json)
    if out is not None:
        raise InputError(f"--out {out}: sentences are printed; send them to a file with > {out}")
    return show(samples, as_json)


def _write_clips(clips: Any, out: str | None, force: bool, as_json: bool) -> int:
    """Write clips beside each other under a name that none has yet, and print the names."""
    path, number = Path(out or "sample.wav"), 1
    while not force and any(path.parent.glob(f"{path.stem}-*{path.suffix}")):
        if out is not None:
            raise InputError(f"{path.stem}-*{path.suffix} exist already: choose another --out, or give --force")
        number += 1
        path = path.with_stem(f"sample{number}")
    lines = clips.save(path)
    names = [str(path.parent / line.split()[0]) for _, line in lines]
    text = "\n".join(str(path.parent / line) for _, line in lines)
    print(json.dumps({"out": names, **clips.to_dict()}) if as_json else f"{text}\n{clips}")
    return 0


def interpolate(
    start: o.Sentence,
    end: o.Sentence,
    steps: Annotated[
        str, Option(metavar="N|auto", help="points, the ends among them; auto finds how many by bisection")
    ] = str(defaults.STEPS),
    model: o.Model = None,
    path: Annotated[
        str, Option(metavar="line|arc", help="a straight line, or an arc that keeps the norm")
    ] = defaults.PATH,
    pace: Annotated[
        str, Option(metavar="text|code", help="points where the text changes evenly, or even steps of the code")
    ] = defaults.PACE,
    beams: o.Beams = defaults.BEAMS,
    no_rerank: Annotated[
        bool, Option("--no-rerank", help="take the most probable candidate, without the cycle check")
    ] = False,
    refine: o.Refine = defaults.REFINE,
    length: o.Length = None,
    tones: o.Tones = None,
    rhyme: o.Rhyme = None,
    new_words: o.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Walk from one sentence to another, through sentences.

      textgen interpolate "i went to the store to buy some groceries" "don't worry about it, she said"
      textgen interpolate A B --steps auto --model runs/poems

    Both are encoded; the points of the path between their codes are decoded by beam search and re-ranked by their
    likelihood and by whether they encode back near their point. The ends are shown as you wrote them and as decoded.
    """
    points = _points(steps)
    from textgen import verbs

    walk = verbs.interpolate(
        start, end, model=named(model, o.DEFAULT_MODEL), steps=points, path=path, pace=pace, beams=beams,
        rerank=not no_rerank, refine=refine, length=length, tones=tones, rhyme=rhyme, new_words=new_words,
        device=device, threads=threads,
    )  # fmt: skip
    return show(walk, as_json)


def _points(steps: str) -> int | None:
    if steps == "auto":
        return None
    try:
        count = int(steps)
    except ValueError as error:
        raise InputError(f"--steps {quoted(steps)}: expected a whole number from 2 to 1000, or auto") from error
    if not 2 <= count <= 1000:
        raise InputError(f"--steps {count}: expected 2 to 1000, or auto")
    return count


def reconstruct(
    sentences: o.Sentences,
    model: o.Model = None,
    beams: o.Beams = defaults.RECONSTRUCT_BEAMS,
    refine: o.Refine = defaults.REFINE,
    label: o.Label = None,
    length: o.Length = None,
    tones: o.Tones = None,
    rhyme: o.Rhyme = None,
    new_words: o.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Encode sentences and decode them again."""
    texts = _sentences(sentences)
    from textgen import verbs

    pairs = verbs.reconstruct(
        texts, model=named(model, o.DEFAULT_MODEL), beams=beams, refine=refine, label=label, length=length,
        tones=tones, rhyme=rhyme, new_words=new_words, device=device, threads=threads,
    )  # fmt: skip
    return show(pairs, as_json)


def _sentences(texts: Sequence[str]) -> list[str]:
    if list(texts) != ["-"]:
        return list(texts)
    lines = [line.strip() for line in sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()]
    lines = [line for line in lines if line]
    if not lines:
        raise InputError("standard input holds no sentence")
    return lines


def neighbours(
    sentence: o.Sentence,
    data: o.Data,
    n: Annotated[int, Option("-n", min=1, max=1_000_000, metavar="N", help="sentences to show")] = defaults.NEIGHBOURS,
    model: o.Model = None,
    split: o.Split = "train",
    rows: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="compare with N rows; 0: with all")
    ] = defaults.NEIGHBOUR_ROWS,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Print the sentences of a corpus nearest to a sentence, by their codes."""
    from textgen import verbs

    nearest = verbs.neighbours(
        sentence, data, model=named(model, o.DEFAULT_MODEL), n=n, split=split, rows=rows, seed=seed, device=device,
        threads=threads,
    )  # fmt: skip
    return show(nearest, as_json)


def arithmetic(
    sentence: o.Sentence,
    minus: Annotated[list[str], Option(metavar="SENTENCE|@FILE", help="may be given again; @FILE: one on each line")],
    plus: Annotated[list[str], Option(metavar="SENTENCE|@FILE", help="may be given again; @FILE: one on each line")],
    strength: Annotated[str, Option(metavar="S[,S...]", help="how far to go")] = "1",
    model: o.Model = None,
    beams: o.Beams = defaults.BEAMS,
    refine: o.Refine = defaults.REFINE,
    length: o.Length = None,
    tones: o.Tones = None,
    rhyme: o.Rhyme = None,
    new_words: o.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Decode a code that was added up: SENTENCE - MINUS + PLUS.

      textgen arithmetic "he opened the door." --minus "he smiled." --plus "she smiled."
      textgen arithmetic "the food was cold." --minus @negative.txt --plus @positive.txt --strength 0.5,1,2

    Several sentences on a side are averaged.
    """
    strengths = numbers("--strength", strength, float)
    sides = [[line for word in side for line in _lines(word)] for side in (minus, plus)]
    from textgen import verbs

    sums = verbs.arithmetic(
        sentence, *sides, model=named(model, o.DEFAULT_MODEL), strengths=strengths, beams=beams, refine=refine,
        length=length, tones=tones, rhyme=rhyme, new_words=new_words, device=device, threads=threads,
    )  # fmt: skip
    return show(sums, as_json)


def _lines(word: str) -> list[str]:
    """A sentence, or with @ the lines of a file."""
    if not word.startswith("@"):
        return [word]
    from corpora.sources import text

    return [row.text for row in text.read([word[1:]], text.Config()) if row.text.strip()]


def vary(
    sentence: o.Sentence,
    dims: Annotated[
        int, Option(min=1, max=2, metavar="1|2", help="how many codes: those of the greatest rate")
    ] = defaults.VARY_DIMS,
    codes: Annotated[str | None, Option(metavar="I[,J]", help="codes by number, in place of --dims")] = None,
    steps: Annotated[int, Option(min=2, max=50, metavar="N", help="values of each")] = defaults.VARY_STEPS,
    span: Annotated[float, Option(metavar="X", help="from -X to X standard deviations")] = defaults.VARY_SPAN,
    model: o.Model = None,
    beams: o.Beams = defaults.VARY_BEAMS,
    refine: o.Refine = defaults.REFINE,
    length: o.Length = None,
    tones: o.Tones = None,
    rhyme: o.Rhyme = None,
    new_words: o.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Turn one or two of a sentence's codes, the others held."""
    which = dims if codes is None else numbers("--codes", codes, int)
    from textgen import verbs

    grid = verbs.vary(
        sentence, model=named(model, o.DEFAULT_MODEL), dims=which, steps=steps, span=span, beams=beams, refine=refine,
        length=length, tones=tones, rhyme=rhyme, new_words=new_words, device=device, threads=threads,
    )  # fmt: skip
    if as_json:
        print(json.dumps(verbs.to_dict(grid), ensure_ascii=False, indent=1))
        return 0
    return show(grid, False)


def encode(
    sentences: o.Sentences,
    out: Annotated[str, Option(metavar="FILE.npz", help="the file to write, with an array `codes` (N, Z)")],
    model: o.Model = None,
    draw: Annotated[bool, Option("--draw", help="draw from the posterior instead of taking its mean")] = False,
    refine: o.Refine = defaults.REFINE,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Write the codes of sentences to a .npz file."""
    file = new_file(out, out, force)
    texts = _sentences(sentences)
    from textgen import verbs

    codes = verbs.encode(
        texts, model=named(model, o.DEFAULT_MODEL), draw=draw, refine=refine, seed=seed, device=device,
        threads=threads,
    )  # fmt: skip
    path, (rows, size) = codes.save(file), codes.codes.shape
    facts = {"out": str(path), "shape": [rows, size]}
    print(json.dumps(facts, indent=1) if as_json else f"{path}: {rows} codes of {size} numbers")
    return 0


def decode(
    codes: Annotated[str, Argument(metavar="FILE.npz", help="an array `codes` (N, Z), as `encode` writes it")],
    model: o.Model = None,
    beams: o.Beams = defaults.DECODE_BEAMS,
    label: o.Label = None,
    length: o.Length = None,
    tones: o.Tones = None,
    rhyme: o.Rhyme = None,
    new_words: o.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Write a sentence for each code in a .npz file."""
    from textgen import verbs

    sentences = verbs.decode(
        codes, model=named(model, o.DEFAULT_MODEL), beams=beams, label=label, length=length, tones=tones, rhyme=rhyme,
        new_words=new_words, device=device, threads=threads,
    )  # fmt: skip
    return show(sentences, as_json)


def evaluate(
    data: o.Data,
    model: o.Model = None,
    split: o.Split = "test",
    rows: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="rows drawn for likelihood and reconstruction; 0: all")
    ] = defaults.EVALUATE_ROWS,
    samples: Annotated[
        int, Option(min=1, max=1_000_000, metavar="K", help="importance samples for each row")
    ] = defaults.EVALUATE_SAMPLES,
    everywhere: Annotated[
        int,
        Option(
            min=0,
            max=1_000_000,
            metavar="K",
            help="likelihood of all rows: K samples each, corrected by what --samples add on --rows; 0: --rows alone",
        ),
    ] = 0,
    max_words: Annotated[
        int, Option(min=0, max=1_000_000, metavar="N", help="short sentences alone: N words (characters); 0: all")
    ] = 0,
    beams: Annotated[
        int, Option(min=1, max=100, metavar="N", help="of the reconstructions; 1 is greedy")
    ] = defaults.EVALUATE_BEAMS,
    prior: o.Prior = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Print likelihood, rate, mutual information and reconstruction on held-out sentences, with units."""
    from textgen import verbs

    report = verbs.evaluate(
        data, model=named(model, o.DEFAULT_MODEL), split=split, rows=rows, samples=samples, everywhere=everywhere,
        max_words=max_words, beams=beams, prior=prior, seed=seed, device=device, threads=threads,
        progress=not as_json,
    )  # fmt: skip
    return show(report, as_json)


def prior(
    arguments: Annotated[
        list[str], Argument(metavar="MODEL DATA [KEY=VALUE ...]", help="model, sentences and settings")
    ],
    kind: Annotated[str, Option(metavar="NAME", help="mixture or flow")],
    out: o.FolderOut,
    split: o.Split = "train",
    rows: Annotated[int, Option(min=0, max=o.ROWS, metavar="N", help="sentences; 0: all")] = defaults.PRIOR_ROWS,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Fit a prior to the codes of a trained model, and write a model folder that has it.

      textgen prior runs/poems poems.txt --kind flow --out poems-flow
      textgen prior english-fiction CORPUS --kind mixture components=50 covariance=full --out fiction-mixture

    Codes are drawn from q(z | x) on sentences of a corpus or a text file. Of the priors tried, the one that gives
    held-out codes most nats is kept; the gain over N(0, I) is what the mean rate falls by. The folder is a model as
    any other: --prior normal, where a verb has it, puts N(0, I) back. KEY=VALUE: settings of the prior and of its
    fitting; `textgen models` lists them.
    """
    inputs, settings = split_words(arguments)
    if len(inputs) != 2:
        raise InputError(f"{len(inputs)} names given: expected a model and a corpus or text file")
    from textgen import verbs
    from textgen.runs.screen import Bar

    with Bar() as bar:
        report = verbs.prior(
            inputs[0], inputs[1], out, kind=kind, settings=settings, split=split, rows=rows, seed=seed, device=device,
            threads=threads, tell=bar.tell,
        )  # fmt: skip
    show(report, as_json)
    return 0


def models(as_json: Annotated[bool, Option("--json", help="as JSON")] = False) -> int:
    """Print the models that ship, and the settings of each kind of model."""
    from textgen import verbs

    return show(verbs.models(), as_json)


def export(
    source: o.RunOrFolder,
    out: o.FolderOut,
    full: o.Full = False,
    figures: o.Figures = None,
    about: o.About = None,
    as_json: o.Json = False,
) -> int:
    """Write one shareable model folder with a model card."""
    from textgen import verbs

    return show(verbs.export(source, out, half=not full, figures=figures, about=about), as_json)


# --------------------------------------------------------------------------------------------------- benchmarks

Judge = Annotated[str, Option(metavar="LM", help="a language model trained on real text", autocompletion=o.models)]
LabelledCorpus = Annotated[
    str, Option("--data", metavar="CORPUS", help="a corpus with labels", autocompletion=o.corpora)
]
BuiltCorpus = Annotated[
    str, Option("--data", metavar="CORPUS", help="a folder that `corpora build` made", autocompletion=o.corpora)
]
HeldOut = Annotated[str, Option(metavar="NAME", help="held-out sentences: valid or test")]


def _benchmark(name: str, as_json: bool, **chosen: Any) -> int:
    """Run a benchmark with the values of its options, and print its report."""
    from corpora.settings import find
    from textgen import verbs

    model = named(chosen.pop("model", None), o.DEFAULT_MODEL)
    device, threads, prior = chosen.pop("device", "auto"), chosen.pop("threads", None), chosen.pop("prior", None)

    def opening(other: str | None = None) -> Any:
        return verbs.open_model(other or model, device=device, threads=threads, prior=None if other else prior)

    report = find("textgen.sentences.benchmark", name).main(SimpleNamespace(json=as_json, **chosen), opening)
    return show(report, as_json)


def attribute(
    judge: Judge,
    data: LabelledCorpus,
    model: o.Model = None,
    split: HeldOut = "test",
    source: Annotated[
        str | None, Option("--from", metavar="LABEL", help="of two labels, the one to leave (default: each)")
    ] = None,
    target: Annotated[str | None, Option("--to", metavar="LABEL", help="the one to go to")] = None,
    strengths: Annotated[str, Option(metavar="S[,S...]", help="how far to go")] = "0,0.5,1,1.5,2,3",
    n: Annotated[int, Option("-n", min=1, max=o.ROWS, metavar="N", help="sentences changed each way")] = 500,
    rows: Annotated[int, Option(min=1, max=o.ROWS, metavar="N", help="of each label for the direction")] = 5000,
    refine: o.Refine = defaults.REFINE,
    beams: o.Beams = 5,
    show: Annotated[int, Option(min=0, max=o.ROWS, metavar="N", help="examples each way")] = 4,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Change an attribute of held-out sentences by arithmetic on their codes, and judge the results.

      textgen benchmark attribute --model runs/reviews --judge runs/judge --data reviews
      textgen benchmark attribute --model runs/reviews --judge runs/judge --data reviews --from 0 --to 1 --strengths 1,2

    --data is a corpus with labels: `corpora build` with labels=, or a table with a label column.
    """
    return _benchmark("attribute", **locals())


def interpolation(
    pairs: Annotated[str, Argument(metavar="PAIRS.tsv", help="two sentences on a line, with a tab between them")],
    judge: Judge,
    model: o.Model = None,
    real: Annotated[
        str | None, Option(metavar="FILE", help="real sentences to compare with (default: the pairs' own)")
    ] = None,
    train: Annotated[
        str | None,
        Option(metavar="CORPUS", help="the corpus that the model was trained on: how much is copied from it?"),
    ] = None,
    points: Annotated[int, Option(min=3, max=1000, metavar="N", help="of each path, ends included")] = 10,
    beams: o.Beams = defaults.BEAMS,
    path: Annotated[str, Option(metavar="line|arc", help="as for `interpolate`")] = defaults.PATH,
    pace: Annotated[str, Option(metavar="text|code", help="as for `interpolate`")] = defaults.PACE,
    refine: o.Refine = defaults.REFINE,
    new_words: o.NewWords = None,
    rows: Annotated[int, Option(min=0, max=1_000_000, metavar="N", help="draw N of the pairs; 0: all")] = 0,
    paths: Annotated[str | None, Option(metavar="FILE", help="write the decoded paths here, to be read")] = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Judge walks between the pairs of a file: two sentences on a line, with a tab between them.

      textgen benchmark pairs fiction --out pairs.tsv
      textgen train fiction --model lm --out runs/judge
      textgen benchmark interpolation pairs.tsv --judge runs/judge --train fiction --paths paths.txt

    A low perplexity ratio alone says little: short or generic sentences have one too. Read all figures together.
    """
    return _benchmark("interpolation", **locals())


def pairs(
    data: o.Data,
    out: Annotated[str, Option(metavar="PAIRS.tsv", help="the file to write")],
    n: Annotated[int, Option("-n", min=1, max=1_000_000, metavar="N", help="pairs to draw")] = 200,
    split: o.Split = "test",
    max_words: Annotated[
        int, Option(min=1, max=1_000_000, metavar="N", help="of a sentence; characters without spaces")
    ] = 12,
    seed: o.Seed = 0,
    force: o.Force = False,
    as_json: o.Json = False,
) -> int:
    """Draw pairs of different sentences, for `textgen benchmark interpolation`.

      textgen benchmark pairs fiction --split test -n 200 --seed 0 --max-words 12 --out pairs.tsv

    No sentence is in two pairs, so pairs are independent of each other, as confidence intervals take them to be.
    """
    new_file(out, out, force)
    return _benchmark("pairs", as_json, data=data, out=out, n=n, split=split, max_words=max_words, seed=seed)


def samples(
    judge: Judge,
    data: BuiltCorpus,
    model: o.Model = None,
    split: HeldOut = "test",
    n: Annotated[int, Option("-n", min=2, max=o.ROWS, metavar="N", help="samples")] = 10_000,
    code_temperature: o.CodeTemperature = None,
    temperature: o.Temperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    beams: Annotated[
        int, Option(min=0, max=100, metavar="N", help="each code's most probable sentence instead; 0: token by token")
    ] = 0,
    new_words: o.NewWords = None,
    best_of: Annotated[
        int, Option(min=1, max=1000, metavar="N", help="the best of N by NLL per token for each sample")
    ] = 1,
    prior: o.Prior = None,
    reverse_steps: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="training of each reverse model; 0: none")
    ] = 2000,
    show: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="samples with their nearest training sentence")
    ] = 0,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Judge samples of a model beside real sentences.

      textgen benchmark samples --model runs/reviews --judge runs/judge --data reviews -n 10000
      textgen benchmark samples --judge runs/judge --data fiction --reverse-steps 0 --show 10

    --data is a corpus: its train split for novelty and as the other training text, --split (test) as held-out text.
    Small numbers are no proof: a model that writes "there was no answer." all day has a low forward perplexity.
    """
    chosen = dict(locals())
    ways = [chosen.pop(name) for name in ("temperature", "top_k", "top_p", "min_p", "no_repeat")]
    return _benchmark("samples", how=how(*ways), **chosen)


if __name__ == "__main__":
    sys.exit(main())

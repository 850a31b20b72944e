"""The command `textgen`: parse a verb's words and options, call the function of that name in `verbs`, print its result.

Nothing heavy is imported until a verb is called, so that --help answers at once.
"""

from __future__ import annotations

import glob
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from corpora import commands
from corpora.cli import show_result as show
from corpora.commands import Verb, new_file, numbers, split_words
from corpora.errors import InputError, quoted
from textgen.runs import options as o
from textgen.sentences import benchmark, defaults
from textgen.sentences import options as s

if TYPE_CHECKING:
    from textgen.runs.run import Run

ABOUT = "Sentences you can steer: train, walk between, sample, measure."
EXPORT = "write one shareable model folder with a model card"
HERE = "textgen.cli"
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
    "benchmark": Verb(benchmark.verbs(), "quality of walks and samples beside real text, with confidence intervals"),
    "models": Verb(HERE, "the models that ship, and the settings of each kind of model"),
    "export": Verb(HERE, EXPORT),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for bad input, 130 or 143 after Ctrl-C or SIGTERM."""
    return commands.main("textgen", ABOUT, VERBS, argv)


# -------------------------------------------------------------------------------------------- shared by programs


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
    from textgen.runs import folder as folders
    from textgen.runs.run import Run
    from textgen.runs.screen import Screen

    screen = Screen(quiet=quiet)
    try:
        with folders.chosen(resume or out) as folder:
            if resume is not None:
                best = Run.open(folder).train(screen, steps=options["steps"])
            else:
                best = new_run(inputs, folder, settings=settings, screen=screen, **chosen).train(screen)
    except folders.Stopped as stopped:
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
    beams: s.SampleBeams = None,
    best_of: s.BestOf = None,
    code_temperature: s.CodeTemperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    unk: o.Unk = None,
    label: o.Label = None,
    length: s.Length = None,
    tones: s.Tones = None,
    rhyme: s.Rhyme = None,
    new_words: s.NewWords = None,
    prior: o.Prior = None,
    out: s.ClipsOut = None,
    force: o.Force = False,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Draw new sentences; of a model of sound, draw clips and write them as WAV files.

      textgen sample -n 20
      textgen sample -n 20 --temperature 1
      textgen sample --prompt "the old man" --top-p 0.9

    A model with codes by default writes what reads best. Where its decoder is a language model too, that is the most
    fluent of 16 sentences drawn at --temperature 0.6 from codes at --code-temperature 0.85. Else it is the most
    probable sentences (--beams 5) of codes nearer to the middle of the prior (--code-temperature 0.7), and of each four
    the best by NLL per token (--best-of 4). With --temperature, --top-p, a prompt or --beams 0, and from a language
    model, sentences are drawn token by token, exactly from the model unless another option says otherwise. One thing is
    left out: where the codec has <unk> for unknown words, none is written, and the known ones share its probability;
    --unk allows it.
    """
    chosen = o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat, unk=unk)
    from textgen import verbs

    samples = verbs.sample(
        n, model=o.named(model, o.DEFAULT_MODEL), prompt=prompt, how=chosen, beams=beams, best_of=best_of,
        code_temperature=code_temperature, label=label, length=length, tones=tones, rhyme=rhyme, new_words=new_words,
        prior=prior, seed=seed, device=device, threads=threads,
    )  # fmt: skip
    if isinstance(samples, verbs.Clips):
        return _write_clips(samples, out, force, as_json)
    if out is not None:
        raise InputError(f"--out {out}: sentences are printed; send them to a file with > {out}")
    if samples.note and not as_json and sys.stderr.isatty():  # a person reads along
        print(f"note: {samples.note}", file=sys.stderr)
    return show(samples, as_json)


def _write_clips(clips: Any, out: str | None, force: bool, as_json: bool) -> int:
    """Write clips beside each other under a name that none has yet, and print the names."""
    path, number = Path("sample.wav" if out is None else out), 1
    if path.suffix not in ("", ".wav"):
        raise InputError(f"--out {out}: clips are written as .wav: choose a name that ends so")
    while not force and any(path.parent.glob(f"{glob.escape(path.stem)}-*.wav")):
        if out is not None:
            raise InputError(f"{path.stem}-*.wav exist already: choose another --out, or give --force")
        number += 1
        path = path.with_stem(f"sample{number}")
    lines = clips.save(path)
    names = [str(path.parent / line.split()[0]) for _, line in lines]
    text = "\n".join(str(path.parent / line) for _, line in lines)
    print(json.dumps({"out": names, **clips.to_dict()}) if as_json else f"{text}\n{clips}")
    return 0


def interpolate(
    start: s.Sentence,
    end: s.Sentence,
    steps: Annotated[
        str, Option(metavar="N|auto", help="points, the ends among them; auto: as few as make small steps")
    ] = str(defaults.STEPS),
    model: o.Model = None,
    path: s.Path = defaults.PATH,
    pace: s.Pace = defaults.PACE,
    beams: s.WalkBeams = None,
    no_rerank: Annotated[
        bool, Option("--no-rerank", help="leave fluency, or on a line the cycle check, out of the choice")
    ] = False,
    refine: s.Refine = defaults.REFINE,
    length: s.Length = None,
    tones: s.Tones = None,
    rhyme: s.Rhyme = None,
    new_words: s.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Walk from one sentence to another, through sentences.

      textgen interpolate "i went to the store to buy some groceries" "don't worry about it, she said"
      textgen interpolate A B --steps auto --model runs/poems

    Both are encoded, and sentences decoded by beam search from codes near the line between them. Those make the walk
    that are fluent by the model itself and change evenly. A model that is no language model too, such as one trained
    without code_fade, decodes the points of the line: the best of each by its likelihood and by whether it encodes back
    near its point. The ends are shown as you wrote them and as decoded.
    """
    points = _points(steps)
    from textgen import verbs

    walk = verbs.interpolate(
        start, end, model=o.named(model, o.DEFAULT_MODEL), steps=points, path=path, pace=pace, beams=beams,
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
    sentences: s.Sentences,
    model: o.Model = None,
    beams: s.Beams = defaults.RECONSTRUCT_BEAMS,
    refine: s.Refine = defaults.REFINE,
    label: o.Label = None,
    length: s.Length = None,
    tones: s.Tones = None,
    rhyme: s.Rhyme = None,
    new_words: s.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Encode sentences and decode them again."""
    texts = _sentences(sentences)
    from textgen import verbs

    pairs = verbs.reconstruct(
        texts, model=o.named(model, o.DEFAULT_MODEL), beams=beams, refine=refine, label=label, length=length,
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
    sentence: s.Sentence,
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
        sentence, data, model=o.named(model, o.DEFAULT_MODEL), n=n, split=split, rows=rows, seed=seed, device=device,
        threads=threads,
    )  # fmt: skip
    return show(nearest, as_json)


def arithmetic(
    sentence: s.Sentence,
    minus: Annotated[list[str], Option(metavar="SENTENCE|@FILE", help="may be given again; @FILE: one on each line")],
    plus: Annotated[list[str], Option(metavar="SENTENCE|@FILE", help="may be given again; @FILE: one on each line")],
    strength: Annotated[str, Option(metavar="S[,S...]", help="how far to go")] = "1",
    model: o.Model = None,
    beams: s.Beams = defaults.BEAMS,
    refine: s.Refine = defaults.REFINE,
    length: s.Length = None,
    tones: s.Tones = None,
    rhyme: s.Rhyme = None,
    new_words: s.NewWords = None,
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
        sentence, *sides, model=o.named(model, o.DEFAULT_MODEL), strengths=strengths, beams=beams, refine=refine,
        length=length, tones=tones, rhyme=rhyme, new_words=new_words, device=device, threads=threads,
    )  # fmt: skip
    return show(sums, as_json)


def _lines(word: str) -> list[str]:
    """A sentence, or with @ the lines of a file."""
    if not word.startswith("@"):
        return [word]
    if word == "@":
        raise InputError("'@': expected @FILE, a file with a sentence on each line")
    from corpora.row import items_alone
    from corpora.sources import text

    return [row.text for row in items_alone(text.read([word[1:]], text.Config())) if row.text.strip()]


def vary(
    sentence: s.Sentence,
    dims: Annotated[
        int, Option(min=1, max=2, metavar="1|2", help="how many codes: those of the greatest rate")
    ] = defaults.VARY_DIMS,
    codes: Annotated[str | None, Option(metavar="I[,J]", help="codes by number, in place of --dims")] = None,
    steps: Annotated[int, Option(min=2, max=50, metavar="N", help="values of each")] = defaults.VARY_STEPS,
    span: Annotated[
        float, Option(min=0, max=100, metavar="X", help="from -X to X standard deviations")
    ] = defaults.VARY_SPAN,
    model: o.Model = None,
    beams: s.Beams = defaults.VARY_BEAMS,
    refine: s.Refine = defaults.REFINE,
    length: s.Length = None,
    tones: s.Tones = None,
    rhyme: s.Rhyme = None,
    new_words: s.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Turn one or two of a sentence's codes, the others held."""
    which = dims if codes is None else numbers("--codes", codes, int)
    from textgen import verbs

    grid = verbs.vary(
        sentence, model=o.named(model, o.DEFAULT_MODEL), dims=which, steps=steps, span=span, beams=beams, refine=refine,
        length=length, tones=tones, rhyme=rhyme, new_words=new_words, device=device, threads=threads,
    )  # fmt: skip
    if as_json:
        print(json.dumps(verbs.to_dict(grid), ensure_ascii=False, indent=1))
        return 0
    return show(grid, False)


def encode(
    sentences: s.Sentences,
    out: Annotated[str, Option(metavar="FILE.npz", help="the file to write, with an array `codes` (N, Z)")],
    model: o.Model = None,
    draw: Annotated[bool, Option("--draw", help="draw from the posterior instead of taking its mean")] = False,
    refine: s.Refine = defaults.REFINE,
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
        texts, model=o.named(model, o.DEFAULT_MODEL), draw=draw, refine=refine, seed=seed, device=device,
        threads=threads,
    )  # fmt: skip
    path, (rows, size) = codes.save(file), codes.codes.shape
    facts = {"out": str(path), "shape": [rows, size]}
    print(json.dumps(facts, indent=1) if as_json else f"{path}: {rows} codes of {size} numbers")
    return 0


def decode(
    codes: Annotated[str, Argument(metavar="FILE.npz", help="an array `codes` (N, Z), as `encode` writes it")],
    model: o.Model = None,
    beams: s.Beams = defaults.DECODE_BEAMS,
    label: o.Label = None,
    length: s.Length = None,
    tones: s.Tones = None,
    rhyme: s.Rhyme = None,
    new_words: s.NewWords = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    seed: o.Seed = 0,
    as_json: o.Json = False,
) -> int:
    """Write a sentence for each code in a .npz file."""
    from textgen import verbs

    sentences = verbs.decode(
        codes, model=o.named(model, o.DEFAULT_MODEL), beams=beams, label=label, length=length, tones=tones, rhyme=rhyme,
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
        int | None,
        Option(
            min=1,
            max=1_000_000,
            metavar="K",
            help=f"importance samples for each row (default {defaults.EVALUATE_SAMPLES}), or with --ais chains "
            f"(default {defaults.EVALUATE_CHAINS})",
        ),
    ] = None,
    everywhere: Annotated[
        int,
        Option(
            min=0,
            max=1_000_000,
            metavar="K",
            help="likelihood of all rows: K samples each, corrected by what --samples add on --rows; 0: --rows alone",
        ),
    ] = 0,
    ais: o.Anneal = 0,
    groups: Annotated[
        str | None,
        Option(
            metavar="FILE|label",
            help="errors over authors, books or speakers: a line for each sentence names its group; label: its label",
        ),
    ] = None,
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
        data, model=o.named(model, o.DEFAULT_MODEL), split=split, rows=rows, samples=samples, everywhere=everywhere,
        ais=ais, groups=groups, max_words=max_words, beams=beams, prior=prior, seed=seed, device=device,
        threads=threads, progress=not as_json,
    )  # fmt: skip
    return show(report, as_json)


def prior(
    arguments: Annotated[
        list[str], Argument(metavar="MODEL DATA [KEY=VALUE ...]", help="model, rows to encode, and settings")
    ],
    kind: Annotated[str, Option(metavar="NAME", help="mixture or flow")],
    out: o.FolderOut,
    split: o.Split = "train",
    rows: Annotated[int, Option(min=0, max=o.ROWS, metavar="N", help="rows; 0: all")] = defaults.PRIOR_ROWS,
    keep_worse: Annotated[
        bool, Option("--keep-worse", help="write the model even if the prior is worse than N(0, I) on held-out codes")
    ] = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Fit a prior to the codes of a trained model, and write a model folder that has it.

      textgen prior runs/poems poems.txt --kind flow --out poems-flow
      textgen prior english-fiction CORPUS --kind mixture components=50 covariance=full --out fiction-mixture
      imagegen prior creatures-vae CORPUS --kind mixture --out creatures-mixture

    Codes are drawn from q(z | x) on the rows of a corpus, or the lines of a text file. Of the priors tried, the one
    that gives held-out codes most nats is kept; the gain over N(0, I) is what the mean rate falls by. One that is worse
    than N(0, I) there is refused, unless --keep-worse asks for it. The folder is a model as any other: --prior normal,
    where a verb has it, puts N(0, I) back. KEY=VALUE: settings of the prior and of its fitting; `textgen models` lists
    them.
    """
    inputs, settings = split_words(arguments)
    if len(inputs) != 2:
        raise InputError(f"{len(inputs)} names given: expected a model and a corpus or text file")
    from textgen import verbs
    from textgen.runs.screen import Bar

    with Bar() as bar:
        report = verbs.prior(
            inputs[0], inputs[1], out, kind=kind, settings=settings, split=split, rows=rows, keep_worse=keep_worse,
            seed=seed, device=device, threads=threads, tell=bar.tell,
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
    int8: o.Int8 = False,
    figures: o.Figures = None,
    about: o.About = None,
    as_json: o.Json = False,
) -> int:
    """Write one shareable model folder with a model card."""
    from textgen import verbs

    if full and int8:
        raise InputError("--full and --int8 both say how weights are stored: leave out one of them")
    return show(verbs.export(source, out, half=not full, int8=int8, figures=figures, about=about), as_json)


if __name__ == "__main__":
    sys.exit(main())

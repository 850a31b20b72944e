"""The command `textgen`. Nothing heavy is imported until a verb needs it, so that --help answers at once."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser, printable, run, split_words
from corpora.errors import InputError, quoted
from corpora.settings import find
from textgen.sentences import benchmark
from textgen.sentences.defaults import REFINE, SAMPLE_BEAMS
from textgen.sentences.defaults import SAMPLE_BEST_OF as SAMPLE_OF
from textgen.sentences.defaults import SAMPLE_CODE_TEMPERATURE as SAMPLE_CODES

if TYPE_CHECKING:
    from corpora.codec import Codec
    from textgen.core.sampler import Choice, Constraint
    from textgen.runs.library import Opened
    from textgen.sentences.sentence_vae import SentenceVAE

_TRAIN = """\
Train a model on text and keep it in a run folder.

  textgen train poems.txt
  textgen train poems.txt --minutes 30 rate=20
  textgen train reviews.csv column=body --model vae rate=12 width=256 --steps 5000 --out runs/reviews
  textgen train corpus-folder --model lm backbone=transformer layers=6
  textgen train --resume runs/reviews
  torchrun --nproc-per-node 2 -m textgen.cli train corpus-folder --out runs/two

IN: files, folders, hf:NAME, toy or - as for `corpora build`, or a folder that it built.
KEY=VALUE: settings of the corpus, the model, its parts and the training; `textgen models` lists them.

Text is sized by --preset auto: codec, model, rate and steps are chosen by what is in it, with a line of reason for
each. What you give wins. A built corpus, and --init, have sizes already: there the defaults hold (--preset none)."""


_SAMPLE = f"""\
Draw new sentences.

  textgen sample -n 20
  textgen sample -n 20 --temperature 1
  textgen sample --prompt "the old man" --top-p 0.9

A model with codes by default writes what reads best: the likeliest sentences (--beams {SAMPLE_BEAMS}) of codes
nearer to the middle of the prior (--code-temperature {SAMPLE_CODES}), and of each {SAMPLE_OF}
the surest (--best-of {SAMPLE_OF}). Where something is said of how tokens are chosen (--temperature, --top-p,
a prompt, --beams 0), and from a language model, sentences are drawn token by token, unless told otherwise exactly
from the model."""

_INTERPOLATE = """\
Walk from one sentence to another, through sentences.

  textgen interpolate "i went to the store to buy some groceries" "don't worry about it, she said"
  textgen interpolate A B --steps auto --model runs/poems

Both are encoded; the points of the path between their codes are decoded by beam search and re-ranked by their
likelihood and by whether they encode back near their point. The ends are shown as given and as decoded."""


_ARITHMETIC = """\
Decode a code that was added up: SENTENCE - MINUS + PLUS.

  textgen arithmetic "he opened the door." --minus "he smiled." --plus "she smiled."
  textgen arithmetic "the food was cold." --minus @negative.txt --plus @positive.txt --strength 0.5,1,2

Several sentences on a side are averaged."""


_PRIOR = """\
Fit a prior to the codes of a trained model, and write a model folder that has it.

  textgen prior runs/poems poems.txt --kind flow --out poems-flow
  textgen prior english-fiction CORPUS --kind mixture components=50 covariance=full --out fiction-mixture

Codes are drawn from q(z | x) on sentences of a corpus or a text file. What is kept is what gives held-out codes most
nats; the gain over N(0, I) is what the mean rate falls by. The folder is a model as any other: --prior normal, where a
verb has it, puts N(0, I) back. KEY=VALUE: settings of the prior and of its fitting; `textgen models` lists them."""


def parser() -> Parser:
    """The command line. Importing or printing it loads nothing heavy."""
    top = Parser(prog="textgen", description="Sentences you can steer: train, walk between, sample, measure.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def verb(name: str, help: str, description: str | None = None, model: bool = True, among: Any = commands) -> Parser:
        made: Parser = among.add_parser(name, help=help, description=description or f"{help[0].upper()}{help[1:]}.")
        if model:
            model_options(made)
        return made

    def ruled(made: Parser, new_words: str) -> None:
        rules = made.add_argument_group("verse", "what every line written obeys (models with codec=characters)")
        rules.add_argument("--length", type=int, metavar="N", help="just N characters")
        rules.add_argument(
            "--tones",
            metavar="SIGNS",
            help="a sign for each character: 平 or p level, 仄 or z oblique, 1-4 this tone, 中 or * any",
        )
        rules.add_argument(
            "--rhyme", metavar="CHARACTER|FINAL", help="the last one rhymes with this, or on this final (ang)"
        )
        new_words_option(made, new_words)

    training = verb("train", "train a model on text", _TRAIN, model=False)
    training.add_argument("--preset", metavar="NAME", help="auto: chosen by the corpus (default for text), or none")
    training.add_argument("--minutes", type=float, metavar="M", help="preset auto: train so long (default 12)")
    training.add_argument("--errors", choices=("strict", "replace", "skip"), help="bytes that are not UTF-8")
    train_options(training, "vae (default), lm or autoencoder")

    walking = verb("interpolate", "walk from one sentence to another", _INTERPOLATE)
    walking.add_argument("sentences", nargs=2, metavar="SENTENCE")
    walking.add_argument(
        "--steps", default="8", metavar="N|auto", help="points, the ends among them (default 8); auto bisects"
    )
    walking.add_argument(
        "--path", default="line", metavar="line|arc", help="a straight line (default), or an arc that keeps the norm"
    )
    walking.add_argument(
        "--pace",
        default="text",
        metavar="text|code",
        help="points where the text changes evenly (default), or even steps of the code",
    )
    walking.add_argument(
        "--beams", type=int, default=10, metavar="N", help="candidates for each point (default 10; 1 is greedy)"
    )
    walking.add_argument(
        "--no-rerank", action="store_true", help="take the likeliest candidate, without the cycle check"
    )
    refine_option(walking)
    ruled(walking, "no")

    sampling = verb("sample", "draw new sentences", _SAMPLE)
    sampling.add_argument("-n", type=int, default=8, metavar="N", help="how many (default 8)")
    sampling.add_argument("--prompt", default="", metavar="TEXT", help="how each begins")
    sampling.add_argument(
        "--beams",
        type=int,
        metavar="N",
        help=f"write each code's likeliest sentence, of N (default {SAMPLE_BEAMS}); 0: token by token",
    )
    sampling.add_argument(
        "--best-of",
        type=int,
        metavar="N",
        help=f"draw N for each, keep the surest (default {SAMPLE_OF}, token by token 1)",
    )
    code_temperature_option(sampling, f"{SAMPLE_CODES}, token by token 1")
    choice_options(sampling)
    ruled(sampling, "yes token by token, no by beams")

    again = verb("reconstruct", "encode sentences and decode them again")
    again.add_argument("sentences", nargs="+", metavar="SENTENCE|-", help="sentences, or - for lines of standard input")
    again.add_argument("--beams", type=int, default=5, metavar="N", help="candidates (default 5; 1 is greedy)")
    refine_option(again)
    ruled(again, "yes")

    near = verb("neighbours", "the sentences of a corpus nearest to a sentence, by their codes")
    near.add_argument("sentence", metavar="SENTENCE")
    near.add_argument("data", metavar="CORPUS|FILE", help="a folder that `corpora build` made, or a text file")
    near.add_argument("--split", default="train", help="of a corpus: train (default), valid or test")
    near.add_argument(
        "--rows", type=int, default=20_000, metavar="N", help="compare with N rows (default 20,000; 0: all)"
    )
    near.add_argument("-n", type=int, default=5, metavar="N", help="how many (default 5)")

    adding = verb("arithmetic", "a sentence, minus some, plus others", _ARITHMETIC)
    adding.add_argument("sentence", metavar="SENTENCE")
    for name in ("minus", "plus"):
        adding.add_argument(
            f"--{name}",
            action="append",
            required=True,
            metavar="SENTENCE|@FILE",
            help="may be given again; @FILE: one on each line",
        )
    adding.add_argument("--strength", default="1", metavar="S[,S...]", help="how far to go (default 1)")
    adding.add_argument("--beams", type=int, default=10, metavar="N", help="candidates (default 10; 1 is greedy)")
    refine_option(adding)
    ruled(adding, "no")

    turning = verb("vary", "turn one or two of a sentence's codes, the others held")
    turning.add_argument("sentence", metavar="SENTENCE")
    turning.add_argument(
        "--dims", type=int, default=2, metavar="1|2", help="how many: those of the greatest rate (default 2)"
    )
    turning.add_argument("--codes", metavar="I[,J]", help="which, by number, in place of --dims")
    turning.add_argument("--steps", type=int, default=5, metavar="N", help="values of each (default 5)")
    turning.add_argument(
        "--span", type=float, default=2.0, metavar="X", help="from -X to X standard deviations (default 2)"
    )
    turning.add_argument("--beams", type=int, default=5, metavar="N", help="candidates (default 5; 1 is greedy)")
    refine_option(turning)
    ruled(turning, "no")

    encoding = verb("encode", "write the codes of sentences to a .npz file")
    encoding.add_argument(
        "sentences", nargs="+", metavar="SENTENCE|-", help="sentences, or - for lines of standard input"
    )
    encoding.add_argument("--out", required=True, metavar="FILE.npz", help="where the array `codes` (N, Z) goes")
    encoding.add_argument("--draw", action="store_true", help="draw from the posterior instead of taking its mean")
    refine_option(encoding)

    decoding = verb("decode", "write a sentence for each code in a .npz file")
    decoding.add_argument("codes", metavar="FILE.npz", help="an array `codes` (N, Z), as `encode` writes it")
    decoding.add_argument("--beams", type=int, default=5, metavar="N", help="candidates (default 5; 1 is greedy)")
    ruled(decoding, "yes")

    judging = verb("evaluate", "likelihood, rate, mutual information and reconstruction, with units")
    judging.add_argument("data", metavar="CORPUS|FILE", help="a folder that `corpora build` made, or a text file")
    judging.add_argument("--split", default="test", help="of a corpus: train, valid or test (default)")
    judging.add_argument(
        "--rows",
        type=int,
        default=500,
        metavar="N",
        help="rows drawn for likelihood and reconstruction (default 500; 0: all)",
    )
    judging.add_argument(
        "--samples", type=int, default=500, metavar="K", help="importance samples for each row (default 500)"
    )
    judging.add_argument(
        "--everywhere",
        type=int,
        default=0,
        metavar="K",
        help="likelihood of all rows: K samples each, corrected by what --samples add on --rows (default: those alone)",
    )
    judging.add_argument(
        "--max-words", type=int, default=0, metavar="N", help="short sentences alone: N words (characters)"
    )
    judging.add_argument("--beams", type=int, default=1, metavar="N", help="of the reconstructions (default 1: greedy)")
    for given in (sampling, again, decoding):
        label_option(given)
    for given in (sampling, judging):
        given.add_argument("--prior", metavar="normal", help="N(0, I) in the place of a prior that was fitted")

    fitting = verb("prior", "fit a prior to the codes of a trained model", _PRIOR, model=False)
    fitting.add_argument("words", nargs="+", metavar="MODEL DATA [KEY=VALUE ...]", help="model, sentences and settings")
    fitting.add_argument("--kind", required=True, help="mixture or flow")
    fitting.add_argument("--out", required=True, metavar="DIR", help="the model folder to make")
    fitting.add_argument("--split", default="train", help="of a corpus: train (default), valid or test")
    fitting.add_argument("--rows", type=int, default=50_000, metavar="N", help="sentences (default 50,000; 0: all)")
    _machine_options(fitting)
    fitting.add_argument("--json", action="store_true", help="print the outcome as JSON")

    trying = verb(
        "benchmark", "how good are walks, samples, ...? beside real text, with confidence intervals", model=False
    )
    several = trying.add_subparsers(dest="benchmark", metavar="NAME", required=True)
    for name in benchmark.names():
        find("textgen.sentences.benchmark", name).arguments(partial(verb, name, among=several))

    listing = verb("models", "what ships, and the settings of each kind of model", model=False)
    listing.add_argument("--json", action="store_true", help="as JSON")

    export_options(verb("export", EXPORT, model=False))
    return top


EXPORT = "write one shareable model folder with a model card"


def export_options(made: Parser) -> None:
    """The options of the verb `export`."""
    made.add_argument("source", metavar="RUN|FOLDER", help="a run (its best checkpoint) or a model folder")
    made.add_argument("--out", required=True, metavar="DIR", help="the folder to make")
    made.add_argument("--json", action="store_true", help="print the outcome as JSON")
    made.add_argument("--full", action="store_true", help="store weights in float32 instead of float16")
    made.add_argument("--figures", metavar="FILE.json", help="what `evaluate --json` printed, for the card")
    made.add_argument("--about", metavar="FILE.md", help="words on data and licence, for the card")


def model_options(made: Parser) -> None:
    """The options of every verb that opens a model."""
    whose = "a shipped model, a run or model folder, or owner/name on the hub"
    made.add_argument("--model", metavar="NAME|FOLDER|HUB_ID", help=whose)
    _machine_options(made)
    made.add_argument("--json", action="store_true", help="print the result as JSON")


def _machine_options(made: Parser) -> None:
    made.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (default auto)")
    made.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all)")
    made.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything drawn (default 0)")


def label_option(made: Parser, default: str = "any") -> None:
    """The class that is drawn, of models with classes."""
    made.add_argument(
        "--label", metavar="NAME", help=f"of this class (models trained with classes=true; default: {default})"
    )


def choice_options(made: Parser) -> None:
    """How the next token is chosen, for every verb that draws."""
    for name, kind, what in (
        ("temperature", float, "0 takes the likeliest token each time (default 1)"),
        ("top-k", int, "draw from the k likeliest tokens"),
        ("top-p", float, "draw from the likeliest tokens that together hold this probability"),
        ("min-p", float, "draw from tokens with at least this share of the greatest probability"),
        ("no-repeat", int, "never write an n-gram of this many tokens twice"),
    ):
        made.add_argument(f"--{name}", type=kind, metavar="X", help=what)


def refine_option(made: Parser, steps: int = REFINE) -> None:
    """How far the code of a given sentence is refined, for the verbs that encode sentences."""
    what = f"most steps towards a code that gives its sentence back (default {steps}; 0: the posterior mean)"
    made.add_argument("--refine", type=int, default=steps, metavar="N", help=what)


def new_words_option(made: Parser, usual: str) -> None:
    """Whether pieces may make words that are none, for the verbs that write sentences."""
    what = "let pieces make words that are not in the model's lexicon (where it has one), nor given"
    made.add_argument("--new-words", action=argparse.BooleanOptionalAction, help=f"{what} (default: {usual})")


def code_temperature_option(made: Parser, usual: str = "1") -> None:
    """How far codes are drawn from the middle of the prior, for the verbs that draw them."""
    what = f"noise of the codes times X: below 1 nearer to the middle of the prior (default {usual})"
    made.add_argument("--code-temperature", type=float, metavar="X", help=what)


def code_temperature(chosen: argparse.Namespace, opened: Opened, usual: float = 1.0) -> float:
    """What `code_temperature_option` said, or what is usual."""
    from textgen.core.model import Latent

    given = chosen.code_temperature
    if given is None:
        return usual
    if not 0 <= given <= 100:
        raise InputError(f"--code-temperature {given:g}: expected a number from 0 to 100")
    if not isinstance(opened.model, Latent):
        raise InputError(f"--code-temperature needs a model with codes; {opened.name} has none")
    return float(given)


def train_options(training: Parser, kinds: str) -> None:
    """The options of every `train`; `kinds` says which models there are."""
    training.add_argument("words", nargs="*", metavar="IN|KEY=VALUE", help="what to train on, and settings")
    training.add_argument("--model", metavar="KIND", help=kinds)
    training.add_argument("--out", metavar="DIR", help="the run folder (default: runs/ and the first free number)")
    training.add_argument("--init", metavar="MODEL", help="go on from this model's weights, settings and codec")
    training.add_argument("--resume", metavar="RUN", help="go on with a run where it stopped, bit for bit")
    training.add_argument(
        "--steps", type=int, metavar="N", help="updates (without a preset ten passes, 2,000 to 20,000)"
    )
    training.add_argument("--batch", type=int, metavar="N", help="rows in each batch (without a preset 64)")
    training.add_argument("--every", type=int, metavar="N", help="steps between checkpoints, each with an evaluation")
    training.add_argument("--keep", type=int, metavar="N", help="newest checkpoints kept, beside the best (default 2)")
    training.add_argument("--seed", type=int, metavar="N", help="seed of everything drawn (default 0)")
    training.add_argument("--device", help="auto, cpu, cuda, cuda:N or mps (default auto)")
    training.add_argument(
        "--threads", type=int, metavar="N", help="processor threads; part of what makes a run repeatable"
    )
    training.add_argument("--source", metavar="NAME", help="one that `corpora list` names; by default from the inputs")
    training.add_argument(
        "--valid",
        action="append",
        metavar="FILE",
        help="rows for validation, may be given again; by default some are split off",
    )
    training.add_argument(
        "--test",
        action="append",
        metavar="FILE",
        help="rows for the test, may be given again; by default some are split off",
    )
    training.add_argument("--quiet", action="store_true", help="say warnings alone")
    training.add_argument("--json", action="store_true", help="print the outcome as JSON")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for bad input, 130 or 143 after Ctrl-C or SIGTERM."""
    return run(_main, argv)


def begin(chosen: argparse.Namespace) -> None:
    """What comes before every verb: numbers that none takes are refused, and memory is asked for in huge pages."""
    if getattr(chosen, "threads", None) is not None and not 1 <= chosen.threads <= 1024:
        raise InputError(f"--threads {chosen.threads}: expected 1 to 1024")
    if getattr(chosen, "seed", None) is not None and not 0 <= chosen.seed < 2**32:
        raise InputError(f"--seed {chosen.seed}: expected 0 to {2**32 - 1}")
    # Read by torch when it is first imported: a training step is otherwise held up by page faults (docs/results.md)
    os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")


def _main(argv: Sequence[str] | None) -> int:
    chosen = parser().parse_args(argv)
    verbs: dict[str, Callable[[argparse.Namespace], int]] = {
        "train": train,
        "interpolate": _interpolate,
        "sample": _sample,
        "reconstruct": _reconstruct,
        "neighbours": _neighbours,
        "arithmetic": _arithmetic,
        "vary": _vary,
        "encode": _encode,
        "decode": _decode,
        "evaluate": _evaluate,
        "prior": _prior,
        "benchmark": _benchmark,
        "models": _models,
        "export": export,
    }
    begin(chosen)
    if getattr(chosen, "refine", None) is not None:
        at_least("--refine", chosen.refine, 0, 1000)
    return verbs[chosen.command](chosen)


# ------------------------------------------------------------------------------------------------------- train


_OPTIONS = (
    *("model", "preset", "minutes", "init", "steps", "batch", "every", "keep", "seed", "device", "threads"),
    *("source", "valid", "test"),
)


def _trained(*arguments: Any, **options: Any) -> Path:
    from textgen import verbs

    return verbs.train(*arguments, **options)


def train(chosen: argparse.Namespace, program: str = "textgen", work: Callable[..., Path] = _trained) -> int:
    """The verb `train` of a program, which does the `work`."""
    inputs, words = split_words(chosen.words)
    if getattr(chosen, "errors", None) is not None:
        words["errors"] = chosen.errors
    if chosen.resume is not None:
        return _resume(chosen, inputs, words, program)
    if not inputs:
        raise InputError("nothing to train on: give files, a folder, hf:NAME, or one made up (toy, sprites, moons)")
    for name, least in (("steps", 1), ("batch", 1), ("every", 1), ("keep", 2)):
        if getattr(chosen, name) is not None:
            at_least(f"--{name}", getattr(chosen, name), least, 1_000_000_000)
    given = {name: value for name in _OPTIONS if (value := getattr(chosen, name, None)) is not None}
    if "minutes" in given and not 0 < chosen.minutes <= 10_080:
        raise InputError(f"--minutes {chosen.minutes:g}: expected more than 0, and 10,080 (a week) at most")
    from textgen.runs.screen import Screen

    if chosen.out is None and int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise InputError("several processes need to be told the same run folder: give --out")
    folder = Path(chosen.out) if chosen.out else _free()
    screen = Screen(quiet=chosen.quiet)
    return _finish(chosen, folder, lambda: work(inputs, folder, settings=words, screen=screen, **given), program)


def _resume(chosen: argparse.Namespace, inputs: list[str], words: dict[str, str], program: str) -> int:
    options = [f"--{key}" for key in ("out", *_OPTIONS) if key != "steps" and getattr(chosen, key, None) is not None]
    extra = [*inputs, *words, *options]
    if extra:
        raise InputError(f"--resume goes on with a run as it was begun: leave out {', '.join(extra)}")
    if chosen.steps is not None and chosen.steps < 1:
        raise InputError(f"--steps {chosen.steps}: expected 1 or more")
    from textgen.runs.run import Run
    from textgen.runs.screen import Screen

    folder = Path(chosen.resume)
    screen = Screen(quiet=chosen.quiet)
    return _finish(chosen, folder, lambda: Run.open(folder).train(screen, steps=chosen.steps), program)


def _finish(chosen: argparse.Namespace, folder: Path, work: Callable[[], Path], program: str) -> int:
    from textgen.runs.folder import Stopped

    try:
        best = work()
    except Stopped as stopped:
        print(f"{stopped}; go on with: {program} train --resume {folder}", file=sys.stderr)
        return 128 + stopped.number
    if int(os.environ.get("RANK", "0")) == 0:
        print(
            json.dumps({"run": str(folder), "best": str(best)})
            if chosen.json
            else f"{folder}: best checkpoint {best.name}; try: {program} sample --model {folder}"
        )
    return 0


def _free() -> Path:
    """runs/1, runs/2, ...: the first that is not there."""
    number = 1
    while Path("runs", str(number)).exists():
        number += 1
    return Path("runs", str(number))


# ----------------------------------------------------------------------------------------------- sentences


def open_chosen(chosen: argparse.Namespace, name: str | None = None) -> Any:
    """The model that `model_options` named, or another one by `name`, on the device and threads they said."""
    import torch

    from textgen.core import trainer
    from textgen.runs import library

    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    torch.set_flush_denormal(True)
    device = trainer.pick_device(chosen.device)
    said = name or chosen.model
    if said in library.shipped() and any((Path(said) / file).is_file() for file in ("recipe.json", "config.json")):
        print(f"note: {said} is the model that ships; ./{said} is the one in this folder", file=sys.stderr)
    if name is not None:  # another model than the one to be tried
        return library.open_model(name, device)
    return library.open_model(chosen.model or library.DEFAULT_MODEL, device, getattr(chosen, "prior", None))


def _sentences(chosen: argparse.Namespace) -> list[str]:
    if chosen.sentences == ["-"]:
        found = [line.strip() for line in sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()]
        found = [line for line in found if line]
        if not found:
            raise InputError("standard input holds no sentence")
        return found
    return list(chosen.sentences)


def show(chosen: argparse.Namespace, value: Any, text: str) -> int:
    """Print a result, as JSON if that was asked for. Returns the exit code."""
    print(json.dumps(value, ensure_ascii=False, indent=1) if chosen.json else printable(text))
    return 0


def _interpolate(chosen: argparse.Namespace) -> int:
    steps = None
    if chosen.steps != "auto":
        try:
            steps = int(chosen.steps)
        except ValueError as error:
            raise InputError(
                f"--steps {quoted(chosen.steps)}: expected a whole number from 2 to 1000, or auto"
            ) from error
        if not 2 <= steps <= 1000:
            raise InputError(f"--steps {steps}: expected 2 to 1000, or auto")
    at_least("--beams", chosen.beams, 1, 100)
    vae = _writer(chosen)
    rules = _rules(chosen, vae.codec, chosen.sentences)
    how = {"path": chosen.path, "beams": chosen.beams, "pace": chosen.pace, "constraint": rules}
    walk = vae.interpolate(*chosen.sentences, steps=steps, rerank=not chosen.no_rerank, refine=chosen.refine, **how)
    return show(chosen, walk.to_dict(), str(walk))


def _writer(chosen: argparse.Namespace) -> SentenceVAE:
    from textgen.sentences.sentence_vae import SentenceVAE

    return SentenceVAE(open_chosen(chosen), new_words=bool(chosen.new_words))


def _rules(chosen: argparse.Namespace, codec: Codec, given: Iterable[str] = ()) -> Constraint | None:
    """What the options say of every line written, from a model with this codec; `given`: sentences, or their begin."""
    verse = {key: getattr(chosen, key) for key in ("length", "tones", "rhyme") if getattr(chosen, key) is not None}
    if verse:
        if chosen.new_words is False:
            raise InputError(
                f"--no-new-words and --{next(iter(verse))} are for different models: leave one of them out"
            )
        from textgen.sentences.verse import Verse

        return Verse(codec, **verse)
    if chosen.new_words is False:
        from textgen.sentences.lexicon import Spelling

        return Spelling(codec, given)
    return None


def choice(chosen: argparse.Namespace) -> Choice | None:
    """What `choice_options` said, or None where nothing was said, so that each model does what it usually does."""
    from corpora.settings import override
    from textgen.core.sampler import Choice

    given = {key: getattr(chosen, key) for key in Choice.__dataclass_fields__ if getattr(chosen, key) is not None}
    try:
        return override([Choice()], given)[0] if given else None
    except InputError as error:
        key, equals, rest = str(error).partition("=")
        raise InputError(f"--{key.replace('_', '-')} {rest}" if equals else str(error)) from error


def _sample(chosen: argparse.Namespace) -> int:
    how = choice(chosen)
    at_least("-n", chosen.n, 1, 1_000_000)
    at_least("--beams", chosen.beams or 0, 0, 100)
    at_least("--best-of", 1 if chosen.best_of is None else chosen.best_of, 1, 1000)
    from textgen.core.model import Latent
    from textgen.sentences.draw import draw
    from textgen.sentences.sentence_vae import SentenceVAE

    opened, beams = open_chosen(chosen), chosen.beams
    coded = isinstance(opened.model, Latent)
    if beams is None:
        beams = SAMPLE_BEAMS if coded and how is None and not chosen.prompt else 0
    if beams and not coded:
        raise InputError("--beams needs a model with codes: every beam of a language model is the same sentence")
    best_of = chosen.best_of or (SAMPLE_OF if beams else 1)
    heat = code_temperature(chosen, opened, SAMPLE_CODES if beams else 1.0)
    drawn = {
        "seed": chosen.seed,
        "how": how,
        "best_of": best_of,
        "code_temperature": heat,
        "prompt": chosen.prompt,
        "label": chosen.label,
        "constraint": _rules(chosen, opened.codec, [chosen.prompt]),
    }
    if beams:
        texts = SentenceVAE(opened, new_words=bool(chosen.new_words)).sample(chosen.n, beams=beams, **drawn)
    else:
        texts = draw(opened, chosen.n, **drawn)
    codes = {"beams": beams, "code_temperature": heat, "best_of": best_of} if coded else {}
    return show(chosen, {"seed": chosen.seed, **codes, "sentences": texts}, "\n".join(texts))


def _reconstruct(chosen: argparse.Namespace) -> int:
    at_least("--beams", chosen.beams, 1, 100)
    from textgen.sentences.sentence_vae import SentenceVAE

    vae = SentenceVAE(open_chosen(chosen))
    given = _sentences(chosen)
    how = {"beams": chosen.beams, "refine": chosen.refine, "constraint": _rules(chosen, vae.codec, given)}
    found = vae.reconstruct(given, label=chosen.label, **how)
    same = [vae.codec.normalise(one) == other for one, other in zip(given, found, strict=True)]
    text = "\n".join(f"given    {one}\ndecoded  {other}" for one, other in zip(given, found, strict=True))
    pairs = [
        {"given": one, "decoded": other, "exact": equal} for one, other, equal in zip(given, found, same, strict=True)
    ]
    return show(chosen, pairs, f"{text}\n{sum(same)} of {len(same)} exactly")


def _neighbours(chosen: argparse.Namespace) -> int:
    at_least("-n", chosen.n, 1, 1_000_000)
    at_least("--rows", chosen.rows, 0, 100_000_000)
    import numpy as np

    from textgen.sentences import measures
    from textgen.sentences.sentence_vae import SentenceVAE

    vae = SentenceVAE(open_chosen(chosen))
    texts, _ = measures.texts(Path(chosen.data), chosen.split)
    if 0 < chosen.rows < len(texts):
        rows = np.random.default_rng(chosen.seed).choice(len(texts), chosen.rows, replace=False)
        texts = [texts[row] for row in sorted(rows)]
    found = vae.neighbours(chosen.sentence, texts, count=chosen.n)
    value = [{"text": text, "distance": far} for text, far in found]
    return show(chosen, value, "\n".join(f"{far:6.2f}  {text}" for text, far in found))


def _arithmetic(chosen: argparse.Namespace) -> int:
    at_least("--beams", chosen.beams, 1, 100)
    strengths = _numbers("--strength", chosen.strength, float)
    vae = _writer(chosen)
    sides = [[line for word in side for line in _lines(word)] for side in (chosen.minus, chosen.plus)]
    rules = _rules(chosen, vae.codec, [chosen.sentence, *sides[0], *sides[1]])
    how = {"beams": chosen.beams, "refine": chosen.refine, "constraint": rules}
    found = vae.arithmetic(chosen.sentence, *sides, strengths=strengths, **how)
    pairs = list(zip(strengths, found, strict=True))
    text = "\n".join(f"{strength:5.2f}  {text}" for strength, text in pairs)
    value = [{"strength": strength, "text": text} for strength, text in pairs]
    return show(chosen, value, f"given  {chosen.sentence}\n{text}")


def _lines(word: str) -> list[str]:
    """A sentence, or with @ the lines of a file."""
    if not word.startswith("@"):
        return [word]
    from corpora.sources import text

    return [row.text for row in text.read([word[1:]], text.Config()) if row.text.strip()]


def _numbers(option: str, words: str, kind: type) -> list[Any]:
    try:
        return [kind(word) for word in words.split(",")]
    except ValueError as error:
        raise InputError(f"{option} {quoted(words)}: expected numbers with commas between them") from error


def _vary(chosen: argparse.Namespace) -> int:
    at_least("--dims", chosen.dims, 1, 2)
    at_least("--steps", chosen.steps, 2, 50)
    at_least("--beams", chosen.beams, 1, 100)
    dims = chosen.dims if chosen.codes is None else _numbers("--codes", chosen.codes, int)
    from dataclasses import asdict

    vae = _writer(chosen)
    rules = _rules(chosen, vae.codec, [chosen.sentence])
    how = {"beams": chosen.beams, "refine": chosen.refine, "constraint": rules}
    grid = vae.vary(chosen.sentence, dims=dims, steps=chosen.steps, span=chosen.span, **how)
    return show(chosen, asdict(grid), str(grid))


def _encode(chosen: argparse.Namespace) -> int:
    import io

    import numpy as np

    from corpora import files
    from textgen.sentences.sentence_vae import SentenceVAE

    vae = SentenceVAE(open_chosen(chosen))
    given = _sentences(chosen)
    codes = vae.encode(given, seed=chosen.seed if chosen.draw else None, refine=chosen.refine).cpu().numpy()
    data = io.BytesIO()
    np.savez(data, codes=codes, sentences=np.array(given))
    out = Path(chosen.out)
    with files.explained(out):
        files.replace_file(out, data.getvalue())
    return show(
        chosen,
        {"out": str(out), "shape": list(codes.shape)},
        f"{out}: {codes.shape[0]} codes of {codes.shape[1]} numbers",
    )


def _decode(chosen: argparse.Namespace) -> int:
    import io

    import numpy as np
    import torch

    from corpora import files
    from textgen.sentences.sentence_vae import SentenceVAE

    at_least("--beams", chosen.beams, 1, 100)
    path = Path(chosen.codes)
    data = files.read_bytes(path, 1 << 30)
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            codes = torch.from_numpy(np.asarray(arrays["codes"], np.float32))
    except Exception as error:  # whatever a parser may stumble on, the file is at fault
        raise InputError(
            f"{path}: no .npz file with an array `codes` of numbers; `textgen encode` writes such files"
        ) from error
    vae = SentenceVAE(open_chosen(chosen))
    found = vae.decode(codes, beams=chosen.beams, label=chosen.label, constraint=_rules(chosen, vae.codec))
    return show(chosen, found, "\n".join(found))


def at_least(name: str, value: int, least: int, most: int) -> None:
    """Raise InputError for a number outside its range."""
    if not least <= value <= most:
        raise InputError(f"{name} {value}: expected {least} to {most:,}")


# ------------------------------------------------------------------------------------- evaluate, models, export


def _evaluate(chosen: argparse.Namespace) -> int:
    at_least("--rows", chosen.rows, 0, 100_000_000)
    at_least("--samples", chosen.samples, 1, 1_000_000)
    at_least("--everywhere", chosen.everywhere, 0, 1_000_000)
    at_least("--max-words", chosen.max_words, 0, 1_000_000)
    at_least("--beams", chosen.beams, 1, 100)
    from textgen.sentences import measures

    opened = open_chosen(chosen)
    rows, where = measures.labelled(Path(chosen.data), chosen.split)
    if chosen.max_words:
        rows = [row for row in rows if len(row.text.split()) <= chosen.max_words]
        where += f", to {chosen.max_words} words"
    found = measures.measure(
        opened,
        [row.text for row in rows],
        where=where,
        labels=[row.label for row in rows],
        rows=chosen.rows,
        samples=chosen.samples,
        everywhere=chosen.everywhere,
        seed=chosen.seed,
        beams=chosen.beams,
        progress=not chosen.json,
    )
    return show(chosen, found.to_dict(), str(found))


def _prior(chosen: argparse.Namespace) -> int:
    inputs, words = split_words(chosen.words)
    if len(inputs) != 2:
        raise InputError(f"{len(inputs)} names given: expected a model and a corpus or text file")
    at_least("--rows", chosen.rows, 0, 100_000_000)
    import torch

    from textgen.core import trainer
    from textgen.runs.fit_prior import fit
    from textgen.runs.screen import Bar

    if chosen.threads:
        torch.set_num_threads(chosen.threads)
    with Bar() as bar:
        found = fit(
            inputs[0],
            inputs[1],
            chosen.out,
            kind=chosen.kind,
            settings=words,
            split=chosen.split,
            rows=chosen.rows,
            seed=chosen.seed,
            device=trainer.pick_device(chosen.device),
            tell=bar.tell,
        )
    return show(chosen, found.to_dict(), f"{found}\ntry: textgen sample --model {chosen.out}")


def _benchmark(chosen: argparse.Namespace) -> int:
    found = find("textgen.sentences.benchmark", chosen.benchmark).main(chosen, partial(open_chosen, chosen))
    return show(chosen, found.to_dict(), str(found))


def _models(chosen: argparse.Namespace) -> int:
    from corpora import settings
    from textgen.core import trainer
    from textgen.core.recipes import PACKAGES
    from textgen.runs import library

    groups: dict[str, Any] = {}
    for title, package in (("model", "textgen.models"), *PACKAGES.items()):
        for name in settings.names(package):
            groups[f"{title} {name}"] = settings.find(package, name)
    configs = {title: module.Config for title, module in groups.items()} | {"training": trainer.Config}
    configs |= {f"fitting of {title}": module.Fit for title, module in groups.items() if hasattr(module, "Fit")}
    abouts = {title: groups[title.removeprefix("fitting of ")] for title in configs if title != "training"}
    abouts["training"] = trainer.Config
    headings = {title: f"{title}: {(about.__doc__ or '').strip().splitlines()[0]}" for title, about in abouts.items()}
    return list_models(chosen, "textgen", library.DEFAULT_MODEL, configs, headings)


def list_models(
    chosen: argparse.Namespace,
    package: str,
    default: str,
    configs: Mapping[str, Any],
    headings: Mapping[str, str] | None = None,
    **kinds: Sequence[str],
) -> int:
    """What the verb `models` says: the models that come with a package, the `kinds` that there are, and the settings of
    each of `configs`, under its own name or one of `headings`."""
    from corpora import settings
    from textgen.runs import library

    shipped = library.shipped(package)
    known = {title: list(settings.describe(made)) for title, made in configs.items()}
    if chosen.json:
        words = {title: {n: {"default": d, "doc": doc} for n, d, doc in each} for title, each in known.items()}
        return show(chosen, {"shipped": [*shipped], "default": default, **kinds, "settings": words}, "")
    print("shipped:")
    for name, folder in shipped.items():
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e6
        print(f"  {name:<28} {size:.1f} MB{'  (the default)' if name == default else ''}")
    for kind, names in kinds.items():
        print(f"\n{kind}: {', '.join(names)}")
    for title, each in known.items():
        print(f"\n{(headings or {}).get(title, title)}")
        for name, default_value, doc in each:
            print(f"  {f'{name}={default_value}':<28} {doc}")
    return 0


def export(chosen: argparse.Namespace) -> int:
    """The verb `export`."""
    from corpora import files
    from textgen.runs import library

    figures = None
    if chosen.figures:
        path = Path(chosen.figures)
        figures = files.from_json(files.read_bytes(path, 1 << 20), path)
    about = None
    if chosen.about:
        about = files.read_bytes(Path(chosen.about), 1 << 20).decode("utf-8", "replace")
    opened = library.open_model(chosen.source)
    out = library.export(opened, Path(chosen.out), half=not chosen.full, figures=figures, about=about)
    size = sum(path.stat().st_size for path in out.iterdir()) / 1e6
    command = opened.recipe.package.partition(".")[0]
    text = f"{out}: {size:.1f} MB; try: {command} sample --model {out}"
    return show(chosen, {"out": str(out), "MB": round(size, 1)}, text)


if __name__ == "__main__":
    sys.exit(main())

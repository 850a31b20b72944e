"""Options that several commands share, as types of their parameters; what they mean; names that the shell completes.

Nothing heavy is imported until a value is used: `--help` and the shell's completion read this file.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from corpora.cli import Errors as Errors
from corpora.cli import Source as Source
from corpora.cli import Test as Test
from corpora.cli import Valid as Valid
from corpora.cli import corpora
from corpora.commands import complete_folders
from corpora.errors import InputError
from corpora.settings import names

if TYPE_CHECKING:
    from textgen.core.sampler import Choice

DEFAULT_MODEL = "everyday"  # as in textgen.runs.library, which needs torch
MOST = 1_000_000_000
WEEK = 10_080  # minutes
ROWS = 100_000_000  # most rows, and 0 for all of them


def shipped(package: str) -> list[str]:
    """Names of the models that come with a package, which lies beside `textgen`."""
    return sorted(path.parent.name for path in Path(__file__).parents[2].glob(f"{package}/pretrained/*/config.json"))


def models(incomplete: str) -> list[str]:
    """Models to open that begin as typed: those that ship, runs and model folders. For the shell's completion."""
    ours = [name for package in ("textgen", "imagegen") for name in shipped(package)]
    folders = complete_folders(incomplete, "recipe.json") + complete_folders(incomplete, "config.json")
    if not incomplete:
        folders += complete_folders("runs/", "recipe.json")
    return [name for name in dict.fromkeys([*ours, *folders]) if name.startswith(incomplete)]


def runs(incomplete: str) -> list[str]:
    """Run folders that begin as typed."""
    return complete_folders(incomplete, "recipe.json")


def kinds(program: str) -> Any:
    """A function that completes the kinds of models that a program trains, by their file names."""
    return lambda incomplete: [name for name in names(f"{program}.models") if name.startswith(incomplete)]


def named(model: str | None, default: str) -> str:
    """The model that --model names; a note if a folder here has the name of a model that ships."""
    ships = {*shipped("textgen"), *shipped("imagegen")}
    if model in ships and any((Path(model) / file).is_file() for file in ("recipe.json", "config.json")):
        print(f"note: {model} is the model that ships; ./{model} is the one in this folder", file=sys.stderr)
    return default if model is None else model


def how(**ways: Any) -> Choice | None:
    """The choice of tokens that options ask for, None where none is given. Errors name the option."""
    values = {name: value for name, value in ways.items() if value is not None}
    if not values:
        return None
    from textgen.core.sampler import choice

    try:
        return choice(**values)
    except InputError as error:
        name, _, rest = str(error).partition("=")
        raise InputError(f"--{name.replace('_', '-')} {rest}") from error


# every verb that opens a model
Model = Annotated[
    str | None,
    Option(
        metavar="NAME|FOLDER|HUB_ID",
        help="a shipped model, a run or model folder, or owner/name on the hub",
        autocompletion=models,
    ),
]
Device = Annotated[str, Option(metavar="NAME", help="auto, cpu, cuda, cuda:N or mps")]
OneThread = Annotated[int, Option(min=1, max=1024, metavar="N", help="processor threads; more help large models alone")]
Threads = Annotated[int | None, Option(min=1, max=1024, metavar="N", help="processor threads (default: all)")]
Seed = Annotated[int, Option(min=0, max=2**32 - 1, metavar="N", help="seed of everything drawn")]
Json = Annotated[bool, Option("--json", help="print the result as JSON")]
Prior = Annotated[str | None, Option(metavar="normal", help="N(0, I) in the place of a prior that was fitted")]
Label = Annotated[
    str | None, Option(metavar="NAME", help="of this class (models trained with classes=true; default: any)")
]
EachLabel = Annotated[
    str | None, Option(metavar="NAME", help="of this class (models trained with classes=true; default: each in turn)")
]
Force = Annotated[bool, Option("--force", help="replace the file that --out names")]

# data
Data = Annotated[
    str,
    Argument(
        metavar="CORPUS|FILE",
        help="a folder that `corpora build` made, or a text file",
        autocompletion=corpora,
    ),
]
Corpus = Annotated[str, Argument(metavar="CORPUS", help="a folder that `corpora build` made", autocompletion=corpora)]
Split = Annotated[str, Option(metavar="NAME", help="of a corpus: train, valid or test")]

# how the next token is chosen
Temperature = Annotated[
    float | None,
    Option(min=0, max=100, metavar="X", help="0 takes the most probable token each time (default 1)"),
]
TopK = Annotated[int | None, Option(min=0, metavar="K", help="draw from the K most probable tokens")]
TopP = Annotated[
    float | None, Option(metavar="P", help="draw from the most probable tokens that together have this probability")
]
MinP = Annotated[
    float | None, Option(metavar="P", help="draw from tokens with at least this share of the greatest probability")
]
NoRepeat = Annotated[int | None, Option(min=0, metavar="N", help="never write an n-gram of this many tokens twice")]
Unk = Annotated[
    bool | None,
    Option("--unk", help="write <unk> too, where the model's codec has it: exactly the model's rows (default: banned)"),
]
Anneal = Annotated[
    int,
    Option(
        min=0,
        max=100_000,
        metavar="N",
        help="annealed importance sampling in N steps (100, say): a tighter bound, and slow; 0: importance sampling",
    ),
]
CodeTemperature = Annotated[
    float | None,
    Option(min=0, max=100, metavar="X", help="noise of the codes times X: below 1 nearer to the middle of the prior"),
]

# training
Words = Annotated[
    list[str] | None,
    Argument(metavar="IN|KEY=VALUE", help="what to train on, and settings", autocompletion=corpora),
]
RunOut = Annotated[str | None, Option(metavar="DIR", help="the run folder (default: runs/ and the first free number)")]
Init = Annotated[
    str | None,
    Option(metavar="MODEL", help="go on from this model's weights, settings and codec", autocompletion=models),
]
Resume = Annotated[
    str | None, Option(metavar="RUN", help="go on with a run where it stopped, bit for bit", autocompletion=runs)
]
Minutes = Annotated[
    float | None, Option(metavar="M", help="train so long, then stop (text that is sized by its corpus: default 12)")
]
Repeat = Annotated[
    str | None,
    Option(metavar="RUN", help="follow the recorded progress of a run of so many minutes", autocompletion=runs),
]
Steps = Annotated[
    int | None, Option(min=1, max=MOST, metavar="N", help="updates (without a preset ten passes, 2,000 to 20,000)")
]
Batch = Annotated[int | None, Option(min=1, max=MOST, metavar="N", help="rows in each batch (without a preset 64)")]
Every = Annotated[
    int | None, Option(min=1, max=MOST, metavar="N", help="steps between checkpoints, each with an evaluation")
]
Keep = Annotated[
    int | None, Option(min=2, max=MOST, metavar="N", help="newest checkpoints kept, beside the best (default 2)")
]
RunSeed = Annotated[
    int | None, Option("--seed", min=0, max=2**32 - 1, metavar="N", help="seed of everything drawn (default 0)")
]
RunDevice = Annotated[
    str | None, Option("--device", metavar="NAME", help="auto, cpu, cuda, cuda:N or mps (default auto)")
]
RunThreads = Annotated[
    int | None,
    Option(
        "--threads",
        min=1,
        max=1024,
        metavar="N",
        help="processor threads (default: all); part of what makes a run repeatable",
    ),
]
Quiet = Annotated[bool, Option("--quiet", help="print warnings alone")]

# export
RunOrFolder = Annotated[
    str,
    Argument(metavar="RUN|FOLDER", help="a run (its best checkpoint) or a model folder", autocompletion=models),
]
FolderOut = Annotated[str, Option(metavar="DIR", help="the folder to make")]
Int8 = Annotated[
    bool, Option("--int8", help="store matrices as whole numbers of 8 bits with a scale for each row: half the size")
]
Full = Annotated[bool, Option("--full", help="store weights in float32 instead of float16")]
Figures = Annotated[str | None, Option(metavar="FILE.json", help="the output of `evaluate --json`, for the card")]
About = Annotated[str | None, Option(metavar="FILE.md", help="a text on data and licence, for the card")]

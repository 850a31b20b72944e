"""Options of verbs on sentences and of benchmarks, as types of their parameters. Nothing heavy is imported."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from corpora.cli import corpora
from textgen.runs.options import models
from textgen.sentences import defaults

# how sentences are encoded and written
Sentence = Annotated[str, Argument(metavar="SENTENCE")]
Sentences = Annotated[list[str], Argument(metavar="SENTENCE|-", help="sentences, or - for the lines of standard input")]
Beams = Annotated[int, Option(min=1, max=100, metavar="N", help="candidates of the beam search; 1 is greedy")]
Refine = Annotated[
    int,
    Option(
        min=0,
        max=1000,
        metavar="N",
        help="most steps towards a code that gives its sentence back; 0: the posterior mean",
    ),
]
Path = Annotated[
    str,
    Option(
        metavar="auto|fluent|line|arc",
        help="fluent sentences near the line, the points of the line, or of an arc that keeps the norm; "
        "auto: fluent, if the model's decoder is a language model too",
    ),
]
Pace = Annotated[
    str, Option(metavar="text|code", help="of a line or arc: where the text changes evenly, or even steps of the code")
]
WalkBeams = Annotated[
    int | None,
    Option(
        min=1,
        max=100,
        metavar="N",
        help=f"candidates for each code (default {defaults.BEAMS}; fluent {defaults.FLUENT_BEAMS})",
    ),
]
# how new sentences are drawn
SampleBeams = Annotated[
    int | None,
    Option(
        min=0,
        max=100,
        metavar="N",
        help=f"write each code's most probable sentence, of N (default {defaults.SAMPLE_BEAMS}); 0: token by token",
    ),
]
BestOf = Annotated[
    int | None,
    Option(
        min=1,
        max=1000,
        metavar="N",
        help="draw N for each, keep the most fluent, or of a model that cannot tell the best by NLL per token "
        f"(default {defaults.FLUENT_BEST_OF}, {defaults.SAMPLE_BEST_OF}; by token 1)",
    ),
]
CodeTemperature = Annotated[
    float | None,
    Option(
        min=0,
        max=100,
        metavar="X",
        help="noise of the codes times X: below 1 nearer to the middle of the prior "
        f"(default {defaults.FLUENT_CODE_TEMPERATURE} or {defaults.SAMPLE_CODE_TEMPERATURE}, as below; by token 1)",
    ),
]
ClipsOut = Annotated[
    str | None,
    Option(metavar="FILE", help="clips of sound: written as FILE-1.wav, ... (default sample-1.wav, ...)"),
]
NewWords = Annotated[
    bool | None,
    Option(
        "--new-words/--no-new-words",
        help="allow words that are not in the model's lexicon, where it has one (default: no; sampled by token: yes)",
    ),
]
VERSE = "Verse (models with codec=characters)"
Length = Annotated[int | None, Option(min=1, metavar="N", help="just N characters a line", rich_help_panel=VERSE)]
Tones = Annotated[
    str | None,
    Option(
        metavar="SIGNS",
        help="a sign for each character: 平 or p level, 仄 or z oblique, 1-4 this tone, 中 or * any",
        rich_help_panel=VERSE,
    ),
]
Rhyme = Annotated[
    str | None,
    Option(
        metavar="CHARACTER|FINAL", help="the last one rhymes with this, or on this final (ang)", rich_help_panel=VERSE
    ),
]

# benchmarks
Judge = Annotated[str, Option(metavar="LM", help="a language model trained on real text", autocompletion=models)]
LabelledCorpus = Annotated[str, Option("--data", metavar="CORPUS", help="a corpus with labels", autocompletion=corpora)]
BuiltCorpus = Annotated[
    str, Option("--data", metavar="CORPUS", help="a folder that `corpora build` made", autocompletion=corpora)
]
HeldOut = Annotated[str, Option(metavar="NAME", help="held-out sentences: valid or test")]

"""Options of verbs on sentences and of benchmarks, as types of their parameters. Nothing heavy is imported."""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from corpora.cli import corpora
from textgen.runs.options import models

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

"""Options that several verbs on pictures share, as types of their parameters.

Nothing heavy is imported: `--help` reads this file.
"""

from __future__ import annotations

from typing import Annotated

from typer import Argument, Option

from imagegen.pictures import defaults

Picture = Annotated[str, Argument(metavar="PICTURE", help="a file, or CORPUS@SPLIT:ROW for a picture of a corpus")]
Pictures = Annotated[
    list[str], Argument(metavar="PICTURE", help="a file, or CORPUS@SPLIT:ROW for a picture of a corpus")
]
Fit = Annotated[
    str | None, Option(metavar="crop|pad|resize", help="bring pictures of another size to that of the model")
]

# the pictures that are written
Out = Annotated[
    str | None,
    Option(
        metavar="FILE",
        help="the picture to write: .png, .jpg, .webp, or .gif, in which pictures follow each other "
        "(default: the command's name .png)",
    ),
]
OutDir = Annotated[
    str | None, Option(metavar="DIR", help="write each picture to a file of its own, at true size: indexed PNG")
]
Sheet = Annotated[
    str | None,
    Option(metavar="FILE.png", help="write one sheet without gaps, at true size, and FILE.json (Aseprite's layout)"),
]
Scale = Annotated[int | None, Option(min=1, max=100, metavar="N", help="enlarge pixels N times (default: by the size)")]

# how pixels are drawn
Begin = Annotated[
    str | None,
    Option(
        metavar="drawing|start",
        help="from where on temperature, top-k, top-p and min-p hold: a picture's second colour (default), or all",
    ),
]
BestOf = Annotated[
    int,
    Option(
        min=1,
        max=1000,
        metavar="N",
        help="draw N for each, keep the best by NLL per foreground pixel, never an empty one if it can be helped",
    ),
]

# complete
Keep = Annotated[float | None, Option(metavar="X", help=f"share of the lines shown (default {defaults.KEEP})")]
Completions = Annotated[int, Option("-n", min=1, max=1000, metavar="N", help="completions of each")]
Mask = Annotated[str | None, Option(metavar="FILE", help="a picture of the same size: where it is light is hidden")]
Hide = Annotated[
    list[str] | None, Option(metavar="R0:R1,C0:C1", help="hide these rows and columns, from 0; may be given again")
]
Particles = Annotated[
    int | None,
    Option(
        min=1,
        max=100_000,
        metavar="N",
        help=f"drawings that are weighed, for --mask and --hide (default {defaults.PARTICLES})",
    ),
]

# evaluate, novelty
Importance = Annotated[int, Option(min=1, max=1_000_000, metavar="K", help="importance samples for each picture")]
Samples = Annotated[
    int | None,
    Option(
        min=1,
        max=1_000_000,
        metavar="K",
        help=f"importance samples for each picture (default {defaults.EVALUATE_SAMPLES}), or with --ais chains "
        f"(default {defaults.EVALUATE_CHAINS})",
    ),
]
Merge = Annotated[
    int | None,
    Option(min=0, max=255, metavar="X", help="count colours as one that a chain of steps of at most X of 255 joins"),
]
Judged = Annotated[
    int | None,
    Option(
        "-n", min=1, max=1000, metavar="N", help=f"with --keep, completions of each (default {defaults.COMPLETIONS})"
    ),
]

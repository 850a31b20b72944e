"""The command `imagegen`: parse a verb's words and options, call the function of that name in `verbs`, print its result
and write its picture.

Nothing heavy is imported until a verb is called, so that --help answers at once.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from corpora import commands
from corpora.cli import show_result as show
from corpora.commands import Verb, new_file, numbers
from corpora.errors import InputError
from imagegen.pictures import defaults
from textgen.cli import EXPORT, trained
from textgen.cli import export as export
from textgen.runs import options as o

if TYPE_CHECKING:
    from textgen.runs.run import Run

ABOUT = "Pictures you can steer: train, draw, finish, walk between, measure."
HERE = "imagegen.cli"
VERBS = {
    "train": Verb(HERE, "train a model on pictures"),
    "sample": Verb(HERE, "draw new pictures"),
    "complete": Verb(HERE, "finish pictures of which a part is shown"),
    "reconstruct": Verb(HERE, "encode pictures and decode them again"),
    "interpolate": Verb(HERE, "walk from one picture to another"),
    "traverse": Verb(HERE, "turn one or two codes of a picture, the others held"),
    "animate": Verb(HERE, "show pictures being drawn, pixel by pixel"),
    "evaluate": Verb(HERE, "likelihood in nats and bits per pixel, rate and active units; completions"),
    "novelty": Verb(HERE, "are drawn pictures new, or copies of training pictures"),
    "prior": Verb("textgen.cli", "fit a prior to the codes of a trained model"),
    "models": Verb(HERE, "the models that ship, the kinds of models and their settings"),
    "export": Verb(HERE, EXPORT),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for bad input, 130 or 143 after Ctrl-C or SIGTERM."""
    return commands.main("imagegen", ABOUT, VERBS, argv)


Picture = Annotated[str, Argument(metavar="PICTURE", help="a file, or CORPUS@SPLIT:ROW for a picture of a corpus")]
Pictures = Annotated[
    list[str], Argument(metavar="PICTURE", help="a file, or CORPUS@SPLIT:ROW for a picture of a corpus")
]
Out = Annotated[
    str | None,
    Option(metavar="FILE", help="the picture to write: .png, .gif, .jpg or .webp (default: the command's name .png)"),
]
Scale = Annotated[int | None, Option(min=1, max=100, metavar="N", help="enlarge pixels N times (default: by the size)")]
Importance = Annotated[int, Option(min=1, max=1_000_000, metavar="K", help="importance samples for each picture")]


def _file(out: str | None, default: str, force: bool, animation: bool = False, option: str = "--out") -> Path:
    """The file to write, judged before any work."""
    from corpora import sheet

    path = new_file(out, default, force, option)
    sheet.format_of(path, sheet.ANIMATIONS if animation else sheet.PICTURES)
    return path


def _write(drawing: Any, path: Path, scale: int | None, as_json: bool, **facts: Any) -> int:
    """Write the picture, show it on a terminal, and print the figures."""
    import json

    from corpora import sheet

    written = drawing.save(path, scale)
    if as_json:
        print(json.dumps({"out": str(written), **facts, **drawing.to_dict()}, ensure_ascii=False, indent=1))
        return 0
    if sys.stdout.isatty() and hasattr(drawing, "grid"):
        print(sheet.preview(drawing.grid, shutil.get_terminal_size().columns))
    blurred = "; JPEG blurs pixels: .png keeps each" if sheet.format_of(path) == "JPEG" else ""
    print(commands.printable(f"{written}: {drawing}{blurred}"))
    return 0


# -------------------------------------------------------------------------------------------------------- verbs


def train(
    arguments: o.Words = None,
    model: Annotated[
        str | None,
        Option(
            metavar="KIND",
            help="pixelcnn (default), pixelrnn, pixelformer, lstm, vae, pixelvae or autoencoder",
            autocompletion=o.kinds("imagegen"),
        ),
    ] = None,
    out: o.RunOut = None,
    minutes: o.Minutes = None,
    steps: o.Steps = None,
    resume: o.Resume = None,
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
    quiet: o.Quiet = False,
    as_json: o.Json = False,
) -> int:
    """Train a model on pictures and keep it in a run folder.

      imagegen train sprites --model pixelcnn --steps 2000
      imagegen train pictures/ size=20x20 fit=crop colours=32 --model pixelformer
      imagegen train pokemon-corpus --model vae rate=20 --out runs/knobs
      imagegen train --resume runs/knobs

    IN: PNG, GIF, JPEG or WebP files or folders of them, .npz arrays, lecture:DIR, hf-images:NAME, sprites (made up on
    the spot), as for `corpora build`, or a folder that it built. KEY=VALUE: settings of the corpus, the model, its
    parts and the training; `imagegen models` lists them.
    """
    return trained(
        "imagegen", _new_run, arguments, out=out, resume=resume, quiet=quiet, as_json=as_json, model=model, init=init,
        repeat=repeat, minutes=minutes, steps=steps, batch=batch, every=every, keep=keep, seed=seed, device=device,
        threads=threads, source=source, valid=valid, test=test,
    )  # fmt: skip


def _new_run(*arguments: Any, **options: Any) -> Run:
    from imagegen import training

    return training.new_run(*arguments, **options)


def sample(
    n: Annotated[int, Option("-n", min=1, max=100_000, metavar="N", help="pictures to draw")] = defaults.SAMPLES,
    model: o.Model = None,
    out: Out = None,
    temperature: o.Temperature = None,
    seed: o.Seed = 0,
    scale: Scale = None,
    force: o.Force = False,
    code_temperature: o.CodeTemperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    label: o.EachLabel = None,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Draw new pictures.

    imagegen sample -n 16 --model creatures
    imagegen sample -n 8 --model runs/1 --temperature 0.8 --out eight.png
    """
    chosen, path = (
        o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat),
        _file(out, "sample.png", force),
    )
    from imagegen import verbs
    from textgen.runs.screen import Bar

    with Bar() as bar:
        drawing = verbs.sample(
            n, model=o.named(model, defaults.MODEL), how=chosen, code_temperature=code_temperature, label=label,
            seed=seed, device=device, threads=threads, tell=bar.tell,
        )  # fmt: skip
    return _write(drawing, path, scale, as_json)


def complete(
    pictures: Pictures,
    keep: Annotated[
        float | None, Option(metavar="X", help=f"share of the lines shown (default {defaults.KEEP})")
    ] = None,
    n: Annotated[int, Option("-n", min=1, max=1000, metavar="N", help="completions of each")] = defaults.COMPLETIONS,
    model: o.Model = None,
    out: Out = None,
    mask: Annotated[
        str | None, Option(metavar="FILE", help="a picture of the same size: where it is light is hidden")
    ] = None,
    hide: Annotated[
        list[str] | None,
        Option(metavar="R0:R1,C0:C1", help="hide these rows and columns, from 0; may be given again"),
    ] = None,
    particles: Annotated[
        int | None,
        Option(
            min=1,
            max=100_000,
            metavar="N",
            help=f"drawings that are weighed, for --mask and --hide (default {defaults.PARTICLES})",
        ),
    ] = None,
    temperature: o.Temperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    label: o.Label = None,
    scale: Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Keep a part of pictures and draw the rest, several times, beside the truth.

      imagegen complete sprite.png --keep 0.5 -n 6 --model runs/1
      imagegen complete pokemon@test:78 pokemon@test:76 --keep 0.25 --model runs/1
      imagegen complete sprite.png --hide 4:12,0:8 --particles 256 --model runs/1
      imagegen complete sprite.png --mask mask.png --model runs/1

    --keep shows the lines that come first in the order of the model, by default the top. --mask and --hide hide any
    pixels: those shown that come later than hidden ones are then weighed by particles (sequential Monte Carlo), the
    better the more there are. Each row of the picture that is written: the part shown, the completions, the whole.
    """
    chosen, path = (
        o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat),
        _file(out, "complete.png", force),
    )
    anywhere = mask is not None or hide is not None
    if anywhere and keep is not None:
        raise InputError("--keep with --mask or --hide: each says what is shown; leave out one")
    if anywhere and chosen is not None:
        raise InputError(
            "--mask and --hide draw from the model as it is: leave out --temperature, --top-k, --top-p, --min-p "
            "and --no-repeat"
        )
    if not anywhere and particles is not None:
        raise InputError("--particles is for --mask and --hide: without them completions are drawn exactly")
    from imagegen import verbs
    from textgen.runs.screen import Bar

    own: dict[str, Any] = {"keep": defaults.KEEP if keep is None else keep, "how": chosen}
    if anywhere:
        own = {"mask": mask, "hide": hide or [], "particles": particles or defaults.PARTICLES}
    with Bar() as bar:
        drawing = (verbs.inpaint if anywhere else verbs.complete)(
            pictures, model=o.named(model, defaults.MODEL), n=n, label=label, seed=seed, device=device,
            threads=threads, tell=bar.tell, **own,
        )  # fmt: skip
    return _write(drawing, path, scale, as_json)


def reconstruct(
    pictures: Pictures,
    model: o.Model = None,
    out: Out = None,
    label: o.Label = None,
    scale: Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Encode pictures and decode them again."""
    path = _file(out, "reconstruct.png", force)
    from imagegen import verbs

    drawing = verbs.reconstruct(
        pictures, model=o.named(model, defaults.MODEL), label=label, device=device, threads=threads
    )
    return _write(drawing, path, scale, as_json)


def interpolate(
    start: Picture,
    end: Picture,
    steps: Annotated[int, Option(min=2, max=1000, metavar="N", help="pictures, the ends too")] = defaults.STEPS,
    model: o.Model = None,
    out: Out = None,
    gif: Annotated[
        str | None, Option(metavar="FILE", help="also as an animation, there and back: .gif or .webp")
    ] = None,
    label: o.Label = None,
    scale: Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Walk from one picture to another."""
    path = _file(out, "interpolate.png", force)
    animation = None if gif is None else _file(gif, gif, force, animation=True, option="--gif")
    if animation is not None and animation.absolute() == path.absolute():
        raise InputError(f"--out and --gif are both {path}: give each a name of its own")
    from imagegen import verbs

    drawing = verbs.interpolate(
        start, end, model=o.named(model, defaults.MODEL), steps=steps, label=label, device=device, threads=threads
    )
    if animation is not None:
        drawing.save_animation(animation, scale)
    return _write(drawing, path, scale, as_json, gif=gif)


def traverse(
    picture: Picture,
    dims: Annotated[
        int, Option(min=1, max=2, metavar="1|2", help="how many codes: those of the greatest rate")
    ] = defaults.TRAVERSE_DIMS,
    codes: Annotated[str | None, Option(metavar="I[,J]", help="codes by number, in place of --dims")] = None,
    model: o.Model = None,
    out: Out = None,
    steps: Annotated[int, Option(min=2, max=100, metavar="N", help="values of each")] = defaults.TRAVERSE_STEPS,
    span: Annotated[
        float, Option(min=0, max=100, metavar="X", help="from -X to X deviations")
    ] = defaults.TRAVERSE_SPAN,
    label: o.Label = None,
    scale: Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Turn one or two codes of a picture, the others held."""
    path = _file(out, "traverse.png", force)
    which = None if codes is None else numbers("--codes", codes, int)
    from imagegen import verbs

    drawing = verbs.traverse(
        picture, model=o.named(model, defaults.MODEL), dims=dims, codes=which, steps=steps, span=span, label=label,
        device=device, threads=threads,
    )  # fmt: skip
    return _write(drawing, path, scale, as_json)


def animate(
    n: Annotated[int, Option("-n", min=1, max=100, metavar="N", help="pictures, side by side")] = defaults.ANIMATED,
    every: Annotated[int, Option(min=1, max=1_000_000, metavar="N", help="pixels between two frames")] = defaults.EVERY,
    model: o.Model = None,
    out: Annotated[
        str | None, Option(metavar="FILE", help="the animation to write: .gif or .webp (default animate.gif)")
    ] = None,
    temperature: o.Temperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    label: o.EachLabel = None,
    scale: Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Show pictures being drawn, pixel by pixel."""
    chosen, path = (
        o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat),
        _file(out, "animate.gif", force, animation=True),
    )
    from imagegen import verbs

    animation = verbs.animate(
        n, model=o.named(model, defaults.MODEL), every=every, how=chosen, label=label, seed=seed, device=device,
        threads=threads,
    )  # fmt: skip
    return _write(animation, path, scale, as_json)


def evaluate(
    data: o.Corpus,
    model: o.Model = None,
    split: o.Split = "test",
    rows: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="pictures drawn by the seed; 0: all")
    ] = defaults.EVALUATE_ROWS,
    samples: Importance = defaults.EVALUATE_SAMPLES,
    ais: o.Anneal = 0,
    merge: Annotated[
        int | None,
        Option(
            min=0, max=255, metavar="X", help="count colours as one that a chain of steps of at most X of 255 joins"
        ),
    ] = None,
    keep: Annotated[
        float | None, Option(metavar="X", help="judge completions, of which this share of rows is shown")
    ] = None,
    n: Annotated[
        int | None,
        Option(
            "-n",
            min=1,
            max=1000,
            metavar="N",
            help=f"with --keep, completions of each (default {defaults.COMPLETIONS})",
        ),
    ] = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Likelihood of the pictures of a split in nats and bits per pixel; of a model with codes a bound on it, and what
    the codes say. With --merge also with colours counted as one that differ by so little that they pass for one: many
    blacks make a likelihood dear, not a picture better. With --keep, completions beside the truth: likelihood of the
    hidden part, silhouettes and colours.

      imagegen evaluate sprites-corpus --model runs/1
      imagegen evaluate pokemon-corpus --merge 15 --model runs/1
      imagegen evaluate pokemon-corpus --keep 0.6 -n 16 --model runs/1
    """
    if keep is not None and merge is not None:
        raise InputError("--keep with --merge: completions are judged in all colours; leave out one")
    if keep is None and n is not None:
        raise InputError(f"-n {n}: completions are judged with --keep X, the share of rows that is shown")
    from imagegen import verbs
    from textgen.runs.screen import Bar

    ways: dict[str, Any] = {"split": split, "rows": rows, "seed": seed, "device": device, "threads": threads}
    with Bar() as bar:
        ways |= {"model": o.named(model, defaults.MODEL), "tell": bar.tell}
        if keep is None:
            report = verbs.evaluate(data, samples=samples, ais=ais, merge=merge, **ways)
        else:
            report = verbs.judge_completions(data, keep=keep, n=n or defaults.COMPLETIONS, **ways)
    return show(report, as_json)


def novelty(
    data: o.Corpus,
    n: Annotated[int, Option("-n", min=1, max=100_000, metavar="N", help="pictures drawn")] = defaults.NOVELTY_SAMPLES,
    model: o.Model = None,
    out: Out = None,
    pairs: Annotated[int, Option(min=1, max=1000, metavar="N", help="pairs shown")] = defaults.NOVELTY_PAIRS,
    above: Annotated[float, Option(min=0, max=1, metavar="X", help="suspiciously near")] = defaults.NOVELTY_ABOVE,
    share: Annotated[float, Option(min=0, max=1, metavar="X", help="allowed above it")] = defaults.NOVELTY_SHARE,
    gap: Annotated[float, Option(metavar="X", help="nats per pixel allowed")] = defaults.NOVELTY_GAP,
    split: Annotated[str, Option(metavar="NAME", help="the held-out pictures: valid or test")] = "valid",
    shift: Annotated[int, Option(min=0, max=1000, metavar="N", help="pixels copies may move")] = defaults.NOVELTY_SHIFT,
    near: Annotated[int, Option(min=0, max=255, metavar="N", help="of 255, within a shade")] = defaults.NOVELTY_NEAR,
    rows: Annotated[int, Option(min=0, max=o.ROWS, metavar="N", help="pictures of each NLL; 0: all")] = 0,
    samples: Importance = defaults.NOVELTY_IMPORTANCE,
    temperature: o.Temperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    scale: Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Draw pictures, find the training picture that is most like each, and compare how well the model knows train and
    held-out pictures. The verdict is clean unless too many pictures are near to training pictures, or the gap is too
    wide.

      imagegen novelty pokemon-corpus --model runs/1
      imagegen novelty sprites-corpus --model runs/2 -n 200 --temperature 0.8 --split test

    How alike two pictures are is the foreground Jaccard index: places at which both show the same shade, over places
    at which either shows anything; mirrored or moved by a few pixels counts as the same. The picture that is written
    has the nearest pairs, drawn above and from train below, the nearest first.
    """
    chosen, path = (
        o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat),
        _file(out, "novelty.png", force),
    )
    from imagegen import verbs
    from textgen.runs.screen import Bar

    with Bar() as bar:
        drawing = verbs.novelty(
            data, model=o.named(model, defaults.MODEL), n=n, pairs=pairs, above=above, share=share, gap=gap,
            split=split, shift=shift, near=near, rows=rows, samples=samples, how=chosen, seed=seed, device=device,
            threads=threads, tell=bar.tell,
        )  # fmt: skip
    return _write(drawing, path, scale, as_json)


def models(as_json: Annotated[bool, Option("--json", help="as JSON")] = False) -> int:
    """Print the models that ship, the kinds of models, and their settings."""
    from imagegen import verbs

    return show(verbs.models(), as_json)


if __name__ == "__main__":
    sys.exit(main())

"""The command `imagegen`: parse a verb's words and options, call the function of that name in `verbs`, print its result
and write its picture.

Nothing heavy is imported until a verb is called, so that --help answers at once.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from typer import Option

from corpora import commands
from corpora.cli import show_result as show
from corpora.commands import Verb, new_file, numbers, reserve
from corpora.errors import InputError
from imagegen import options as p
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


class Outputs(NamedTuple):
    """The files that a verb is asked for, judged before any work."""

    file: Path | None  # the picture for people
    ours: str | None  # its default name, where no name was asked for: the next free one of it is taken
    folder: Path | None = None  # a file for each picture
    sheet: Path | None = None  # all of them without gaps, and JSON beside it
    scale: int | None = None
    force: bool = False
    as_json: bool = False


def _file(out: str | None, default: str, force: bool, animation: bool = False, option: str = "--out") -> Path:
    """The file to write, judged before any work."""
    from corpora.pictures import sheet

    path = new_file(out, default, force, option)
    sheet.format_of(path, sheet.ANIMATIONS if animation else sheet.PICTURES)
    return path


def _outputs(
    default: str, out: str | None, force: bool, scale: int | None, as_json: bool, *, out_dir: str | None = None,
    page: str | None = None, animation: bool = False,
) -> Outputs:  # fmt: skip
    """The files of --out, --out-dir and --sheet. Without --out the default picture is written only where neither of
    the others is asked for. Raises InputError for names that are taken, or ask for an unknown format."""
    folder = sheet_file = None
    if out_dir is not None:
        from imagegen.pictures.drawing import new_pictures

        folder = new_pictures(out_dir, force)
    if page is not None:
        sheet_file = new_file(page, page, force, "--sheet")
        if sheet_file.suffix.lower() != ".png":
            raise InputError(f"{page}: a sheet is written as .png: choose another ending")
        new_file(str(sheet_file.with_suffix(".json")), page, force, "--sheet")
    file = None
    if out is not None or (folder is None and sheet_file is None):
        file = _file(out, default, force, animation)
        if sheet_file is not None and file.absolute() == sheet_file.absolute():
            raise InputError(f"--out and --sheet are both {file}: give each a name of its own")
    return Outputs(file, default if out is None and not force else None, folder, sheet_file, scale, force, as_json)


def _write(drawing: Any, where: Outputs, **facts: Any) -> int:
    """Write the pictures, show them on a terminal, and print the figures."""
    import json

    from corpora.pictures import sheet

    written: dict[str, str] = {}
    if where.file is not None:
        written["out"] = str(_saved(drawing, where.file, where))
    if where.folder is not None:
        count = len(drawing.save_pictures(where.folder, force=where.force))
        written["out_dir"] = str(where.folder)
    if where.sheet is not None:
        written["sheet"] = str(drawing.save_sheet(where.sheet))
    if where.as_json:
        print(json.dumps({**written, **facts, **drawing.to_dict()}, ensure_ascii=False, indent=1))
        return 0
    if sys.stdout.isatty() and hasattr(drawing, "grid"):
        print(sheet.preview(drawing.grid, shutil.get_terminal_size().columns))
    names = [f"{name} ({count} files)" if key == "out_dir" else name for key, name in written.items()]
    print(commands.printable(f"{', '.join(names)}: {drawing}{_losses(drawing, where)}"))
    return 0


def _losses(drawing: Any, where: Outputs) -> str:
    """Notes on what the formats of the files do not keep."""
    from corpora.pictures import sheet

    kind = None if where.file is None else sheet.format_of(where.file)
    notes = "; JPEG blurs pixels: .png keeps each" if kind == "JPEG" else ""
    if len(drawing.colours) > 256:
        if kind == "GIF":
            notes += f"; GIF holds 256 of the {len(drawing.colours)} colours: .webp keeps all"
        if where.folder is not None or where.sheet is not None:
            notes += f"; {len(drawing.colours)} colours are more than an indexed PNG holds: full colour"
    return notes


def _saved(drawing: Any, path: Path, where: Outputs) -> Path:
    """Write the picture for people. A default name is reserved first, and free again if nothing comes of it."""
    if where.ours is None:
        return drawing.save(path, where.scale)
    path = reserve(path, where.ours)
    try:
        return drawing.save(path, where.scale)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


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
    out: p.Out = None,
    temperature: o.Temperature = None,
    seed: o.Seed = 0,
    scale: p.Scale = None,
    out_dir: p.OutDir = None,
    sheet: p.Sheet = None,
    force: o.Force = False,
    best_of: p.BestOf = defaults.SAMPLE_BEST_OF,
    begin: p.Begin = None,
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
      imagegen sample -n 64 --model runs/1 --top-p 0.9 --best-of 4 --out-dir icons --sheet icons.png

    The number of pictures that came out empty is printed. A choice of probable pixels (--temperature, --top-p ...)
    holds from the second colour of a picture on, since it seldom leaves an empty margin; with --begin start from the
    first pixel on.
    """
    chosen = o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat)
    where = _outputs("sample.png", out, force, scale, as_json, out_dir=out_dir, page=sheet)
    from imagegen import verbs
    from textgen.runs.screen import Bar

    with Bar() as bar:
        drawing = verbs.sample(
            n, model=o.named(model, defaults.MODEL), how=chosen, begin=begin, best_of=best_of,
            code_temperature=code_temperature, label=label, seed=seed, device=device, threads=threads, tell=bar.tell,
        )  # fmt: skip
    return _write(drawing, where)


def complete(
    pictures: p.Pictures,
    keep: p.Keep = None,
    n: p.Completions = defaults.COMPLETIONS,
    model: o.Model = None,
    out: p.Out = None,
    fit: p.Fit = None,
    mask: p.Mask = None,
    hide: p.Hide = None,
    particles: p.Particles = None,
    temperature: o.Temperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    begin: p.Begin = None,
    label: o.Label = None,
    scale: p.Scale = None,
    out_dir: p.OutDir = None,
    sheet: p.Sheet = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Keep a part of pictures and draw the rest, several times.

      imagegen complete sprite.png --keep 0.5 -n 6 --model runs/1
      imagegen complete photo.jpg --fit resize --keep 0.25 --model runs/1
      imagegen complete sprite.png --hide 4:12,0:8 --particles 256 --model runs/1

    --keep shows the lines that come first in the order of the model, by default the top. --mask and --hide hide any
    pixels: those shown that come later than hidden ones are then weighed by particles (sequential Monte Carlo), the
    better the more there are. Each row of the picture that is written: the part shown, the completions, the whole.
    Where the model lacks a colour, the whole is recoloured: how far it is then from the picture is printed (Delta E),
    and the picture in its own colours stands beside it.
    """
    chosen = o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat)
    where = _outputs("complete.png", out, force, scale, as_json, out_dir=out_dir, page=sheet)
    own = _shown(keep, mask, hide, particles, chosen, begin)
    from imagegen import verbs
    from textgen.runs.screen import Bar

    with Bar() as bar:
        drawing = (verbs.inpaint if "hide" in own else verbs.complete)(
            pictures, model=o.named(model, defaults.MODEL), n=n, fit=fit, label=label, seed=seed, device=device,
            threads=threads, tell=bar.tell, **own,
        )  # fmt: skip
    return _write(drawing, where)


def _shown(
    keep: float | None, mask: str | None, hide: list[str] | None, particles: int | None, how: Any, begin: str | None
) -> dict[str, Any]:
    """The options of `complete` that say what is shown, and how the rest is drawn. Raises InputError for those that do
    not go together."""
    if mask is None and hide is None:
        if particles is not None:
            raise InputError("--particles is for --mask and --hide: without them completions are drawn exactly")
        return {"keep": defaults.KEEP if keep is None else keep, "how": how, "begin": begin}
    if keep is not None:
        raise InputError("--keep with --mask or --hide: each says what is shown; leave out one")
    if how is not None or begin is not None:
        raise InputError(
            "--mask and --hide draw from the model as it is: leave out --temperature, --top-k, --top-p, --min-p, "
            "--no-repeat and --begin"
        )
    return {"mask": mask, "hide": hide or [], "particles": particles or defaults.PARTICLES}


def reconstruct(
    pictures: p.Pictures,
    model: o.Model = None,
    out: p.Out = None,
    fit: p.Fit = None,
    label: o.Label = None,
    scale: p.Scale = None,
    out_dir: p.OutDir = None,
    sheet: p.Sheet = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Encode pictures and decode them again. How many pixels have their colour again is printed, of the foreground and
    of all, beside what a blank page has right."""
    where = _outputs("reconstruct.png", out, force, scale, as_json, out_dir=out_dir, page=sheet)
    from imagegen import verbs

    drawing = verbs.reconstruct(
        pictures, model=o.named(model, defaults.MODEL), label=label, fit=fit, device=device, threads=threads
    )
    return _write(drawing, where)


def interpolate(
    start: p.Picture,
    end: p.Picture,
    steps: Annotated[int, Option(min=2, max=1000, metavar="N", help="pictures, the ends too")] = defaults.STEPS,
    model: o.Model = None,
    out: p.Out = None,
    fit: p.Fit = None,
    gif: Annotated[
        str | None, Option(metavar="FILE", help="also as an animation, there and back: .gif or .webp")
    ] = None,
    label: o.Label = None,
    scale: p.Scale = None,
    out_dir: p.OutDir = None,
    sheet: p.Sheet = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Walk from one picture to another."""
    where = _outputs("interpolate.png", out, force, scale, as_json, out_dir=out_dir, page=sheet)
    animation = None if gif is None else _file(gif, gif, force, animation=True, option="--gif")
    if animation is not None and where.file is not None and animation.absolute() == where.file.absolute():
        raise InputError(f"--out and --gif are both {where.file}: give each a name of its own")
    from imagegen import verbs

    drawing = verbs.interpolate(
        start, end, model=o.named(model, defaults.MODEL), steps=steps, label=label, fit=fit, device=device,
        threads=threads,
    )  # fmt: skip
    if animation is not None:
        drawing.save_animation(animation, scale)
    return _write(drawing, where, gif=gif)


def traverse(
    picture: p.Picture,
    dims: Annotated[
        int, Option(min=1, max=2, metavar="1|2", help="how many codes: those of the greatest rate")
    ] = defaults.TRAVERSE_DIMS,
    codes: Annotated[str | None, Option(metavar="I[,J]", help="codes by number, in place of --dims")] = None,
    model: o.Model = None,
    out: p.Out = None,
    fit: p.Fit = None,
    steps: Annotated[int, Option(min=3, max=100, metavar="N", help="values of each")] = defaults.TRAVERSE_STEPS,
    span: Annotated[
        float, Option(min=0, max=100, metavar="X", help="from -X to X deviations, or further, to the picture's own")
    ] = defaults.TRAVERSE_SPAN,
    label: o.Label = None,
    scale: p.Scale = None,
    out_dir: p.OutDir = None,
    sheet: p.Sheet = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Turn one or two codes of a picture, the others held. A frame marks the picture with its own values, which are
    always among those shown."""
    where = _outputs("traverse.png", out, force, scale, as_json, out_dir=out_dir, page=sheet)
    which = None if codes is None else numbers("--codes", codes, int)
    from imagegen import verbs

    drawing = verbs.traverse(
        picture, model=o.named(model, defaults.MODEL), dims=dims, codes=which, steps=steps, span=span, label=label,
        fit=fit, device=device, threads=threads,
    )  # fmt: skip
    return _write(drawing, where)


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
    begin: p.Begin = None,
    label: o.EachLabel = None,
    scale: p.Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.OneThread = 1,
    as_json: o.Json = False,
) -> int:
    """Show pictures being drawn, pixel by pixel."""
    chosen = o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat)
    where = _outputs("animate.gif", out, force, scale, as_json, animation=True)
    from imagegen import verbs

    animation = verbs.animate(
        n, model=o.named(model, defaults.MODEL), every=every, how=chosen, begin=begin, label=label, seed=seed,
        device=device, threads=threads,
    )  # fmt: skip
    return _write(animation, where)


def evaluate(
    data: o.Corpus,
    model: o.Model = None,
    split: o.Split = "test",
    rows: Annotated[
        int, Option(min=0, max=o.ROWS, metavar="N", help="pictures drawn by the seed; 0: all")
    ] = defaults.EVALUATE_ROWS,
    samples: p.Samples = None,
    ais: o.Anneal = 0,
    merge: p.Merge = None,
    fit: p.Fit = None,
    keep: Annotated[
        float | None, Option(metavar="X", help="judge completions, of which this share of rows is shown")
    ] = None,
    n: p.Judged = None,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Likelihood of the pictures of a split in nats and bits per pixel; of a model with codes a bound on it, and what
    the codes say. With --merge also with colours counted as one that differ by so little that they pass for one: many
    blacks make a likelihood dear, not a picture better. With --keep, completions beside the truth: likelihood of the
    hidden part, silhouettes and colours. With --fit pictures of any size and palette, in a corpus, a file or a folder.

      imagegen evaluate sprites-corpus --model runs/1
      imagegen evaluate pokemon-corpus --merge 15 --model runs/1
      imagegen evaluate pokemon-corpus --keep 0.6 -n 16 --model runs/1
      imagegen evaluate icons/ --fit crop --model runs/1
    """
    if keep is not None and merge is not None:
        raise InputError("--keep with --merge: completions are judged in all colours; leave out one")
    if keep is not None and fit is not None:
        raise InputError("--keep with --fit: completions are judged on the model's own size and colours; leave out one")
    if keep is None and n is not None:
        raise InputError(f"-n {n}: completions are judged with --keep X, the share of rows that is shown")
    from imagegen import verbs
    from textgen.runs.screen import Bar

    ways: dict[str, Any] = {"split": split, "rows": rows, "seed": seed, "device": device, "threads": threads}
    with Bar() as bar:
        ways |= {"model": o.named(model, defaults.MODEL), "tell": bar.tell}
        if keep is None:
            report = verbs.evaluate(data, samples=samples, ais=ais, merge=merge, fit=fit, **ways)
        else:
            report = verbs.judge_completions(data, keep=keep, n=n or defaults.COMPLETIONS, **ways)
    return show(report, as_json)


def novelty(
    data: o.Corpus,
    n: Annotated[int, Option("-n", min=1, max=100_000, metavar="N", help="pictures drawn")] = defaults.NOVELTY_SAMPLES,
    model: o.Model = None,
    out: p.Out = None,
    pairs: Annotated[int, Option(min=1, max=1000, metavar="N", help="pairs shown")] = defaults.NOVELTY_PAIRS,
    above: Annotated[float, Option(min=0, max=1, metavar="X", help="suspiciously near")] = defaults.NOVELTY_ABOVE,
    share: Annotated[float, Option(min=0, max=1, metavar="X", help="allowed above it")] = defaults.NOVELTY_SHARE,
    gap: Annotated[float, Option(metavar="X", help="nats per pixel allowed")] = defaults.NOVELTY_GAP,
    split: Annotated[str, Option(metavar="NAME", help="the held-out pictures: valid or test")] = "valid",
    shift: Annotated[int, Option(min=0, max=1000, metavar="N", help="pixels copies may move")] = defaults.NOVELTY_SHIFT,
    near: Annotated[int, Option(min=0, max=255, metavar="N", help="of 255, within a shade")] = defaults.NOVELTY_NEAR,
    rows: Annotated[int, Option(min=0, max=o.ROWS, metavar="N", help="pictures of each NLL; 0: all")] = 0,
    samples: p.Importance = defaults.NOVELTY_IMPORTANCE,
    temperature: o.Temperature = None,
    top_k: o.TopK = None,
    top_p: o.TopP = None,
    min_p: o.MinP = None,
    no_repeat: o.NoRepeat = None,
    scale: p.Scale = None,
    force: o.Force = False,
    seed: o.Seed = 0,
    device: o.Device = "auto",
    threads: o.Threads = None,
    as_json: o.Json = False,
) -> int:
    """Draw pictures, find the training picture that is most like each, and ask whether they come nearer to train than
    held-out pictures do. The verdict is clean unless they do, on the whole or for a few of them (by tests, named in
    the report). A gap between held-out and training NLL is told, and is no proof of copies.

      imagegen novelty pokemon-corpus --model runs/1
      imagegen novelty sprites-corpus --model runs/2 -n 200 --temperature 0.8 --split test

    How alike two pictures are is the foreground Jaccard index: places at which both show the same shade, over places
    at which either shows anything; mirrored or moved by a few pixels counts as the same. The picture that is written
    has the nearest pairs, drawn above and from train below, the nearest first.
    """
    chosen = o.how(temperature=temperature, top_k=top_k, top_p=top_p, min_p=min_p, no_repeat=no_repeat)
    where = _outputs("novelty.png", out, force, scale, as_json)
    from imagegen import verbs
    from textgen.runs.screen import Bar

    with Bar() as bar:
        drawing = verbs.novelty(
            data, model=o.named(model, defaults.MODEL), n=n, pairs=pairs, above=above, share=share, gap=gap,
            split=split, shift=shift, near=near, rows=rows, samples=samples, how=chosen, seed=seed, device=device,
            threads=threads, tell=bar.tell,
        )  # fmt: skip
    return _write(drawing, where)


def models(as_json: Annotated[bool, Option("--json", help="as JSON")] = False) -> int:
    """Print the models that ship, the kinds of models, and their settings."""
    from imagegen import verbs

    return show(verbs.models(), as_json)


if __name__ == "__main__":
    sys.exit(main())

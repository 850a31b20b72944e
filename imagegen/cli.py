"""The command `imagegen`. Nothing heavy is imported until a verb needs it, so that --help answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser, run
from corpora.errors import InputError, quoted
from textgen.cli import at_least, choice, choice_options, model_options, open_chosen, show, train, train_options

if TYPE_CHECKING:
    import argparse

    import numpy as np

    from imagegen.drawing import PictureModel

_TRAIN = """\
Train a model on pictures and keep it in a run folder.

  imagegen train sprites --model pixelcnn --steps 2000
  imagegen train pictures/ size=20x20 fit=crop colours=32 --model pixelformer
  imagegen train pokemon-corpus --model vae rate=20 --out runs/knobs
  imagegen train --resume runs/knobs

IN: PNG, GIF, JPEG or WebP files or folders of them, .npz arrays, lecture:DIR, hf-images:NAME, sprites (made up on the
spot), as for `corpora build`, or a folder that it built. KEY=VALUE: settings of the corpus, the model, its parts and
the training; `imagegen models` lists them."""

_COMPLETE = """\
Keep the top of pictures and draw the rest, several times, beside the truth.

  imagegen complete sprite.png --keep 0.5 -n 6 --model runs/1
  imagegen complete pokemon@test:78 pokemon@test:76 --keep 0.25 --model runs/1

Each row of the picture that is written: what was shown, the completions, and the whole picture as given."""

_NOVELTY = """\
Draw pictures, find the training picture that is most like each, and compare how well the model knows train and
held-out pictures. The verdict is clean unless too many pictures are near to training pictures, or the gap is too wide.

  imagegen novelty pokemon-corpus --model runs/1
  imagegen novelty sprites-corpus --model runs/2 -n 200 --temperature 0.8 --split test

How alike two pictures are is the foreground Jaccard index: places at which both show the same shade, over places at
which either shows anything; mirrored or moved by a few pixels counts as the same. The picture that is written has the
nearest pairs, drawn above and from train below, the nearest first."""

_EVALUATE = """\
Likelihood of the pictures of a split in nats and bits per pixel; of a model with codes a bound on it, and what the
codes say. With --keep, completions beside the truth: likelihood of what is hidden, silhouettes and colours.

  imagegen evaluate sprites-corpus --model runs/1
  imagegen evaluate pokemon-corpus --keep 0.6 -n 16 --model runs/1"""

_PICTURE = "a file, or CORPUS@SPLIT:ROW for a picture of a corpus"


def parser() -> Parser:
    """The command line. Importing or printing it loads nothing heavy."""
    top = Parser(prog="imagegen", description="Pictures you can steer: train, draw, finish, walk between, measure.")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def verb(
        name: str, help: str, description: str | None = None, model: bool = True, out: str | None = None
    ) -> Parser:
        made: Parser = commands.add_parser(name, help=help, description=description or f"{help[0].upper()}{help[1:]}.")
        if model:
            model_options(made, required=True)
        if out is not None:
            made.add_argument("--out", default=out, metavar="FILE", help=f"where the picture goes (default {out})")
            made.add_argument("--scale", type=int, metavar="N", help="enlarge pixels N times (default: by the size)")
        return made

    training = verb("train", "train a model on pictures", _TRAIN, model=False)
    train_options(training, "pixelcnn (default), pixelrnn, pixelformer, lstm, vae, pixelvae or autoencoder")

    sampling = verb("sample", "draw new pictures", out="sample.png")
    sampling.add_argument("-n", type=int, default=16, metavar="N", help="how many (default 16)")
    choice_options(sampling)

    finishing = verb("complete", "finish pictures of which the top is shown", _COMPLETE, out="complete.png")
    finishing.add_argument("pictures", nargs="+", metavar="PICTURE", help=_PICTURE)
    finishing.add_argument("--keep", type=float, default=0.5, metavar="X", help="share of rows shown (default 0.5)")
    finishing.add_argument("-n", type=int, default=4, metavar="N", help="completions of each (default 4)")
    choice_options(finishing)

    again = verb("reconstruct", "encode pictures and decode them again", out="reconstruct.png")
    again.add_argument("pictures", nargs="+", metavar="PICTURE", help=_PICTURE)

    walking = verb("interpolate", "walk from one picture to another", out="interpolate.png")
    walking.add_argument("pictures", nargs=2, metavar="PICTURE", help=_PICTURE)
    walking.add_argument("--steps", type=int, default=8, metavar="N", help="pictures, the ends too (default 8)")
    walking.add_argument("--gif", metavar="FILE", help="also as an animation, there and back")

    turning = verb("traverse", "turn one or two codes of a picture, the others held", out="traverse.png")
    turning.add_argument("picture", metavar="PICTURE", help=_PICTURE)
    turning.add_argument("--dims", type=int, default=2, metavar="1|2", help="how many: those of the greatest rate")
    turning.add_argument("--codes", metavar="I[,J]", help="which, by number, in place of --dims")
    turning.add_argument("--steps", type=int, default=7, metavar="N", help="values of each (default 7)")
    turning.add_argument("--span", type=float, default=2.0, metavar="X", help="from -X to X deviations (default 2)")

    moving = verb("animate", "show pictures being drawn, pixel by pixel", out="animate.gif")
    moving.add_argument("-n", type=int, default=4, metavar="N", help="how many, side by side (default 4)")
    moving.add_argument("--every", type=int, default=5, metavar="N", help="pixels between two frames (default 5)")
    choice_options(moving)

    judging = verb("evaluate", "likelihood in nats and bits per pixel, rate and active units; completions", _EVALUATE)
    judging.add_argument("data", metavar="CORPUS", help="a folder that `corpora build` made")
    judging.add_argument("--split", default="test", help="train, valid or test (default)")
    judging.add_argument("--rows", type=int, default=0, metavar="N", help="pictures drawn by the seed (default 0: all)")
    judging.add_argument("--samples", type=int, default=500, metavar="K", help="importance samples (default 500)")
    judging.add_argument(
        "--keep", type=float, metavar="X", help="judge completions, of which this share of rows is shown"
    )
    judging.add_argument("-n", type=int, metavar="N", help="with --keep, completions of each (default 4)")

    checking = verb("novelty", "are drawn pictures new, or copies of training pictures", _NOVELTY, out="novelty.png")
    checking.add_argument("data", metavar="CORPUS", help="the folder of the corpus that the model was trained on")
    checking.add_argument("-n", type=int, default=1000, metavar="N", help="pictures drawn (default 1000)")
    checking.add_argument("--pairs", type=int, default=16, metavar="N", help="pairs shown (default 16)")
    checking.add_argument("--above", type=float, default=0.41, metavar="X", help="suspiciously near (default 0.41)")
    checking.add_argument("--share", type=float, default=0.01, metavar="X", help="allowed above it (default 0.01)")
    checking.add_argument("--gap", type=float, default=0.25, metavar="X", help="nats per pixel allowed (default 0.25)")
    checking.add_argument("--split", default="valid", help="what held-out pictures are: valid (default) or test")
    checking.add_argument("--shift", type=int, default=2, metavar="N", help="pixels that copies may move (default 2)")
    checking.add_argument("--near", type=int, default=16, metavar="N", help="of 255, within a shade (default 16)")
    checking.add_argument("--rows", type=int, default=0, metavar="N", help="pictures of each NLL (default 0: all)")
    checking.add_argument("--samples", type=int, default=100, metavar="K", help="importance samples (default 100)")
    choice_options(checking)

    listing = verb("models", "the kinds of models and their settings", model=False)
    listing.add_argument("--json", action="store_true", help="as JSON")
    return top


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point. Returns the exit code: 0, 2 for bad input, 130 or 143 after Ctrl-C or SIGTERM."""
    return run(_main, argv)


def _main(argv: Sequence[str] | None) -> int:
    chosen = parser().parse_args(argv)
    verbs: dict[str, Callable[[argparse.Namespace], int]] = {
        "train": lambda chosen: train(chosen, "imagegen", _trained),
        "sample": _sample,
        "complete": _complete,
        "reconstruct": _reconstruct,
        "interpolate": _interpolate,
        "traverse": _traverse,
        "animate": _animate,
        "evaluate": _evaluate,
        "novelty": _novelty,
        "models": _models,
    }
    if getattr(chosen, "scale", None) is not None:
        at_least("--scale", chosen.scale, 1, 100)
    return verbs[chosen.command](chosen)


def _trained(*arguments: Any, **options: Any) -> Path:
    from imagegen import training

    return training.train(*arguments, **options)


def _model(chosen: argparse.Namespace) -> PictureModel:
    from imagegen.drawing import PictureModel

    return PictureModel(open_chosen(chosen))


def _given(name: str, model: PictureModel) -> np.ndarray:
    """The picture that an argument names, (H, W, 4)."""
    folder, at, place = name.rpartition("@")
    split, colon, row = place.partition(":")
    if at and colon and row.isdigit() and Path(folder).is_dir():
        from corpora.corpus import Corpus

        rows = Corpus.open(folder).rows(split)
        if int(row) >= len(rows):
            raise InputError(f"{quoted(name)}: {split} has rows 0 to {len(rows) - 1}")
        return rows.picture(int(row))
    from corpora.sources import images

    return next(images.read([name], images.Config())).pixels


def _write(chosen: argparse.Namespace, model: PictureModel, drawn: np.ndarray, facts: dict[str, Any], text: str) -> int:
    """Write the picture, show it on a terminal, and report."""
    from corpora import sheet

    scale = chosen.scale or sheet.scale_for(model.height, model.width)
    path = sheet.write(chosen.out, sheet.png(drawn, scale))
    if sys.stdout.isatty() and not chosen.json:
        print(sheet.preview(drawn))
    return show(chosen, {"out": str(path), **facts}, f"{path}: {text}")


def _sample(chosen: argparse.Namespace) -> int:
    from corpora import sheet
    from textgen.sampler import Choice
    from textgen.screen import Bar

    how = choice(chosen)
    at_least("-n", chosen.n, 1, 100_000)
    model = _model(chosen)
    with Bar() as bar:
        made = model.sample(
            chosen.n,
            seed=chosen.seed,
            how=None if how == Choice() and chosen.temperature is None else how,
            tell=partial(bar.tell, "drawing"),
        )
    drawn = sheet.grid(model.pictures(made))
    facts = {"seed": chosen.seed, "tokens": made.tolist()}
    return _write(chosen, model, drawn, facts, f"{chosen.n} pictures, seed {chosen.seed}")


def _complete(chosen: argparse.Namespace) -> int:
    from corpora import sheet
    from textgen.screen import Bar

    how = choice(chosen)
    at_least("-n", chosen.n, 1, 1000)
    _check_share(chosen.keep)
    model = _model(chosen)
    tokens = model.tokens([_given(name, model) for name in chosen.pictures])
    rows = _shown(chosen.keep, model)
    with Bar() as bar:
        tell = partial(bar.tell, "drawing")
        made = model.complete(tokens, rows, count=chosen.n, seed=chosen.seed, how=how, tell=tell)
    nats = model.hidden_nll(tokens, rows)
    cells: list[np.ndarray] = []
    for number, whole in enumerate(model.pictures(tokens)):
        shown = whole.copy()
        shown[rows:] = (255, 255, 255, 0)
        cells += [shown, *model.pictures(made[number]), whole]
    hidden = (model.height - rows) * model.width
    per_pixel = (nats / hidden).tolist()
    facts = {"seed": chosen.seed, "rows": rows, "nats per hidden pixel": per_pixel, "tokens": made.tolist()}
    each = ", ".join(f"{value:.3f}" for value in per_pixel)
    text = f"{rows} of {model.height} rows shown; the hidden truth costs {each} nats per pixel (exact)"
    return _write(chosen, model, sheet.grid(cells, columns=chosen.n + 2), facts, text)


def _check_share(keep: float) -> None:
    if not 0 <= keep < 1:
        raise InputError(f"--keep {keep:g}: expected a share of the rows, 0 up to, not including, 1")


def _shown(keep: float, model: PictureModel) -> int:
    """How many rows of pixels a share of them is; one is always hidden."""
    return min(model.height - 1, round(keep * model.height))


def _reconstruct(chosen: argparse.Namespace) -> int:
    from corpora import sheet

    model = _model(chosen)
    tokens = model.tokens([_given(name, model) for name in chosen.pictures])
    made = model.reconstruct(tokens)
    same = (made == tokens).double().mean(1)
    drawn = sheet.grid([*model.pictures(tokens), *model.pictures(made)], columns=len(tokens))
    facts = {"same pixels": same.tolist(), "tokens": made.tolist()}
    text = f"given above, decoded below; {100 * float(same.mean()):.1f} % of the pixels have their colour again"
    return _write(chosen, model, drawn, facts, text)


def _interpolate(chosen: argparse.Namespace) -> int:
    from corpora import sheet

    at_least("--steps", chosen.steps, 2, 1000)
    model = _model(chosen)
    start, end = model.tokens([_given(name, model) for name in chosen.pictures])
    path = model.interpolate(start, end, steps=chosen.steps)
    made = model.pictures(path)
    if chosen.gif:
        scale = chosen.scale or sheet.scale_for(model.height, model.width)
        sheet.write(chosen.gif, sheet.gif([*made, *made[-2:0:-1]], scale, seconds=0.15, pause=0.15))
    facts = {"gif": chosen.gif, "tokens": path.tolist()}
    return _write(chosen, model, sheet.grid(made, columns=len(made)), facts, f"{len(made)} pictures on the way")


def _traverse(chosen: argparse.Namespace) -> int:
    from corpora import sheet

    codes = None
    if chosen.codes is not None:
        try:
            codes = [int(word) for word in chosen.codes.split(",")]
        except ValueError as error:
            raise InputError(f"--codes {quoted(chosen.codes)}: expected numbers such as 3 or 3,7") from error
    at_least("--dims", chosen.dims, 1, 2)
    at_least("--steps", chosen.steps, 2, 100)
    model = _model(chosen)
    picture = model.tokens([_given(chosen.picture, model)])[0]
    found = model.traverse(picture, dims=chosen.dims, codes=codes, steps=chosen.steps, span=chosen.span)
    order = sorted(range(len(found.rates)), key=lambda code: -found.rates[code])
    said = "  ".join(f"{code}: {found.rates[code]:.2f}" for code in order)
    turned = " down, ".join(f"code {code}" for code in found.codes) + (" to the right" if found.codes else "")
    facts = {"codes": found.codes, "values": found.values, "rates": found.rates, "tokens": found.tokens.tolist()}
    text = f"{turned}, from {-chosen.span:g} to {chosen.span:g}; nats of each code for this picture: {said}"
    drawn = sheet.grid(model.pictures(found.tokens), columns=chosen.steps)
    return _write(chosen, model, drawn, facts, text)


def _animate(chosen: argparse.Namespace) -> int:
    from corpora import sheet

    how = choice(chosen)
    at_least("-n", chosen.n, 1, 100)
    at_least("--every", chosen.every, 1, 1_000_000)
    model = _model(chosen)
    whole = model.pictures(model.sample(chosen.n, seed=chosen.seed, how=how))
    frames = []
    for done in [*range(0, model.length, chosen.every), model.length]:
        seen = []
        for picture in whole:
            part = picture.reshape(-1, 4).copy()
            part[done:] = (255, 255, 255, 0)
            seen.append(part.reshape(picture.shape))
        frames.append(sheet.grid(seen, columns=len(seen)))
    scale = chosen.scale or sheet.scale_for(model.height, model.width)
    path = sheet.write(chosen.out, sheet.gif(frames, scale, seconds=0.04, pause=2))
    return show(chosen, {"out": str(path), "frames": len(frames)}, f"{path}: {len(frames)} frames")


def _evaluate(chosen: argparse.Namespace) -> int:
    from imagegen import figures
    from textgen.screen import Bar

    at_least("--rows", chosen.rows, 0, 100_000_000)
    at_least("--samples", chosen.samples, 1, 1_000_000)
    if chosen.keep is not None:
        return _judge_completions(chosen)
    if chosen.n is not None:
        raise InputError(f"-n {chosen.n}: completions are judged with --keep X, the share of rows that is shown")
    model = _model(chosen)
    with Bar() as bar:
        found = figures.measure(
            model,
            Path(chosen.data),
            split=chosen.split,
            rows=chosen.rows,
            samples=chosen.samples,
            seed=chosen.seed,
            tell=partial(bar.tell, "evaluating"),
        )
    return show(chosen, found.to_dict(), str(found))


def _judge_completions(chosen: argparse.Namespace) -> int:
    from imagegen import completions
    from textgen.screen import Bar

    _check_share(chosen.keep)
    count = 4 if chosen.n is None else chosen.n
    at_least("-n", count, 1, 1000)
    model = _model(chosen)
    with Bar() as bar:
        found = completions.measure(
            model,
            Path(chosen.data),
            _shown(chosen.keep, model),
            split=chosen.split,
            count=count,
            rows=chosen.rows,
            seed=chosen.seed,
            tell=bar.tell,
        )
    return show(chosen, found.to_dict(), str(found))


def _novelty(chosen: argparse.Namespace) -> int:
    from imagegen import novelty
    from textgen.sampler import Choice
    from textgen.screen import Bar

    how = choice(chosen)
    at_least("-n", chosen.n, 1, 100_000)
    at_least("--pairs", chosen.pairs, 1, 1000)
    at_least("--rows", chosen.rows, 0, 100_000_000)
    at_least("--samples", chosen.samples, 1, 1_000_000)
    model = _model(chosen)
    with Bar() as bar:
        found = novelty.measure(
            model,
            Path(chosen.data),
            count=chosen.n,
            how=None if how == Choice() and chosen.temperature is None else how,
            bars=novelty.Bars(chosen.above, chosen.share, chosen.gap),
            split=chosen.split,
            shift=chosen.shift,
            near=chosen.near,
            rows=chosen.rows,
            samples=chosen.samples,
            seed=chosen.seed,
            tell=bar.tell,
        )
    facts = found.to_dict()
    text = f"the {min(chosen.pairs, chosen.n)} nearest pairs, drawn above, from train below\n{found}"
    return _write(chosen, model, novelty.pairs(model, found, chosen.pairs), facts, text)


def _models(chosen: argparse.Namespace) -> int:
    from corpora import settings
    from imagegen import training
    from textgen import trainer

    configs: dict[str, Any] = {}
    for kind in ("backbones", "encoders"):
        for name in settings.names(f"imagegen.{kind}"):
            configs[f"{kind[:-1]} {name}"] = settings.find(f"imagegen.{kind}", name).Config
    configs["backbone lstm"] = settings.find("textgen.backbones", "lstm").Config
    configs["model vae"] = settings.find("textgen.models", "vae").Config
    configs["training"] = trainer.Config
    if chosen.json:
        known = {
            title: {n: {"default": d, "doc": doc} for n, d, doc in settings.describe(c)} for title, c in configs.items()
        }
        return show(chosen, {"models": training.kinds(), "settings": known}, "")
    print(f"models: {', '.join(training.kinds())}")
    for title, made in configs.items():
        print(f"\n{title}")
        for name, default, doc in settings.describe(made):
            print(f"  {f'{name}={default}':<28} {doc}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

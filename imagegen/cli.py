"""The command `imagegen`. Nothing heavy is imported until a verb needs it, so that --help answers at once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser, run
from corpora.errors import InputError, quoted
from textgen.cli import (
    at_least,
    choice,
    choice_options,
    label_option,
    model_options,
    open_chosen,
    show,
    train,
    train_options,
)

if TYPE_CHECKING:
    import argparse

    import numpy as np
    from torch import Tensor

    from imagegen.drawing import PictureModel

_TRAIN = """\
Train a model on pictures and keep it in a run folder.

  imagegen train sprites --model pixelcnn --steps 2000
  imagegen train pictures/ size=20x20 fit=crop colours=32 --model pixelformer
  imagegen train pokemon-corpus --model vae rate=20 --out runs/knobs
  imagegen train --resume runs/knobs

IN: PNG, GIF, JPEG or WebP files or folders of them, .npz arrays, lecture:DIR, sprites (made up on the spot), as for
`corpora build`, or a folder that it built. KEY=VALUE: settings of the corpus, the model, its parts and the training;
`imagegen models` lists them."""

_COMPLETE = """\
Keep the top of pictures and draw the rest, several times, beside the truth.

  imagegen complete sprite.png --keep 0.5 -n 6 --model runs/1
  imagegen complete pokemon@test:78 pokemon@test:76 --keep 0.25 --model runs/1

Each row of the picture that is written: what was shown, the completions, and the whole picture as given."""

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
    for drawing in (sampling, finishing, again, walking, turning, moving):
        label_option(drawing)

    judging = verb("evaluate", "likelihood in nats and bits per pixel, rate and active units")
    judging.add_argument("data", metavar="CORPUS", help="a folder that `corpora build` made")
    judging.add_argument("--split", default="test", help="train, valid or test (default)")
    judging.add_argument("--rows", type=int, default=0, metavar="N", help="pictures drawn by the seed (default 0: all)")
    judging.add_argument("--samples", type=int, default=500, metavar="K", help="importance samples (default 500)")

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


def _given(chosen: argparse.Namespace, names: Sequence[str], model: PictureModel) -> tuple[Tensor, Tensor]:
    """The pictures that arguments name, (N, L), and their classes (N,): by --label, or as a corpus labels them."""
    found = [_named(name) for name in names]
    own = [label for _, label in found] if model.model.classes is not None else None
    labels = model.opened.labels(own if chosen.label is None else chosen.label, len(found))
    return model.tokens([pixels for pixels, _ in found]), labels


def _named(name: str) -> tuple[np.ndarray, str | None]:
    """The picture that an argument names, (H, W, 4), and its label if it has one."""
    folder, at, place = name.rpartition("@")
    split, colon, row = place.partition(":")
    if at and colon and row.isdigit() and Path(folder).is_dir():
        from corpora.corpus import Corpus

        rows = Corpus.open(folder).rows(split)
        if int(row) >= len(rows):
            raise InputError(f"{quoted(name)}: {split} has rows 0 to {len(rows) - 1}")
        return rows.picture(int(row)), rows.label(int(row))
    from corpora.sources import images

    return next(images.read([name], images.Config())).pixels, None


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
            label=chosen.label,
            seed=chosen.seed,
            how=None if how == Choice() and chosen.temperature is None else how,
            tell=partial(bar.tell, "drawing"),
        )
    drawn = sheet.grid(model.pictures(made))
    facts = {"seed": chosen.seed, "label": chosen.label, "tokens": made.tolist()}
    text = f"{chosen.n} pictures{f' of {chosen.label}' if chosen.label else ''}, seed {chosen.seed}"
    return _write(chosen, model, drawn, facts, text)


def _complete(chosen: argparse.Namespace) -> int:
    from corpora import sheet
    from textgen.figures import told
    from textgen.screen import Bar

    how = choice(chosen)
    if not 0 <= chosen.keep < 1:
        raise InputError(f"--keep {chosen.keep:g}: expected a share of the rows, 0 up to, not including, 1")
    at_least("-n", chosen.n, 1, 1000)
    model = _model(chosen)
    tokens, labels = _given(chosen, chosen.pictures, model)
    rows = min(model.height - 1, round(chosen.keep * model.height))
    with Bar() as bar:
        tell = partial(bar.tell, "drawing")
        made = model.complete(tokens, rows, label=labels, count=chosen.n, seed=chosen.seed, how=how, tell=tell)
    nats = model.hidden_nll(tokens, rows, label=labels)
    cells: list[np.ndarray] = []
    for number, whole in enumerate(model.pictures(tokens)):
        shown = whole.copy()
        shown[rows:] = (255, 255, 255, 0)
        cells += [shown, *model.pictures(made[number]), whole]
    hidden = (model.height - rows) * model.width
    per_pixel = (nats / hidden).tolist()
    facts = {"seed": chosen.seed, "rows": rows, "nats per hidden pixel": per_pixel, "tokens": made.tolist()}
    each = ", ".join(f"{value:.3f}" for value in per_pixel)
    exactly = "exact" + told(model.model, labels)
    text = f"{rows} of {model.height} rows shown; the hidden truth costs {each} nats per pixel ({exactly})"
    return _write(chosen, model, sheet.grid(cells, columns=chosen.n + 2), facts, text)


def _reconstruct(chosen: argparse.Namespace) -> int:
    from corpora import sheet

    model = _model(chosen)
    tokens, labels = _given(chosen, chosen.pictures, model)
    made = model.reconstruct(tokens, label=labels)
    same = (made == tokens).double().mean(1)
    drawn = sheet.grid([*model.pictures(tokens), *model.pictures(made)], columns=len(tokens))
    facts = {"same pixels": same.tolist(), "tokens": made.tolist()}
    text = f"given above, decoded below; {100 * float(same.mean()):.1f} % of the pixels have their colour again"
    return _write(chosen, model, drawn, facts, text)


def _interpolate(chosen: argparse.Namespace) -> int:
    from corpora import sheet

    at_least("--steps", chosen.steps, 2, 1000)
    model = _model(chosen)
    (start, end), labels = _given(chosen, chosen.pictures, model)
    path = model.interpolate(start, end, steps=chosen.steps, label=labels)
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
    (picture,), labels = _given(chosen, [chosen.picture], model)
    how = {"dims": chosen.dims, "codes": codes, "steps": chosen.steps, "span": chosen.span}
    found = model.traverse(picture, label=labels, **how)
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
    whole = model.pictures(model.sample(chosen.n, label=chosen.label, seed=chosen.seed, how=how))
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

"""The command `imagegen`. Nothing heavy is imported until a verb needs it, so that --help answers at once."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Sequence
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from corpora.commands import Parser, run
from corpora.errors import InputError, quoted
from textgen.cli import (
    EXPORT,
    at_least,
    begin,
    choice,
    choice_options,
    code_temperature,
    code_temperature_option,
    export,
    export_options,
    label_option,
    list_models,
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

    from imagegen.pictures.picture_model import PictureModel

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
Keep a part of pictures and draw the rest, several times, beside the truth.

  imagegen complete sprite.png --keep 0.5 -n 6 --model runs/1
  imagegen complete pokemon@test:78 pokemon@test:76 --keep 0.25 --model runs/1
  imagegen complete sprite.png --hide 4:12,0:8 --particles 256 --model runs/1
  imagegen complete sprite.png --mask mask.png --model runs/1

--keep shows what comes first in the order of the model, by default the top. --mask and --hide hide any pixels: what is
shown later than they are drawn is then weighed by particles (sequential Monte Carlo), the better the more there are.
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
codes say. With --merge also with colours counted as one that differ by so little that they pass for one: many blacks
make a likelihood dear, not a picture better. With --keep, completions beside the truth: likelihood of what is hidden,
silhouettes and colours.

  imagegen evaluate sprites-corpus --model runs/1
  imagegen evaluate pokemon-corpus --merge 15 --model runs/1
  imagegen evaluate pokemon-corpus --keep 0.6 -n 16 --model runs/1"""

_GREY = (160, 160, 160, 255)  # what is hidden, that it may not be taken for a transparent background
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
            model_options(made)
        if out is not None:
            made.add_argument("--out", default=out, metavar="FILE", help=f"where the picture goes (default {out})")
            made.add_argument("--scale", type=int, metavar="N", help="enlarge pixels N times (default: by the size)")
        return made

    training = verb("train", "train a model on pictures", _TRAIN, model=False)
    train_options(training, "pixelcnn (default), pixelrnn, pixelformer, lstm, vae, pixelvae or autoencoder")

    sampling = verb("sample", "draw new pictures", out="sample.png")
    sampling.add_argument("-n", type=int, default=16, metavar="N", help="how many (default 16)")
    code_temperature_option(sampling)
    choice_options(sampling)
    label_option(sampling, "each in turn")

    finishing = verb("complete", "finish pictures of which a part is shown", _COMPLETE, out="complete.png")
    finishing.add_argument("pictures", nargs="+", metavar="PICTURE", help=_PICTURE)
    finishing.add_argument("--keep", type=float, metavar="X", help="share of the lines shown (default 0.5)")
    finishing.add_argument("--mask", metavar="FILE", help="a picture of the same size: where it is light is hidden")
    finishing.add_argument(
        "--hide", action="append", metavar="R0:R1,C0:C1", help="hide these rows and columns, from 0; may be given again"
    )
    finishing.add_argument(
        "--particles", type=int, metavar="N", help="drawings that are weighed, for --mask and --hide (default 64)"
    )
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
    label_option(moving, "each in turn")
    for given in (finishing, again, walking, turning):
        label_option(given)

    judging = verb("evaluate", "likelihood in nats and bits per pixel, rate and active units; completions", _EVALUATE)
    judging.add_argument("data", metavar="CORPUS", help="a folder that `corpora build` made")
    judging.add_argument("--split", default="test", help="train, valid or test (default)")
    judging.add_argument("--rows", type=int, default=0, metavar="N", help="pictures drawn by the seed (default 0: all)")
    judging.add_argument("--samples", type=int, default=500, metavar="K", help="importance samples (default 500)")
    judging.add_argument(
        "--merge", type=int, metavar="X", help="count colours as one that a chain of steps of at most X of 255 joins"
    )
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

    listing = verb("models", "what ships, the kinds of models and their settings", model=False)
    listing.add_argument("--json", action="store_true", help="as JSON")

    export_options(verb("export", EXPORT, model=False))
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
        "export": export,
    }
    begin(chosen)
    if getattr(chosen, "scale", None) is not None:
        at_least("--scale", chosen.scale, 1, 100)
    return verbs[chosen.command](chosen)


def _trained(*arguments: Any, **options: Any) -> Path:
    from imagegen import training

    return training.train(*arguments, **options)


def _model(chosen: argparse.Namespace) -> PictureModel:
    from imagegen.pictures.picture_model import DEFAULT_MODEL, PictureModel

    chosen.model = chosen.model or DEFAULT_MODEL
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


def _labels(chosen: argparse.Namespace, model: PictureModel) -> str | list[str] | None:
    """What the pictures that are drawn show: what --label says, else each class of the model in turn, if it has any."""
    if chosen.label is not None or model.model.classes is None:
        return chosen.label
    return list(islice(cycle(model.model.vocab.labels), chosen.n))


def _sample(chosen: argparse.Namespace) -> int:
    from corpora import sheet
    from textgen.runs.screen import Bar

    how = choice(chosen)
    at_least("-n", chosen.n, 1, 100_000)
    model = _model(chosen)
    label = _labels(chosen, model)
    with Bar() as bar:
        made = model.sample(
            chosen.n,
            label=label,
            seed=chosen.seed,
            how=how,
            code_temperature=code_temperature(chosen, model.opened),
            tell=partial(bar.tell, "drawing"),
        )
    drawn = sheet.grid(model.pictures(made))
    facts = {"seed": chosen.seed, "label": label, "tokens": made.tolist()}
    of = f" of {chosen.label}" if chosen.label else ", each class in turn" if label else ""
    text = f"{chosen.n} pictures{of}, seed {chosen.seed}"
    return _write(chosen, model, drawn, facts, text)


def _complete(chosen: argparse.Namespace) -> int:
    if chosen.mask is not None or chosen.hide is not None:
        return _inpaint(chosen)
    from corpora.codecs.palette import ORDERS
    from textgen.runs.screen import Bar
    from textgen.sentences.measures import told

    how = choice(chosen)
    keep = _check_share(0.5 if chosen.keep is None else chosen.keep)
    if chosen.particles is not None:
        raise InputError("--particles is for --mask and --hide: without them what is drawn is exact")
    at_least("-n", chosen.n, 1, 1000)
    model = _model(chosen)
    tokens, labels = _given(chosen, chosen.pictures, model)
    most, lines = model.palette.lines[0], _shown(keep, model)
    with Bar() as bar:
        tell = partial(bar.tell, "drawing")
        made = model.complete(tokens, lines, label=labels, count=chosen.n, seed=chosen.seed, how=how, tell=tell)
    hidden = model.hidden(lines)
    per_pixel = (model.hidden_nll(tokens, lines, label=labels) / int(hidden.sum())).tolist()
    side = ORDERS[model.palette.order]
    facts = {"seed": chosen.seed, "shown": {"side": side, model.lines: lines}, "nats per hidden pixel": per_pixel}
    each, exactly = ", ".join(f"{value:.3f}" for value in per_pixel), "exact" + told(model.model, labels)
    text = f"the {side} {lines} of {most} {model.lines} shown; the hidden truth costs {each} nats per pixel ({exactly})"
    return _completed(chosen, model, tokens, made, hidden, facts, text)


def _inpaint(chosen: argparse.Namespace) -> int:
    import torch

    from textgen.runs.screen import Bar

    if chosen.keep is not None:
        raise InputError("--keep with --mask or --hide: each says what is shown; leave out one")
    if choice(chosen) is not None:
        raise InputError(
            "--mask and --hide draw from the model as it is: leave out --temperature, --top-k, --top-p, --min-p "
            "and --no-repeat"
        )
    particles = 64 if chosen.particles is None else chosen.particles
    at_least("-n", chosen.n, 1, 1000)
    at_least("--particles", particles, 1, 100_000)
    model = _model(chosen)
    tokens, labels = _given(chosen, chosen.pictures, model)
    hidden = _hidden(chosen, model)
    found = []
    with Bar() as bar:
        for number, picture in enumerate(tokens):
            tell = partial(bar.tell, f"drawing {number + 1} of {len(tokens)}")
            options: dict[str, Any] = {"count": chosen.n, "particles": particles, "seed": chosen.seed, "tell": tell}
            found.append(model.inpaint(picture, hidden, label=labels[number : number + 1], first=number, **options))
    made = torch.stack([one.tokens for one in found])
    whole = (-model.nll(tokens, label=labels)).tolist()
    facts: dict[str, Any] = {"seed": chosen.seed, "hidden": int(hidden.sum()), "exact": found[0].exact}
    if not found[0].exact:
        facts["particles"] = particles
    facts["log p(shown), nats"] = [one.log_shown for one in found]
    facts["log p(picture), nats"] = whole
    facts["effective fillings"] = [one.effective for one in found]
    facts["different completions"] = [len(some.unique(dim=0)) for some in made]
    text = f"{facts['hidden']} of {model.length} pixels hidden; "
    text += "what is shown comes first: all exact" if found[0].exact else f"{particles} particles"
    for number, one in enumerate(found):
        how = "exact" if one.exact else "estimate"
        text += f"\n  log p(shown) {one.log_shown:.2f} nats ({how}), log p(picture) {whole[number]:.2f} nats (exact)"
        text += f"; {facts['different completions'][number]} of {chosen.n} completions differ"
        if not one.exact:
            text += f", drawn from {one.effective:.1f} effective fillings"
        if one.log_shown < whole[number] and not one.exact:
            text += "; p(shown) cannot be below p(picture): take more --particles"
    return _completed(chosen, model, tokens, made, hidden, facts, text)


def _hidden(chosen: argparse.Namespace, model: PictureModel) -> np.ndarray:
    """Which pixels --mask and --hide hide, (H, W)."""
    import numpy as np

    hidden = np.zeros((model.height, model.width), bool)
    if chosen.mask is not None:
        mask, _ = _named(chosen.mask)
        if mask.shape[:2] != hidden.shape:
            raise InputError(
                f"--mask {chosen.mask}: {mask.shape[0]} x {mask.shape[1]} pixels (height x width); "
                f"this model draws {model.height} x {model.width}"
            )
        hidden |= mask[..., :3].mean(2) * mask[..., 3] >= 128 * 255  # transparent is dark
        if not hidden.any():
            raise InputError(f"--mask {chosen.mask}: no pixel is light, so nothing is hidden")
    for words in chosen.hide or []:
        found = re.fullmatch(r"(\d{1,5}):(\d{1,5}),(\d{1,5}):(\d{1,5})", words)
        top, bottom, left, right = map(int, found.groups()) if found else (0, 0, 0, 0)
        if not (top < bottom <= model.height and left < right <= model.width):
            raise InputError(
                f"--hide {quoted(words)}: expected rows and columns R0:R1,C0:C1, from 0 up to, not including, "
                f"{model.height} and {model.width} at most, such as 0:{max(1, model.height // 2)},0:{model.width}"
            )
        hidden[top:bottom, left:right] = True
    return hidden


def _completed(
    chosen: argparse.Namespace,
    model: PictureModel,
    tokens: Tensor,
    made: Tensor,
    hidden: np.ndarray,
    facts: dict[str, Any],
    text: str,
) -> int:
    """Write, for each picture of `tokens` (N, L): what was shown, its completions `made` (N, count, L), the whole."""
    from corpora import sheet

    cells: list[np.ndarray] = []
    for number, whole in enumerate(model.pictures(tokens)):
        cells += [_without(whole, hidden, _GREY), *model.pictures(made[number]), whole]
    facts["tokens"] = made.tolist()
    return _write(chosen, model, sheet.grid(cells, columns=chosen.n + 2), facts, text)


def _check_share(keep: float) -> float:
    """The share of lines that --keep says."""
    if not 0 <= keep < 1:
        raise InputError(f"--keep {keep:g}: expected a share of the lines, 0 up to, not including, 1")
    return keep


def _shown(keep: float, model: PictureModel) -> int:
    """How many lines of pixels a share of them is; one is always hidden."""
    most = model.palette.lines[0]
    return min(most - 1, round(keep * most))


def _without(picture: np.ndarray, hidden: np.ndarray, colour: tuple[int, ...] = (255, 255, 255, 0)) -> np.ndarray:
    """The picture (H, W, 4), of one colour, by default transparent, where `hidden` (H, W) is True."""
    shown = picture.copy()
    shown[hidden] = colour
    return shown


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
    import numpy as np

    from corpora import sheet

    how = choice(chosen)
    at_least("-n", chosen.n, 1, 100)
    at_least("--every", chosen.every, 1, 1_000_000)
    model = _model(chosen)
    label = _labels(chosen, model)
    made = model.sample(chosen.n, label=label, seed=chosen.seed, how=how)
    whole = model.pictures(made)
    frames = []
    for done in [*range(0, model.length, chosen.every), model.length]:
        hidden = model.palette.unscan(np.arange(model.length) >= done)
        frames.append(sheet.grid([_without(picture, hidden) for picture in whole], columns=len(whole)))
    scale = chosen.scale or sheet.scale_for(model.height, model.width)
    path = sheet.write(chosen.out, sheet.gif(frames, scale, seconds=0.04, pause=2))
    facts = {"seed": chosen.seed, "label": label, "tokens": made.tolist(), "out": str(path), "frames": len(frames)}
    return show(chosen, facts, f"{path}: {len(frames)} frames")


def _evaluate(chosen: argparse.Namespace) -> int:
    from imagegen.pictures import measures
    from textgen.runs.screen import Bar

    at_least("--rows", chosen.rows, 0, 100_000_000)
    at_least("--samples", chosen.samples, 1, 1_000_000)
    if chosen.merge is not None:
        at_least("--merge", chosen.merge, 0, 255)
    if chosen.keep is not None:
        if chosen.merge is not None:
            raise InputError("--keep with --merge: completions are judged in all colours; leave out one")
        return _judge_completions(chosen)
    if chosen.n is not None:
        raise InputError(f"-n {chosen.n}: completions are judged with --keep X, the share of rows that is shown")
    model = _model(chosen)
    with Bar() as bar:
        found = measures.measure(
            model,
            Path(chosen.data),
            split=chosen.split,
            rows=chosen.rows,
            samples=chosen.samples,
            seed=chosen.seed,
            merge=chosen.merge,
            tell=partial(bar.tell, "evaluating"),
        )
    return show(chosen, found.to_dict(), str(found))


def _judge_completions(chosen: argparse.Namespace) -> int:
    from imagegen.pictures import completion
    from textgen.runs.screen import Bar

    _check_share(chosen.keep)
    count = 4 if chosen.n is None else chosen.n
    at_least("-n", count, 1, 1000)
    model = _model(chosen)
    with Bar() as bar:
        found = completion.measure(
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
    from imagegen.pictures import novelty
    from textgen.runs.screen import Bar

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
            how=how,
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
    from corpora.modalities import picture
    from imagegen.pictures.picture_model import DEFAULT_MODEL
    from textgen.core import recipes, trainer

    configs: dict[str, Any] = {}
    for kind in ("backbones", "encoders"):
        for name in settings.names(f"imagegen.{kind}"):
            configs[f"{kind[:-1]} {name}"] = settings.find(f"imagegen.{kind}", name).Config
    configs["backbone lstm"] = settings.find("textgen.backbones", "lstm").Config
    configs["model pixelcnn and others without codes"] = settings.find("textgen.models", "lm").Config
    configs["model vae"] = settings.find("textgen.models", "vae").Config
    configs["training"] = trainer.Config
    configs["corpus"] = picture.Config
    return list_models(chosen, "imagegen", DEFAULT_MODEL, configs, models=recipes.kinds("imagegen"))


if __name__ == "__main__":
    sys.exit(main())

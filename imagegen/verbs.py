"""The things a person does with pictures: one plain function each, with the defaults of the command line.

from imagegen import verbs
verbs.sample(16, model="creatures").save("creatures.png")

`model` is a shipped name, a run, a model folder, a Hugging Face id, or a `PictureModel`, which answers faster. A
picture to start from is a file, CORPUS@SPLIT:ROW, or an array (H, W, 3) or (H, W, 4) of uint8. Every function raises
InputError, with one line, for what it cannot do. Results print themselves; `to_dict()` is their JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corpora import sheet
from corpora.codecs.palette import ORDERS
from corpora.errors import InputError, quoted
from corpora.settings import require
from imagegen.pictures import completion, defaults, measures
from imagegen.pictures import novelty as checking
from imagegen.pictures.picture_model import PictureModel
from textgen.core.figures import of_classes
from textgen.core.sampler import Choice
from textgen.runs import library
from textgen.verbs import THREADS, Listing, check_codes
from textgen.verbs import choice as choice
from textgen.verbs import export as export
from textgen.verbs import resume as resume

Model = str | Path | PictureModel
Picture = str | Path | np.ndarray
Tell = Callable[[str, int, int], None]  # what, done, of

_GREY = (160, 160, 160, 255)  # of hidden pixels, that they may not be taken for a transparent background


# ------------------------------------------------------------------------------------------------------- results


@dataclass(frozen=True)
class Drawing:
    """Pictures of one size side by side, with a line about them and the figures behind it."""

    pictures: list[np.ndarray]  # (H, W, 4) each
    columns: int | None
    text: str
    facts: dict[str, Any]
    sheet: np.ndarray | None = None  # a grid of its own, in place of the pictures side by side

    @property
    def grid(self) -> np.ndarray:
        """All pictures as one, (rows, columns, 4)."""
        return sheet.grid(self.pictures, columns=self.columns) if self.sheet is None else self.sheet

    @property
    def scale(self) -> int:
        """The factor by which pixels are enlarged so that a person sees them."""
        return sheet.scale_for(*self.pictures[0].shape[:2])

    def save(self, path: str | Path, scale: int | None = None) -> Path:
        """Write the grid as PNG, GIF, JPEG or WebP, as the name says."""
        return sheet.write(path, sheet.encoded(path, self.grid, scale or self.scale))

    def save_animation(self, path: str | Path, scale: int | None = None) -> Path:
        """Write the pictures one after the other, there and back, as GIF or WebP."""
        frames = [*self.pictures, *self.pictures[-2:0:-1]]
        return sheet.write(path, sheet.animated(path, frames, scale or self.scale, seconds=0.15, pause=0.15))

    def to_dict(self) -> dict[str, Any]:
        return self.facts

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class Animation:
    """Frames, (H, W, 4) each, with the figures behind them."""

    frames: list[np.ndarray]
    scale: int
    facts: dict[str, Any]

    def save(self, path: str | Path, scale: int | None = None) -> Path:
        """Write them as GIF or WebP, as the name says."""
        return sheet.write(path, sheet.animated(path, self.frames, scale or self.scale, seconds=0.04, pause=2))

    def to_dict(self) -> dict[str, Any]:
        return self.facts

    def __str__(self) -> str:
        return f"{len(self.frames)} frames"


# --------------------------------------------------------------------------------------------------------- models


def picture_model(model: Model = defaults.MODEL, *, device: str = "auto", threads: int | None = None) -> PictureModel:
    """Open a model for any of the verbs, on a device and with so many threads (None: leave them as they are)."""
    if isinstance(model, PictureModel):
        library.ready(model.opened, threads=threads)
        return model
    return PictureModel(library.ready(model, device=device, threads=threads))


def named(picture: Picture) -> tuple[np.ndarray, str | None]:
    """A picture, (H, W, 4), and its label if it has one: an array, a file, or CORPUS@SPLIT:ROW."""
    if isinstance(picture, np.ndarray):
        clear = np.full((*picture.shape[:2], 1), 255, np.uint8)
        return (picture if picture.shape[2] == 4 else np.concatenate([picture, clear], 2)), None
    name = str(picture)
    folder, at, place = name.rpartition("@")
    split, colon, row = place.partition(":")
    if at and colon and row.isdigit() and Path(folder).is_dir():
        from corpora.corpus import Corpus

        rows = Corpus.open(folder).rows(split)
        if int(row) >= len(rows):
            raise InputError(f"{quoted(name)}: {split} has rows 0 to {len(rows) - 1}")
        return rows.picture(int(row)), rows.label(int(row))
    from corpora import decoding

    return next(decoding.frames(Path(name), False)).pixels, None


def _encoded(model: PictureModel, pictures: Sequence[Picture], label: str | None) -> tuple[Tensor, Tensor]:
    """Pictures as tokens, (N, L), and their classes, (N,): `label`, or as a corpus labels them."""
    known = [named(picture) for picture in pictures]
    own = [one for _, one in known] if model.model.classes is not None else None
    labels = model.opened.labels(own if label is None else label, len(known))
    return model.tokens([pixels for pixels, _ in known]), labels


def _classes(model: PictureModel, n: int, label: str | None) -> str | list[str] | None:
    """The classes of `n` pictures to draw: `label`, else each class of the model in turn, if it has any."""
    if label is not None or model.model.classes is None:
        return label
    return list(islice(cycle(model.model.vocab.labels), n))


def share(keep: float) -> float:
    """A share of lines that is shown. Raises InputError unless something is hidden."""
    if not 0 <= keep < 1:
        raise InputError(f"--keep {keep:g}: expected a share of the lines, 0 up to, not including, 1")
    return keep


def _shown(keep: float, model: PictureModel) -> int:
    """The number of lines that a share of them is; one is always hidden."""
    most = model.palette.lines[0]
    return min(most - 1, round(keep * most))


def _without(picture: np.ndarray, hidden: np.ndarray, colour: tuple[int, ...] = (255, 255, 255, 0)) -> np.ndarray:
    """The picture (H, W, 4), of one colour, by default transparent, where `hidden` (H, W) is True."""
    shown = picture.copy()
    shown[hidden] = colour
    return shown


# ------------------------------------------------------------------------------------------------------- pictures


def sample(
    n: int = defaults.SAMPLES,
    *,
    model: Model = defaults.MODEL,
    how: Choice | None = None,
    code_temperature: float | None = None,
    label: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
    tell: Tell | None = None,
) -> Drawing:
    """Draw new pictures; of a model with classes each class in turn, unless `label` names one."""
    require(1 <= n <= 100_000, "n", n, "1 to 100,000")
    drawer = picture_model(model, device=device, threads=threads)
    check_codes(drawer.opened, code_temperature)
    classes = _classes(drawer, n, label)
    tokens = drawer.sample(
        n,
        label=classes,
        seed=seed,
        how=how,
        code_temperature=1.0 if code_temperature is None else code_temperature,
        tell=_telling(tell, "drawing"),
    )
    of = f" of {label}" if label else ", each class in turn" if classes else ""
    facts = {"seed": seed, "label": classes, "tokens": tokens.tolist()}
    return Drawing(drawer.pictures(tokens), None, f"{n} pictures{of}, seed {seed}", facts)


def _telling(tell: Tell | None, what: str) -> Any:
    return None if tell is None else partial(tell, what)


def complete(
    pictures: Sequence[Picture],
    *,
    model: Model = defaults.MODEL,
    keep: float = defaults.KEEP,
    n: int = defaults.COMPLETIONS,
    how: Choice | None = None,
    label: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
    tell: Tell | None = None,
) -> Drawing:
    """Keep the share of lines that come first in the order of the model, and draw the rest, `n` times, exactly."""
    share(keep)
    require(1 <= n <= 1000, "n", n, "1 to 1,000")
    drawer = picture_model(model, device=device, threads=threads)
    tokens, labels = _encoded(drawer, pictures, label)
    most, lines = drawer.palette.lines[0], _shown(keep, drawer)
    ways: dict[str, Any] = {"label": labels, "count": n, "seed": seed, "how": how}
    drawn = drawer.complete(tokens, lines, tell=_telling(tell, "drawing"), **ways)
    hidden = drawer.hidden(lines)
    per_pixel = (drawer.hidden_nll(tokens, lines, label=labels) / int(hidden.sum())).tolist()
    side = ORDERS[drawer.palette.order]
    facts = {"seed": seed, "shown": {"side": side, drawer.lines: lines}, "nats per hidden pixel": per_pixel}
    each, exactly = ", ".join(f"{value:.3f}" for value in per_pixel), "exact" + of_classes(drawer.model, labels)
    text = (
        f"the {side} {lines} of {most} {drawer.lines} shown; the hidden truth costs {each} nats per pixel ({exactly})"
    )
    return _completed(drawer, tokens, drawn, hidden, facts, text)


def inpaint(
    pictures: Sequence[Picture],
    *,
    model: Model = defaults.MODEL,
    mask: Picture | None = None,
    hide: Sequence[str] = (),
    n: int = defaults.COMPLETIONS,
    particles: int = defaults.PARTICLES,
    label: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
    tell: Tell | None = None,
) -> Drawing:
    """Hide any pixels, where a mask is light or in rectangles "R0:R1,C0:C1", and draw them, `n` times, by particles."""
    require(1 <= n <= 1000, "n", n, "1 to 1,000")
    drawer = picture_model(model, device=device, threads=threads)
    tokens, labels = _encoded(drawer, pictures, label)
    hidden, results = hidden_pixels(drawer, mask, hide), []
    for number, picture in enumerate(tokens):
        telling = _telling(tell, f"drawing {number + 1} of {len(tokens)}")
        ways: dict[str, Any] = {"count": n, "particles": particles, "seed": seed, "tell": telling}
        results.append(drawer.inpaint(picture, hidden, label=labels[number : number + 1], first=number, **ways))
    drawn = torch.stack([one.tokens for one in results])
    whole = (-drawer.nll(tokens, label=labels)).tolist()
    different = [len(some.unique(dim=0)) for some in drawn]
    facts: dict[str, Any] = {"seed": seed, "hidden": int(hidden.sum()), "exact": results[0].exact}
    if not results[0].exact:
        facts["particles"] = particles
    facts["log p(shown), nats"] = [one.log_shown for one in results]
    facts["log p(picture), nats"] = whole
    facts["effective fillings"] = [one.effective for one in results]
    facts["different completions"] = different
    text = f"{facts['hidden']} of {drawer.length} pixels hidden; "
    text += "the shown pixels come first: all exact" if results[0].exact else f"{particles} particles"
    lines = [_inpainted(*each, n) for each in zip(results, whole, different, strict=True)]
    return _completed(drawer, tokens, drawn, hidden, facts, "\n".join([text, *lines]))


def _inpainted(one: Any, whole: float, different: int, n: int) -> str:
    """A line on the completions of one picture."""
    how = "exact" if one.exact else "estimate"
    text = f"  log p(shown) {one.log_shown:.2f} nats ({how}), log p(picture) {whole:.2f} nats (exact)"
    text += f"; {different} of {n} completions differ"
    if not one.exact:
        text += f", drawn from {one.effective:.1f} effective fillings"
    if one.log_shown < whole and not one.exact:
        text += "; p(shown) cannot be below p(picture): take more --particles"
    return text


def hidden_pixels(model: PictureModel, mask: Picture | None, hide: Sequence[str]) -> np.ndarray:
    """The pixels that a mask and rectangles hide, (H, W). Raises InputError for those that do not fit the model."""
    hidden = np.zeros((model.height, model.width), bool)
    if mask is not None:
        pixels, _ = named(mask)
        name = "mask" if isinstance(mask, np.ndarray) else f"--mask {mask}"
        if pixels.shape[:2] != hidden.shape:
            raise InputError(
                f"{name}: {pixels.shape[0]} x {pixels.shape[1]} pixels (height x width); "
                f"this model draws {model.height} x {model.width}"
            )
        hidden |= pixels[..., :3].mean(2) * pixels[..., 3] >= 128 * 255  # transparent is dark
        if not hidden.any():
            raise InputError(f"{name}: no pixel is light, so nothing is hidden")
    for rectangle in hide:
        match = re.fullmatch(r"(\d{1,5}):(\d{1,5}),(\d{1,5}):(\d{1,5})", rectangle)
        top, bottom, left, right = map(int, match.groups()) if match else (0, 0, 0, 0)
        if not (top < bottom <= model.height and left < right <= model.width):
            raise InputError(
                f"--hide {quoted(rectangle)}: expected rows and columns R0:R1,C0:C1, from 0 up to, not including, "
                f"{model.height} and {model.width} at most, such as 0:{max(1, model.height // 2)},0:{model.width}"
            )
        hidden[top:bottom, left:right] = True
    return hidden


def _completed(
    model: PictureModel, tokens: Tensor, drawn: Tensor, hidden: np.ndarray, facts: dict[str, Any], text: str
) -> Drawing:
    """For each picture of `tokens` (N, L): the part shown, its completions `drawn` (N, count, L), the whole."""
    cells: list[np.ndarray] = []
    for number, whole in enumerate(model.pictures(tokens)):
        cells += [_without(whole, hidden, _GREY), *model.pictures(drawn[number]), whole]
    return Drawing(cells, drawn.shape[1] + 2, text, facts | {"tokens": drawn.tolist()})


def reconstruct(
    pictures: Sequence[Picture],
    *,
    model: Model = defaults.MODEL,
    label: str | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Drawing:
    """Encode pictures and decode them again."""
    drawer = picture_model(model, device=device, threads=threads)
    tokens, labels = _encoded(drawer, pictures, label)
    drawn = drawer.reconstruct(tokens, label=labels)
    same = (drawn == tokens).double().mean(1)
    text = f"given above, decoded below; {100 * float(same.mean()):.1f} % of the pixels have their colour again"
    facts = {"same pixels": same.tolist(), "tokens": drawn.tolist()}
    return Drawing([*drawer.pictures(tokens), *drawer.pictures(drawn)], len(tokens), text, facts)


def interpolate(
    start: Picture,
    end: Picture,
    *,
    model: Model = defaults.MODEL,
    steps: int = defaults.STEPS,
    label: str | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Drawing:
    """Walk from one picture to another; both ends are decoded too."""
    drawer = picture_model(model, device=device, threads=threads)
    (first, last), labels = _encoded(drawer, [start, end], label)
    path = drawer.interpolate(first, last, steps=steps, label=labels)
    pictures = drawer.pictures(path)
    return Drawing(pictures, len(pictures), f"{len(pictures)} pictures on the way", {"tokens": path.tolist()})


def traverse(
    picture: Picture,
    *,
    model: Model = defaults.MODEL,
    dims: int = defaults.TRAVERSE_DIMS,
    codes: Sequence[int] | None = None,
    steps: int = defaults.TRAVERSE_STEPS,
    span: float = defaults.TRAVERSE_SPAN,
    label: str | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Drawing:
    """Turn one or two codes of a picture, the others held."""
    require(2 <= steps <= 100, "steps", steps, "2 to 100")
    drawer = picture_model(model, device=device, threads=threads)
    (tokens,), labels = _encoded(drawer, [picture], label)
    turned = drawer.traverse(tokens, label=labels, dims=dims, codes=codes, steps=steps, span=span)
    order = sorted(range(len(turned.rates)), key=lambda code: -turned.rates[code])
    rates = "  ".join(f"{code}: {turned.rates[code]:.2f}" for code in order)
    names = " down, ".join(f"code {code}" for code in turned.codes) + (" to the right" if turned.codes else "")
    text = f"{names}, from {-span:g} to {span:g}; nats of each code for this picture: {rates}"
    facts = {"codes": turned.codes, "values": turned.values, "rates": turned.rates, "tokens": turned.tokens.tolist()}
    return Drawing(drawer.pictures(turned.tokens), steps, text, facts)


def animate(
    n: int = defaults.ANIMATED,
    *,
    model: Model = defaults.MODEL,
    every: int = defaults.EVERY,
    how: Choice | None = None,
    label: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Animation:
    """Show pictures being drawn, pixel by pixel, side by side."""
    require(1 <= n <= 100, "n", n, "1 to 100")
    drawer = picture_model(model, device=device, threads=threads)
    classes = _classes(drawer, n, label)
    tokens = drawer.sample(n, label=classes, seed=seed, how=how)
    whole, frames = drawer.pictures(tokens), []
    for done in [*range(0, drawer.length, every), drawer.length]:
        hidden = drawer.palette.unscan(np.arange(drawer.length) >= done)
        frames.append(sheet.grid([_without(picture, hidden) for picture in whole], columns=len(whole)))
    facts = {"seed": seed, "label": classes, "tokens": tokens.tolist(), "frames": len(frames)}
    return Animation(frames, sheet.scale_for(drawer.height, drawer.width), facts)


# ------------------------------------------------------------------------------------------------------- measuring


def evaluate(
    data: str | Path,
    *,
    model: Model = defaults.MODEL,
    split: str = "test",
    rows: int = defaults.EVALUATE_ROWS,
    samples: int = defaults.EVALUATE_SAMPLES,
    merge: int | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    tell: Tell | None = None,
) -> Any:
    """Likelihood of the pictures of a split, in nats and bits per pixel; `merge` counts near colours as one."""
    drawer = picture_model(model, device=device, threads=threads)
    ways: dict[str, Any] = {"split": split, "rows": rows, "samples": samples, "seed": seed, "merge": merge}
    return measures.measure(drawer, Path(data), tell=_telling(tell, "evaluating"), **ways)


def judge_completions(
    data: str | Path,
    *,
    model: Model = defaults.MODEL,
    keep: float = defaults.KEEP,
    n: int = defaults.COMPLETIONS,
    split: str = "test",
    rows: int = defaults.EVALUATE_ROWS,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    tell: Tell | None = None,
) -> Any:
    """Completions beside the truth: likelihood of the hidden part, silhouettes and colours."""
    share(keep)
    require(1 <= n <= 1000, "n", n, "1 to 1,000")
    drawer = picture_model(model, device=device, threads=threads)
    ways: dict[str, Any] = {"split": split, "count": n, "rows": rows, "seed": seed}
    return completion.measure(drawer, Path(data), _shown(keep, drawer), tell=tell, **ways)


def novelty(
    data: str | Path,
    *,
    model: Model = defaults.MODEL,
    n: int = defaults.NOVELTY_SAMPLES,
    pairs: int = defaults.NOVELTY_PAIRS,
    above: float = defaults.NOVELTY_ABOVE,
    share: float = defaults.NOVELTY_SHARE,
    gap: float = defaults.NOVELTY_GAP,
    split: str = "valid",
    shift: int = defaults.NOVELTY_SHIFT,
    near: int = defaults.NOVELTY_NEAR,
    rows: int = 0,
    samples: int = defaults.NOVELTY_IMPORTANCE,
    how: Choice | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    tell: Tell | None = None,
) -> Drawing:
    """Are drawn pictures new, or copies of training pictures? The verdict, and the nearest pairs as a picture."""
    drawer = picture_model(model, device=device, threads=threads)
    ways: dict[str, Any] = {"count": n, "how": how, "bars": checking.Bars(above, share, gap), "split": split}
    ways |= {"shift": shift, "near": near, "rows": rows, "samples": samples, "seed": seed}
    ways |= {} if tell is None else {"tell": tell}
    report = checking.measure(drawer, Path(data), **ways)
    grid = checking.pairs(drawer, report, pairs)
    text = f"the {min(pairs, n)} nearest pairs, drawn above, from train below\n{report}"
    blank = np.zeros((drawer.height, drawer.width, 4), np.uint8)
    return Drawing([blank], None, text, report.to_dict(), grid)


# --------------------------------------------------------------------------------------------------- train, models


def train(inputs: Sequence[str | Path], out: str | Path | None = None, **options: Any) -> Path:
    """Train a model on pictures, or on a corpus, and return its best checkpoint; `options` as for `imagegen.train`.

    `out`: the run folder, by default the first of runs/1, runs/2, ... that is free.
    """
    from imagegen import training
    from textgen.runs.folder import chosen

    with chosen(out) as folder:
        return training.train(inputs, folder, **options)


def models() -> Listing:
    """The models that ship, the kinds of models, and their settings."""
    from corpora import settings
    from corpora.modalities import picture
    from textgen.core import recipes, trainer

    kinds = recipes.kinds("imagegen")
    parts: dict[str, Any] = {f"model {kind}": recipes.resolve_kind(kind, "imagegen").Config for kind in kinds}
    for kind in ("backbone", "encoder"):
        folder = recipes.folders("imagegen", kind)[0]
        parts |= {f"{kind} {name}": settings.find(folder, name).Config for name in settings.names(folder)}
    parts |= {"backbone lstm": settings.find("textgen.backbones", "lstm").Config, "training": trainer.Config}
    parts["corpus"] = picture.Config
    return Listing(library.shipped("imagegen"), defaults.MODEL, parts, {}, {"models": kinds})


__all__ = [
    "animate", "complete", "evaluate", "export", "inpaint", "interpolate", "judge_completions", "models", "novelty",
    "picture_model", "reconstruct", "resume", "sample", "train", "traverse",
]  # fmt: skip

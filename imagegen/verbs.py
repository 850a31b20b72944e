"""The things a person does with pictures: one plain function each, with the defaults of the command line.

from imagegen import verbs
verbs.sample(16, model="creatures").save("creatures.png")

`model` is a shipped name, a run, a model folder, a Hugging Face id, or a `PictureModel`, which answers faster. A
picture to start from is a file, CORPUS@SPLIT:ROW, or an array (H, W, 3) or (H, W, 4) of uint8. Every function raises
InputError, with one line, for what it cannot do. Results print themselves; `to_dict()` is their JSON.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from corpora.codecs.palette import ORDERS, Palette
from corpora.errors import InputError, quoted
from corpora.pictures import fitting, sheet
from corpora.settings import require
from imagegen.pictures import completion, defaults, measures, taking
from imagegen.pictures import novelty as checking
from imagegen.pictures.drawing import Animation, Drawing
from imagegen.pictures.foreground import accuracy, empty
from imagegen.pictures.picture_model import PictureModel
from textgen.core.figures import of_classes
from textgen.core.model import Latent
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
    from corpora.pictures import decoding

    return next(decoding.frames(Path(name), False)).pixels, None


def _encoded(
    model: PictureModel, pictures: Sequence[Picture], label: str | None, fit: str | None
) -> tuple[taking.Taken, Tensor]:
    """Pictures as the model takes them, and their classes, (N,): `label`, or as a corpus labels them."""
    known = [named(picture) for picture in pictures]
    names = ["the picture" if isinstance(picture, np.ndarray) else str(picture) for picture in pictures]
    own = model.opened.known([one for _, one in known])[0] if model.model.classes is not None else None
    labels = model.opened.labels(own if label is None else label, len(known))
    return taking.take(model, [pixels for pixels, _ in known], names, fit), labels


def _taken_as(taken: taking.Taken, model: PictureModel) -> str:
    """A phrase on how pictures were changed for the model, behind what a verb says; empty if they were not."""
    parts = [taken.note] if taken.note else []
    if not taken.exact:
        parts.append(f"recoloured in the {model.palette.vocab_size} colours of the model: {taken.whole}")
    return "".join(f"\n  {part}" for part in parts)


def _facts_of(taken: taking.Taken) -> dict[str, Any]:
    far = [{"mean": one.mean, "most": one.most} for one in taken.recoloured]
    return {"recoloured": {"measure": taking.SCALE, "pictures": far}, "fitted": taken.changes}


def _classes(model: PictureModel, n: int, label: str | None) -> str | list[str] | None:
    """The classes of `n` pictures to draw: `label`, else each class of the model in turn, if it has any."""
    return model.in_turn(n) if label is None else label


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
    begin: str | None = None,
    best_of: int = defaults.SAMPLE_BEST_OF,
    code_temperature: float | None = None,
    label: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
    tell: Tell | None = None,
) -> Drawing:
    """Draw new pictures; of a model with classes each class in turn, unless `label` names one."""
    require(1 <= n <= 100_000, "n", n, "1 to 100,000")
    require(1 <= best_of <= 1000, "best_of", best_of, "1 to 1,000")
    drawer = picture_model(model, device=device, threads=threads)
    check_codes(drawer.opened, code_temperature)
    classes = _classes(drawer, n, label)
    ways: dict[str, Any] = {"label": classes, "seed": seed, "how": how, "begin": begin}
    ways |= {"code_temperature": 1.0 if code_temperature is None else code_temperature}
    ways |= {"tell": _telling(tell, "drawing")}
    tokens = drawer.sample(n, **ways) if best_of == 1 else drawer.best(n, of=best_of, **ways)
    of = f" of {label}" if label else ", each class in turn" if classes else ""
    best = "" if best_of == 1 else f", each the best of {best_of} by NLL per foreground pixel"
    blank = empty(tokens)
    facts = {"seed": seed, "label": classes, "best of": best_of, "empty": blank.tolist(), "tokens": tokens.tolist()}
    text = f"{n} pictures{of}{best}, seed {seed}" + _emptiness(drawer, int(blank.sum()), n, how, begin, best_of)
    pictures, labels = drawer.pictures(tokens), [classes] * n if isinstance(classes, str) else classes
    single = {_file_name(number, "", labels): picture for number, picture in enumerate(pictures)}
    colours = drawer.palette.colours
    return Drawing(pictures, None, text, facts, colours=colours, single=single, frames=pictures)


def _emptiness(model: PictureModel, count: int, n: int, how: Choice | None, begin: str | None, best_of: int) -> str:
    """A line on pictures that came out empty, with a remedy; nothing where none did."""
    if not count:
        return ""
    text = f"\n  {count} of {n} came out empty, of one colour all over"
    if how is not None and begin == "start" and how != Choice():
        return f"{text}: the choice of probable pixels never leaves the margin; leave out --begin start"
    if how is not None and how.temperature == 0:
        return f"{text}: the most probable picture is an empty page; add --begin drawing, or a temperature above 0"
    if isinstance(model.model, Latent):
        return f"{text}; other codes may draw more: another --seed, or --code-temperature above 1"
    return f"{text}: --best-of {max(4, 2 * best_of)} draws so many for each and keeps no empty one if it can"


def _file_name(number: int, rest: str = "", labels: Sequence[str | None] | None = None) -> str:
    """The name of the file of a picture by itself: its number, what it is, and its class."""
    label = labels[number] if labels is not None else None
    plain = "" if label is None else "-" + (re.sub(r"[^\w.-]+", "_", label)[:60] or "_")
    return f"{number:04}{rest}{plain}.png"


def _telling(tell: Tell | None, what: str) -> Any:
    return None if tell is None else partial(tell, what)


def complete(
    pictures: Sequence[Picture],
    *,
    model: Model = defaults.MODEL,
    keep: float = defaults.KEEP,
    n: int = defaults.COMPLETIONS,
    how: Choice | None = None,
    begin: str | None = None,
    fit: str | None = None,
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
    taken, labels = _encoded(drawer, pictures, label, fit)
    tokens, (most, _), lines = taken.tokens, drawer.palette.lines, _shown(keep, drawer)
    ways: dict[str, Any] = {"label": labels, "count": n, "seed": seed, "how": how, "begin": begin}
    drawn = drawer.complete(tokens, lines, tell=_telling(tell, "drawing"), **ways)
    hidden = drawer.hidden(lines)
    per_pixel = (drawer.hidden_nll(tokens, lines, label=labels) / int(hidden.sum())).tolist()
    side = ORDERS[drawer.palette.order]
    facts = {"seed": seed, "shown": {"side": side, drawer.lines: lines}, "nats per hidden pixel": per_pixel}
    each, exactly = ", ".join(f"{value:.3f}" for value in per_pixel), "exact" + of_classes(drawer.model, labels)
    truth = "hidden truth" if taken.exact else "hidden part of the recoloured picture"
    text = f"the {side} {lines} of {most} {drawer.lines} shown; the {truth} costs {each} nats per pixel ({exactly})"
    return _completed(drawer, taken, drawn, hidden, facts, text + _alike(drawer, drawn, hidden, how))


def _alike(model: PictureModel, drawn: Tensor, hidden: np.ndarray, how: Choice | None) -> str:
    """A line on completions (N, count, L) that are the same, and what makes them differ; nothing where all differ."""
    count, different = drawn.shape[1], [len(some.unique(dim=0)) for some in drawn]
    if count == 1 or min(different) == count:
        return ""
    if max(different) == min(different) == 1:
        text = f"\n  all {count} completions are the same"
    else:
        each = ", ".join(str(number) for number in different)
        text = f"\n  {each} of {count} completions differ, the others repeat them"
    if how is not None and how.temperature == 0:
        return f"{text}: temperature 0 takes the most probable pixel each time"
    return f"{text}: {_other_order(model, hidden)}"


def _other_order(model: PictureModel, hidden: np.ndarray) -> str:
    """The advice on more different completions: the order of pixels in which the hidden ones (H, W) come last."""
    own, size = model.palette.order, (model.height, model.width)
    orders = {order: Palette(model.palette.colours, *size, order=order).scan(hidden) for order in ORDERS}
    exact = [order for order, places in orders.items() if places[int(places.argmax()) :].all() and places.any()]
    if own in exact:
        other = next(order for order in ORDERS if order != own)
        return (
            f"what is shown leaves this model little choice; show less, or train one that begins at another side "
            f"(order={other} or another when the corpus is built; this is order={own})"
        )
    if exact:
        return f"a model of a corpus built with order={exact[0]} draws what is hidden last and each time anew, exactly"
    return f"take more --particles, or a model of a corpus built with another order= (this is order={own})"


def inpaint(
    pictures: Sequence[Picture],
    *,
    model: Model = defaults.MODEL,
    mask: Picture | None = None,
    hide: Sequence[str] = (),
    n: int = defaults.COMPLETIONS,
    particles: int = defaults.PARTICLES,
    fit: str | None = None,
    label: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
    tell: Tell | None = None,
) -> Drawing:
    """Hide any pixels, where a mask is light or in rectangles "R0:R1,C0:C1", and draw them, `n` times, by particles."""
    require(1 <= n <= 1000, "n", n, "1 to 1,000")
    drawer = picture_model(model, device=device, threads=threads)
    taken, labels = _encoded(drawer, pictures, label, fit)
    tokens, hidden, results = taken.tokens, hidden_pixels(drawer, mask, hide, fit), []
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
    text = "\n".join([text, *lines]) + _alike(drawer, drawn, hidden, None)
    return _completed(drawer, taken, drawn, hidden, facts, text)


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


def hidden_pixels(model: PictureModel, mask: Picture | None, hide: Sequence[str], fit: str | None = None) -> np.ndarray:
    """The pixels that a mask, brought to the size of the model as `fit` says, and rectangles hide, (H, W). Raises
    InputError for those that do not fit the model."""
    hidden = np.zeros((model.height, model.width), bool)
    if mask is not None:
        pixels, _ = named(mask)
        name = "mask" if isinstance(mask, np.ndarray) else f"--mask {mask}"
        if fit is not None:
            pixels = fitting.fit(pixels, (model.height, model.width), fit, name=name).pixels
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
    model: PictureModel, taken: taking.Taken, drawn: Tensor, hidden: np.ndarray, facts: dict[str, Any], text: str
) -> Drawing:
    """For each of some pictures: the part shown, its completions `drawn` (N, count, L), the whole and, where the model
    has other colours, the picture in its own."""
    rows: list[list[np.ndarray]] = []
    single: dict[str, np.ndarray] = {}
    for number, whole in enumerate(model.pictures(taken.tokens)):
        completions = model.pictures(drawn[number])
        own = [] if taken.exact else [taken.pixels[number]]
        rows.append([_without(whole, hidden, _GREY), *completions, whole, *own])
        single |= {_file_name(number, f"-{one:02}"): picture for one, picture in enumerate(completions)}
        single[_file_name(number, "-whole")] = whole
    if taken.exact:
        text += f"\n  all its colours are in the palette of the model: {taken.whole}"
    else:
        text += "\n  a row is: the part shown, completions, the recoloured picture, the picture in its own colours"
    cells = [cell for row in rows for cell in row]
    frames = [sheet.grid([row[place] for row in rows]) for place in range(1, drawn.shape[1] + 1)]
    facts |= _facts_of(taken) | {"tokens": drawn.tolist()}
    text += _taken_as(taken, model)
    colours = model.palette.colours
    return Drawing(cells, len(rows[0]), text, facts, colours=colours, single=single, frames=frames)


def reconstruct(
    pictures: Sequence[Picture],
    *,
    model: Model = defaults.MODEL,
    label: str | None = None,
    fit: str | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Drawing:
    """Encode pictures and decode them again."""
    drawer = picture_model(model, device=device, threads=threads)
    taken, labels = _encoded(drawer, pictures, label, fit)
    drawn = drawer.reconstruct(taken.tokens, label=labels)
    right = accuracy(drawn, taken.tokens, drawer.background)
    text = f"given above, decoded below; {right}" + _taken_as(taken, drawer)
    front = [None if math.isnan(share) else share for share in right.foreground.tolist()]
    facts = {"same pixels": right.overall.tolist(), "same foreground": front, "blank page": right.blank.tolist()}
    above, below = drawer.pictures(taken.tokens), drawer.pictures(drawn)
    single = {_file_name(number, "-decoded"): picture for number, picture in enumerate(below)}
    facts |= _facts_of(taken) | {"tokens": drawn.tolist()}
    colours, frames = drawer.palette.colours, [sheet.grid(above), sheet.grid(below)]
    return Drawing([*above, *below], len(above), text, facts, colours=colours, single=single, frames=frames)


def interpolate(
    start: Picture,
    end: Picture,
    *,
    model: Model = defaults.MODEL,
    steps: int = defaults.STEPS,
    label: str | None = None,
    fit: str | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Drawing:
    """Walk from one picture to another; both ends are decoded too."""
    drawer = picture_model(model, device=device, threads=threads)
    taken, labels = _encoded(drawer, [start, end], label, fit)
    first, last = taken.tokens
    path = drawer.interpolate(first, last, steps=steps, label=labels)
    pictures = drawer.pictures(path)
    text, facts = f"{len(pictures)} pictures on the way" + _taken_as(taken, drawer), {"tokens": path.tolist()}
    single = {_file_name(number): picture for number, picture in enumerate(pictures)}
    frames, colours = [*pictures, *pictures[-2:0:-1]], drawer.palette.colours
    return Drawing(pictures, len(pictures), text, facts, colours=colours, single=single, frames=frames)


def traverse(
    picture: Picture,
    *,
    model: Model = defaults.MODEL,
    dims: int = defaults.TRAVERSE_DIMS,
    codes: Sequence[int] | None = None,
    steps: int = defaults.TRAVERSE_STEPS,
    span: float = defaults.TRAVERSE_SPAN,
    label: str | None = None,
    fit: str | None = None,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Drawing:
    """Turn one or two codes of a picture, the others held; a frame marks the picture with its own values."""
    require(3 <= steps <= 100, "steps", steps, "3 to 100")
    drawer = picture_model(model, device=device, threads=threads)
    taken, labels = _encoded(drawer, [picture], label, fit)
    turned = drawer.traverse(taken.tokens[0], label=labels, dims=dims, codes=codes, steps=steps, span=span)
    order = sorted(range(len(turned.rates)), key=lambda code: -turned.rates[code])
    rates = "  ".join(f"{code}: {turned.rates[code]:.2f}" for code in order)
    own = [values[place] for values, place in zip(turned.values, turned.own, strict=True)]
    turns = zip(turned.codes, ("down", "to the right")[-len(own) :], turned.values, own, strict=True)
    text = ", ".join(
        f"code {code} {way} from {values[0]:.2f} to {values[-1]:.2f} (of the picture: {at:.2f})"
        for code, way, values, at in turns
    )
    text += f"; the frame marks the picture's own values; nats of each code for this picture: {rates}"
    facts = {"codes": turned.codes, "values": turned.values, "own": own, "rates": turned.rates}
    pictures, marked = drawer.pictures(turned.tokens), turned.own[0]
    if len(own) == 2:
        marked = turned.own[0] * steps + turned.own[1]
    single = {_file_name(number, "-own" if number == marked else ""): one for number, one in enumerate(pictures)}
    return Drawing(
        pictures, steps, text + _taken_as(taken, drawer), facts | {"tokens": turned.tokens.tolist()},
        colours=drawer.palette.colours, single=single, frames=[*pictures, *pictures[-2:0:-1]], marked=[marked],
    )  # fmt: skip


def animate(
    n: int = defaults.ANIMATED,
    *,
    model: Model = defaults.MODEL,
    every: int = defaults.EVERY,
    how: Choice | None = None,
    begin: str | None = None,
    label: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = THREADS,
) -> Animation:
    """Show pictures being drawn, pixel by pixel, side by side."""
    require(1 <= n <= 100, "n", n, "1 to 100")
    drawer = picture_model(model, device=device, threads=threads)
    classes = _classes(drawer, n, label)
    tokens = drawer.sample(n, label=classes, seed=seed, how=how, begin=begin)
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
    samples: int | None = None,
    ais: int = 0,
    merge: int | None = None,
    fit: str | None = None,
    seed: int = 0,
    device: str = "auto",
    threads: int | None = None,
    tell: Tell | None = None,
) -> Any:
    """Likelihood of the pictures of a split, in nats and bits per pixel; `merge` counts near colours as one; `fit`
    (crop, pad or resize) takes pictures of any size and palette, those of a file or a folder too. Of a model with codes
    by `samples` codes for each picture, by default 500; or with `ais` annealed chains of so many steps, by default 16.
    """
    drawer = picture_model(model, device=device, threads=threads)
    if samples is None:
        samples = defaults.EVALUATE_CHAINS if ais else defaults.EVALUATE_SAMPLES
    ways: dict[str, Any] = {"split": split, "rows": rows, "samples": samples, "seed": seed, "merge": merge, "fit": fit}
    ways["ais"] = ais
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
    return Drawing([blank], None, text, report.to_dict(), grid, colours=drawer.palette.colours)


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

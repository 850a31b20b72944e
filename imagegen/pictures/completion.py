"""Completions of held-out pictures beside the truth: NLL of the hidden part, and likeness of the drawn part to it.

The conditional likelihood is the one proper score. The others tell the kinds of mistakes: the *foreground IoU* is
of silhouettes: places where both are foreground over places where either is. The *colour error* is the mean difference
over red, green and blue. The share of background tells whether a model plays safe.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch

from corpora.codecs.palette import ORDERS
from corpora.pictures.colour import on_white
from imagegen.pictures import defaults
from imagegen.pictures.foreground import background, originals
from imagegen.pictures.measures import corpus_of, tokens_of
from imagegen.pictures.picture_model import GREEDY, PictureModel
from textgen.core.figures import Figure, Figures, mean, of_classes, picked

# The threshold of marginal probabilities that is best for an F1 score is half the best score (Lipton et al. 2014,
# "Optimal Thresholding of Classifiers to Maximize F1 Measure"); an IoU of 2/3, about that of sprites, is an F1 of 0.8.
IN_FRONT = 0.4
Tell = Callable[[str, int, int], None]  # (title of the work, done, of so many)


def measure(
    model: PictureModel,
    folder: Path,
    shown: int,
    *,
    split: str = "test",
    count: int = defaults.COMPLETIONS,
    rows: int = defaults.EVALUATE_ROWS,
    seed: int = 0,
    tell: Tell | None = None,
) -> Figures:
    """Figures of completions of `rows` pictures of a split, drawn by `seed` (0: all), of which the first `shown` lines
    in the model's order are shown: `count` drawn for each, and the one of the most probable colour pixel by pixel.

    Beside them stands a baseline without a model: the mean silhouette of train, in the commonest colour that each
    picture shows. A draw commits itself, which these measures punish; the *consensus* of the draws does not
    (`consensus`). All but the likelihood are means over hidden pixels, then over draws, then over pictures; the
    standard error is over pictures. Raises InputError if the corpus has another palette, size or order than the model,
    and as `complete` does.
    """
    tell = tell or (lambda title, done, of: None)
    corpus = corpus_of(model, folder)
    pictures, train = corpus.rows(split), originals(corpus)
    some = picked(np.random.default_rng(seed), len(pictures), rows)
    tokens, labels = tokens_of(model, pictures, some)
    first = shown * model.palette.lines[1]
    nll = model.hidden_nll(tokens, shown, label=labels) / (model.length - first)
    complete = partial(model.complete, tokens, shown, label=labels)
    drawn = complete(count=count, seed=seed, tell=lambda done, of: tell("drawing", done, of))
    greedy = complete(count=1, how=GREEDY, tell=lambda done, of: tell("most probable", done, of))
    paper = background(model.palette, model.palette.unscan(train))
    plain = _plain(tokens.cpu().numpy()[:, :first], train[:, first:], paper)[:, None]
    truth = tokens.cpu().numpy()[:, None, first:]
    colours = on_white(np.array(model.palette.colours, np.uint8)[None])[0, :, :3].astype(np.float64)
    several = drawn.cpu().numpy()[:, :, first:]
    estimator = f"exact, given the part shown{of_classes(model.model, labels)}"
    figures = [
        mean("NLL of the hidden part", nll, estimator, "nats per hidden pixel"),
        _share("background, truth", truth, paper, "of the hidden pixels"),
    ]
    for name, pixels, how in (
        ("drawn", several, f"{count} draws of each"),
        ("consensus", consensus(several, colours, paper)[:, None], f"of {count} draws, pixel by pixel"),
        ("most probable", greedy.cpu().numpy()[:, :, first:], "the most probable colour, pixel by pixel"),
        ("baseline", plain, "mean silhouette of train, commonest colour shown"),
    ):
        figures += _compared(name, pixels, truth, colours, paper, how)
    lines = f"the {ORDERS[model.palette.order]} {shown} of {model.palette.lines[0]} {model.lines} shown"
    return Figures(model.opened.name, f"{folder.name}, {split} split", len(some), seed, figures, f"pictures, {lines}")


def _compared(
    name: str, pixels: np.ndarray, truth: np.ndarray, colours: np.ndarray, paper: int, how: str
) -> list[Figure]:
    """Silhouettes and colours of some completions, (N, count, P), beside the truth (N, 1, P)."""
    both = ((pixels != paper) & (truth != paper)).sum(2)
    either = ((pixels != paper) | (truth != paper)).sum(2)
    overlap = 100 * np.where(either > 0, both / np.maximum(either, 1), 1).mean(1)
    apart = np.abs(colours[pixels] - colours[truth]).mean((1, 2, 3))
    right = 100 * (pixels == truth).mean((1, 2))
    return [
        mean(f"foreground IoU, {name}", torch.from_numpy(overlap), how, "% of both"),
        mean(f"colour error, {name}", torch.from_numpy(apart), how, "of 255, mean of RGB"),
        _share(f"background, {name}", pixels, paper, how),
        mean(f"right colours, {name}", torch.from_numpy(right), how, "% of hidden pixels"),
    ]


def consensus(drawn: np.ndarray, colours: np.ndarray, paper: int) -> np.ndarray:
    """The consensus of several drawings: (N, count, P) tokens, (K, 3) their colours -> (N, P) tokens.

    A pixel is foreground where at least IN_FRONT of the draws are; then it has the colour whose mean distance to those
    drawn there, over red, green and blue, is least: the estimate of least expected colour error (Bayes).
    """
    apart = np.abs(colours[:, None] - colours).mean(2)  # (K, K)
    apart[:, paper] = np.inf
    agreed = np.full((len(drawn), drawn.shape[2]), paper)
    for row, draws in zip(agreed, drawn, strict=True):
        front = (draws != paper).mean(0) >= IN_FRONT
        row[front] = apart[draws[:, front]].sum(0).argmin(1)  # (count, P, K)
    return agreed


def _share(name: str, tokens: np.ndarray, paper: int, how: str) -> Figure:
    return mean(name, torch.from_numpy(100 * (tokens == paper).mean((1, 2))), how, "% of hidden pixels")


def _plain(shown: np.ndarray, train: np.ndarray, paper: int) -> np.ndarray:
    """The mean silhouette of the hidden parts of train, (M, P), in the commonest colour of what is shown, (N, S)."""
    front = (train != paper).mean(0) > 0.5
    plain = np.full((len(shown), train.shape[1]), paper)
    for row, seen in zip(plain, shown, strict=True):
        inside = seen[seen != paper]
        usual = np.bincount(inside if len(inside) else train[train != paper], minlength=1)
        row[front] = usual.argmax()
    return plain

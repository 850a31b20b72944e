"""Foreground and background of pictures: which are empty, and how much of what is drawn comes back.

Most pixels of a sprite are background, so that a page without anything on it has many pixels right. Accuracy on the
foreground stands beside it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from corpora.codecs.palette import Palette
from corpora.corpus import Corpus
from corpora.errors import InputError


def background(palette: Palette, train: np.ndarray) -> int:
    """The transparent colour or, where there is none, the commonest on the rims of pictures (N, H, W): its token."""
    if palette.transparent:
        return 0
    rim = np.ones(train.shape[1:], bool)
    rim[1:-1, 1:-1] = False
    return int(np.bincount(train[:, rim].ravel()).argmax())


def originals(corpus: Corpus) -> np.ndarray:
    """The training pictures without the views of them, (M, L)."""
    rows = corpus.rows("train")
    count = corpus.manifest.get("originals", len(rows))
    if type(count) is not int or not 0 < count <= len(rows):
        raise InputError("the manifest's number of originals is malformed: build the corpus again")
    return rows.pad(np.arange(count))


def empty(tokens: Tensor) -> Tensor:
    """Whether each picture of (N, L) has one colour all over: (N,) bool."""
    return (tokens == tokens[:, :1]).all(1)


class Accuracy(NamedTuple):
    """Shares of pixels that have their colour again, for each of N pictures, 0 to 1."""

    overall: Tensor  # (N,)
    foreground: Tensor  # (N,), of the pixels that are not background in the truth; NaN where there are none
    blank: Tensor  # (N,), overall, of a page of background alone

    def __str__(self) -> str:
        front = f"{100 * float(self.foreground.nanmean()):.1f} %" if self.foreground.isfinite().any() else "none"
        overall, blank = (f"{100 * float(share.mean()):.1f} %" for share in (self.overall, self.blank))
        text = f"{front} of the foreground has its colour again (a blank page: 0.0 %)"
        return f"{text}, {overall} of all pixels (a blank page: {blank})"


def accuracy(drawn: Tensor, truth: Tensor, paper: int) -> Accuracy:
    """The accuracy of pictures beside the truth, both (N, L), where the token `paper` is the background."""
    same, front = (drawn == truth).double(), (truth != paper).double()
    return Accuracy(same.mean(1), (same * front).sum(1) / front.sum(1), (truth == paper).double().mean(1))


def best_rows(nll: Tensor, tokens: Tensor, paper: int, of: int) -> Tensor:
    """Of each `of` rows that follow each other the one of the least NLL per foreground pixel, (N / of,): its number.

    `nll` (N,) in nats of `tokens` (N, L). An empty picture, or one that is background all over, comes last: the cost of
    its page is small because nothing is on it.
    """
    front = (tokens != paper).sum(1)
    score = torch.where((front > 0) & ~empty(tokens), nll / front, torch.inf)
    least = score.view(-1, of).argmin(1)
    return least + of * torch.arange(len(least), device=least.device)

"""Corruption of tokens and codes in training, so that a model must use what is left."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from corpora.settings import Settings, setting
from textgen.core.backbone import Vocabulary
from textgen.core.randomness import Draw


@dataclass(frozen=True)
class Corruption(Settings):
    """Corruption of the tokens that encoder and decoder read in training, and of the code."""

    word_dropout: float = setting(
        0.0, "share of the decoder's inputs blanked, falling to 0 over the last quarter", 0, below=1
    )
    delete: float = setting(0.0, "share of the encoder's inputs taken out", 0, below=1)
    swap: int = setting(0, "places that each of the encoder's inputs may move (Lample et al. 2018)", 0, unit="places")
    replace: float = setting(0.0, "share of the encoder's inputs replaced by random tokens", 0, below=1)
    blank: float = setting(0.0, "share of the encoder's inputs blanked", 0, below=1)
    code_noise: float = setting(0.0, "deviation of normal noise added to the code; fix the code's own by batch_norm", 0)
    code_dropout: float = setting(
        0.0, "share of the code's numbers set to 0, the others made larger to match", 0, below=1
    )
    code_fade: float = setting(
        0.0, "share of the rows decoded from a code faded by a random degree: closer to 0, and noisy", 0, below=1
    )
    code_free: float = setting(
        0.0, "share of the rows decoded from no code, all 0: the decoder learns p(x) too", 0, below=1
    )

    def word_dropout_at(self, progress: float) -> float:
        """The share of the decoder's inputs that is blanked when a share `progress` of the steps is done."""
        return fading(self.word_dropout, progress)

    def on_tokens(self, tokens: Tensor, vocab: Vocabulary, draw: Draw) -> Tensor:
        """The tokens that the encoder reads in place of `tokens`. (B, L) -> (B, L)"""
        tokens = shuffled(deleted(tokens, vocab, self.delete, draw), vocab, self.swap, draw)
        return blanked(replaced(tokens, vocab, self.replace, draw), vocab, self.blank, draw)

    def on_codes(self, codes: Tensor, draw: Draw) -> Tensor:
        """The codes that the decoder reads in place of `codes`. (B, Z) -> (B, Z)

        The code's noise comes on top of the posterior's, in units of the prior's deviation, and costs no rate (with
        the plain autoencoder it is that of Poole et al. 2014); its dropout is that of Srivastava et al. (2014). A row
        that is `code_free` teaches the decoder p(x), as a code of zeros asks for, and its own code nothing.

        A faded code is what is known of the code z from y = sqrt(1 - t) z + sqrt(t) e, the noise of a diffusion model
        (Ho et al. 2020, eq. 4): E[z | y] = sqrt(1 - t) y under N(0, I), with t uniform. Half way along a line between
        two independent codes lies such a point with t = 1/2, the other code in the place of the noise; so the decoder
        learns to write good rows there, and its norm says how far a code is to be trusted.
        """
        if self.code_noise:
            codes = codes + self.code_noise * draw.normal(codes.shape[1])
        if self.code_dropout:
            codes = codes * (draw.uniform(codes.shape[1]) >= self.code_dropout) / (1 - self.code_dropout)
        if self.code_fade:
            degree = draw.uniform(1) * (draw.uniform(1) < self.code_fade)  # t, (B, 1)
            codes = (1 - degree) * codes + (degree * (1 - degree)).sqrt() * draw.normal(codes.shape[1])
        if self.code_free:
            codes = codes.masked_fill(draw.uniform(1) < self.code_free, 0)
        return codes


def fading(share: float, progress: float) -> float:
    """A share that falls to 0 over the last quarter of the steps."""
    return share * min(1.0, 4 * (1 - progress))


def ordinary(tokens: Tensor, vocab: Vocabulary) -> Tensor:
    """True where a token is neither padding nor the stop. (B, L) -> (B, L)"""
    real = vocab.mask(tokens)
    return real if vocab.stop is None else real & (tokens != vocab.stop)


def blanked(tokens: Tensor, vocab: Vocabulary, share: float, draw: Draw) -> Tensor:
    """`tokens` with a share of the ordinary ones replaced by the blank token. (B, L) -> (B, L)"""
    if share <= 0 or vocab.blank is None:
        return tokens
    hit = (draw.uniform(tokens.shape[1]) < share) & ordinary(tokens, vocab)
    return torch.where(hit, vocab.blank, tokens)


def deleted(tokens: Tensor, vocab: Vocabulary, share: float, draw: Draw) -> Tensor:
    """`tokens` with a share of the ordinary ones taken out and the rest moved up. (B, L) -> (B, L)"""
    if share <= 0 or vocab.pad is None:
        return tokens
    kept = draw.uniform(tokens.shape[1]) >= share
    if vocab.stop is not None:
        kept |= tokens == vocab.stop
    kept &= vocab.mask(tokens)
    order = (~kept).to(torch.uint8).argsort(dim=1, stable=True)
    return tokens.masked_fill(~kept, vocab.pad).gather(1, order)


def shuffled(tokens: Tensor, vocab: Vocabulary, places: int, draw: Draw) -> Tensor:
    """`tokens` with the ordinary ones in another order, each at most `places` from where it was. (B, L) -> (B, L)

    As Lample et al. (2018, "Unsupervised Machine Translation Using Monolingual Corpora Only", sec. 2.3): sort i + u,
    where u is uniform in [0, places + 1).
    """
    if places <= 0:
        return tokens
    order = torch.arange(tokens.shape[1], device=tokens.device)  # (L,)
    moved = order + (places + 1) * draw.uniform(tokens.shape[1])  # (B, L)
    last = torch.where(ordinary(tokens, vocab), moved, order + places + 1.0)  # what is not moved comes after all others
    return tokens.gather(1, last.argsort(dim=1, stable=True))


def replaced(tokens: Tensor, vocab: Vocabulary, share: float, draw: Draw) -> Tensor:
    """`tokens` with a share of the ordinary ones replaced by random ones, each as likely. (B, L) -> (B, L)"""
    if share <= 0:
        return tokens
    special = sorted({token for token in (vocab.pad, vocab.stop, vocab.blank) if token is not None})
    hit = (draw.uniform(tokens.shape[1]) < share) & ordinary(tokens, vocab)
    other = (draw.uniform(tokens.shape[1]) * (vocab.size - len(special))).long()
    for token in special:
        other += other >= token
    return torch.where(hit, other, tokens)

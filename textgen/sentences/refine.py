"""Refined codes: a few gradient steps from the posterior mean to a code that gives its sentence back.

Semi-amortised inference (Kim et al. 2018): down -log p(x | z), with half the squared distance from the posterior mean,
in its standard deviations, at a weight of `PULL`, so that codes stay where the posterior has its mass.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Independent
from torch.nn import functional as F

from textgen.core import sampler
from textgen.core.model import Latent

PULL, PACE = 0.01, 0.2  # weight of the posterior; size of a step, in its standard deviations
LOOSE = 0.001  # the weight where a code has nothing to do but to give its sentence back


def at_most(model: Latent, length: int) -> int:
    """The most sentences that are refined together: logits of all places at once with their gradients, half a GB."""
    return max(1, (1 << 26) // (length * model.vocab.size))


def refined(
    model: Latent, tokens: Tensor, codes: Tensor, posterior: Independent, steps: int, pull: float = PULL
) -> Tensor:
    """Codes (B, Z) moved until each gives its row of tokens (B, L) back greedily, or `steps` are done.

    `pull`: the weight of the posterior.
    """
    vocab = model.vocab
    means, deviations = posterior.mean, posterior.stddev
    away = (codes - means) / deviations
    optimiser = torch.optim.Adam([away], lr=PACE, betas=(0.9, 0.95))
    wrong = torch.arange(len(tokens), device=tokens.device)
    if vocab.blank is not None:  # a row with an unknown token never comes back
        wrong = wrong[(tokens != vocab.blank).all(1)]
    for _ in range(steps if len(wrong) else 0):
        here = away[wrong].requires_grad_()
        different, slope = _step(model, tokens[wrong], means[wrong], deviations[wrong], here, pull)
        if slope is None:
            break
        before, wrong = away.clone(), wrong[different]
        away.grad = torch.zeros_like(away).index_copy(0, wrong, slope[different])
        optimiser.step()
        others = torch.ones(len(away), dtype=torch.bool, device=away.device).index_fill(0, wrong, False)
        away[others] = before[others]  # Adam's momentum must not carry on what is right already
    return means + deviations * away


def _step(
    model: Latent, tokens: Tensor, means: Tensor, deviations: Tensor, here: Tensor, pull: float
) -> tuple[Tensor, Tensor | None]:
    """True for rows that their codes do not give back greedily, (B,), and the gradient for `here` (B, Z), if any."""
    mask = model.vocab.mask(tokens)
    with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN's LSTM has no gradient now
        context = model.given(len(tokens), codes=means + deviations * here)
        logits = model.backbone(tokens, context)  # (B, L, V)
        greedy = sampler.impossible(logits.detach().clone().flatten(0, 1), model.vocab).argmax(-1)
        different = ((greedy.view(tokens.shape) != tokens) & mask).any(1)
        if not different.any():
            return different, None
        losses = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none")
        goal = losses.where(mask, 0.0).sum(1) + pull * here.pow(2).sum(1) / 2
        return different, torch.autograd.grad(goal[different].sum(), here)[0]

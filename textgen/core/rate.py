"""Holding the rate, KL(posterior || prior) in nats per row: a target, warm-ups, free bits, a floor under it.

The target is held by a Lagrange multiplier. We minimise the distortion D subject to the rate KL = R through
D + beta (KL - R), raising log beta while KL > R and lowering it while KL < R. At the saddle point this is the
minimum desired rate of Pelsmaeker and Aziz (2020, "Effective Estimation of Deep Generative Language Models",
eq. 7) with their multiplier u = 1 - beta; unlike theirs it also holds a model back whose rate would be larger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, require, setting


@dataclass(frozen=True)
class Config(Settings):
    """Settings that hold the rate; a model with a code has them among its own."""

    rate: float | None = setting(
        16.0, "target rate in nats per row, held by a Lagrange multiplier; none: use beta", above=0, unit="nats"
    )
    beta: float = setting(1.0, "weight of the rate where rate=none; 1 is the ELBO, 0 switches the rate off", 0)
    kl_warmup: float = setting(0.0, "share of the steps over which the weight of the rate rises from 0", 0, 1)
    kl_cycles: int = setting(1, "times the weight rises from 0, in kl_warmup altogether (Fu et al. 2019)", 1)
    warm_start: float = setting(0.0, "share of the steps trained as an autoencoder first (Li et al. 2019)", 0, 1)
    reset_decoder: bool = setting(True, "after warm_start: re-initialise the decoder, keep the encoder")
    free_bits_dim: float = setting(
        0.0, "bits that each latent dimension has free of charge, on average over a batch", 0, unit="bits"
    )
    free_bits_row: float = setting(0.0, "bits that each row has free of charge (Kingma et al. 2016)", 0, unit="bits")
    batch_norm: float = setting(0.0, "deviation of each posterior mean over a batch (Zhu et al. 2020); 0: not fixed", 0)
    aggressive: int = setting(0, "updates of the encoder alone after each update of all (after He et al. 2019)", 0)
    aggressive_share: float = setting(0.2, "share of the steps, from the first, that are aggressive", 0, 1)

    def check(self) -> None:
        """Raise InputError for settings that do not go together."""
        cycles = "1, or more with kl_warmup above 0"
        require(self.kl_cycles == 1 or self.kl_warmup > 0, "kl_cycles", self.kl_cycles, cycles)
        if self.rate is not None:  # the multiplier moves after both
            reach = "below 1 together with warm_start, so that steps are left to reach the rate"
            require(self.warm_start + self.kl_warmup < 1, "kl_warmup", self.kl_warmup, reach)


class BatchNorm(nn.Module):
    """Gives each posterior mean the deviation `gamma` over a batch, about a learned shift (Zhu et al. 2020, sec. 3).

    (B, Z) -> (B, Z). The mean rate of a batch is then at least Z gamma^2 / 2 nats per row, whatever the decoder does:
    KL >= m^2 / 2 in every dimension. In evaluation running statistics take the place of the batch's, and in training
    too for a batch of one row, which has no deviation. Of several processes each takes the batch to be its own rows.
    """

    LEAST = 1e-8  # added to the variance; were it larger, tiny means would be a way round the floor

    def __init__(self, size: int, gamma: float) -> None:
        super().__init__()
        self.gamma = gamma
        self.shift = nn.Parameter(torch.zeros(size))
        # Parameters without a gradient, so that the averaging of weights averages the statistics with the weights
        # that they describe, and every process and checkpoint has the same
        self.mean = nn.Parameter(torch.zeros(size), requires_grad=False)
        self.variance = nn.Parameter(torch.ones(size), requires_grad=False)

    def forward(self, means: Tensor) -> Tensor:
        own = self.training and len(means) > 1
        return self.gamma * F.batch_norm(means, self.mean, self.variance, training=own, eps=self.LEAST) + self.shift


class Rate(nn.Module):
    """Weighs the rate in the loss. `log_beta`, the multiplier, is a buffer and so part of every checkpoint."""

    log_beta: Tensor
    average: Tensor
    restarted: Tensor  # whether the decoder has been re-initialised after the warm start

    SPEED = 0.05  # d log beta per step, for an error as large as the target itself
    LOWEST, HIGHEST = math.log(1e-4), math.log(8.0)

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("log_beta", torch.tensor(math.log(0.01)))
        self.register_buffer("average", torch.tensor(-1.0))  # running mean of the rate; -1: none yet
        self.register_buffer("restarted", torch.tensor(False))
        self.share = 1.0  # of the weight, while it warms up

    def prepare(self, progress: float) -> None:
        """Set the schedule for a step; `progress` is the share of all steps done."""
        start, ramp, cycles = self.config.warm_start, self.config.kl_warmup, self.config.kl_cycles
        if progress < start:
            self.share = 0.0
        elif ramp == 0:
            self.share = 1.0
        else:  # Fu et al. 2019, sec. 4: their R is kl_warmup, their M is kl_cycles
            turns = (progress - start) / max(1 - start, 1e-9) * cycles  # cycles done, and a part of the one at hand
            turns -= min(int(turns), cycles - 1)
            self.share = min(1.0, turns * (1 - start) / ramp)

    @property
    def beta(self) -> float:
        """The weight of the rate in the loss now."""
        full = self.config.beta if self.config.rate is None else math.exp(float(self.log_beta))
        return full * self.share

    def charge(self, kl: Tensor) -> Tensor:
        """The rate's part of the loss, nats per row (B,), from the exact KL per row and dimension (B, Z)."""
        bits = math.log(2)
        if self.config.free_bits_dim:
            mean = kl.mean(0)  # the floor is under the average over the batch, or it would bite on every row
            floor = torch.clamp(mean, min=self.config.free_bits_dim * bits)
            kl = kl - mean + floor
        rate = kl.sum(1)
        if self.config.free_bits_row:
            rate = torch.clamp(rate, min=self.config.free_bits_row * bits)
        return self.beta * rate

    def observe(self, rate: float) -> None:
        """Move the multiplier after a step whose mean rate, over all processes, was `rate` nats per row."""
        if self.config.rate is None:
            return
        before = float(self.average)
        smooth = rate if before < 0 else 0.9 * before + 0.1 * rate
        self.average.fill_(smooth)
        if self.share < 1:  # it would learn to undo the warm-up
            return
        error = max(-1.0, min(1.0, (smooth - self.config.rate) / self.config.rate))
        self.log_beta.fill_(max(self.LOWEST, min(self.HIGHEST, float(self.log_beta) + self.SPEED * error)))

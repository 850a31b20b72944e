"""Masked autoregressive flow (Papamakarios et al. 2017) with rational-quadratic splines (Durkan et al. 2019), by zuko.

Each transform maps number i of a code by a monotone function whose shape a masked network reads off the numbers before
it (Germain et al. 2015); after the last one, codes should be N(0, I). The numbers form `passes` groups, and
a group sees those before it: so many passes a draw takes, where the density takes one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributions import Distribution, Independent, Normal

from corpora.settings import Settings, require, setting
from textgen.core.prior import Prior, held_out
from textgen.core.randomness import manual_seed


@dataclass(frozen=True)
class Config(Settings):
    transforms: int = setting(3, "flow prior: transforms, one after another", 1, 64)
    bins: int = setting(8, "flow prior: bins of each spline; 0: affine instead, as in MAF", 0, 64)
    passes: int = setting(8, "flow prior: groups that the numbers of a code are put in; 2: coupling", 1, 4096)
    prior_width: int = setting(128, "flow prior: units of each hidden layer", 1, 4096)
    prior_layers: int = setting(2, "flow prior: hidden layers of each transform's network", 1, 16)

    def check(self) -> None:
        """Raise InputError for a spline of one bin."""
        require(self.bins != 1, "bins", self.bins, "0, or 2 to 64")


@dataclass(frozen=True)
class Fit(Settings):
    """Settings of the fit; none of it is part of the model."""

    steps: int = setting(2000, "updates at most", 1, 10_000_000)
    batch: int = setting(256, "codes in each", 1, 10_000_000)
    learning_rate: float = setting(1e-3, "of Adam at the start; it falls to nothing along a cosine", above=0)
    patience: int = setting(
        5, "looks at the held-out codes, each 100 updates, without a gain before it ends", 1, 10_000_000
    )


class Masked(nn.Linear):
    """A linear layer in which an output of degree d sees inputs of degree up to d, or with `strict` below d."""

    def __init__(self, inputs: Tensor, outputs: Tensor, strict: bool) -> None:
        super().__init__(len(inputs), len(outputs))
        seen = outputs[:, None] > inputs if strict else outputs[:, None] >= inputs
        self.register_buffer("mask", seen, persistent=False)
        self.mask: Tensor

    def forward(self, values: Tensor) -> Tensor:
        weight = (self.weight * self.mask).to(values)  # codes in float64 are mapped in float64
        return nn.functional.linear(values, weight, self.bias.to(values))


class Flow(Prior):
    """z -> N(0, I) by `transforms` autoregressive maps of the standardised code. Fresh: N(0, I), all maps identities.

    The splines move what lies within five standard deviations; beyond them a map is the identity.
    """

    def __init__(self, config: Config, latent: int) -> None:
        super().__init__()
        self.latent = self.numbers = latent
        self.bins, self.passes = config.bins, min(config.passes, latent)
        self.title = f"{'spline' if config.bins else 'affine'} flow of {config.transforms} transforms"
        self.sizes = [config.bins, config.bins, config.bins - 1] if config.bins else [1, 1]
        self.register_buffer("centre", torch.zeros(latent))
        self.register_buffer("log_std", torch.zeros(latent))  # log of the standard deviation
        self.centre: Tensor
        self.log_std: Tensor
        group = -(-latent // self.passes)
        self.networks = nn.ModuleList()
        for number in range(config.transforms):
            order = torch.arange(latent) if number % 2 == 0 else torch.arange(latent - 1, -1, -1)
            degrees = order // group
            # A hidden unit of degree d reads groups up to d; what has degree g in the end reads those below g.
            hidden = torch.arange(config.prior_width) % max(1, self.passes - 1)
            layers: list[nn.Module] = [Masked(degrees, hidden, strict=False), nn.ReLU()]
            for _ in range(config.prior_layers - 1):
                layers += [Masked(hidden, hidden, strict=False), nn.ReLU()]
            last = Masked(hidden, degrees.repeat_interleave(sum(self.sizes)), strict=True)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
            self.networks.append(nn.Sequential(*layers, last))

    def forward(self) -> Distribution:
        from zuko.distributions import NormalizingFlow

        base = Normal(torch.zeros_like(self.centre), torch.ones_like(self.centre), validate_args=False)
        return NormalizingFlow(self._transform(self.centre), Independent(base, 1, validate_args=False))

    def _transform(self, like: Tensor) -> Any:
        """The map from codes to normal numbers, in the precision of `like`."""
        from functools import partial

        from torch.distributions import AffineTransform
        from zuko.transforms import AutoregressiveTransform, ComposedTransform, DependentTransform

        centre, log_std = self.centre.to(like), self.log_std.to(like)
        whiten = AffineTransform(-centre * (-log_std).exp(), (-log_std).exp())
        maps = [AutoregressiveTransform(partial(self._maps, network), self.passes) for network in self.networks]
        return ComposedTransform(DependentTransform(whiten, 1), *maps)

    def _maps(self, network: nn.Module, values: Tensor) -> Any:
        """The monotone map of each number, (..., Z), as its network shapes it."""
        from zuko.transforms import DependentTransform, MonotonicAffineTransform, MonotonicRQSTransform

        shapes = network(values).unflatten(-1, (-1, sum(self.sizes))).split(self.sizes, -1)
        if not self.bins:
            return DependentTransform(MonotonicAffineTransform(*(shape.squeeze(-1) for shape in shapes)), 1)
        return DependentTransform(MonotonicRQSTransform(*shapes), 1)

    def draw(self, numbers: Tensor) -> Tensor:
        return self._transform(numbers).inv(numbers)


def build(config: Config, latent: int) -> Flow:
    return Flow(config, latent)


def fit(
    prior: Flow,
    codes: Callable[[int], Tensor],
    unseen: Tensor,
    settings: Fit,
    *,
    seed: int,
    tell: Callable[[int, int, float], None],
) -> None:
    """Maximum likelihood by Adam on codes `codes(0)`, `codes(1)`, ... (N, Z), drawn anew for each pass over them.

    Every 100 updates held-out codes `unseen` (M, Z) judge it; the best flow is kept, and `patience` such looks
    without a gain end it. `tell(done, of, nats)` hears of every look.
    """
    _begin(prior, codes(0), seed)
    optimiser = torch.optim.Adam(prior.parameters(), settings.learning_rate)
    since, steps = 0, settings.steps
    best, kept = held_out(prior, unseen), {name: value.clone() for name, value in prior.state_dict().items()}
    for step, some in enumerate(_batches(codes, settings, seed)):
        for group in optimiser.param_groups:
            group["lr"] = settings.learning_rate * (1 + math.cos(math.pi * step / steps)) / 2
        loss = -prior().log_prob(some).mean()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(prior.parameters(), 5.0)
        optimiser.step()
        if (step + 1) % 100 and step + 1 < steps:
            continue
        nats = held_out(prior, unseen)
        tell(step + 1, steps, nats)
        since = 0 if nats > best else since + 1
        if nats > best:
            best, kept = nats, {name: value.clone() for name, value in prior.state_dict().items()}
        if since >= settings.patience:
            break
    prior.load_state_dict(kept)


def _begin(prior: Flow, codes: Tensor, seed: int) -> None:
    """Initialise a flow from a seed, standardised by the codes."""
    manual_seed(seed, 0)
    for network in prior.networks:
        for layer in list(network.children())[:-1]:
            if isinstance(layer, Masked):
                layer.reset_parameters()
    prior.centre.copy_(codes.mean(0))
    prior.log_std.copy_(codes.std(0, unbiased=False).clamp(min=1e-6).log())


def _batches(codes: Callable[[int], Tensor], settings: Fit, seed: int) -> Iterator[Tensor]:
    """`steps` batches of codes, each pass over all of them in an order of its own."""
    generator = torch.Generator().manual_seed(seed)
    order, passed, rows = torch.empty(0, dtype=torch.long), 0, torch.empty(0)
    for _ in range(settings.steps):
        if not len(order):
            rows = codes(passed)
            order, passed = torch.randperm(len(rows), generator=generator), passed + 1
        yield rows[order[: settings.batch].to(rows.device)]
        order = order[settings.batch :]

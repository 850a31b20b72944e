"""The one training loop, for every model: players, schedule, precision, EMA, several processes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from corpora.errors import InputError, quoted
from corpora.settings import require, setting
from textgen.core.model import Model, Player
from textgen.core.pace import Pace, Steps
from textgen.core.randomness import Draw, manual_seed


@dataclass(frozen=True)
class Config:
    """Settings of the optimiser and its schedule; the flags --steps, --batch and --seed stand beside them."""

    optimiser: str = setting("adamw", "adamw, or sgd, as published tables of sentence VAEs have it (with lr=1 clip=5)")
    lr: float = setting(1e-3, "learning rate")
    schedule: str = setting("cosine", "cosine, plateau (halve when the score on the valid split stalls) or constant")
    lr_warmup: int = setting(200, "steps over which the learning rate rises (at most a fifth of the run)")
    lr_final: float = setting(0.05, "cosine: the last learning rate, as a share of lr")
    patience: int = setting(3, "plateau: evaluations without a better score before halving")
    weight_decay: float = setting(0.01, "AdamW's weight decay, on matrices")
    clip: float = setting(1.0, "largest gradient norm; 0: no clipping")
    accumulate: int = setting(1, "batches whose gradients are added up for one step")
    ema: float = setting(0.999, "weights averaged over about 1 / (1 - ema) steps are evaluated and kept; 0: off")
    precision: str = setting("auto", "bf16, fp32, or auto: bf16 where the processor multiplies in it")

    def check(self) -> None:
        require(self.lr > 0, "lr", self.lr, "a number above 0")
        require(self.optimiser in ("adamw", "sgd"), "optimiser", self.optimiser, "adamw or sgd")
        require(
            self.schedule in ("cosine", "plateau", "constant"), "schedule", self.schedule, "cosine, plateau or constant"
        )
        require(self.precision in ("auto", "bf16", "fp32"), "precision", self.precision, "auto, bf16 or fp32")
        require(self.lr_warmup >= 0, "lr_warmup", self.lr_warmup, "0 or more steps")
        require(0 <= self.lr_final <= 1, "lr_final", self.lr_final, "a share of lr, 0 to 1")
        require(self.patience >= 1, "patience", self.patience, "1 or more evaluations")
        require(self.weight_decay >= 0, "weight_decay", self.weight_decay, "0 or more")
        require(self.clip >= 0, "clip", self.clip, "0 or more")
        require(self.accumulate >= 1, "accumulate", self.accumulate, "1 or more batches")
        require(0 <= self.ema < 1, "ema", self.ema, "0 up to, not including, 1")


class Diverged(InputError):
    """The loss or a gradient is no longer a finite number; the update was not made."""


class Processes(NamedTuple):
    """This process among those that train together; torchrun says so through the environment."""

    rank: int = 0
    world: int = 1

    @staticmethod
    def join(device: str) -> Processes:
        """Join the group that torchrun started (gloo between CPUs, nccl between GPUs), or stay alone."""
        world = int(os.environ.get("WORLD_SIZE", "1"))
        if world == 1:
            return Processes()
        import torch.distributed as dist

        if not dist.is_initialized():
            if device.startswith("cuda"):
                torch.cuda.set_device(own_device(device))
            dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
        return Processes(dist.get_rank(), world)

    def sum(self, tensors: list[Tensor]) -> None:
        """Add up tensors over all processes, in place, as one message."""
        if self.world == 1 or not tensors:
            return
        import torch.distributed as dist

        flat = torch.cat([tensor.reshape(-1).float() for tensor in tensors])
        dist.all_reduce(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view_as(tensor))

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.world > 1:
            import torch.distributed as dist

            dist.barrier()


class Rows(NamedTuple):
    """A batch as the loop takes it: this process's rows (B, L), and how many rows all processes have together."""

    tokens: Tensor
    total: int
    labels: Tensor | None = None  # (B,) numbers of their classes, -1 for none, where the corpus has labels


class Report(NamedTuple):
    """What a step tells."""

    step: int  # steps done
    means: dict[str, float]  # nats per row, over all rows of all processes; and lr, gradient norm
    tokens: int  # real tokens of all processes


def pick_device(name: str) -> str:
    """`auto` as cuda, mps or cpu. Raises InputError for a device that is not there."""
    kind = name.partition(":")[0]
    mps = torch.backends.mps.is_available()
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "mps" if mps else "cpu"
    try:
        number = torch.device(name).index or 0
    except RuntimeError:
        kind = ""
    if kind not in ("cpu", "cuda", "mps"):
        raise InputError(f"--device {quoted(name)}: expected auto, cpu, cuda, cuda:N or mps")
    if (kind == "cuda" and number >= torch.cuda.device_count()) or (kind == "mps" and not mps):
        raise InputError(f"--device {name}: this machine's PyTorch sees no such device; use --device auto")
    return name


def own_device(device: str) -> str:
    """The device of this process: of several processes on a machine with GPUs, each takes its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" and "LOCAL_RANK" in os.environ else device


def autocast(precision: str, device: str) -> AbstractContextManager:
    """Matrix products in bf16 where asked for, or where `auto` finds hardware that gains by it."""
    kind = device.partition(":")[0]
    if precision == "auto":
        if kind == "cuda":
            fast = torch.cuda.is_bf16_supported()
        else:
            has = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
            fast = kind == "cpu" and has is not None and has()
        precision = "bf16" if fast else "fp32"
    return torch.autocast(kind, torch.bfloat16) if precision == "bf16" else nullcontext()


class Training:
    """A model, its optimisers and the place in the schedule: all that a step needs and a checkpoint keeps."""

    def __init__(
        self,
        model: Model,
        config: Config,
        *,
        steps: int | Pace,
        seed: int,
        device: str = "cpu",
        among: Processes | None = None,
    ) -> None:
        self.model, self.config, self.seed, self.device = model.to(device), config, seed, device
        self.pace = Steps(steps) if isinstance(steps, int) else steps
        self.among = among or Processes()
        players = model.players()
        self.turns = len(players)  # of a step at most
        self.optimisers = {player.name: self._optimiser(player.module) for player in players}
        self.ema = {name: value.detach().clone() for name, value in model.named_parameters()} if config.ema else {}
        self.step = 0
        self.plateau = 1.0  # what the plateau schedule has left of the learning rate
        self.stalled = 0

    def players(self) -> list[Player]:
        """Whose turns the next step has."""
        return self.model.players(self.pace.progress(self.step))

    def _optimiser(self, module: nn.Module) -> torch.optim.Optimizer:
        fused = not self.device.startswith("mps")
        if self.config.optimiser == "sgd":
            return torch.optim.SGD(module.parameters(), lr=self.config.lr, fused=fused)
        matrices = [p for p in module.parameters() if p.dim() >= 2]
        others = [p for p in module.parameters() if p.dim() < 2]
        groups = [
            {"params": matrices, "weight_decay": self.config.weight_decay},
            {"params": others, "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.config.lr, betas=(0.9, 0.98), fused=fused)

    def lr(self, step: int) -> float:
        """The learning rate of a step, a function of the step (and of the plateau's memory) alone."""
        config = self.config
        rise = self.pace.rise(config.lr_warmup, step)
        warm = min(1.0, (step + 1) / rise) if rise else 1.0
        if config.schedule == "cosine":
            done = min(1.0, self.pace.share(step, rise))
            warm *= config.lr_final + (1 - config.lr_final) * 0.5 * (1 + math.cos(math.pi * done))
        return config.lr * warm * self.plateau

    def evaluated(self, better: bool) -> None:
        """Tell the plateau schedule whether the last evaluation was the best so far."""
        self.stalled = 0 if better else self.stalled + 1
        if self.config.schedule == "plateau" and self.stalled >= self.config.patience:
            self.plateau, self.stalled = self.plateau / 2, 0

    def update(self, batches: list[Rows]) -> Report:
        """One step: each player's turn. The batches are shared out evenly between the turns, in their order.

        Raises Diverged if a loss or a gradient is not finite; that turn, and those after it, change nothing.
        """
        model, config = self.model, self.config
        players = self.players()
        parts = len(batches) // len(players)
        manual_seed(self.seed, self.step)  # what is begun afresh must be the same in all processes
        self._forget(model.prepare(self.pace.progress(self.step)))
        manual_seed(self.seed, self.step, self.among.rank)
        model.train()
        lr = self.lr(self.step)
        told: dict[str, dict[str, Tensor]] = {}
        rows, norms = {}, {}
        for number, player in enumerate(players):
            optimiser = self.optimisers[player.name]
            optimiser.zero_grad(set_to_none=True)
            weights = [weight for weight in player.module.parameters() if weight.requires_grad]
            own = batches[number * parts : (number + 1) * parts]
            total = rows[player.name] = sum(batch.total for batch in own)
            sums = told[player.name] = {}  # of several turns of a player the last is told of
            for part, batch in enumerate(own):
                place = (self.step * parts + part) * self.turns + number
                among = self.among
                draw = Draw(self.seed, place, total=batch.total, rank=among.rank, world=among.world, device=self.device)
                with autocast(config.precision, self.device):
                    terms = player.loss(batch.tokens, draw, batch.labels)
                (terms.loss.sum() / total).backward(inputs=weights)
                prefix = "" if player.module is model else f"{player.name} "
                for name, values in {"loss": terms.loss.detach(), **terms.report}.items():
                    sums[prefix + name] = sums.get(prefix + name, 0) + values.sum()
            self.among.sum([weight.grad for weight in weights if weight.grad is not None])
            norm = norms[player.name] = nn.utils.clip_grad_norm_(weights, config.clip or math.inf)
            if not torch.isfinite(norm):
                raise Diverged(
                    f"step {self.step + 1}: the {self._culprit(sums)} is not a finite number any more; "
                    "the update was not made. Try a smaller lr, clip=1, or precision=fp32"
                )
            for group in optimiser.param_groups:
                group["lr"] = lr
            optimiser.step()
        self.step += 1
        self._agree()
        self._average()
        counts = torch.stack([sum(model.vocab.mask(batch.tokens).sum() for batch in batches)]).float()  # type: ignore[list-item]
        shares = {name: value.float() / rows[player] for player, sums in told.items() for name, value in sums.items()}
        values = torch.stack(list(shares.values()))
        self.among.sum([values, counts])
        means = dict(zip(shares, values.tolist(), strict=True))
        model.observe(means)
        return Report(self.step, {**means, "lr": lr, "gradient": float(norms[players[0].name])}, int(counts))

    def _culprit(self, sums: dict[str, Tensor]) -> str:
        bad = [name for name, value in sums.items() if not torch.isfinite(value)]
        return " and the ".join(sorted(bad, key=lambda name: name == "loss")[:1]) or "gradient"

    def _forget(self, parameters: Any) -> None:
        for parameter in parameters:
            for optimiser in self.optimisers.values():
                optimiser.state.pop(parameter, None)
        if parameters and self.ema:
            self.ema = {name: value.detach().clone() for name, value in self.model.named_parameters()}

    def _agree(self) -> None:
        """Let all processes have the same statistics of batches: the parameters that have no gradient."""
        kept = [weight.data for weight in self.model.parameters() if not weight.requires_grad]
        self.among.sum(kept)
        for weight in kept:
            weight /= self.among.world

    def _average(self) -> None:
        if not self.ema:
            return
        share = min(self.config.ema, (self.step + 1) / (self.step + 10))  # short runs average over less
        with torch.no_grad():
            torch._foreach_lerp_(list(self.ema.values()), list(self.model.parameters()), 1 - share)

    def averaged(self) -> AbstractContextManager:
        """A block in which the model has the averaged weights and is in evaluation mode."""
        return _Swapped(self.model, self.ema)

    def state(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        """What a resumed run needs beside the model as `averaged` shows it: tensors by name, and JSON-able values."""
        named = dict(self.model.named_parameters())
        tensors = {f"weights/{name}": weight.detach() for name, weight in named.items()} if self.ema else {}
        names = {id(weight): name for name, weight in named.items()}
        for player, optimiser in self.optimisers.items():
            for weight, slots in optimiser.state.items():
                tensors.update({f"optimiser/{player}/{names[id(weight)]}/{key}": slots[key] for key in slots})
        return tensors, {"step": self.step, "plateau": self.plateau.hex(), "stalled": self.stalled}

    def restore(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take up where `state` was called; the model holds the weights that `averaged` showed then."""
        weights = dict(self.model.named_parameters())
        self.ema = {name: weights[name].detach().clone() for name in self.ema}
        for key, tensor in tensors.items():
            kind, _, rest = key.partition("/")
            if kind == "weights":
                weights[rest].data.copy_(tensor)
            else:
                player, _, rest = rest.partition("/")
                name, _, slot = rest.rpartition("/")
                place = "cpu" if slot == "step" and not self.device.startswith("cuda") else self.device
                self.optimisers[player].state[weights[name]][slot] = tensor.to(place)
        self.step, self.stalled = int(values["step"]), int(values["stalled"])
        self.plateau = float.fromhex(values["plateau"])


class _Swapped:
    """Exchange a model's weights with the averaged ones, and back."""

    def __init__(self, model: Model, ema: dict[str, Tensor]) -> None:
        self.model, self.ema = model, ema

    def _swap(self) -> None:
        with torch.no_grad():
            for name, weight in self.model.named_parameters():
                if name in self.ema:
                    kept = weight.detach().clone()
                    weight.copy_(self.ema[name])
                    self.ema[name].copy_(kept)

    def __enter__(self) -> Model:
        self._swap()
        return self.model.eval()

    def __exit__(self, *_: object) -> None:
        self._swap()
        self.model.train()


def train(training: Training, batch: Callable[[int], Rows]) -> Iterator[Report]:
    """Yield a report after every step until the last; `batch(n)` gives the n-th batch, by number alone.

    Of a step with several turns the first reads on where the first of the step before it stopped; each other turn
    reads a stride further: as far on as the whole run is long.
    """
    parts = training.config.accumulate
    while training.step < training.pace.end:
        firsts = [(turn * training.pace.stride + training.step) * parts for turn in range(len(training.players()))]
        yield training.update([batch(first + part) for first in firsts for part in range(parts)])

"""The one training loop, for every model: players, schedule, precision, EMA, several processes."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from corpora.errors import InputError, quoted
from corpora.settings import Settings, setting
from textgen.core.model import Model
from textgen.core.pace import Pace, Steps
from textgen.core.player import Batch, Optimiser, Player
from textgen.core.randomness import Draw, manual_seed


@dataclass(frozen=True)
class Config(Settings):
    """Settings of the optimiser and its schedule; the flags --steps, --batch and --seed stand beside them."""

    optimiser: str = setting(
        "adamw",
        "adamw, or sgd, as published tables of sentence VAEs have it (with lr=1 clip=5)",
        choices=("adamw", "sgd"),
    )
    lr: float = setting(1e-3, "learning rate", above=0)
    schedule: str = setting(
        "cosine",
        "cosine, plateau (halve when the score on the valid split stalls) or constant",
        choices=("cosine", "plateau", "constant"),
    )
    lr_warmup: int = setting(
        200, "steps over which the learning rate rises (at most a fifth of the run)", 0, unit="steps"
    )
    lr_final: float = setting(0.05, "cosine: the last learning rate, as a share of lr", 0, 1)
    patience: int = setting(3, "plateau: evaluations without a better score before halving", 1, unit="evaluations")
    weight_decay: float = setting(0.01, "AdamW's weight decay, on matrices", 0)
    clip: float = setting(1.0, "largest gradient norm; 0: no clipping", 0)
    accumulate: int = setting(1, "batches whose gradients are added up for one step", 1, unit="batches")
    ema: float = setting(
        0.999, "weights averaged over about 1 / (1 - ema) steps are evaluated and kept; 0: off", 0, below=1
    )
    precision: str = setting(
        "auto", "bf16, fp32, or auto: bf16 where the processor multiplies in it", choices=("auto", "bf16", "fp32")
    )


class Diverged(InputError):
    """The loss or a gradient is no longer a finite number; the update was not made."""


class Processes(NamedTuple):
    """This process and how many train together; torchrun says so through the environment."""

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


class StepReport(NamedTuple):
    """The outcome of a step."""

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


@cache
def _bf16_on_cpu() -> bool:
    """Whether the processor multiplies in bf16, and its library, which an environment may hold back, has an LSTM so."""
    has = getattr(torch.cpu, "_is_avx512_bf16_supported", None)
    if has is None or not has():
        return False
    with torch.random.fork_rng(devices=[]), torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        try:
            nn.LSTM(8, 8)(torch.zeros(1, 1, 8))
        except RuntimeError:
            return False
    return True


def autocast(precision: str, device: str) -> AbstractContextManager:
    """Matrix products in bf16 where asked for, or where `auto` finds hardware that gains by it."""
    kind = device.partition(":")[0]
    if precision == "auto":
        if kind == "cuda":
            fast = torch.cuda.is_bf16_supported()
        else:
            fast = kind == "cpu" and _bf16_on_cpu()
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
        world: Processes | None = None,
    ) -> None:
        self.model, self.config, self.seed, self.device = model.to(device), config, seed, device
        self.pace = Steps(steps) if isinstance(steps, int) else steps
        self.world = world or Processes()
        self.players = dict(model.players())
        self.most = len(model.turns(0.0))  # turns of a step
        self.optimisers = {name: self._optimiser(player) for name, player in self.players.items()}
        self.others = {name: self._others(player) for name, player in self.players.items()}
        self.ema = {name: value.detach().clone() for name, value in model.named_parameters()} if config.ema else {}
        self.step = 0
        self.plateau = 1.0  # what the plateau schedule has left of the learning rate
        self.stalled = 0

    def turns(self) -> list[Player]:
        """The players of the next step in the order of their turns."""
        turns = [self.players[name] for name in self.model.turns(self.pace.progress(self.step))]
        if not 0 < len(turns) <= self.most:
            raise ValueError(f"step {self.step + 1} has {len(turns)} turns and the first step {self.most}")
        return turns

    def _optimiser(self, player: Player) -> torch.optim.Optimizer:
        own, weights = player.optimiser or Optimiser(), player.parameters()
        fused = not self.device.startswith("mps")
        if self.config.optimiser == "sgd":
            return torch.optim.SGD(weights, lr=self.config.lr, fused=fused)
        decay = self.config.weight_decay if own.weight_decay is None else own.weight_decay
        groups = [
            {"params": [weight for weight in weights if weight.dim() >= 2], "weight_decay": decay},
            {"params": [weight for weight in weights if weight.dim() < 2], "weight_decay": 0.0},
        ]
        return torch.optim.AdamW(groups, lr=self.config.lr, betas=own.betas or (0.9, 0.98), fused=fused)

    def _others(self, player: Player) -> list[Tensor]:
        """Buffers and running statistics of modules that are not the player's: a forward pass may change them."""
        own = {id(tensor) for module in player.modules for tensor in [*module.parameters(), *module.buffers()]}
        statistics = [weight for weight in self.model.parameters() if not weight.requires_grad]
        return [tensor for tensor in [*statistics, *self.model.buffers()] if id(tensor) not in own]

    def lr(self, step: int) -> float:
        """The learning rate of a step, a function of the step (and of the plateau's memory) alone."""
        config = self.config
        rise = self.pace.rise(config.lr_warmup, step)
        warm = min(1.0, (step + 1) / rise) if rise else 1.0
        if config.schedule == "cosine":
            done = min(1.0, self.pace.share(step, rise))
            warm *= config.lr_final + (1 - config.lr_final) * 0.5 * (1 + math.cos(math.pi * done))
        return config.lr * warm * self.plateau

    def _lr_of(self, player: Player) -> float:
        """The learning rate of a player's turn in the step at hand."""
        own = player.optimiser or Optimiser()
        lr = self.lr(self.step)
        return lr * own.lr_scale if own.lr is None else lr / self.config.lr * own.lr

    def evaluated(self, better: bool) -> None:
        """Tell the plateau schedule whether the last evaluation was the best so far."""
        self.stalled = 0 if better else self.stalled + 1
        if self.config.schedule == "plateau" and self.stalled >= self.config.patience:
            self.plateau, self.stalled = self.plateau / 2, 0

    def batches(self, batch: Callable[[int], Batch]) -> list[Batch]:
        """The batches of the step at hand, in the order of its turns; `batch(n)` gives the n-th, by number alone.

        The first turn reads on where the first of the step before it stopped; each other turn reads a stride further:
        as far on as the whole run is long.
        """
        parts, stride = self.config.accumulate, self.pace.stride
        firsts = [(turn * stride + self.step) * parts for turn in range(len(self.turns()))]
        return [batch(first + part) for first in firsts for part in range(parts)]

    def update(self, batches: list[Batch]) -> StepReport:
        """One step: each player's turn. The batches are shared out evenly between the turns, in their order.

        Raises Diverged if a loss or a gradient is not finite; that turn, and those after it, change nothing.
        """
        model, turns, lr = self.model, self.turns(), self.lr(self.step)
        parts = len(batches) // len(turns)
        manual_seed(self.seed, self.step)  # what is re-initialised must be the same in all processes
        self._forget(list(model.prepare(self.pace.progress(self.step))))
        manual_seed(self.seed, self.step, self.world.rank)
        model.train()
        means: dict[str, Tensor] = {}  # over rows, shares of this process; of several turns of a player the last
        norms: dict[str, Tensor] = {}
        for number, player in enumerate(turns):
            self.optimisers[player.name].zero_grad(set_to_none=True)
            before = [tensor.clone() for tensor in self.others[player.name]]
            own = batches[number * parts : (number + 1) * parts]
            total = sum(batch.rows for batch in own)
            sums: dict[str, Tensor] = {}
            for part, batch in enumerate(own):
                draw = self._draw((self.step * parts + part) * self.most + number, batch.rows)
                with autocast(self.config.precision, self.device):
                    terms = player.loss(batch, draw)
                (terms.loss.sum() / total).backward(inputs=_trainable(player))
                for name, values in {"loss": terms.loss.detach(), **terms.report}.items():
                    name = self._prefix(player) + name
                    sums[name] = sums.get(name, 0) + values.sum()
            with torch.no_grad():
                for tensor, old in zip(self.others[player.name], before, strict=True):
                    tensor.copy_(old)
            norms[f"{self._prefix(player)}gradient"] = self._descend(player, sums)
            means.update({name: values.float() / total for name, values in sums.items()})
        self.step += 1
        self._agree()
        self._average()
        counts = torch.stack([sum(model.vocab.mask(batch.values).sum() for batch in batches)]).float()  # type: ignore[list-item]
        values = torch.stack(list(means.values()))
        self.world.sum([values, counts])
        report = dict(zip(means, values.tolist(), strict=True))
        model.observe(report)
        gradients = {name: float(norm) for name, norm in norms.items() if name == "gradient" or "gradient" not in norms}
        return StepReport(self.step, {**report, "lr": lr, **gradients}, int(counts))

    def _prefix(self, player: Player) -> str:
        """The prefix of a player's numbers: its own name, unless it is the whole model."""
        return "" if self.model in player.modules else f"{player.name} "

    def _draw(self, place: int, rows: int) -> Draw:
        """The noise of a batch of `rows` rows of all processes."""
        world = self.world
        return Draw(self.seed, place, total=rows, rank=world.rank, world=world.world, device=self.device)

    def _descend(self, player: Player, sums: dict[str, Tensor]) -> Tensor:
        """Change a player's weights by their gradients. Returns the norm, before it was clipped."""
        weights, own = _trainable(player), player.optimiser or Optimiser()
        self.world.sum([weight.grad for weight in weights if weight.grad is not None])
        norm = nn.utils.clip_grad_norm_(weights, (self.config.clip if own.clip is None else own.clip) or math.inf)
        if not torch.isfinite(norm):
            raise Diverged(
                f"step {self.step + 1}: the {self._culprit(sums)} is not a finite number any more; "
                "the update was not made. Try a smaller lr, clip=1, or precision=fp32"
            )
        for group in self.optimisers[player.name].param_groups:
            group["lr"] = self._lr_of(player)
        self.optimisers[player.name].step()
        return norm

    def _culprit(self, sums: dict[str, Tensor]) -> str:
        bad = [name for name, value in sums.items() if not torch.isfinite(value)]
        return " and the ".join(sorted(bad, key=lambda name: name == "loss")[:1]) or "gradient"

    def _forget(self, parameters: list[nn.Parameter]) -> None:
        """Drop the optimisers' memory of weights that were re-initialised, and begin the averages anew."""
        for parameter in parameters:
            for optimiser in self.optimisers.values():
                optimiser.state.pop(parameter, None)
        if parameters and self.ema:
            self.ema = {name: value.detach().clone() for name, value in self.model.named_parameters()}

    def _agree(self) -> None:
        """Let all processes have the same statistics of batches."""
        kept = [weight.data for weight in self.model.parameters() if not weight.requires_grad]
        for module in self.model.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                kept += [value for value in (module.running_mean, module.running_var) if value is not None]
        self.world.sum(kept)
        for statistic in kept:
            statistic /= self.world.world

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
        """The training state beside the model as `averaged` shows it: tensors by name, and JSON-able values."""
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


def _trainable(player: Player) -> list[nn.Parameter]:
    """The weights of a player that have gradients."""
    return [weight for weight in player.parameters() if weight.requires_grad]


def steps(training: Training, batch: Callable[[int], Batch]) -> Iterator[StepReport]:
    """Yield a report after every step until the last; `batch(n)` gives the n-th batch, by number alone."""
    while training.step < training.pace.end:
        yield training.update(training.batches(batch))

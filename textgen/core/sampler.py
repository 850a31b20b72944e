"""Drawing rows from any backbone: tokens in, tokens out. Nothing here knows of text or of pixels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from corpora.errors import InputError
from corpora.settings import Settings, override, setting
from textgen.core.backbone import Backbone, Vocabulary, without
from textgen.core.precision import precise
from textgen.core.randomness import uniforms


@dataclass(frozen=True)
class Choice(Settings):
    """Choice of the next token from its distribution."""

    temperature: float = setting(1.0, "0 takes the most probable token each time", 0, 100)
    top_k: int = setting(0, "only the k most probable tokens; 0: all", 0)
    top_p: float = setting(
        1.0, "only the most probable tokens that together hold this probability (Holtzman 2020)", above=0, high=1
    )
    min_p: float = setting(
        0.0, "only tokens with at least this share of the greatest probability (Nguyen 2024)", 0, below=1
    )
    no_repeat: int = setting(0, "never write an n-gram of this many tokens twice in one row; 0: allow", 0)
    unk: bool = setting(False, "write the unknown word too, where the codec has one: exactly the model's rows")


def choice(
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    min_p: float | None = None,
    no_repeat: int | None = None,
    unk: bool | None = None,
) -> Choice | None:
    """A way to choose tokens; None where nothing is said, so that each model does what it usually does."""
    values = {"temperature": temperature, "top_k": top_k, "top_p": top_p, "min_p": min_p, "no_repeat": no_repeat}
    values |= {"unk": unk or None}
    values = {name: value for name, value in values.items() if value is not None}
    chosen: Choice | None = override([Choice()], values)[0] if values else None
    return chosen


class Constraint(Protocol):
    """A rule that every row obeys: it says which tokens may come next."""

    def allowed(self, tokens: Tensor, left: int) -> Tensor:
        """True for each token that may follow the rows so far, (B, P): (B, V), or (V,) for all rows alike.

        `left` is how many tokens there is still room for, this one and the stop included, so that a rule about the end
        of a row can be kept. What is said of a row that has stopped is not looked at.
        """


@dataclass(frozen=True)
class Each:
    """A `Constraint` made of one for each of as many groups of rows, all of the same size, in order."""

    constraints: Sequence[Constraint]

    def allowed(self, tokens: Tensor, left: int) -> Tensor:
        """As in `Constraint`."""
        groups = tokens.chunk(len(self.constraints))
        size = len(groups[0])
        masks = [rule.allowed(rows, left) for rule, rows in zip(self.constraints, groups, strict=True)]
        return torch.cat([mask.expand(size, -1) for mask in masks])


def draw_tokens(logits: Tensor, numbers: Tensor, how: Choice) -> Tensor:
    """One token per row: (B, V) logits and uniform numbers (B,) -> (B,).

    The number is looked up in the cumulative distribution, so a row's token depends on that row's number alone; and
    it is much faster than `torch.multinomial` where V is large.
    """
    if how.temperature < 1e-6:  # which float32 logits cannot be divided by
        return logits.argmax(-1)
    if how.temperature != 1:
        logits = logits / how.temperature
    if 0 < how.top_k < logits.shape[-1]:
        logits = _greatest(logits, how.top_k)
    probabilities = logits.softmax(-1)
    if how.min_p > 0:
        few = probabilities < how.min_p * probabilities.amax(-1, keepdim=True)
        probabilities = probabilities.masked_fill(few, 0)
    if how.top_p < 1:
        ordered, places = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(-1) - ordered  # a token stays while those above it hold less than top_p
        ordered = ordered.masked_fill(before >= how.top_p * ordered.sum(-1, keepdim=True), 0)
        probabilities = torch.zeros_like(probabilities).scatter(-1, places, ordered)
    heights = probabilities.cumsum(-1)
    top = heights[:, -1:]
    target = numbers.to(heights)[:, None] * top
    target = target.minimum(top.nextafter(torch.zeros_like(top)))  # rounding may have led to the very top
    # a token of probability 0 has an empty step, which right=True never returns
    return torch.searchsorted(heights, target, right=True).squeeze(1)


def _greatest(logits: Tensor, count: int) -> Tensor:
    """Logits (B, V) of the `count` most probable tokens, of equal ones the first in the vocabulary; else -inf."""
    least = logits.topk(count, -1).values[:, -1:]
    above, equal = logits > least, logits == least
    kept = above | (equal & (equal.cumsum(-1) <= count - above.sum(-1, keepdim=True)))
    return logits.masked_fill(~kept, -torch.inf)


def repeated(tokens: Tensor, size: int) -> Tensor:
    """Next tokens that would repeat an n-gram of `size`: (B, T) so far -> (B, T - size + 1), -1 where none would."""
    windows = tokens.unfold(1, size, 1)  # (B, T - size + 1, size): every n-gram so far
    recent = tokens[:, tokens.shape[1] - size + 1 :]  # (B, size - 1): what the next token would complete
    same = (windows[:, :, :-1] == recent[:, None]).all(-1)
    return torch.where(same, windows[:, :, -1], -1)


def forbid_repeats(logits: Tensor, tokens: Tensor, size: int) -> Tensor:
    """`logits` (B, V) with the tokens that would repeat an n-gram of `size` made impossible."""
    if size <= 0 or tokens.shape[1] < size:
        return logits
    banned = repeated(tokens, size)
    wall = torch.zeros(logits.shape[0], logits.shape[1] + 1, dtype=torch.bool, device=logits.device)
    wall.scatter_(1, torch.where(banned < 0, logits.shape[1], banned), True)  # the extra column takes the "none"s
    return logits.masked_fill(wall[:, :-1], -torch.inf)


def impossible(logits: Tensor, vocab: Vocabulary, unk: bool = False) -> Tensor:
    """Logits in which padding and blank have no probability, and the others share theirs. (B, V) -> (B, V), in place.

    With `unk` the likelihood's own: blank may be written where it is an unknown word. Without, rows are drawn from the
    model given that every next token is a known one.
    """
    blank = () if unk or vocab.blank is None else (vocab.blank,)
    return without(logits, {*vocab.impossible, *blank})


def _draw_once_begun(logits: Tensor, numbers: Tensor, how: Choice, begun: Tensor | None) -> Tensor:
    """`draw_tokens`, by `how` in rows that have begun (B,), or all (None), and as the model has them in the others."""
    tokens = draw_tokens(logits, numbers, how)
    return (
        tokens
        if begun is None or bool(begun.all())
        else torch.where(begun, tokens, draw_tokens(logits, numbers, Choice()))
    )


def stream(
    backbone: Backbone,
    vocab: Vocabulary,
    *,
    rows: int,
    length: int,
    context: Tensor | None = None,
    prompt: Tensor | None = None,
    how: Choice | None = None,
    seed: int = 0,
    first: int = 0,
    constraint: Constraint | None = None,
    late: bool = False,
) -> Iterator[Tensor]:
    """Yield the tokens of `rows` rows position by position, (B,) each, `length` of them at most.

    `prompt` (B, P) is written first as it stands. A row that has stopped goes on with padding; when all have, the
    stream ends. Row i draws from the stream of random numbers (seed, first + i), whatever else is in the batch.

    With `late`, the temperature, top_k, top_p and min_p of `how` hold in a row from the place on at which two different
    tokens stand in it; before, tokens are drawn as the model has them. Where rows begin with a long run of one token,
    as pictures with a margin do, a choice of probable tokens alone would never leave that run.

    Of what `constraint` allows, each token is drawn by its probability among the others allowed at that place, which is
    not the distribution of whole rows that obey. Raises InputError if the prompt does not obey, or no token is left.
    """
    how = how or Choice()
    device = next(backbone.parameters()).device
    numbers = uniforms(seed, first, rows, length).float().to(device)
    stepper = backbone.start(rows, length, context)
    stopped = torch.zeros(rows, dtype=torch.bool, device=device)
    begun = torch.zeros(rows, dtype=torch.bool, device=device) if late else None
    written: list[Tensor] = []
    for position in range(length):
        logits = stepper.logits
        if constraint is not None:
            so_far = torch.stack(written, 1) if written else torch.zeros(rows, 0, dtype=torch.long, device=device)
            logits = logits.masked_fill(~constraint.allowed(so_far, length - position), -torch.inf)
        if prompt is not None and position < prompt.shape[1]:
            tokens = prompt[:, position].to(device)
            if constraint is not None and bool(logits.gather(1, tokens[:, None]).isneginf().any()):
                raise InputError(f"token {position + 1} of the prompt is not what the constraint allows there")
        else:
            logits = impossible(logits, vocab, how.unk)
            if how.no_repeat and written:
                logits = forbid_repeats(logits, torch.stack(written, 1), how.no_repeat)
            if constraint is not None and bool((logits.isneginf().all(1) & ~stopped).any()):
                raise InputError(f"the constraint allows no token at place {position + 1} of a row")
            tokens = _draw_once_begun(logits, numbers[:, position], how, begun)
        if begun is not None and written:
            begun |= tokens != written[0]
        if vocab.stop is not None and vocab.pad is not None:
            tokens = tokens.masked_fill(stopped, vocab.pad)
            stopped = stopped | (tokens == vocab.stop)
        written.append(tokens)
        yield tokens
        if position + 1 == length or (vocab.stop is not None and bool(stopped.all())):
            return
        stepper.step(tokens)


def sample(backbone: Backbone, vocab: Vocabulary, **options: object) -> Tensor:
    """All the tokens of `stream` at once, (B, L); same options."""
    with torch.inference_mode():
        return torch.stack(list(stream(backbone, vocab, **options)), 1)  # type: ignore[arg-type]


class Beams(NamedTuple):
    """The result of beam search."""

    tokens: Tensor  # (B, K, L), best first, padded after the stop
    scores: Tensor  # (B, K), log p(tokens | context) in nats, with the stop where there is one


@torch.inference_mode()
def beam(
    backbone: Backbone,
    vocab: Vocabulary,
    *,
    rows: int,
    length: int,
    beams: int = 5,
    context: Tensor | None = None,
    no_repeat: int = 0,
    constraint: Constraint | None = None,
) -> Beams:
    """The `beams` most probable rows found by beam search, for all rows of `context` (B, C) at once.

    A beam that reached the stop stays among the best with its score; the search ends when all beams have, or at
    `length` tokens. Beams cut off there have no stop, and scores without it. Needs a vocabulary with a stop and a pad.

    A beam that `constraint` allows no token dies, with a score of -inf; the others score as they would without one.
    Raises InputError when a row has no beam left.
    """
    if vocab.stop is None or vocab.pad is None:
        raise ValueError("beam search needs a stop and a pad token")
    repeat = None if context is None else context.repeat_interleave(beams, 0)
    stepper = backbone.start(rows * beams, length, repeat)
    device, size = stepper.logits.device, stepper.logits.shape[-1]
    scores = torch.full((rows, beams), -torch.inf, device=device)
    scores[:, 0] = 0  # all beams of a row are the same at first: count one of them
    tokens = torch.zeros(rows, beams, 0, dtype=torch.long, device=device)
    stopped = torch.zeros(rows, beams, dtype=torch.bool, device=device)
    offset = (torch.arange(rows, device=device) * beams)[:, None]
    only_pad = torch.full((size,), -torch.inf, device=device)
    only_pad[vocab.pad] = 0
    for position in range(length):
        logits = impossible(stepper.logits, vocab)
        if no_repeat:
            logits = forbid_repeats(logits, tokens.flatten(0, 1), no_repeat)
        steps = precise(logits).log_softmax(-1)
        if constraint is not None:  # after the softmax: what is rare stays rare where it is all that is allowed
            steps = steps.masked_fill(~constraint.allowed(tokens.flatten(0, 1), length - position), -torch.inf)
        steps = steps.view(rows, beams, size)
        steps = torch.where(stopped[..., None], only_pad, steps)
        scores, places = (scores[..., None] + steps).view(rows, -1).topk(beams, -1)
        parent, token = places // size, places % size
        tokens = torch.cat([tokens.gather(1, parent[..., None].expand(-1, -1, position)), token[..., None]], 2)
        stopped = stopped.gather(1, parent) | (token == vocab.stop)
        dead = scores.isneginf()
        if constraint is not None and bool(dead.all(1).any()):
            raise InputError(
                f"the constraint leaves no beam at place {position + 1} of a row: raise beams, or ask less"
            )
        if bool((stopped | dead).all()) or position + 1 == length:
            break
        stepper.select((parent + offset).view(-1))
        stepper.step(token.view(-1))
    return Beams(tokens, scores)

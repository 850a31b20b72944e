"""What a person does with sentences and codes: encode, decode, walk between two, reconstruct, sample.

from textgen import SentenceVAE
vae = SentenceVAE.from_pretrained()
for point in vae.interpolate("i went to the store to buy some groceries", "don't worry about it, she said", steps=8):
    print(point.text)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from corpora.codec import of_text
from corpora.errors import InputError, quoted
from corpora.settings import require
from textgen.core import sampler
from textgen.core.model import Latent, with_likelihood
from textgen.core.prior import draw_codes
from textgen.runs import library
from textgen.runs.library import Label
from textgen.sentences.lexicon import Spelling

REFINE = 200  # the most steps towards a code that gives its sentence back (docs/results.md)
PULL, PACE = 0.01, 0.2  # weight of the posterior in them; their size, in its standard deviations
MOST_POINTS = 64  # of a path whose number of points is found by bisection


@dataclass(frozen=True)
class Point:
    """One decoded sentence of a path."""

    position: float  # 0 at the first sentence, 1 at the second
    text: str
    distortion: float  # -log p(text | z), nats: how sure the decoder was
    drift: float  # distance from z to where the sentence encodes back, in standard deviations of its posterior
    repeats: bool = False  # the same sentence as the point before
    tokens: int = 0  # that the decoder wrote, the end counted


@dataclass(frozen=True)
class Walk:
    """A walk from one sentence to another: the two as given, and the points decoded between them, ends included."""

    start: str
    end: str
    kind: str
    points: list[Point] = field(default_factory=list)

    def __iter__(self) -> Iterator[Point]:
        return iter(self.points)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, number: int) -> Point:
        return self.points[number]

    @property
    def distinct(self) -> int:
        """How many different sentences the path has."""
        return len({point.text for point in self.points})

    def to_dict(self) -> dict[str, Any]:
        return {
            "start": self.start,
            "end": self.end,
            "path": self.kind,
            "distinct": self.distinct,
            "points": [asdict(p) for p in self],
        }

    def __str__(self) -> str:
        shown = [(p.position, "(the same sentence again)" if p.repeats else p.text) for p in self.points]
        lines = [f"{position:5.2f}  {text}" for position, text in shown]
        return "\n".join([f"given  {self.start}", *lines, f"given  {self.end}"])


@dataclass(frozen=True)
class Grid:
    """A sentence with one or two of its codes turned: a row for each value of the first, a column for the second's."""

    sentence: str
    codes: list[int]  # which ones
    rates: list[float]  # what each tells about this sentence, nats
    given: list[float]  # where the sentence itself stands on each
    values: list[float]
    texts: list[list[str]]

    def __str__(self) -> str:
        facts = zip(self.codes, self.rates, self.given, strict=True)
        lines = [f"given  {self.sentence}"]
        lines += [f"code {code}: rate {rate:.2f} nats, stands at {place:+.2f}" for code, rate, place in facts]
        for value, row in zip(self.values, self.texts, strict=True):
            lines.append(f"code {self.codes[0]} at {value:+.2f}")
            marks = [f"{other:+.2f}  " for other in self.values] if len(self.codes) == 2 else [""]
            lines += [f"    {mark}{text}" for mark, text in zip(marks, row, strict=True)]
        return "\n".join(lines)


def line(first: Tensor, last: Tensor, position: float) -> Tensor:
    """The point at `position` in [0, 1] of the straight line between two codes (Z,)."""
    return torch.lerp(first, last, position)


def arc(first: Tensor, last: Tensor, position: float) -> Tensor:
    """The same on an arc that keeps the norm between those of the ends (Shoemake 1985); a line if they nearly align.

    Half way along a line two independent codes of many dimensions come closer to the origin than a code ever is.
    """
    norms = first.norm(), last.norm()
    if position in (0, 1) or float(norms[0]) == 0 or float(norms[1]) == 0:
        return line(first, last, position)
    one, other = first / norms[0], last / norms[1]
    angle = torch.arccos((one @ other).clamp(-1, 1))
    if float(angle.sin()) < 0.05:
        return line(first, last, position)
    direction = ((1 - position) * angle).sin() * one + (position * angle).sin() * other
    return direction / angle.sin() * (norms[0] + position * (norms[1] - norms[0]))


PATHS = {"line": line, "arc": arc}
PACES = ("text", "code")  # points where the text changes evenly, or evenly along the code
TRIED, MOST_TRIED = 3, 256  # points decoded for each step of a walk at the pace of the text, and for all at most
ROUNDS, FINEST = 3, 2e-3  # they come in so many rounds, each where the text changes most; the finest gap looked into


class SentenceVAE:
    """A trained sentence VAE (or plain autoencoder) with its codec. Codes are tensors (N, Z).

    Where its codec has a lexicon (`lexicon.py`), walks, grids, arithmetic and sentences that beams write hold only its
    words and those of the sentences given, unless there is another constraint, or `new_words` is True. What is
    reconstructed, or decoded from codes at hand, is what the model says.
    """

    def __init__(self, opened: library.Opened, *, new_words: bool = False) -> None:
        if not isinstance(opened.model, Latent):
            raise InputError(
                f"{opened.name}: a {opened.recipe.model} has no codes; "
                "interpolate, reconstruct, encode and decode need a vae or an autoencoder"
            )
        self.opened, self.model, self.codec, self.length = opened, opened.model, of_text(opened.codec), opened.length
        self.device = next(self.model.parameters()).device
        self.latent: int = opened.model.latent or 0
        self.new_words = new_words

    @classmethod
    def from_pretrained(
        cls, name: str | Path = library.DEFAULT_MODEL, device: str = "cpu", prior: str | None = None
    ) -> SentenceVAE:
        """A model by the name of a shipped one, a run, a model folder or a Hugging Face id.

        `prior="normal"` puts N(0, I) in the place of a prior that was fitted.

        Raises InputError if there is none, or it is damaged, or it is no model with codes.
        """
        return cls(library.open_model(name, device, prior))

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> Path:
        """Write a model folder that `from_pretrained` opens; `half` stores float16. Raises InputError if it exists."""
        return library.export(self.opened, Path(folder), half=half)

    def push_to_hub(self, repo_id: str, *, private: bool = False) -> str:
        """Upload to the Hugging Face hub as `owner/name` (log in first with `hf auth login`). Returns its address."""
        import tempfile

        import huggingface_hub
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

        with tempfile.TemporaryDirectory() as scratch:
            folder = library.export(self.opened, Path(scratch) / "model", half=False, name=repo_id)
            api = huggingface_hub.HfApi()
            try:
                api.create_repo(repo_id, private=private, exist_ok=True)
                return str(api.upload_folder(repo_id=repo_id, folder_path=str(folder)))
            except (HfHubHTTPError, HFValidationError, LocalTokenNotFoundError, OSError) as error:
                reason = quoted(" ".join(str(error).split()), 160)
                raise InputError(
                    f"the hub did not take {quoted(repo_id)}: {reason}; is `hf auth login` done?"
                ) from error

    # ------------------------------------------------------------------------------------------------- codes

    def tokens(self, sentences: Sequence[str]) -> Tensor:
        """Sentences as padded tokens with their stops, (N, L). Raises InputError for one that is empty or too long."""
        rows = self.codec.encode_many(sentences)
        for sentence, row in zip(sentences, rows, strict=True):
            if not row:
                raise InputError(f"the sentence {quoted(sentence)} is empty: give at least one word")
            if len(row) + 1 > self.length:
                raise InputError(
                    f"the sentence {quoted(sentence)} has {len(row)} tokens; "
                    f"this model takes at most {self.length - 1}: shorten it"
                )
        longest = max((len(row) for row in rows), default=0) + 1
        padded = [[*row, self.codec.stop] + [self.codec.pad] * (longest - 1 - len(row)) for row in rows]
        return torch.tensor(padded, dtype=torch.long, device=self.device).view(len(rows), longest)

    def encode(
        self, sentences: Sequence[str], *, seed: int | None = None, refine: int = 0, at_once: int = 64
    ) -> Tensor:
        """Codes of sentences, (N, Z): the posterior means, or with `seed` draws c = m + exp(sigma) e.

        `refine`: at most so many gradient steps from there for each sentence that its code does not give back
        greedily, word for word (semi-amortised inference, Kim et al. 2018): down -log p(x | z), with half the squared
        distance from the posterior mean, in its standard deviations, at a weight of `PULL`, so that codes stay where
        the posterior has its mass. A plain autoencoder, which has no deviations, is not refined.
        Raises InputError for a sentence that is empty or longer than the model takes.
        """
        from textgen.core.randomness import normals

        require(0 <= refine <= 1000, "refine", refine, "0 to 1000 steps")
        if refine:  # logits of all places at once, with their gradients: half a GB at most
            at_once = max(1, min(at_once, (1 << 26) // (self.length * self.model.vocab.size)))
        found = []
        with torch.inference_mode(False), torch.no_grad():  # a code may be where a gradient begins
            for start in range(0, len(sentences), at_once):
                tokens = self.tokens(sentences[start : start + at_once])
                posterior = self.model.posterior(tokens)
                codes = posterior.mean
                if seed is not None:
                    codes = codes + posterior.stddev * normals(seed, start, len(codes), self.latent).to(codes)
                if refine and self.model.noise:
                    codes = self._refined(tokens, codes, posterior.mean, posterior.stddev, refine)
                found.append(codes)
            return torch.cat(found) if found else torch.zeros(0, self.latent)

    def _refined(self, tokens: Tensor, codes: Tensor, means: Tensor, deviations: Tensor, steps: int) -> Tensor:
        """Codes (B, Z) moved until each gives its row of tokens (B, L) back greedily, or `steps` are done."""
        vocab = self.model.vocab
        mask = vocab.mask(tokens)
        away = (codes - means) / deviations
        optimiser = torch.optim.Adam([away], lr=PACE, betas=(0.9, 0.95))
        wrong = torch.arange(len(tokens), device=tokens.device)
        if vocab.blank is not None:  # a row with an unknown token never comes back
            wrong = wrong[(tokens != vocab.blank).all(1)]
        for _ in range(steps if len(wrong) else 0):
            here = away[wrong].requires_grad_()
            with torch.enable_grad(), torch.backends.cudnn.flags(enabled=False):  # cuDNN's LSTM has no gradient now
                context = self.model.given(len(wrong), codes=means[wrong] + deviations[wrong] * here)
                logits = self.model.backbone(tokens[wrong], context)
                written = sampler.impossible(logits.detach().clone().flatten(0, 1), vocab).argmax(-1)
                left = ((written.view(len(wrong), -1) != tokens[wrong]) & mask[wrong]).any(1)
                if not left.any():
                    break
                losses = F.cross_entropy(logits.transpose(1, 2), tokens[wrong], reduction="none")
                goal = losses.where(mask[wrong], 0.0).sum(1) + PULL * here.pow(2).sum(1) / 2
                slope = torch.autograd.grad(goal[left].sum(), here)[0]
            before, wrong = away.clone(), wrong[left]
            away.grad = torch.zeros_like(away).index_copy(0, wrong, slope[left])
            optimiser.step()
            others = torch.ones(len(away), dtype=torch.bool, device=away.device).index_fill(0, wrong, False)
            away[others] = before[others]  # Adam's momentum must not carry on what is right already
        return means + deviations * away

    def decode(
        self,
        codes: Tensor,
        *,
        label: Label = None,
        beams: int = 5,
        rerank: bool = True,
        at_once: int = 64,
        constraint: sampler.Constraint | None = None,
    ) -> list[str]:
        """A sentence for each code (N, Z), by beam search (`beams=1`: greedy), re-ranked as in `candidates`.

        `label`, here and in the other verbs: the class of the sentences decoded, or a list of one for each (None: no
        class known), for a model with classes. The code of a given sentence is found without its class.
        `constraint`, here and in the other verbs, holds for every sentence decoded: `verse.Verse` is one.
        Raises InputError for codes of another shape or not finite, for a label that the model does not know, and if no
        beam obeys the constraint.
        """
        return [points[0].text for points in self._candidates(codes, beams, rerank, at_once, constraint, label)]

    def candidates(
        self, code: Tensor, *, beams: int = 10, label: str | None = None, constraint: sampler.Constraint | None = None
    ) -> list[Point]:
        """The best sentences for one code (Z,), best first, by log p(x | z) and the cycle check together.

        The cycle check asks whether a sentence encodes back near its point: minus the distance from z to the posterior
        mean of the sentence, in its standard deviations. Half its square, which is log q(z | x) without its normaliser,
        drowns log p(x | z) where codes are refined: far out q has no heavy tails, and sentences do.
        """
        return self._candidates(code[None], beams, True, 1, constraint, label)[0]

    @torch.inference_mode()
    def _candidates(
        self,
        codes: Tensor,
        beams: int,
        rerank: bool,
        at_once: int,
        constraint: sampler.Constraint | Sequence[sampler.Constraint] | None,
        label: Label = None,
    ) -> list[list[Point]]:
        """As `candidates`, for codes (N, Z), `at_once` together; `constraint`: one, or one for each code."""
        if codes.dim() != 2 or codes.shape[1] != self.latent:
            raise InputError(
                f"codes of shape {tuple(codes.shape)}: expected (N, {self.latent}), as `encode` gives them"
            )
        if not bool(torch.isfinite(codes).all()):
            raise InputError("the codes hold NaN or infinity")
        labels, found = self.opened.labels(label, len(codes)), []
        for start in range(0, len(codes), at_once):
            part = slice(start, start + at_once)
            some = codes[part].to(self.model.summary.weight)
            rule = sampler.Each(constraint[part]) if isinstance(constraint, Sequence) else constraint
            found += self._some(some, labels[part], beams, rerank, rule)
        return found

    def _held(self, constraint: sampler.Constraint | None, given: Iterable[str] = ()) -> sampler.Constraint | None:
        """The constraint, or where there is none the words that may be written beside those of the sentences given."""
        if constraint is not None or self.new_words or not self.codec.lexicon:
            return constraint
        return Spelling(self.codec, given)

    def _some(
        self, codes: Tensor, labels: Tensor, beams: int, rerank: bool, constraint: sampler.Constraint | None
    ) -> list[list[Point]]:
        rows = len(codes)
        found = sampler.beam(
            self.model.backbone,
            self.model.vocab,
            rows=rows,
            length=self.length,
            beams=beams,
            context=self.model.given(rows, labels, codes),
            constraint=constraint,
        )
        texts = [self.codec.decode(row) for row in found.tokens.view(rows * beams, -1).tolist()]
        scores = found.scores.view(-1)
        if self.model.noise:
            drifts = self._drift(found.tokens.view(rows * beams, -1), codes.repeat_interleave(beams, 0))
        else:
            drifts = torch.zeros_like(scores)
        ranks = scores - CYCLE * drifts if rerank and self.model.noise else scores
        counts = self.model.vocab.mask(found.tokens).sum(2).flatten()
        cut = ~(found.tokens.view(rows * beams, -1) == self.codec.stop).any(1)
        ranks = ranks - 1e6 * cut  # a beam cut off at the greatest length is no sentence: last of all
        result = []
        for row in range(rows):
            points: dict[str, Point] = {}
            part = slice(row * beams, (row + 1) * beams)
            for place in (row * beams + ranks[part].argsort(descending=True)).tolist():
                if scores[place] > -torch.inf and texts[place].strip() and texts[place] not in points:
                    said = texts[place], -float(scores[place]), float(drifts[place])
                    points[texts[place]] = Point(0.0, *said, tokens=int(counts[place]))
            result.append(list(points.values()) or [Point(0.0, "", 0.0, 0.0)])
        return result

    def _drift(self, tokens: Tensor, codes: Tensor) -> Tensor:
        """How far each row (N, L) encodes from its code (N, Z), in standard deviations: (N,)."""
        vocab = self.model.vocab
        empty = ~vocab.mask(tokens).any(1)
        tokens = tokens.clone()
        if vocab.stop is not None:
            tokens[empty, 0] = vocab.stop
        posterior = self.model.posterior(tokens)
        return ((posterior.mean - codes) / posterior.stddev).pow(2).sum(1).sqrt()

    # ------------------------------------------------------------------------------------------------- verbs

    def reconstruct(
        self,
        sentences: Sequence[str],
        *,
        beams: int = 5,
        rerank: bool = True,
        refine: int = REFINE,
        label: Label = None,
        constraint: sampler.Constraint | None = None,
    ) -> list[str]:
        """Each sentence encoded, its code refined as in `encode`, and decoded again, into another class by `label`."""
        codes = self.encode(sentences, refine=refine)
        return self.decode(codes, beams=beams, rerank=rerank, label=label, constraint=constraint)

    def interpolate(
        self,
        start: str,
        end: str,
        *,
        steps: int | None = 8,
        path: str = "line",
        beams: int = 10,
        rerank: bool = True,
        pace: str = "text",
        refine: int = REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> Walk:
        """Walk from one sentence to another: `steps` points, the two ends decoded among them.

        `path`: "line", or "arc", which keeps the norm. `pace`: "text" decodes three times as many points, most of them
        where the text changes most, and keeps those between which it changes evenly (see `spread`), since much of a
        path repeats the sentences at its ends; "code" takes even positions. `steps=None` bisects until neighbours share
        at least half of their words (as `difference` counts) or no new sentence turns up between them, with at most 64
        points, and has no use for a pace. The codes of the ends are refined as in `encode`. `constraint` holds for
        every point, those decoded at the ends too.
        Raises InputError for a sentence that is empty or too long, or bad numbers.
        """
        if steps is not None:
            return self.walks(
                [(start, end)],
                steps=steps,
                path=path,
                beams=beams,
                rerank=rerank,
                pace=pace,
                refine=refine,
                constraint=constraint,
            )[0]
        _check(path, beams, pace)
        ends = self.encode([start, end], refine=refine)
        constraint = self._held(constraint, (start, end))

        def points(positions: Sequence[float]) -> list[Point]:
            codes = torch.stack([PATHS[path](ends[0], ends[1], position) for position in positions])
            best = [found[0] for found in self._candidates(codes, beams, rerank, 64, constraint)]
            return [replace(point, position=place) for place, point in zip(positions, best, strict=True)]

        return _walk(start, end, path, self._bisect(points))

    def walks(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        steps: int = 8,
        path: str = "line",
        beams: int = 10,
        rerank: bool = True,
        pace: str = "text",
        refine: int = REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> list[Walk]:
        """`interpolate` for many pairs, their points decoded together, each walk as it would be by itself."""
        _check(path, beams, pace)
        if not 2 <= steps <= 1000:
            raise InputError(f"steps {steps}: expected 2 to 1000 points, or auto")
        given = [sentence for pair in pairs for sentence in pair]
        ends = self.encode(given, refine=refine).view(len(pairs), 2, self.latent)
        held = [self._held(constraint, pair) for pair in pairs]
        extra = max(0, min(MOST_TRIED, TRIED * (steps - 1) + 1) - steps) if pace == "text" else 0
        wanted = [(pair, number / (steps - 1)) for pair in range(len(pairs)) for number in range(steps)]
        found: list[list[Point]] = [[] for _ in pairs]
        while wanted:
            codes = torch.stack([PATHS[path](ends[pair, 0], ends[pair, 1], position) for pair, position in wanted])
            rules = [rule for pair, _ in wanted if (rule := held[pair]) is not None]
            best = self._candidates(codes, beams, rerank, 64, constraint or rules or None)
            for (pair, position), candidates in zip(wanted, best, strict=True):
                found[pair].append(replace(candidates[0], position=position))
            found = [sorted(points, key=lambda point: point.position) for points in found]
            room = [min(-(-extra // ROUNDS), steps + extra - len(points)) for points in found]
            wanted = [(pair, place) for pair, points in enumerate(found) for place in halves(points, room[pair])]
        walks = []
        for (start, end), points in zip(pairs, found, strict=True):
            kept = spread([point.text for point in points], steps, [point.position for point in points])
            walks.append(_walk(start, end, path, [points[place] for place in kept]))
        return walks

    def _bisect(self, points: Any) -> list[Point]:
        found: list[Point] = points([0.0, 1.0])
        for _ in range(6):
            gaps = [
                (left.position + right.position) / 2
                for left, right in pairwise(found)
                if left.text != right.text and difference(left.text, right.text) > 0.5
            ]
            gaps = gaps[: MOST_POINTS - len(found)]
            if not gaps:
                break
            found = sorted(found + points(gaps), key=lambda point: point.position)
        kept = [found[0]]  # of a run of equal sentences the first, and at the end of the path the last, say it all
        for point in found[1:-1]:
            if point.text not in (kept[-1].text, found[-1].text):
                kept.append(point)
        return [*kept, found[-1]]

    def neighbours(self, sentence: str, among: Sequence[str], *, count: int = 5) -> list[tuple[str, float]]:
        """The `count` sentences of `among` whose codes are nearest, with the distance between the posterior means.

        Sentences that are empty or longer than the model takes are passed over; the sentence itself too.
        Raises InputError if none is left.
        """
        own = self.codec.normalise(sentence)
        rows = self.codec.encode_many(among)
        kept = [text for text, row in zip(among, rows, strict=True) if self.opened.takes(row)]
        kept = [text for text in dict.fromkeys(kept) if self.codec.normalise(text) != own]
        if not kept:
            raise InputError("there is no sentence to compare with: all are empty, too long, or the sentence itself")
        distances = (self.encode(kept) - self.encode([sentence])).norm(dim=1)
        nearest = distances.topk(min(count, len(kept)), largest=False)
        return [(kept[place], float(far)) for place, far in zip(nearest.indices.tolist(), nearest.values, strict=True)]

    def direction(self, minus: Sequence[str], plus: Sequence[str]) -> Tensor:
        """The way from one kind of sentence to another, (Z,): the difference of the means of their codes."""
        if not minus or not plus:
            raise InputError("a direction needs at least one sentence on either side")
        return self.encode(plus).mean(0) - self.encode(minus).mean(0)

    def arithmetic(
        self,
        sentence: str,
        minus: Sequence[str],
        plus: Sequence[str],
        *,
        strengths: Sequence[float] = (1.0,),
        beams: int = 10,
        refine: int = REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> list[str]:
        """`sentence` - `minus` + `plus`, codes averaged on either side, decoded at each strength.

        With one sentence on either side this is a - b + c; with many it is an attribute's direction.
        """
        code, way = self.encode([sentence], refine=refine)[0], self.direction(minus, plus)
        codes = torch.stack([code + strength * way for strength in strengths])
        return self.decode(codes, beams=beams, constraint=self._held(constraint, [sentence, *minus, *plus]))

    def vary(
        self,
        sentence: str,
        *,
        dims: Sequence[int] | int = 2,
        steps: int = 5,
        span: float = 2.0,
        beams: int = 5,
        refine: int = REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> Grid:
        """Turn one or two of a sentence's codes over a grid, the others held: what does each mean?

        `dims`: which codes, or how many; then those that tell most about this sentence, by their rate. Each goes
        from -`span` to `span`, in standard deviations of the prior, in `steps` steps. Raises InputError for codes that
        the model does not have.
        """
        if not 2 <= steps <= 50 or not 0 < span <= 100:
            raise InputError(f"{steps} steps to {span}: expected 2 to 50 steps, and a span above 0, up to 100")
        tokens = self.tokens([sentence])
        with torch.inference_mode():
            rates = self.model.rates(self.model.posterior(tokens))[0]
        code = self.encode([sentence], refine=refine)[0]
        chosen = rates.argsort(descending=True)[:dims].tolist() if isinstance(dims, int) else list(dims)
        if not 1 <= len(chosen) <= 2 or len({*chosen}) < len(chosen) or not all(0 <= d < self.latent for d in chosen):
            raise InputError(f"codes {dims}: expected one or two different ones from 0 to {self.latent - 1}")
        values = torch.linspace(-span, span, steps)
        codes = code.repeat(steps ** len(chosen), 1)
        places = torch.cartesian_prod(*[values] * len(chosen)).view(len(codes), -1).to(codes)
        codes[:, chosen] = places
        texts = self.decode(codes, beams=beams, rerank=False, constraint=self._held(constraint, [sentence]))
        width = steps if len(chosen) == 2 else 1
        rows = [texts[start : start + width] for start in range(0, len(texts), width)]
        return Grid(
            sentence, chosen, [float(rates[d]) for d in chosen], [float(code[d]) for d in chosen], values.tolist(), rows
        )

    @torch.inference_mode()
    def sample(
        self,
        rows: int,
        *,
        seed: int = 0,
        how: sampler.Choice | None = None,
        beams: int = 0,
        best_of: int = 1,
        code_temperature: float = 1.0,
        prompt: str = "",
        label: Label = None,
        constraint: sampler.Constraint | None = None,
    ) -> list[str]:
        """`rows` new sentences with codes from the prior: drawn token by token, or with `beams` the most probable.

        `code_temperature`: as in `Prior.draw`; below 1 what beams write becomes plainer. Each is the best of
        `best_of`, as in `draw`. Row i is the same for any `rows`. Raises InputError for a prompt longer than the model
        takes, and for a prompt or a choice of tokens beside `beams`, which has no use for them.
        """
        if beams:
            if prompt or how is not None:
                raise InputError(
                    "beams write each code's likeliest sentence: leave out the prompt, temperature and top-*"
                )
            require(1 <= best_of <= 1000, "best_of", best_of, "1 to 1000")
            codes = draw_codes(self.model.prior, seed, 0, rows * best_of, code_temperature)
            labels = self.opened.labels(label, rows).repeat_interleave(best_of)
            points = [some[0] for some in self._candidates(codes, beams, True, 64, self._held(constraint), labels)]
            nats = [point.distortion / max(1, point.tokens) for point in points]
            return surest([point.text for point in points], nats, best_of)
        return draw(
            self.opened,
            rows,
            seed=seed,
            how=how,
            best_of=best_of,
            code_temperature=code_temperature,
            prompt=prompt,
            label=label,
            constraint=constraint,
        )


CYCLE = 1.0  # weight of the cycle check beside log p(x | z) (docs/results.md)


def draw(
    opened: library.Opened,
    rows: int,
    *,
    seed: int = 0,
    how: sampler.Choice | None = None,
    best_of: int = 1,
    code_temperature: float = 1.0,
    prompt: str = "",
    begin: int = 0,
    label: Label = None,
    constraint: sampler.Constraint | None = None,
) -> list[str]:
    """Sentences `begin`, `begin` + 1, ... of a seed, from any model, language models included; `prompt` begins each.

    Each is the one of `best_of` drawn that the model is surest of: the least -log p(x), of a model with codes
    -log p(x | z), per token, the prompt and the end counted, however tokens were chosen; one that was cut off at the
    greatest length is the last choice. That is no draw from the model any more: sentences become plainer and shorter.
    `label`: as in `SentenceVAE.decode`; `code_temperature`: as in `Prior.draw`. Raises InputError for a prompt that is
    too long, for a label that the model does not know, and for a `best_of` out of range.
    """
    require(1 <= best_of <= 1000, "best_of", best_of, "1 to 1000")
    labels = opened.labels(label, rows).repeat_interleave(best_of)
    begin, rows = begin * best_of, rows * best_of
    model, codec = with_likelihood(opened.model, opened.name), of_text(opened.codec)
    begun = codec.encode(prompt) if prompt else []
    if len(begun) + 1 > opened.length:
        raise InputError(f"the prompt has {len(begun)} tokens; this model writes at most {opened.length - 1}")
    start = torch.tensor([begun] * rows, dtype=torch.long) if begun else None
    texts: list[str] = []
    nats: list[float] = []  # per token
    for first in range(begin, begin + rows, 64):
        count = min(64, begin + rows - first)
        context = model.context(seed, first, count, labels[first - begin :][:count], code_temperature)
        found = sampler.sample(
            model.backbone,
            model.vocab,
            rows=count,
            length=opened.length,
            context=context,
            prompt=None if start is None else start[:count],
            how=how,
            seed=seed,
            first=first,
            constraint=constraint,
        )
        texts += [codec.decode(row) for row in found.tolist()]
        if best_of > 1:
            mask = model.vocab.mask(found)
            with torch.inference_mode():
                each = model.backbone.nll(found, mask, context) / mask.sum(1)
            nats += each.masked_fill(~found.eq(codec.stop).any(1), torch.inf).tolist()
    return surest(texts, nats, best_of)


def surest(texts: Sequence[str], nats: Sequence[float], of: int) -> list[str]:
    """Of every `of` texts in turn the one with the least `nats`, the first of equals, an empty one only if all are."""
    if of == 1:
        return list(texts)
    ranks = [(not text.strip(), cost) for text, cost in zip(texts, nats, strict=True)]
    return [texts[min(range(start, start + of), key=ranks.__getitem__)] for start in range(0, len(texts), of)]


def edits(one: Sequence[str], other: Sequence[str]) -> int:
    """Edit distance (Levenshtein 1966): how many units to put in, take out or replace."""
    row = list(range(len(other) + 1))
    for number, unit in enumerate(one, 1):
        corner, row[0] = row[0], number
        for place, another in enumerate(other, 1):
            corner, row[place] = row[place], min(row[place] + 1, row[place - 1] + 1, corner + (unit != another))
    return row[-1]


_HAN = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # and kana
_WORD = re.compile(rf"[{_HAN}]|[^\s{_HAN}]+")


def difference(one: str, other: str) -> float:
    """Share of words to change between two sentences: edit distance over the greater number of words, 0 to 1.

    Each Chinese character and kana is a word, whatever spaces there are; two single words compare by characters.
    """
    left, right = _WORD.findall(one), _WORD.findall(other)
    if len(left) <= 1 and len(right) <= 1:  # in a script that writes no words apart, such as Thai, too
        left, right = list(one.strip()), list(other.strip())
    return edits(left, right) / max(1, len(left), len(right))


def halves(points: Sequence[Point], most: int) -> list[float]:
    """Positions half way between neighbours whose texts differ, at most `most`: where they differ most, then where the
    gap is widest; the same for a path backwards."""
    gaps = [
        (-difference(one.text, other.text), one.position - other.position, sorted((one.text, other.text)), one, other)
        for one, other in pairwise(points)
        if one.text != other.text and other.position - one.position > FINEST
    ]
    gaps.sort(key=lambda gap: (gap[0], round(gap[1], 9), gap[2]))
    return [(one.position + other.position) / 2 for *_, one, other in gaps[: max(0, most)]]


def spread(texts: Sequence[str], count: int, positions: Sequence[float] | None = None) -> list[int]:
    """`count` places along a path of texts, the first and the last among them, between which it changes evenly.

    They have the least sum of squared differences between neighbours, where a text that comes again costs as much as
    one that is wholly different; of places with the same text, those that lie most evenly, by `positions` from 0 to 1
    (without them, by number). By dynamic programming over the places, O(count x N^2). The places of a path backwards
    are the same.
    """
    size = len(texts)
    if size == count:
        return list(range(size))
    if list(texts[::-1]) < list(texts):  # of several that are as good, the same either way
        back = None if positions is None else [1 - position for position in positions[::-1]]
        return [size - 1 - place for place in reversed(spread(texts[::-1], count, back))]
    kinds = {text: number for number, text in enumerate(dict.fromkeys(texts))}
    table = np.zeros((len(kinds), len(kinds)))
    for one, left in kinds.items():
        for other, right in kinds.items():
            if left < right:
                table[left, right] = table[right, left] = difference(one, other)
    numbers = [kinds[text] for text in texts]
    where = np.arange(size) / max(1, size - 1) if positions is None else np.asarray(positions)
    gaps = np.subtract.outer(where, where)
    table = np.where(table > 0, table, 1.0)
    costs = np.where(gaps > 0, table[np.ix_(numbers, numbers)] ** 2 + 1e-3 * gaps**2, np.inf)  # (to, from)
    best = np.where(np.arange(size) == 0, 0.0, np.inf)
    before = []
    for _ in range(count - 1):
        sums = costs + best
        before.append(sums.argmin(1))
        best = sums.min(1)
    places = [size - 1]
    for step in reversed(before):
        places.append(int(step[places[-1]]))
    return places[::-1]


def _check(path: str, beams: int, pace: str) -> None:
    if path not in PATHS:
        raise InputError(f"path {quoted(path)}: choose from {', '.join(PATHS)}")
    if pace not in PACES:
        raise InputError(f"pace {quoted(pace)}: choose from {', '.join(PACES)}")
    if not 1 <= beams <= 100:
        raise InputError(f"beams {beams}: expected 1 to 100")


def _walk(start: str, end: str, path: str, points: list[Point]) -> Walk:
    marked = [replace(point, repeats=point.text == before.text) for before, point in pairwise(points)]
    return Walk(start, end, path, [points[0], *marked])

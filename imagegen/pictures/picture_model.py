"""Pictures and their codes: draw, finish half-hidden ones, walk between two, turn codes like knobs.

from imagegen import PictureModel
model = PictureModel.from_pretrained("runs/sprites")
pictures = model.pictures(model.sample(64))

Pictures are arrays (H, W, 4) of uint8; as tokens they are rows of H x W palette colours in the order of the palette.
`label` is the class of pictures, for a model with classes: one for all, or a list of one for each (None: no class
known).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import cached_property, partial
from itertools import cycle, islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch
from torch import Tensor

from corpora.codecs.palette import Palette
from corpora.errors import InputError, choose
from corpora.modality import modality_of
from corpora.settings import require
from imagegen.pictures import defaults, lookahead
from imagegen.pictures.foreground import best_rows
from textgen.core import sampler, smc
from textgen.core.estimators import POSTERIOR, Bounds, Proposal, bounds, exact_nll
from textgen.core.model import Autoregressive, Latent, LikelihoodModel, draw_code, with_likelihood
from textgen.core.randomness import normals
from textgen.runs import library
from textgen.runs.library import Label

AT_ONCE = 64  # pictures drawn together
Tell = Callable[[int, int], None]  # (pixels or pictures done, of so many)
GREEDY = sampler.Choice(temperature=0)
BEGINNINGS = ("drawing", "start")  # of a choice of pixels: from the second colour of a picture, or from the first pixel


class Turns(Enum):
    """Each class of the model in turn, one picture after the other; no class where it has none."""

    IN_TURN = "each class in turn"


IN_TURN: Final = Turns.IN_TURN


class Turned(NamedTuple):
    """A picture's codes turned over a grid of one or two of them."""

    tokens: Tensor  # (steps, L), or (steps, steps, L): the first code goes down, the second to the right
    codes: list[int]  # those turned, by number
    rates: list[float]  # KL(q(z_d | x) || N(0, 1)) of all codes for this picture, nats
    values: list[list[float]]  # of each code turned, in standard deviations of the prior
    own: list[int]  # the place among them of the picture's own value, of each code turned


class Inpainted(NamedTuple):
    """Completions of one picture of which any pixels are shown."""

    tokens: Tensor  # (count, L)
    log_shown: float  # log p(shown), nats: exact, or the logarithm of an unbiased estimate of p(shown)
    exact: bool  # the draws and `log_shown`: where all that is shown comes first
    effective: float  # different fillings that there were to draw from, by their weights: 1 / sum of squares


class PictureModel:
    """A trained model of pictures with its palette. Tokens are tensors (N, L) with L = H x W."""

    def __init__(self, opened: library.Opened) -> None:
        if not isinstance(opened.codec, Palette):
            modality = modality_of(opened.codec)
            raise InputError(f"{opened.name} is a model of {modality.name}: `{modality.program}` has its verbs")
        self.opened, self.model, self.palette = opened, opened.model, opened.codec
        self.height, self.width = self.palette.height, self.palette.width
        self.length = self.height * self.width
        self.device = next(self.model.parameters()).device

    @classmethod
    def from_pretrained(
        cls, name: str | Path = defaults.MODEL, device: str = "cpu", prior: str | None = None
    ) -> PictureModel:
        """A model that ships, by its name, or a run, a model folder or a Hugging Face id.

        `prior="normal"` puts N(0, I) in the place of a prior that was fitted.

        Raises InputError if there is none, or it is damaged, or it is no model of pictures.
        """
        return cls(library.open_model(name, device, prior))

    def save_pretrained(self, folder: str | Path, *, half: bool = False) -> Path:
        """Write a model folder that `from_pretrained` opens; `half` stores float16. Raises InputError if it exists."""
        return library.export(self.opened, Path(folder), half=half)

    @property
    def likely(self) -> LikelihoodModel:
        """The model as one with a likelihood. Raises InputError if it has none."""
        return with_likelihood(self.model, self.opened.name)

    @property
    def latent(self) -> Latent:
        """The model as one with codes. Raises InputError if it has none."""
        if not isinstance(self.model, Latent):
            raise InputError(
                f"{self.opened.name} has no codes: reconstruct, interpolate and traverse need a vae or an autoencoder"
            )
        return self.model

    # ---------------------------------------------------------------------------------------------- pictures

    def tokens(self, pictures: Sequence[np.ndarray]) -> Tensor:
        """Pictures in the nearest colours of the palette, (N, L). Raises InputError for a picture of another size."""
        for picture in pictures:
            if picture.shape[:2] != (self.height, self.width):
                raise InputError(
                    f"the picture has {picture.shape[0]} x {picture.shape[1]} pixels (height x width); "
                    f"this model draws {self.height} x {self.width}"
                )
        rows = [self.palette.encode(picture) for picture in pictures]
        return torch.tensor(rows, dtype=torch.long, device=self.device).view(len(rows), self.length)

    def pictures(self, tokens: Tensor) -> list[np.ndarray]:
        """Tokens (..., L) as pictures (H, W, 4), in order. Raises InputError for a token outside the palette."""
        return [self.palette.decode(row) for row in tokens.reshape(-1, self.length).tolist()]

    # ----------------------------------------------------------------------------------------------- drawing

    def sample(
        self,
        count: int = defaults.SAMPLES,
        *,
        label: Label | Turns = IN_TURN,
        seed: int = 0,
        how: sampler.Choice | None = None,
        begin: str | None = None,
        code_temperature: float = 1.0,
        tell: Tell | None = None,
    ) -> Tensor:
        """New pictures, (count, L), as `imagegen sample` draws them.

        `label`: by default each class of the model in turn; None: no class known. `code_temperature` scales the noise
        of the codes, as in `Prior.draw`. Temperature 0 draws the same picture each time, unless codes or classes make
        them differ. A model with codes draws each from the prior; a decoder that looks back at nothing takes each
        pixel's most probable colour by default, since colours drawn pixel by pixel without regard to each other are
        noise; others draw. Raises InputError for a label that the model does not know.

        `begin` says from where on `how` chooses: "drawing", from the second colour of each picture on, since a choice
        of probable pixels alone seldom leaves an empty margin; or "start", from the first pixel. By default the first,
        but "start" at temperature 0, and where a decoder looks back at nothing.
        """
        require(1 <= count <= 1_000_000, "count", count, "1 to 1,000,000 pictures")
        labels = self.opened.labels(self.in_turn(count) if isinstance(label, Turns) else label, count)
        model = self.model
        if isinstance(model, LikelihoodModel):
            likely = model

            def context(first: int, rows: int) -> Tensor | None:
                return likely.context(seed, first, rows, labels[first : first + rows], code_temperature)

            return self._drawn(count, context, None, self.usual if how is None else how, seed, tell, begin)
        parts = [
            model.sample(
                len(labels[some]),
                length=self.length,
                seed=seed,
                first=some.start,
                labels=labels[some],
                how=how,
                code_temperature=code_temperature,
            )
            for some in _parts(count, AT_ONCE, tell)
        ]
        return torch.cat(parts)

    def best(self, count: int, *, of: int, label: Label | Turns = IN_TURN, seed: int = 0, **ways: Any) -> Tensor:
        """The best of each `of` drawn pictures, `count` times, (count, L): that of the least NLL per pixel of its
        foreground (`foreground.best_rows`); an empty one only where all are.

        `ways` as for `sample`. Raises InputError for a model that does not go pixel by pixel.
        """
        require(1 <= of <= 1000, "best_of", of, "1 to 1,000 pictures drawn for each")
        self._raster()
        labels = self.opened.labels(self.in_turn(count) if isinstance(label, Turns) else label, count)
        each = labels.repeat_interleave(of)
        tokens = self.sample(count * of, label=each, seed=seed, **ways)
        return tokens[best_rows(self.nll(tokens, label=each), tokens, self.background, of)]

    @cached_property
    def background(self) -> int:
        """The token of what nothing is drawn on: the transparent colour or, without one, the most probable first pixel
        (of 16 codes, the commonest)."""
        if self.palette.transparent:
            return 0
        labels = self.opened.labels(None, 16)
        with torch.inference_mode():
            context = self.likely.context(0, 0, 16, labels, 1.0)
            first = self.likely.backbone.start(16, self.length, context).logits.argmax(-1)
        return int(first.mode().values)

    def in_turn(self, count: int) -> list[str] | None:
        """Each class of the model in turn, for so many pictures; None where it has no classes."""
        trained = [label for label in self.model.vocab.labels if label not in self.opened.unseen]
        return None if self.model.classes is None else list(islice(cycle(trained), count))

    @property
    def usual(self) -> sampler.Choice:
        """The choice of pixels by default: drawn, or the most probable where a decoder looks back at nothing."""
        return self.likely.usual

    @property
    def lines(self) -> str:
        """The name of the lines that the model draws one after the other: rows or columns."""
        return "rows" if self.palette.order in ("down", "up") else "columns"

    def hidden(self, lines: int) -> np.ndarray:
        """True for the pixels after the first `lines` rows or columns in the model's order: (H, W)."""
        return self.palette.unscan(np.arange(self.length) >= lines * self.palette.lines[1])

    def complete(
        self,
        tokens: Tensor,
        lines: int,
        *,
        label: Label = None,
        count: int = defaults.COMPLETIONS,
        seed: int = 0,
        how: sampler.Choice | None = None,
        begin: str | None = None,
        tell: Tell | None = None,
    ) -> Tensor:
        """Pictures (N, L) with their first `lines` lines kept and the rest drawn, `count` times: (N, count, L).

        Lines are rows or columns, and the first are on the side that the order of the model begins with. Draws from
        p(x_hidden | x_shown) exactly, for it goes pixel by pixel in that order. `begin` as for `sample`; what
        is shown counts, too. Raises InputError for a model with codes, whose p(z | x_shown) is not known, and for lines
        that hide nothing.
        """
        self._check_lines(lines)
        each = self.palette.lines[1]
        require(1 <= count <= 10_000, "count", count, "1 to 10,000 completions")
        shown = tokens[:, : lines * each].repeat_interleave(count, 0)
        context = self._contexts(len(shown), self.opened.labels(label, len(tokens)).repeat_interleave(count))
        drawn = self._drawn(len(shown), context, shown, how or sampler.Choice(), seed, tell, begin)
        return drawn.view(len(tokens), count, self.length)

    def inpaint(
        self,
        picture: Tensor,
        hidden: np.ndarray,
        *,
        label: Label = None,
        count: int = defaults.COMPLETIONS,
        particles: int = defaults.PARTICLES,
        seed: int = 0,
        first: int = 0,
        look_ahead: bool = True,
        tell: Tell | None = None,
    ) -> Inpainted:
        """A picture (L,) with the pixels drawn where `hidden` (H, W) is True, `count` times.

        By sequential Monte Carlo (`textgen.core.smc`): the model goes in its own order, so it cannot know what is shown
        later; `particles` drawings are weighted by it instead, and completions tend to draws from
        p(x_hidden | x_shown) as these become many. Where all that is shown comes first they are such draws, by one
        particle each. `look_ahead` draws pixels with an eye to what is shown further on (`pictures/lookahead.py`).
        `first` numbers the picture among several that are to have different random numbers. Raises InputError for a
        model with codes, for a mask of another shape, and where nothing is hidden.
        """
        backbone = self._raster().backbone
        require(1 <= count <= 10_000, "count", count, "1 to 10,000 completions")
        require(1 <= particles <= 100_000, "particles", particles, "1 to 100,000")
        hidden = np.asarray(hidden, bool)
        if hidden.shape != (self.height, self.width):
            raise InputError(
                f"the mask has {' x '.join(map(str, hidden.shape))} pixels (height x width); "
                f"the pictures have {self.height} x {self.width}"
            )
        if not hidden.any():
            raise InputError("nothing is hidden: there is nothing to draw")
        places = torch.from_numpy(self.palette.scan(hidden)).to(self.device)
        width = self.palette.lines[1]
        hints = None
        if look_ahead and bool((places[:-1] & ~places[1:]).any()):  # something is shown after something hidden
            hints = lookahead.hints(picture, places, width, self._own, self.palette.vocab_size)
        filled = smc.fill(
            backbone,
            picture,
            places,
            self.likely.given(1, self.opened.labels(label, 1)),
            count=count,
            particles=particles,
            seed=seed,
            first=first * (max(particles, count) + 1),
            hints=hints,
            stride=width,
            tell=tell,
        )
        return Inpainted(filled.tokens, filled.log_shown, filled.exact, filled.effective)

    @cached_property
    def _own(self) -> Tensor:
        """Pictures that the model draws by itself, (N, L), for looking ahead."""
        return self.sample(lookahead.PICTURES, label=None)

    def _check_lines(self, lines: int) -> None:
        self._raster()
        most = self.palette.lines[0]
        require(0 <= lines < most, "lines", lines, f"0 to {most - 1} {self.lines}, so that something is hidden")

    def _raster(self) -> Autoregressive:
        if not isinstance(self.model, Autoregressive):
            how = "from codes" if self.model.latent else "whole pictures"
            raise InputError(f"{self.opened.name} draws {how}: this needs a model that goes pixel by pixel")
        return self.model

    @torch.inference_mode()
    def hidden_nll(self, tokens: Tensor, lines: int, *, label: Label = None) -> Tensor:
        """-log p(all but the first `lines` | those), nats per picture (N,), exact. InputError as for `complete`."""
        self._check_lines(lines)
        hidden = torch.arange(self.length, device=tokens.device) >= lines * self.palette.lines[1]
        backbone, labels = self._raster().backbone, self.opened.labels(label, len(tokens))
        parts = zip(tokens.split(AT_ONCE), labels.split(AT_ONCE), strict=True)
        calls = ((some, hidden.expand_as(some), self.likely.given(len(some), known)) for some, known in parts)
        return torch.cat([backbone.nll(*call).double() for call in calls])

    def _contexts(self, rows: int, labels: Tensor, codes: Tensor | None = None) -> Callable[[int, int], Tensor | None]:
        """The contexts of rows first, first + 1, ... of so many, as a function of the first and their number."""
        with torch.inference_mode():
            whole = self.likely.given(rows, labels, codes)
        return lambda first, count: None if whole is None else whole[first : first + count]

    def _drawn(
        self,
        count: int,
        context: Callable[[int, int], Tensor | None],
        prompt: Tensor | None,
        how: sampler.Choice,
        seed: int,
        tell: Tell | None,
        begin: str | None = None,
    ) -> Tensor:
        parts, backbone = [], self.likely.backbone
        if begin is None:
            begin = "drawing" if backbone.looks_back and how.temperature > 0 else "start"
        late = choose("begin", begin, BEGINNINGS) == "drawing"
        with torch.inference_mode():
            for first in range(0, count, AT_ONCE):
                rows = min(AT_ONCE, count - first)
                pixels = []
                for column in sampler.stream(
                    backbone,
                    self.model.vocab,
                    rows=rows,
                    length=self.length,
                    context=context(first, rows),
                    prompt=None if prompt is None else prompt[first : first + rows],
                    how=how,
                    seed=seed,
                    first=first,
                    late=late,
                ):
                    pixels.append(column)
                    if tell is not None:
                        tell(first * self.length + len(pixels) * rows, count * self.length)
                parts.append(torch.stack(pixels, 1))
        return torch.cat(parts)

    # ------------------------------------------------------------------------------------------------- codes

    @torch.inference_mode()
    def encode(self, tokens: Tensor, *, seed: int | None = None) -> Tensor:
        """Codes of pictures, (N, Z): the posterior means, or with `seed` draws c = m + exp(log_std) e."""
        parts = [torch.zeros(0, self.latent.latent or 0, device=self.device)]
        for first in range(0, len(tokens), 4 * AT_ONCE):
            posterior = self.latent.posterior(tokens[first : first + 4 * AT_ONCE])
            codes = posterior.mean
            if seed is not None:
                codes = draw_code(posterior, normals(seed, first, *codes.shape).to(codes))
            parts.append(codes)
        return torch.cat(parts[1:] or parts)

    def decode(
        self,
        codes: Tensor | np.ndarray,
        *,
        label: Label = None,
        seed: int = 0,
        how: sampler.Choice | None = None,
    ) -> Tensor:
        """Pictures of codes (N, Z), (N, L). Raises InputError for codes of another shape or not finite."""
        size = self.latent.latent
        codes = torch.tensor(codes) if isinstance(codes, np.ndarray) else codes
        if codes.dim() != 2 or codes.shape[1] != size:
            raise InputError(f"codes of shape {tuple(codes.shape)}: expected (N, {size}), as `encode` gives them")
        if not bool(torch.isfinite(codes).all()):
            raise InputError("the codes hold NaN or infinity")
        codes = codes.to(self.latent.summary.weight)
        context = self._contexts(len(codes), self.opened.labels(label, len(codes)), codes)
        return self._drawn(len(codes), context, None, how or GREEDY, seed, None)

    def reconstruct(self, tokens: Tensor, *, label: Label = None) -> Tensor:
        """Pictures encoded and decoded again, (N, L); with another label than their own, into another class."""
        return self.decode(self.encode(tokens), label=label)

    def interpolate(self, start: Tensor, end: Tensor, *, steps: int = defaults.STEPS, label: Label = None) -> Tensor:
        """The pictures on the straight line between the codes of two (L,), both ends decoded among them, (steps, L).

        Where `label` has two, the class embedding goes from the one to the other too.
        """
        require(2 <= steps <= 1000, "steps", steps, "2 to 1000 pictures")
        codes = self.encode(torch.stack([start, end]))
        positions = torch.linspace(0, 1, steps, device=codes.device)[:, None]
        with torch.inference_mode():
            ends = self.likely.given(2, self.opened.labels(label, 2), codes)
        assert ends is not None
        path = ends[:1] + positions * (ends[1:] - ends[:1])
        return self._drawn(steps, lambda first, rows: path[first : first + rows], None, GREEDY, 0, None)

    def rates(self, tokens: Tensor) -> Tensor:
        """KL(q(z_d | x) || N(0, 1)) for each picture and code, nats, (N, Z)."""
        with torch.inference_mode():
            return self.latent.rates(self.latent.posterior(tokens))

    def traverse(
        self,
        picture: Tensor,
        *,
        dims: int = defaults.TRAVERSE_DIMS,
        codes: Sequence[int] | None = None,
        steps: int = defaults.TRAVERSE_STEPS,
        span: float = defaults.TRAVERSE_SPAN,
        label: Label = None,
    ) -> Turned:
        """A picture (L,) with one or two of its codes turned from -span to span, the others held.

        `codes` numbers them; by default the `dims` of the greatest rate for this picture, which tell most about it.
        The picture's own value is one of the values of each code and neither the first nor the last: where it lies
        outside, they go one step further than it.
        """
        require(3 <= steps <= 100, "steps", steps, "3 to 100 values of each code")
        require(0 < span <= 100, "span", span, "more than 0 standard deviations, 100 at most")
        size = self.latent.latent or 0
        rates = self.rates(picture[None])[0]
        if codes is None:
            require(dims in (1, 2), "dims", dims, "1 or 2")
            codes = rates.topk(min(dims, size)).indices.tolist()
        if not 1 <= len(codes) <= 2 or len(set(codes)) < len(codes) or not all(0 <= code < size for code in codes):
            raise InputError(f"codes {', '.join(map(str, codes))}: expected one or two different ones, 0 to {size - 1}")
        own = self.encode(picture[None])[0]
        spans = [_spanned(float(own[code]), span, steps) for code in codes]
        grid = own.repeat(steps ** len(codes), 1)
        for axis, code in enumerate(codes):
            later = steps ** (len(codes) - 1 - axis)
            values = torch.tensor(spans[axis][0])
            grid[:, code] = values.repeat_interleave(later).repeat(len(grid) // (steps * later)).to(grid)
        labels = self.opened.labels(label, 1).expand(len(grid))
        pictures = self.decode(grid, label=labels).view(*[steps] * len(codes), self.length)
        own_places = [place for _, place in spans]
        return Turned(pictures, list(codes), rates.tolist(), [one for one, _ in spans], own_places)

    # ------------------------------------------------------------------------------------------- likelihoods

    def nll(
        self,
        tokens: Tensor,
        *,
        samples: int = defaults.EVALUATE_SAMPLES,
        seed: int = 0,
        label: Label = None,
        tell: Tell | None = None,
    ) -> Tensor:
        """-log p(x), nats per picture (N,): exact, or the importance-weighted bound of so many codes."""
        if isinstance(self.model, Latent):
            return self.bounds(tokens, samples=samples, seed=seed, label=label, tell=tell).nll
        model, labels = self._raster(), self.opened.labels(label, len(tokens))
        parts = _parts(len(tokens), AT_ONCE, tell)
        return torch.cat([exact_nll(model, tokens[some], labels[some]).double() for some in parts])

    @torch.inference_mode()
    def log_probabilities(self, tokens: Tensor, *, label: Label = None) -> Iterator[Tensor]:
        """log p(each colour | the pixels before), a few pictures of `tokens` (N, L) at a time: (n, L, V), nats.

        Raises InputError for a model with codes, whose p(colour | the pixels before) is not known.
        """
        model, labels = self._raster(), self.opened.labels(label, len(tokens))
        for some, known in zip(tokens.split(AT_ONCE), labels.split(AT_ONCE), strict=True):
            yield model.backbone(some, model.given(len(some), known)).float().log_softmax(-1)

    def bounds(
        self,
        tokens: Tensor,
        *,
        samples: int = defaults.EVALUATE_SAMPLES,
        seed: int = 0,
        label: Label = None,
        proposal: Proposal = POSTERIOR,
        ais: int = 0,
        tell: Tell | None = None,
    ) -> Bounds:
        """Bounds on -log p(x), and their parts, by `samples` codes for each picture, (N,) nats.

        As `textgen.core.estimators.bounds`. Raises InputError for a model without codes.
        """
        latent, labels = self.latent, self.opened.labels(label, len(tokens))
        of_some = partial(bounds, latent, samples=samples, seed=seed, proposal=proposal, ais=ais, at_once=256)
        parts = _parts(len(tokens), 8, tell)
        several = [of_some(tokens[some], labels=labels[some], first=some.start) for some in parts]
        return Bounds(*(torch.cat(values) for values in zip(*several, strict=True)))


def _spanned(own: float, span: float, steps: int) -> tuple[list[float], int]:
    """Values from -span to span, one step beyond `own` where it lies outside, and its place: the inner value next to
    it gives way to it."""
    step = 2 * span / (steps - 1)
    values: list[float] = torch.linspace(min(-span, own - step), max(span, own + step), steps).tolist()
    place = min(range(1, steps - 1), key=lambda inner: abs(values[inner] - own))
    values[place] = own
    return values, place


def _parts(count: int, size: int, tell: Tell | None) -> Iterator[slice]:
    """Slices of at most `size` out of `count`; `tell` hears of each when it is done."""
    for first in range(0, count, size):
        yield slice(first, first + size)
        if tell is not None:
            tell(min(first + size, count), count)


def bits(nats: float) -> float:
    """Nats as bits."""
    return nats / math.log(2)

"""Sentences and their codes: encode, decode, walk between two, reconstruct, sample.

from textgen import SentenceVAE
vae = SentenceVAE.from_pretrained()
for point in vae.interpolate("i went to the store to buy some groceries", "don't worry about it, she said", steps=8):
    print(point.text)
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import Literal, NamedTuple, overload

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Independent

from corpora.codec import of_text
from corpora.errors import InputError, quoted
from corpora.settings import require
from textgen.core import sampler
from textgen.core.model import Latent, draw_code
from textgen.core.prior import draw_codes
from textgen.core.randomness import normals
from textgen.runs import library
from textgen.runs.library import Label
from textgen.sentences import defaults, draw, fluent, grid, refine
from textgen.sentences.grid import Grid
from textgen.sentences.lexicon import Spelling
from textgen.sentences.units import mixed
from textgen.sentences.walk import PACES, PATHS, Point, Walk, bisected, joined, paced

CYCLE = 1.0  # weight of the cycle check beside log p(x | z) (docs/results)
AT_ONCE = 64  # codes decoded together

Texts = str | Sequence[str] | np.ndarray  # one sentence, or several
Codes = Tensor | np.ndarray
Rules = sampler.Constraint | Sequence[sampler.Constraint] | None  # for all rows, or one for each


class Skipped(NamedTuple):
    """A sentence that has no code."""

    number: int  # among those encoded, from 0
    reason: str


class Encoded(NamedTuple):
    """Codes of those sentences that have one."""

    codes: Tensor  # (M, Z), in order
    skipped: list[Skipped]


class SentenceVAE:
    """A trained sentence VAE (or plain autoencoder) with its codec. Codes are tensors (N, Z).

    Where its codec has a lexicon (`lexicon.py`), walks, grids, arithmetic and sentences that beams write hold only its
    words and those of the sentences given, unless there is another constraint, or `new_words` is True. Reconstructions,
    and sentences decoded from codes at hand, are not held to it.
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

    # ------------------------------------------------------------------------------------------------ tokens

    def tokens(self, sentences: Texts) -> Tensor:
        """Sentences as padded tokens with their stops, (N, L). Raises InputError for one that is empty or too long."""
        rows, skipped = self._rows(_listed(sentences))
        _raise_first(skipped)
        return self.opened.padded(rows).to(self.device) if rows else torch.zeros(0, 1, dtype=torch.long)

    def proper(self, sentence: str) -> str:
        """The sentence as the model reads it, and gives it back where its code holds it word for word.

        That is as its codec normalises it and, if it is typed in lower case or without its final mark and the corpus
        writes neither way, with capitals and mark (`corpora.texts.typed`).
        """
        return self.codec.normalise(self.codec.typed.proper(self.codec.normalise(sentence)))

    def notes(self, sentences: Texts) -> list[str]:
        """Lines on what a person should know of sentences: how they are read where they are typed carelessly, and
        words outside the vocabulary, which seldom come back."""
        unknown: dict[str, None] = {}
        spelt: dict[str, None] = {}
        fallback = {*self.codec.fallback_tokens()}
        for sentence in _listed(sentences):
            parts = mixed(sentence)
            for word, row in zip(parts, self.codec.encode_many(parts), strict=True):
                if self.codec.blank in row:
                    unknown[word] = None
                elif len(fallback) > 1 and fallback & {*row}:
                    spelt[word] = None
        lines = [
            f"read as {read}" for one in _listed(sentences) if (read := self.proper(one)) != self.codec.normalise(one)
        ]
        if unknown:
            lines.append(f"the model does not know {_several(unknown)}, so cannot write it")
        if spelt:
            lines.append(f"{_several(spelt)}: outside the vocabulary, spelt byte by byte, so seldom comes back")
        return lines

    def _rows(self, sentences: Sequence[str]) -> tuple[list[list[int]], list[Skipped]]:
        """Tokens of each, without stops, and those that the model does not take, with the reason."""
        rows, skipped = self.codec.encode_many([self.proper(sentence) for sentence in sentences]), []
        for number, (sentence, row) in enumerate(zip(sentences, rows, strict=True)):
            which = "the sentence" if len(sentences) == 1 else f"sentence {number + 1:,} of {len(sentences):,},"
            if not row:
                skipped.append(Skipped(number, f"{which} {quoted(sentence)} is empty: give at least one word"))
            elif len(row) + 1 > self.length:
                said = f"{which} {quoted(sentence)} has {len(row)} tokens; this model takes at most {self.length - 1}"
                skipped.append(Skipped(number, f"{said}: shorten it"))
        return rows, skipped

    # ------------------------------------------------------------------------------------------------- codes

    @overload
    def encode(
        self,
        sentences: Texts,
        *,
        seed: int | None = None,
        refine: int = defaults.REFINE,
        at_once: int = AT_ONCE,
        on_error: Literal["raise"] = "raise",
    ) -> Tensor: ...

    @overload
    def encode(
        self,
        sentences: Texts,
        *,
        seed: int | None = None,
        refine: int = defaults.REFINE,
        at_once: int = AT_ONCE,
        on_error: Literal["skip"],
    ) -> Encoded: ...

    def encode(
        self,
        sentences: Texts,
        *,
        seed: int | None = None,
        refine: int = defaults.REFINE,
        at_once: int = AT_ONCE,
        on_error: str = "raise",
    ) -> Tensor | Encoded:
        """Codes of sentences, (N, Z); of one string, which is one sentence, (1, Z). `.cpu().numpy()` makes an array.

        From the posterior means, or with `seed` draws c = m + exp(log_std) e, each code is refined in at most `refine`
        steps until it gives its sentence back greedily (`refine.py`); 0 leaves them as they are. A plain autoencoder,
        whose posterior has no deviations, is not refined.
        Raises InputError, with its number, for a sentence that is empty or longer than the model takes. With
        `on_error="skip"` these are left out, and `Encoded` says which they were.
        """
        _check_refine(refine)
        require(on_error in ("raise", "skip"), "on_error", on_error, "raise or skip")
        rows, skipped = self._rows(_listed(sentences))
        if on_error == "raise":
            _raise_first(skipped)
        codes = self._encoded(rows, refine, without={one.number for one in skipped}, seed=seed, at_once=at_once)
        return codes if on_error == "raise" else Encoded(codes, skipped)

    def _encoded(
        self,
        rows: Sequence[Sequence[int]],
        steps: int,
        *,
        without: Collection[int] = (),
        seed: int | None = None,
        at_once: int = AT_ONCE,
        pull: float = refine.PULL,
    ) -> Tensor:
        """Codes of rows of tokens but for some numbers of them. Draws depend on the number of a row alone."""
        if steps:
            at_once = min(at_once, refine.at_most(self.model, self.length))
        parts = []
        with torch.inference_mode(False), torch.no_grad():  # a code may be where a gradient begins
            for start in range(0, len(rows), at_once):
                numbers = [n for n in range(start, min(start + at_once, len(rows))) if n not in without]
                if not numbers:
                    continue
                tokens = self.opened.padded([rows[number] for number in numbers]).to(self.device)
                posterior = self.model.posterior(tokens)
                codes = posterior.mean
                if seed is not None:
                    noise = normals(seed, start, at_once, self.latent)[[number - start for number in numbers]]
                    codes = draw_code(posterior, noise.to(codes))
                if steps and self.model.noise:
                    codes = refine.refined(self.model, tokens, codes, posterior, steps, pull)
                parts.append(codes)
            return torch.cat(parts) if parts else torch.zeros(0, self.latent, device=self.device)

    def encode_array(
        self, sentences: Texts, *, seed: int | None = None, refine: int = defaults.REFINE, at_once: int = AT_ONCE
    ) -> np.ndarray:
        """`encode` as a numpy array (N, Z), float32."""
        return self.encode(sentences, seed=seed, refine=refine, at_once=at_once).cpu().numpy()

    def decode(
        self,
        codes: Codes,
        *,
        label: Label = None,
        beams: int = defaults.DECODE_BEAMS,
        rerank: bool = True,
        at_once: int = AT_ONCE,
        constraint: sampler.Constraint | None = None,
    ) -> list[str]:
        """A sentence for each code (N, Z), by beam search (`beams=1`: greedy), re-ranked as in `candidates`.

        `codes`: a tensor or a numpy array.
        `label`, here and in the other verbs: the class of the sentences decoded, or a list of one for each (None: no
        class known), for a model with classes. The code of a given sentence is found without its class.
        `constraint`, here and in the other verbs, holds for every sentence decoded: `verse.Verse` is one.
        Raises InputError for codes of another shape or not finite, for a label that the model does not know, and if no
        beam obeys the constraint.
        """
        return [points[0].text for points in self._candidates(codes, beams, rerank, at_once, constraint, label)]

    def candidates(
        self,
        code: Codes,
        *,
        beams: int = defaults.BEAMS,
        label: str | None = None,
        constraint: sampler.Constraint | None = None,
    ) -> list[Point]:
        """The best sentences for one code (Z,), best first, by log p(x | z) and the cycle check together.

        The cycle check asks whether a sentence encodes back near its point: minus the distance from z to the posterior
        mean of the sentence, in its standard deviations. Half its square, which is log q(z | x) without its normaliser,
        drowns log p(x | z) where codes are refined: far out q has no heavy tails, and sentences do.
        """
        return self._candidates(code[None], beams, True, 1, constraint, label)[0]

    @torch.inference_mode()
    def _candidates(
        self, codes: Codes, beams: int, rerank: bool, at_once: int, constraint: Rules, label: Label = None
    ) -> list[list[Point]]:
        """As `candidates`, for codes (N, Z), `at_once` together; `constraint`: one, or one for each code."""
        require(1 <= beams <= 100, "beams", beams, "1 to 100")
        codes = torch.tensor(codes) if isinstance(codes, np.ndarray) else codes
        if codes.dim() != 2 or codes.shape[1] != self.latent:
            raise InputError(
                f"codes of shape {tuple(codes.shape)}: expected (N, {self.latent}), as `encode` gives them"
            )
        if not bool(torch.isfinite(codes).all()):
            raise InputError("the codes hold NaN or infinity")
        labels, points = self.opened.labels(label, len(codes)), []
        for start in range(0, len(codes), at_once):
            part = slice(start, start + at_once)
            some = codes[part].to(self.model.summary.weight)
            rule = sampler.Each(constraint[part]) if isinstance(constraint, Sequence) else constraint
            points += self._ranked(self._beams(some, labels[part], beams, rule), some, rerank)
        return points

    def _beams(self, codes: Tensor, labels: Tensor, beams: int, constraint: sampler.Constraint | None) -> sampler.Beams:
        rows = len(codes)
        return sampler.beam(
            self.model.backbone,
            self.model.vocab,
            rows=rows,
            length=self.length,
            beams=beams,
            context=self.model.given(rows, labels, codes),
            constraint=constraint,
        )

    def _ranked(self, beams: sampler.Beams, codes: Tensor, rerank: bool) -> list[list[Point]]:
        """The different sentences of the beams of each code, best first; an empty one where there is none."""
        rows, width, _ = beams.tokens.shape
        tokens, scores = beams.tokens.flatten(0, 1), beams.scores.flatten()  # (rows * width, L), (rows * width,)
        texts = [self.codec.decode(row) for row in tokens.tolist()]
        drifts = torch.zeros_like(scores)
        if self.model.noise:
            drifts = self._drift(tokens, codes.repeat_interleave(width, 0))
        ranks = scores - CYCLE * drifts if rerank else scores
        counts = self.model.vocab.mask(tokens).sum(1)
        ranks = ranks - 1e6 * ~(tokens == self.codec.stop).any(1)  # cut off at the greatest length: last of all
        best = []
        for row in range(rows):
            points: dict[str, Point] = {}
            part = slice(row * width, (row + 1) * width)
            for place in (row * width + ranks[part].argsort(descending=True)).tolist():
                text = texts[place]
                if scores[place] > -torch.inf and text.strip() and text not in points:
                    figures = -float(scores[place]), float(drifts[place])
                    points[text] = Point(0.0, text, *figures, tokens=int(counts[place]))
            best.append(list(points.values()) or [Point(0.0, "", 0.0, 0.0)])
        return best

    def _drift(self, tokens: Tensor, codes: Tensor) -> Tensor:
        """How far each row (N, L) encodes from its code (N, Z), in standard deviations: (N,)."""
        vocab = self.model.vocab
        empty = ~vocab.mask(tokens).any(1)
        tokens = tokens.clone()
        if vocab.stop is not None:
            tokens[empty, 0] = vocab.stop
        posterior = self.model.posterior(tokens)
        return _deviations(posterior, codes)

    def _held(self, constraint: sampler.Constraint | None, texts: Iterable[str] = ()) -> sampler.Constraint | None:
        """The constraint; where there is none, the words that may be written, those of the texts among them."""
        if constraint is not None or self.new_words or not self.codec.lexicon:
            return constraint
        return Spelling(self.codec, texts)

    # ------------------------------------------------------------------------------------------------- verbs

    def reconstruct(
        self,
        sentences: Texts,
        *,
        beams: int = defaults.RECONSTRUCT_BEAMS,
        rerank: bool = True,
        refine: int = defaults.REFINE,
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
        steps: int | None = defaults.STEPS,
        path: str = defaults.PATH,
        beams: int | None = None,
        rerank: bool = True,
        pace: str = defaults.PACE,
        refine: int = defaults.REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> Walk:
        """Walk from one sentence to another: `steps` points, the two ends decoded among them.

        `path="fluent"`, which "auto" takes where the decoder is a language model too: sentences decoded from codes
        near the line between the two, those chosen that are fluent and change evenly (`fluent.py`); without `rerank`
        evenness alone counts. `steps=None` takes as few as share half of their words with their neighbours.

        `path="line"`, or "arc", which keeps the norm: the best sentence of each point of the path itself. `pace`:
        "text" decodes three times as many points, most of them where the text changes most, and keeps those between
        which it changes evenly (see `walk.spread`), since much of a path repeats the sentences at its ends; "code"
        takes even positions. `steps=None` bisects until neighbours share at least half of their words (as
        `units.difference` counts) or no new sentence turns up between them, with at most 64 points, and has no use for
        a pace.

        The codes of the ends are refined as in `encode`, those of a fluent path further from their posterior if need
        be. `beams`: 10 for each point, 5 for each code of a fluent path.
        `constraint` holds for every point, those decoded at the ends too.
        Raises InputError for a sentence that is empty or too long, or bad numbers.
        """
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

    def walks(
        self,
        pairs: Sequence[tuple[str, str]],
        *,
        steps: int | None = defaults.STEPS,
        path: str = defaults.PATH,
        beams: int | None = None,
        rerank: bool = True,
        pace: str = defaults.PACE,
        refine: int = defaults.REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> list[Walk]:
        """`interpolate` for many pairs, their points decoded together, each walk as it would be by itself."""
        path, beams = self.way(path, beams)
        if pace not in PACES:
            raise InputError(f"pace {quoted(pace)}: choose from {', '.join(PACES)}")
        require(steps is None or 2 <= steps <= 1000, "steps", steps, "2 to 1000 points, or None: as many as it takes")
        _check_refine(refine)
        if path == fluent.NAME:
            several = self._fluent(pairs, steps, beams, rerank, refine, constraint)
        else:
            several = self._along(PATHS[path], pairs, steps, beams, rerank, pace, refine, constraint)
        return [
            joined(*pair, path, points, self.proper, self.notes(pair))
            for pair, points in zip(pairs, several, strict=True)
        ]

    def way(self, path: str = defaults.PATH, beams: int | None = None) -> tuple[str, int]:
        """The path and the number of beams of a walk by this model. Raises InputError for what there is not."""
        if path == defaults.PATH:
            path = fluent.NAME if self.model.code_free else "line"
        if path not in (fluent.NAME, *PATHS):
            raise InputError(f"path {quoted(path)}: choose from {', '.join((defaults.PATH, fluent.NAME, *PATHS))}")
        if path == fluent.NAME and not self.model.code_free:
            raise InputError(
                f"path {fluent.NAME}: the decoder of {self.opened.name} is no language model, so cannot tell what is "
                "fluent; train with code_fade=0.5 code_free=0.05, or choose line or arc"
            )
        if beams is None:
            beams = defaults.FLUENT_BEAMS if path == fluent.NAME else defaults.BEAMS
        require(1 <= beams <= 100, "beams", beams, "1 to 100")
        return path, beams

    def _along(
        self,
        path: Callable[[Tensor, Tensor, float], Tensor],
        pairs: Sequence[tuple[str, str]],
        steps: int | None,
        beams: int,
        rerank: bool,
        pace: str,
        refine: int,
        constraint: sampler.Constraint | None,
    ) -> list[list[Point]]:
        """The points of walks that keep to a path between codes."""
        ends = self.encode([sentence for pair in pairs for sentence in pair], refine=refine)
        ends = ends.view(len(pairs), 2, self.latent)
        held = [self._held(constraint, pair) for pair in pairs]

        def decode(places: Sequence[tuple[int, float]]) -> list[Point]:
            """The points of some (pair, position)."""
            codes = torch.stack([path(ends[pair, 0], ends[pair, 1], position) for pair, position in places])
            rules = [rule for pair, _ in places if (rule := held[pair]) is not None]
            best = self._candidates(codes, beams, rerank, AT_ONCE, constraint or rules or None)
            return [replace(some[0], position=place) for (_, place), some in zip(places, best, strict=True)]

        def along(pair: int, positions: Sequence[float]) -> list[Point]:
            return decode([(pair, position) for position in positions])

        if steps is None:
            return [bisected(partial(along, pair)) for pair in range(len(pairs))]
        return paced(decode, len(pairs), steps, pace)

    def _fluent(
        self,
        pairs: Sequence[tuple[str, str]],
        steps: int | None,
        beams: int,
        rerank: bool,
        refine_steps: int,
        constraint: sampler.Constraint | None,
    ) -> list[list[Point]]:
        """The points of walks through fluent sentences near the line between two codes."""
        rows, skipped = self._rows([sentence for pair in pairs for sentence in pair])
        _raise_first(skipped)
        means = self._encoded(rows, 0).view(len(pairs), 2, self.latent)
        refined = self._encoded(rows, refine_steps, pull=refine.LOOSE).view(len(pairs), 2, self.latent)
        # A refined code gives its sentence back greedily: more beams could only lose it. A constraint may take away
        # the end of a sentence that is begun greedily.
        width = 1 if constraint is None else beams
        last = self._candidates(refined.flatten(0, 1), width, False, AT_ONCE, constraint)
        walks = []
        for number, pair in enumerate(pairs):
            ends = fluent.Ends(means[number], refined[number])
            first, second = (replace(last[2 * number + end][0], position=float(end)) for end in (0, 1))
            between = (steps or defaults.STEPS) - 2
            count = min(fluent.MOST_TRIED, fluent.TRIED * (between + 1)) if between else 0
            candidates = self._near(ends, count, beams, self._held(constraint, pair))
            walks.append(fluent.chosen(first, second, candidates, steps, fluency=fluent.FLUENCY if rerank else 0.0))
        return walks

    @torch.inference_mode()
    def _near(
        self, ends: fluent.Ends, count: int, beams: int, constraint: sampler.Constraint | None
    ) -> list[fluent.Candidate]:
        """Sentences decoded from `count` codes near the line between two."""
        codes = fluent.codes(ends, count)
        best: dict[tuple[int, ...], tuple[float, int]] = {}  # of each sentence the greatest log p(x | z), and its code
        for start in range(0, count, AT_ONCE):
            some = codes[start : start + AT_ONCE]
            written = self._beams(some, self.opened.labels(None, len(some)), beams, constraint)
            scores = written.scores.flatten().tolist()
            for place, (row, score) in enumerate(zip(written.tokens.flatten(0, 1).tolist(), scores, strict=True)):
                if self.codec.stop in row and score > -torch.inf:
                    tokens = tuple(row[: row.index(self.codec.stop)])
                    best[tokens] = max(best.get(tokens, (-torch.inf, 0)), (score, start + place // beams))
        rows = [row for row in best if self.codec.decode(list(row)).strip()]
        return [
            one for start in range(0, len(rows), 128) for one in self._placed(rows[start:][:128], best, codes, ends)
        ]

    def _placed(
        self,
        rows: Sequence[tuple[int, ...]],
        best: Mapping[tuple[int, ...], tuple[float, int]],
        codes: Tensor,
        ends: fluent.Ends,
    ) -> list[fluent.Candidate]:
        """Rows of tokens as candidates: where each encodes along the line, and how fluent it is."""
        tokens = self.opened.padded(rows).to(self.device)
        posterior, way = self.model.posterior(tokens), ends.means[1] - ends.means[0]
        places = (posterior.mean - ends.means[0]) @ way / way.square().sum().clamp(min=1e-12)
        scores, numbers = zip(*(best[row] for row in rows), strict=True)
        drifts = _deviations(posterior, codes[list(numbers)])
        figures = zip(rows, places.tolist(), scores, drifts.tolist(), self.fluency(tokens).tolist(), strict=True)
        return [
            fluent.Candidate(Point(place, self.codec.decode(list(row)), -score, drift, tokens=len(row) + 1), fluency)
            for row, place, score, drift, fluency in figures
        ]

    @cached_property
    def fluency(self) -> fluent.Fluency:
        """The fluency of rows of tokens by the model itself."""
        return fluent.Fluency(self.model, self.length)

    def neighbours(
        self, sentence: str, among: Sequence[str], *, count: int = defaults.NEIGHBOURS
    ) -> list[tuple[str, float]]:
        """The `count` sentences of `among` whose codes are nearest, with the distance between the posterior means.

        Sentences that are empty or longer than the model takes are passed over; the sentence itself too.
        Raises InputError if none is left.
        """
        own = self.proper(sentence)
        rows = self.codec.encode_many(among)
        kept = [text for text, row in zip(among, rows, strict=True) if self.opened.takes(row)]
        kept = [text for text in dict.fromkeys(kept) if self.codec.normalise(text) != own]
        if not kept:
            raise InputError("there is no sentence to compare with: all are empty, too long, or the sentence itself")
        distances = (self.encode(kept, refine=0) - self.encode(sentence, refine=0)).norm(dim=1)
        nearest = distances.topk(min(count, len(kept)), largest=False)
        return [(kept[place], float(far)) for place, far in zip(nearest.indices.tolist(), nearest.values, strict=True)]

    def direction(self, minus: Texts, plus: Texts) -> Tensor:
        """The way from one kind of sentence to another, (Z,): the difference of the means of their posterior means."""
        if not len(minus) or not len(plus):
            raise InputError("a direction needs at least one sentence on either side")
        return self.encode(plus, refine=0).mean(0) - self.encode(minus, refine=0).mean(0)

    def arithmetic(
        self,
        sentence: str,
        minus: Texts,
        plus: Texts,
        *,
        strengths: Sequence[float] = defaults.STRENGTHS,
        beams: int = defaults.BEAMS,
        refine: int = defaults.REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> list[str]:
        """`sentence` - `minus` + `plus`, codes averaged on either side, decoded at each strength.

        With one sentence on either side this is a - b + c; with many it is an attribute's direction.
        """
        code, way = self.encode(sentence, refine=refine)[0], self.direction(minus, plus)
        codes = torch.stack([code + strength * way for strength in strengths])
        held = self._held(constraint, [sentence, *_listed(minus), *_listed(plus)])
        return self.decode(codes, beams=beams, constraint=held)

    def vary(
        self,
        sentence: str,
        *,
        dims: Sequence[int] | int = defaults.VARY_DIMS,
        steps: int = defaults.VARY_STEPS,
        span: float = defaults.VARY_SPAN,
        beams: int = defaults.VARY_BEAMS,
        refine: int = defaults.REFINE,
        constraint: sampler.Constraint | None = None,
    ) -> Grid:
        """One or two of a sentence's codes turned over a grid, the others held: the meaning of each.

        `dims`: the codes by number, or how many; then those that tell most about this sentence, by their rate. Each
        goes from -`span` to `span`, in standard deviations of the prior, in `steps` steps. Raises InputError for codes
        that the model does not have.
        """
        require(2 <= steps <= 50, "steps", steps, "2 to 50")
        require(0 < span <= 100, "span", span, "a number above 0 and at most 100")
        with torch.inference_mode():
            rates = self.model.rates(self.model.posterior(self.tokens(sentence)))[0]
        numbers = grid.chosen(dims, rates)
        code = self.encode(sentence, refine=refine)[0]
        values = torch.linspace(-span, span, steps)
        codes = grid.turned(code, numbers, values)
        texts = self.decode(codes, beams=beams, rerank=False, constraint=self._held(constraint, [sentence]))
        width = steps if len(numbers) == 2 else 1
        rows = [texts[start : start + width] for start in range(0, len(texts), width)]
        return Grid(sentence, numbers, rates[numbers].tolist(), code[numbers].tolist(), values.tolist(), rows)

    @torch.inference_mode()
    def sample(
        self,
        rows: int = defaults.SAMPLES,
        *,
        seed: int = 0,
        how: sampler.Choice | None = None,
        beams: int | None = None,
        best_of: int | None = None,
        code_temperature: float | None = None,
        prompt: str = "",
        label: Label = None,
        constraint: sampler.Constraint | None = None,
    ) -> list[str]:
        """`rows` new sentences with codes from the prior, as `textgen sample` writes them.

        By default the most probable sentences by 5 beams, of codes at a temperature of 0.7, each the best of 4 by NLL
        per token. Where the decoder is a language model too, sentences drawn at a temperature of 0.6, of codes at 0.85,
        each the most fluent of 16 (`fluent.Fluency`, which then ranks whatever `best_of` is). `beams=0` draws exactly
        from the model, token by token, as a prompt or a choice of tokens does (`defaults.sampling`).
        `code_temperature`: as in `draw_codes`; below 1 what beams write becomes plainer. Row i is the same for any
        `rows`. Raises InputError for a prompt longer than the model takes, and for a prompt or a choice of tokens
        beside `beams`, which has no use for them.
        """
        free = self.model.code_free
        by_token = bool(prompt) or how is not None
        way = defaults.sampling(beams, best_of, code_temperature, by_token=by_token, fluent=free)
        beams, best_of, heat = way[:3]
        if way.temperature is not None:
            how = sampler.Choice(temperature=way.temperature)
            constraint = self._held(constraint)
        if not beams:
            return draw.draw(
                self.opened,
                rows,
                seed=seed,
                how=how,
                best_of=best_of,
                code_temperature=heat,
                prompt=prompt,
                label=label,
                constraint=constraint,
                cost=(lambda tokens: -self.fluency(tokens)) if free else None,
            )
        if by_token:
            raise InputError(
                "beams write each code's most probable sentence: leave out the prompt, temperature and top-*"
            )
        require(1 <= best_of <= 1000, "best_of", best_of, "1 to 1000")
        codes = draw_codes(self.model.prior, seed, 0, rows * best_of, heat)
        labels = self.opened.labels(label, rows).repeat_interleave(best_of)
        points = [some[0] for some in self._candidates(codes, beams, True, AT_ONCE, self._held(constraint), labels)]
        nats = [point.distortion / max(1, point.tokens) for point in points]
        return draw.best([point.text for point in points], nats, best_of)


def _listed(sentences: Texts) -> list[str]:
    """One sentence or several as a list."""
    return [sentences] if isinstance(sentences, str) else [str(sentence) for sentence in sentences]


def _check_refine(steps: int) -> None:
    require(0 <= steps <= 1000, "refine", steps, "0 to 1000 steps")


def _deviations(posterior: Independent, codes: Tensor) -> Tensor:
    """The distance from each posterior mean to a code (N, Z), in standard deviations of the posterior: (N,)."""
    return ((posterior.mean - codes) / posterior.stddev).pow(2).sum(1).sqrt()


def _raise_first(skipped: Sequence[Skipped]) -> None:
    if skipped:
        raise InputError(skipped[0].reason)


def _several(texts: Iterable[str]) -> str:
    """The first few, quoted."""
    every = list(texts)
    more = f" and {len(every) - 5} more" if len(every) > 5 else ""
    return ", ".join(map(quoted, every[:5])) + more

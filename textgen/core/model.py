"""Models: players with their losses, a judge, and a way to draw rows.

`LikelihoodModel` has a backbone: `Autoregressive` without a code, `Latent` with one. A model without a likelihood, such
as a GAN, derives from `Model` itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

from corpora.errors import InputError
from corpora.settings import require
from textgen.core.backbone import Backbone, Vocabulary
from textgen.core.classes import Classes
from textgen.core.corruption import Corruption, blanked, fading
from textgen.core.encoder import Encoder
from textgen.core.player import Alarm, Batch, Player, Terms
from textgen.core.precision import precise
from textgen.core.prior import Prior, draw_codes
from textgen.core.randomness import Draw
from textgen.core.rate import BatchNorm, Rate
from textgen.core.sampler import Choice, sample


class Model(nn.Module):
    """A distribution over rows: it learns from batches, is judged on held-out ones, and draws new rows."""

    vocab: Vocabulary
    latent: int | None = None  # Z, for models with a code
    classes: Classes | None  # of models that know the class of a row

    def __init__(self, classes: Classes | None = None) -> None:
        super().__init__()
        self.classes = classes

    def players(self) -> Mapping[str, Player]:
        """All players by name, the same at every step; the order is that of their optimisers."""
        return {"model": Player("model", (self,), self.loss)}

    def turns(self, progress: float) -> Sequence[str]:
        """The players of a step in the order of their turns, when a share `progress` of all steps is done.

        Each turn has batches of its own; a player may have several. No step may have more turns than the first.
        """
        return list(self.players())

    def loss(self, batch: Batch, draw: Draw) -> Terms:
        """The loss of each row of a batch, of a model with one player."""
        raise NotImplementedError(f"{type(self).__name__} must define loss, or players and judge")

    def judge(self, batch: Batch, draw: Draw) -> Terms:
        """The loss of held-out rows, in evaluation mode; or any other measure of them."""
        return self.loss(batch, draw)

    def score(self, means: Mapping[str, float]) -> float | None:
        """The selection score, lower is better, from means of `judge`; None: the newest checkpoint is kept as best."""
        return means["loss"]

    def alarms(self, means: Mapping[str, float], progress: float) -> Iterable[Alarm]:
        """Signs of a failed training in means of `judge`, when a share `progress` of all steps is done."""
        return ()

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        """Set the schedules for a step; `progress` in [0, 1) is the share of all steps done.

        Returns parameters that were re-initialised, whose optimiser state the trainer then forgets.
        """
        return ()

    def begin_anew(self) -> None:
        """Begin another training with the weights of an earlier one: what is done once in a training is yet to do."""

    def observe(self, means: Mapping[str, float]) -> None:
        """Take note of a step's means over all processes, after the step."""

    def sample(
        self,
        rows: int,
        *,
        length: int,
        seed: int = 0,
        first: int = 0,
        labels: Tensor | None = None,
        how: Choice | None = None,
        code_temperature: float = 1.0,
    ) -> Tensor:
        """New rows first, first + 1, ... of at most `length` tokens, (rows, L): each a function of (seed, its number).

        `labels` (rows,) are numbers of classes, -1 for none; `code_temperature` scales the noise of codes.
        """
        raise NotImplementedError(f"{type(self).__name__} must define sample")


class LikelihoodModel(Model):
    """A model with p(x_i | what it may see, context), by a `backbone`."""

    backbone: Backbone

    def given(
        self, rows: int, labels: Tensor | None = None, codes: Tensor | None = None, draw: Draw | None = None
    ) -> Tensor | None:
        """The backbone's context (rows, C): codes (rows, Z), if any, and the class embedding, if any, concatenated.

        `labels` (rows,) are numbers of classes, -1 (or None for all) where none is known; a model without classes
        passes over them. With `draw` some are hidden, as in training.
        """
        if self.classes is None:
            return codes
        if labels is None:
            labels = torch.full((rows,), -1, device=self.classes.embedding.weight.device)
        known = self.classes(labels if draw is None else self.classes.hide(labels, draw))
        return known if codes is None else torch.cat([codes, known], 1)

    def context(
        self, seed: int, first: int, rows: int, labels: Tensor | None = None, code_temperature: float = 1.0
    ) -> Tensor | None:
        """The context of rows first, first + 1, ... when sampling, (rows, C) or None; `labels` as in `given`.

        `code_temperature` scales the noise of codes (`prior.draw_codes`). Raises InputError for one where there are no
        codes.
        """
        require(code_temperature == 1, "code_temperature", code_temperature, "1, since this model has no codes")
        return self.given(rows, labels)

    @property
    def usual(self) -> Choice:
        """The choice of tokens where none is asked for.

        A backbone that looks back at nothing takes the most probable token at each place: tokens drawn there without
        regard to each other are noise.
        """
        return Choice() if self.backbone.looks_back else Choice(temperature=0.0)

    def sample(
        self,
        rows: int,
        *,
        length: int,
        seed: int = 0,
        first: int = 0,
        labels: Tensor | None = None,
        how: Choice | None = None,
        code_temperature: float = 1.0,
    ) -> Tensor:
        """As `Model.sample`; `how` chooses each token, by default as `usual` does."""
        with torch.inference_mode():
            context = self.context(seed, first, rows, labels, code_temperature)
        how = how or self.usual
        return sample(
            self.backbone, self.vocab, rows=rows, length=length, context=context, how=how, seed=seed, first=first
        )


def with_likelihood(model: Model, name: str) -> LikelihoodModel:
    """The model itself, as one with a backbone. Raises InputError, calling it `name`, if it has no likelihood."""
    if not isinstance(model, LikelihoodModel):
        raise InputError(f"{name} has no likelihood: it can draw rows and no more")
    return model


class Autoregressive(LikelihoodModel):
    """p(x) = prod_i p(x_i | x_<i): a language model, a PixelRNN, a PixelCNN, by its backbone."""

    def __init__(
        self, backbone: Backbone, vocab: Vocabulary, word_dropout: float = 0.0, classes: Classes | None = None
    ) -> None:
        super().__init__(classes)
        self.backbone, self.vocab, self.word_dropout = backbone, vocab, word_dropout
        backbone.impossible = vocab.impossible
        self.word_dropout_now = word_dropout

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        self.word_dropout_now = fading(self.word_dropout, progress)
        return ()

    def loss(self, batch: Batch, draw: Draw) -> Terms:
        tokens = batch.values
        inputs = blanked(tokens, self.vocab, self.word_dropout_now, draw) if self.training else tokens
        context = self.given(len(tokens), batch.labels, draw=draw if self.training else None)
        nll = self.backbone.nll(tokens, self.vocab.mask(tokens), context, inputs)
        return Terms(nll, {"nll": nll.detach()})


def draw_code(posterior: Independent, noise: Tensor) -> Tensor:
    """Codes mean + stddev x noise, (..., B, Z), from standard normal noise (..., B, Z) (Kingma and Welling 2014)."""
    return posterior.mean + posterior.stddev * noise


class Latent(LikelihoodModel):
    """p(x) = integral of p(x | z) p(z) dz, with the posterior q(z | x) (Kingma and Welling 2014).

    `prior()` is the distribution p(z) over codes (Z,): N(0, I) in training, which the rate is about; another may
    be fitted afterwards.

    The code is c = m + exp(log_std) e with standard normal e; the rate is the exact
    KL(q || p) = sum(exp(2 log_std) + m^2 - 1 - 2 log_std) / 2.
    `noise=False` makes the plain autoencoder: c = m, and no rate.
    """

    WIDEST = 6.0  # |log_std| stays below this, so that an autoencoder phase cannot drive it to minus infinity

    def __init__(
        self,
        encoder: Encoder,
        make_backbone: Callable[[], Backbone],
        prior: Prior,
        latent: int,
        vocab: Vocabulary,
        rate: Rate,
        corruption: Corruption | None = None,
        noise: bool = True,
        classes: Classes | None = None,
    ) -> None:
        super().__init__(classes)
        self.encoder, self.vocab, self.latent, self.noise = encoder, vocab, latent, noise
        self.prior = prior
        self.make_backbone = make_backbone  # kept to re-initialise the decoder after a warm start
        self.backbone = make_backbone()
        self.backbone.impossible = vocab.impossible
        self.summary = nn.Linear(encoder.size, 2 * latent)
        self.norm = BatchNorm(latent, rate.config.batch_norm) if rate.config.batch_norm else None
        self.rate = rate
        self.corruption = corruption or Corruption()
        self.word_dropout_now = self.corruption.word_dropout

    @property
    def code_free(self) -> bool:
        """Whether the decoder learned p(x) too, from a code of zeros."""
        return self.noise and (self.corruption.code_free > 0 or self.corruption.code_fade > 0)

    def posterior(self, tokens: Tensor) -> Independent:
        """q(z | x) for (B, L) tokens: a diagonal Normal over (B, Z)."""
        mean, log_std = precise(self.summary(self.encoder(tokens, self.vocab.mask(tokens)))).chunk(2, 1)
        if self.norm is not None:
            mean = self.norm(mean)
        log_std = self.WIDEST * torch.tanh(log_std / self.WIDEST)
        return Independent(Normal(mean, log_std.exp(), validate_args=False), 1, validate_args=False)

    def distortion(self, tokens: Tensor, context: Tensor | None, inputs: Tensor | None = None) -> Tensor:
        """-log p(x | z), nats per row (B,), for (B, L) tokens and the context of codes (B, Z) that `given` makes."""
        return self.backbone.nll(tokens, self.vocab.mask(tokens), context, inputs)

    def rates(self, posterior: Independent) -> Tensor:
        """KL(q(z_d | x) || N(0, 1)) for each row and dimension, (B, Z) nats, whatever prior was fitted later."""
        zeros = torch.zeros_like(posterior.mean)
        return kl_divergence(posterior.base_dist, Normal(zeros, torch.ones_like(zeros), validate_args=False))

    def players(self) -> Mapping[str, Player]:
        """The whole model; and, where there are aggressive turns, all that makes the posterior."""
        players = {"model": Player("model", (self,), self.loss)}
        if self.rate.config.aggressive and self.rate.config.aggressive_share:
            inference = tuple(part for part in (self.encoder, self.summary, self.norm) if part is not None)
            players["encoder"] = Player("encoder", inference, self.loss)
        return players

    def turns(self, progress: float) -> Sequence[str]:
        """The whole model, then `aggressive` turns of the encoder, after He et al. (2019, alg. 1).

        They go on with such turns until the loss has stopped falling, and stop being aggressive once the mutual
        information on the valid split has stopped rising; we take fixed numbers, so that a step depends on its own
        number alone. Their other update is of the decoder, ours of the encoder too.
        """
        config = self.rate.config
        return ["model"] + ["encoder"] * (config.aggressive if progress < config.aggressive_share else 0)

    def prepare(self, progress: float) -> Iterable[nn.Parameter]:
        self.word_dropout_now = fading(self.corruption.word_dropout, progress)
        self.rate.prepare(progress)
        config = self.rate.config
        if config.warm_start and config.reset_decoder and not self.rate.restarted and progress >= config.warm_start:
            self.rate.restarted.fill_(True)
            self.backbone.load_state_dict(self.make_backbone().state_dict())
            return list(self.backbone.parameters())
        return ()

    def begin_anew(self) -> None:
        self.rate.restarted.fill_(False)  # a warm start that is asked for anew ends as any other

    def observe(self, means: Mapping[str, float]) -> None:
        if self.noise:
            self.rate.observe(means["rate"])

    def loss(self, batch: Batch, draw: Draw) -> Terms:
        tokens = batch.values
        seen = inputs = tokens
        if self.training:
            seen = self.corruption.on_tokens(tokens, self.vocab, draw)
            inputs = blanked(tokens, self.vocab, self.word_dropout_now, draw)
        posterior = self.posterior(seen)
        codes = draw_code(posterior, draw.normal(self.latent or 0)) if self.noise else posterior.mean
        if self.training:
            codes = self.corruption.on_codes(codes, draw)
        context = self.given(len(tokens), batch.labels, codes, draw if self.training else None)
        distortion = self.distortion(tokens, context, inputs)
        if not self.noise:
            return Terms(distortion, {"distortion": distortion.detach()})
        kl = self.rates(posterior)
        report = {"distortion": distortion.detach(), "rate": kl.sum(1).detach()}
        return Terms(distortion + self.rate.charge(kl), report)

    def score(self, means: Mapping[str, float]) -> float | None:
        """Distortion + beta x rate; where a target rate is held, a rate below it counts as the target.

        (At a high rate the negative ELBO alone would prefer an early, collapsed checkpoint.)
        """
        config = self.rate.config
        if not self.noise:
            return means["distortion"]
        if config.rate is None:
            return means["distortion"] + config.beta * means["rate"]
        return means["distortion"] + max(means["rate"], config.rate)

    def alarms(self, means: Mapping[str, float], progress: float) -> Iterable[Alarm]:
        """Collapse: the decoder ignores the code. `means` has the rate and, where they were counted, active units."""
        if not self.noise:
            return
        rate, active, target = means["rate"], means.get("active units", float(self.latent or 0)), self.rate.config.rate
        early = self.rate.beta < 0.05 if target is None else progress < 0.3  # a held rate takes a while to come
        if progress < 0.1 or self.rate.share < 1 or early:
            return
        if rate < min(0.5, 0.1 * (target or 5)) or active < 1:
            held = "warm_start=0.2 or word_dropout=0.3"
            free = "rate=8 (hold the rate at 8 nats), free_bits_dim=0.3 or warm_start=0.2"
            yield Alarm(
                "collapse",
                f"the posterior is collapsing: rate {rate:.2f} nats per row, "
                f"{active:.0f} of {self.latent} units active; codes will not matter",
                f"What helps: {free if target is None else held}",
            )

    def context(
        self, seed: int, first: int, rows: int, labels: Tensor | None = None, code_temperature: float = 1.0
    ) -> Tensor | None:
        """The context of codes from the prior, one stream of random numbers per row; `labels` as in `given`."""
        codes = draw_codes(self.prior, seed, first, rows, code_temperature)
        return self.given(rows, labels, codes.to(self.summary.weight))

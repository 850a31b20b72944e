"""Laws of every model with every backbone and encoder: its loss, its noise, its schedules."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import small
from corpora.corpus import Corpus
from small import BLANK, PAD, STOP, VOCAB
from textgen.core import recipes, trainer
from textgen.core.backbone import CrossEntropy
from textgen.core.corruption import Corruption, blanked, deleted, ordinary, replaced, shuffled
from textgen.core.model import Latent
from textgen.core.player import Batch
from textgen.core.randomness import Draw, normals, uniforms
from textgen.core.rate import Config, Rate
from textgen.core.trainer import Processes, Training

LATENT = [name for name in small.MODELS if name != "lm"]


def combinations(models: list[str]) -> list[dict[str, str]]:
    """Every model with every part that it names."""
    found = []
    for model in models:
        made = [{"name": model}]
        for kind, names in (("backbone", small.BACKBONES), ("encoder", small.ENCODERS)):
            if hasattr(small.find("textgen.models", model).Config, kind):
                made = [{**one, kind: name} for one in made for name in names]
        found += made
    return found


every_model = pytest.mark.parametrize("parts", combinations(small.MODELS), ids=lambda parts: "-".join(parts.values()))
every_latent = pytest.mark.parametrize("parts", combinations(LATENT), ids=lambda parts: "-".join(parts.values()))


def made(parts: dict[str, str], **settings: object) -> torch.nn.Module:
    return small.model(**parts, **settings)


def noise(rows: int, seed: int = 0) -> Draw:
    return Draw(seed, 0, total=rows)


TOKENS = small.rows([2, 5, 3, 1])


@pytest.fixture(scope="module")
def toy(toy_corpus) -> Corpus:
    return Corpus.open(toy_corpus)


def train(model, corpus: Corpus, steps: int, lr: float = 1e-2, batch: int = 32, **settings) -> list[dict[str, float]]:
    settings = {"precision": "fp32", "ema": 0.0, "schedule": "constant", "lr_warmup": 0, **settings}
    chosen = trainer.Config(lr=lr, **settings)
    training = Training(model, chosen, steps=steps, seed=0)

    def rows(number: int) -> Batch:
        found = corpus.batch(number, 0, batch)
        return Batch(torch.from_numpy(found.tokens), total=found.total)

    return [report.means for report in trainer.steps(training, rows)]


# The loss.


@every_model
def test_the_loss_is_finite_and_its_terms_add_up(parts):
    for settings in ({}, {"rate": None, "beta": 0.7}) if "encoder" in parts else ({},):
        model = made(parts, **settings)
        for training in (False, True):
            terms = model.train(training).loss(Batch(TOKENS), noise(4))
            assert terms.loss.shape == (4,)
            assert torch.isfinite(terms.loss).all()
            for value in terms.report.values():
                assert value.shape == (4,)
                assert not value.requires_grad
            if isinstance(model, Latent):
                rate = terms.report.get("rate", torch.zeros(4))
                assert ("rate" in terms.report) == model.noise
                torch.testing.assert_close(terms.loss.detach(), terms.report["distortion"] + model.rate.beta * rate)
            else:
                torch.testing.assert_close(terms.loss.detach(), terms.report["nll"])


@every_model
def test_gradients_reach_every_weight(parts):
    model = made(parts).train()
    if isinstance(model, Latent):
        model.rate.log_beta.fill_(0.0)
    model.loss(Batch(TOKENS), noise(4)).loss.sum().backward()
    for name, weight in model.named_parameters():
        assert weight.grad is not None, name
        assert weight.grad.abs().max() > 0, name


@every_model
def test_a_row_of_the_loss_does_not_hang_on_the_rows_beside_it(parts):
    model = made(parts)
    whole = model.loss(Batch(TOKENS), noise(4)).loss
    for rank in (0, 1):
        part = model.loss(Batch(TOKENS[rank::2]), Draw(0, 0, total=4, rank=rank, world=2)).loss
        torch.testing.assert_close(part, whole[rank::2], rtol=1e-5, atol=1e-5)


@every_model
def test_every_model_learns(parts, toy):
    """A few steps make rows that it has not seen much more probable."""
    sizes = {name: 1 for name in small.settings(parts["name"], **rest(parts)) if name.endswith("layers")}
    model = small.model(**parts, vocab=config_vocabulary(toy), **sizes)
    held_out = torch.from_numpy(toy.rows("valid").pad(range(30)))

    def loss() -> float:
        with torch.no_grad():
            terms = model.eval().loss(Batch(held_out), noise(30))
        return float(terms.report["distortion" if isinstance(model, Latent) else "nll"].mean())

    before = loss()
    reports = train(model, toy, 60, lr=2e-2)
    assert loss() < 0.87 * before
    assert all(math.isfinite(value) for report in reports for value in report.values())


def rest(parts: dict[str, str]) -> dict[str, str]:
    return {key: value for key, value in parts.items() if key != "name"}


def config_vocabulary(corpus: Corpus):
    from textgen.runs.library import vocabulary

    return vocabulary(corpus.codec)


@every_latent
def test_the_context_for_row_i_is_the_same_whatever_is_drawn_beside_it(parts):
    model = made(parts)
    together = model.context(5, 0, 6)
    assert together.shape == (6, 4)
    assert torch.equal(model.context(5, 2, 3), together[2:5])


@pytest.mark.parametrize("parts", combinations(["autoencoder"]), ids=lambda parts: "-".join(parts.values()))
def test_the_autoencoder_has_no_noise_and_no_rate(parts):
    model = made(parts)
    one, other = (model.loss(Batch(TOKENS), noise(4, seed)) for seed in (1, 2))
    assert torch.equal(one.loss, other.loss)
    assert set(one.report) == {"distortion"}
    torch.testing.assert_close(one.loss, model.distortion(TOKENS, model.posterior(TOKENS).mean))


@pytest.mark.parametrize("parts", combinations(["vae"]), ids=lambda parts: "-".join(parts.values()))
def test_the_vae_draws_its_code_from_the_noise(parts):
    model = made(parts)
    one, again, other = (model.loss(Batch(TOKENS), noise(4, seed)) for seed in (1, 1, 2))
    assert torch.equal(one.loss, again.loss)
    assert not torch.allclose(one.report["distortion"], other.report["distortion"])
    assert torch.equal(one.report["rate"], other.report["rate"])


def test_the_spread_of_a_posterior_stays_within_bounds():
    model = small.model("vae")
    with torch.no_grad():
        model.summary.bias.copy_(torch.tensor([0.0] * 4 + [-1e6, 1e6, 0.0, 0.5]))
        model.summary.weight.zero_()
        found = model.posterior(TOKENS).stddev[0].log()
    assert found[:2].tolist() == pytest.approx([-Latent.WIDEST, Latent.WIDEST])
    assert found[2:].tolist() == pytest.approx([0, 0.5], abs=2e-3)


# Cross-entropy in pieces.


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("rows", [0, 1, 7, 50])
def test_cross_entropy_in_pieces_is_that_of_torch(monkeypatch, rows, kind):
    monkeypatch.setattr(CrossEntropy, "rows", staticmethod(lambda logits: 3))
    generator = torch.Generator().manual_seed(0)
    given = (3 * torch.randn(rows, 9, generator=generator)).to(kind)
    targets, scale = torch.randint(9, (rows,), generator=generator), torch.randn(rows, generator=generator)
    found, wanted = given.clone().requires_grad_(), given.clone().requires_grad_()
    ours = CrossEntropy.apply(found * 1, targets)
    theirs = torch.nn.functional.cross_entropy(wanted.float(), targets, reduction="none")
    torch.testing.assert_close(ours, theirs)
    assert ours.dtype == torch.float32
    (ours * scale).sum().backward()
    (theirs * scale).sum().backward()
    torch.testing.assert_close(found.grad, wanted.grad, rtol=1e-2 if kind == torch.bfloat16 else 1e-5, atol=1e-6)


# Noise on tokens.


rows_of_tokens = st.lists(st.lists(st.integers(BLANK, 10), max_size=7), min_size=1, max_size=5).map(
    lambda rows: torch.tensor([[*row, STOP, *[PAD] * (7 - len(row))] for row in rows])
)


@given(rows_of_tokens, st.floats(0, 0.99), st.integers(0, 1000))
def test_blanking_touches_ordinary_tokens_alone(tokens, share, seed):
    found = blanked(tokens, VOCAB, share, Draw(seed, 0, total=len(tokens)))
    assert found.shape == tokens.shape
    changed = found != tokens
    assert (found[changed] == BLANK).all()
    assert not changed[(tokens == STOP) | (tokens == PAD)].any()


@given(rows_of_tokens, st.floats(0, 0.99), st.integers(0, 1000))
def test_deleting_keeps_order_stop_and_shape(tokens, share, seed):
    found = deleted(tokens, VOCAB, share, Draw(seed, 0, total=len(tokens)))
    assert found.shape == tokens.shape
    for before, after in zip(tokens.tolist(), found.tolist(), strict=True):
        kept = [token for token in after if token != PAD]
        assert after == kept + [PAD] * (len(after) - len(kept))
        assert kept[-1] == STOP
        assert kept.count(STOP) == 1
        rest = iter(before)
        assert all(token in rest for token in kept), "not a part of the row in its order"


@given(rows_of_tokens, st.integers(1, 9), st.integers(0, 1000))
def test_shuffling_moves_each_ordinary_token_a_few_places_at_most(tokens, places, seed):
    """Numbered, so that each can be followed; stop and padding stay where they are."""
    vocab = VOCAB._replace(size=100)
    numbered = torch.where(ordinary(tokens, vocab), BLANK + torch.arange(8), tokens)
    found = shuffled(numbered, vocab, places, Draw(seed, 0, total=len(tokens)))
    assert torch.equal(found.sort(1).values, numbered.sort(1).values)
    kept = ~ordinary(tokens, vocab)
    assert torch.equal(found[kept], tokens[kept])
    moved = (found - BLANK - torch.arange(8))[~kept]
    assert (moved.abs() <= places).all()


def test_shuffling_uses_all_the_places_it_may():
    tokens = torch.arange(BLANK, BLANK + 50).repeat(200, 1)
    vocab = VOCAB._replace(size=100)
    for places in (1, 3):
        moved = shuffled(tokens, vocab, places, noise(200)) - tokens
        assert set(moved.unique().tolist()) == set(range(-places, places + 1))


@given(rows_of_tokens, st.floats(0.01, 0.99), st.integers(0, 1000))
def test_replacing_puts_ordinary_tokens_in_place_of_ordinary_ones(tokens, share, seed):
    found = replaced(tokens, VOCAB, share, Draw(seed, 0, total=len(tokens)))
    changed = found != tokens
    assert not changed[~ordinary(tokens, VOCAB)].any()
    assert not torch.isin(found[changed], torch.tensor([PAD, STOP, BLANK])).any()
    assert ((found >= 0) & (found < VOCAB.size)).all()


@pytest.mark.parametrize("special", [(0, 1, 2), (5, 3, 10), (10, 9, 8), (4, None, None)])
def test_each_ordinary_token_is_as_likely_to_replace_another(special):
    vocab = VOCAB._replace(**dict(zip(("pad", "stop", "blank"), special, strict=True)))
    usual = [token for token in range(vocab.size) if token not in special]
    found = replaced(torch.full((500, 40), usual[0]), vocab, 0.5, noise(500)).flatten().bincount(minlength=vocab.size)
    for token in range(vocab.size):
        share = 0.5 * (token in usual) / len(usual) + 0.5 * (token == usual[0])
        assert float(found[token] / 20_000) == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize("change", [blanked, deleted])
def test_the_share_is_met(change):
    tokens = small.rows([40] * 200)
    found = change(tokens, VOCAB, 0.3, noise(200))
    left = ((found != BLANK) & (found != PAD) & (found != STOP)).sum() / (200 * 40)
    assert float(left) == pytest.approx(0.7, abs=0.02)


@pytest.mark.parametrize("change", [blanked, deleted, shuffled, replaced])
def test_a_share_of_nothing_changes_nothing(change):
    assert change(TOKENS, VOCAB, 0, noise(4)) is TOKENS


@pytest.mark.parametrize(("change", "much"), [(blanked, 0.4), (deleted, 0.4), (shuffled, 2), (replaced, 0.4)])
def test_several_processes_change_what_one_would(change, much):
    whole = change(TOKENS, VOCAB, much, noise(4))
    assert not torch.equal(whole, TOKENS)
    for rank in (0, 1):
        found = change(TOKENS[rank::2], VOCAB, much, Draw(0, 0, total=4, rank=rank, world=2))
        assert torch.equal(found, whole[rank::2])


@pytest.mark.parametrize("name", ["lm", "vae"])
def test_word_dropout_falls_to_nothing_over_the_last_quarter(name):
    model = small.model(name, word_dropout=0.4)
    shares = []
    for progress in (0.0, 0.5, 0.75, 0.875, 1.0):
        model.prepare(progress)
        shares.append(model.word_dropout_now)
    assert shares == pytest.approx([0.4, 0.4, 0.4, 0.2, 0.0])


def read_by(model: Latent) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Note the tokens that encoder and decoder read from here on."""
    encoder, decoder = [], []
    features, forward = model.backbone.features, model.encoder.forward
    model.backbone.features = lambda tokens, context=None: decoder.append(tokens) or features(tokens, context)
    model.encoder.forward = lambda tokens, mask: encoder.append(tokens) or forward(tokens, mask)
    return encoder, decoder


def test_each_noise_goes_where_it_belongs_and_the_targets_stay():
    changes = {"word_dropout": (0.6, 1), "delete": (0.6, 0), "blank": (0.6, 0), "swap": (3, 0), "replace": (0.6, 0)}
    for setting, (much, noisy) in changes.items():
        model = small.model("vae", **{setting: much}).train()
        seen = read_by(model)
        targets = []
        nll = model.backbone.nll
        model.backbone.nll = lambda tokens, *rest, nll=nll, to=targets: to.append(tokens) or nll(tokens, *rest)
        model.loss(Batch(TOKENS), noise(4))
        assert torch.equal(targets[0], TOKENS)
        assert not torch.equal(seen[noisy][0], TOKENS)
        assert torch.equal(seen[1 - noisy][0], TOKENS)
        model.eval().loss(Batch(TOKENS), noise(4))
        assert torch.equal(seen[0][1], TOKENS)
        assert torch.equal(seen[1][1], TOKENS)


def test_a_share_that_is_none_is_refused():
    wrong = dict.fromkeys(
        ("word_dropout", "delete", "blank", "replace", "code_dropout", "code_fade", "code_free"), (-0.1, 1.0)
    )
    for key, values in {**wrong, "swap": (-1,), "code_noise": (-0.1,)}.items():
        for value in values:
            with pytest.raises(ValueError, match=f"{key}="):
                Corruption(**{key: value})


# Noise on the code.


def decoded(model: Latent, tokens: torch.Tensor, draw: Draw) -> tuple[torch.Tensor, torch.Tensor]:
    """The codes that the decoder is given, and the posterior's means: (B, Z) each."""
    seen = []
    distortion = model.distortion
    model.distortion = lambda tokens, codes, inputs=None: seen.append(codes) or distortion(tokens, codes, inputs)
    try:
        model.loss(Batch(tokens), draw)
    finally:
        del model.distortion
    return seen[0].detach(), model.posterior(tokens).mean.detach()


@pytest.mark.parametrize("name", LATENT)
def test_code_noise_has_its_deviation_beside_the_posteriors_own_and_is_off_in_evaluation(name):
    tokens = small.rows([3]).repeat(4000, 1)
    for much in (0.0, 0.7):
        model = small.model(name, code_noise=much)
        own = float(model.posterior(tokens[:1]).variance.detach().mean()) if model.noise else 0.0
        for training in (False, True):
            codes, means = decoded(model.train(training), tokens, noise(4000))
            spread = float((codes - means).square().mean())
            assert spread == pytest.approx(own + much**2 * training, abs=0.03 * (own + much**2) + 1e-12)


@pytest.mark.parametrize("name", LATENT)
def test_code_dropout_sets_its_share_to_zero_and_keeps_the_mean(name):
    tokens = small.rows([3]).repeat(4000, 1)
    model = small.model(name, code_dropout=0.25, code_noise=0.0)
    codes, means = decoded(model.train(), tokens, noise(4000))
    assert float((codes == 0).float().mean()) == pytest.approx(0.25, abs=0.02)
    torch.testing.assert_close(codes.mean(0), means.mean(0), atol=0.08, rtol=0.1)
    assert (decoded(model.eval(), tokens, noise(4000))[0] != 0).all()


@pytest.mark.parametrize("name", LATENT)
def test_a_share_of_the_rows_is_decoded_from_no_code_in_training_alone(name):
    tokens = small.rows([3]).repeat(4000, 1)
    model = small.model(name, code_free=0.25)
    zeros = decoded(model.train(), tokens, noise(4000))[0] == 0
    assert torch.equal(zeros.any(1), zeros.all(1))
    assert float(zeros.all(1).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert (decoded(model.eval(), tokens, noise(4000))[0] != 0).all()


@pytest.mark.parametrize("name", LATENT)
def test_faded_codes_are_what_is_known_of_a_code_from_its_noisy_version(name):
    """(1 - t) z + sqrt(t (1 - t)) e, t uniform: over a posterior N(m, s^2) its mean is m / 2 and its variance
    E[(1 - t)^2] (m^2 + s^2) - m^2 / 4 + E[t (1 - t)] = (m^2 + s^2) / 3 - m^2 / 4 + 1 / 6."""
    tokens = small.rows([3]).repeat(20_000, 1)
    model = small.model(name, code_fade=0.999999).train()
    plain = small.model(name).train()
    plain.load_state_dict(model.state_dict())
    codes = decoded(model, tokens, noise(20_000))[0]
    posterior = plain.posterior(tokens[:1])
    mean, second = posterior.mean[0], posterior.mean[0] ** 2 + (posterior.stddev[0] ** 2 if plain.noise else 0)
    torch.testing.assert_close(codes.mean(0), mean / 2, atol=0.03, rtol=0.03)
    torch.testing.assert_close(codes.var(0), second / 3 - mean**2 / 4 + 1 / 6, atol=0.03, rtol=0.05)


@pytest.mark.parametrize("name", LATENT)
def test_a_share_of_the_codes_is_faded_in_training_alone(name):
    tokens = small.rows([3]).repeat(4000, 1)
    model, plain = small.model(name, code_fade=0.25), small.model(name)
    plain.load_state_dict(model.state_dict())
    codes, whole = decoded(model.train(), tokens, noise(4000))[0], decoded(plain.train(), tokens, noise(4000))[0]
    same = (codes == whole).all(1)
    assert float(same.float().mean()) == pytest.approx(0.75, abs=0.03)
    assert torch.equal(same, (codes == whole).any(1))
    assert torch.equal(decoded(model.eval(), tokens, noise(4000))[0], decoded(plain.eval(), tokens, noise(4000))[0])


@pytest.mark.parametrize("name", LATENT)
def test_a_decoder_is_a_language_model_too_where_it_learned_to_do_without_a_code(name):
    noisy = small.model(name).noise
    assert not small.model(name).code_free
    assert small.model(name, code_free=0.1).code_free == small.model(name, code_fade=0.1).code_free == noisy


def test_several_processes_disturb_the_codes_as_one_would():
    model = small.model("vae", code_noise=0.5, code_dropout=0.3, code_fade=0.6, code_free=0.3).train()
    whole = decoded(model, TOKENS, noise(4))[0]
    for rank in (0, 1):
        part = decoded(model, TOKENS[rank::2], Draw(0, 0, total=4, rank=rank, world=2))[0]
        torch.testing.assert_close(part, whole[rank::2])


# Batch norm on the posterior's mean.


@torch.no_grad()
def test_batch_norm_puts_the_floor_that_it_promises_under_the_rate():
    """KL = m^2 / 2 where sigma is 0: then the mean over a batch is the floor, Z (gamma^2 + shift^2) / 2; else more."""
    tokens = small.rows([2, 5, 3, 1, 6, 4])
    model = small.model("vae", rate=None, batch_norm=1.5, loud=5.0).train()
    posterior = model.posterior(tokens)
    torch.testing.assert_close(posterior.mean.std(0, unbiased=False), torch.full((4,), 1.5))
    torch.testing.assert_close(posterior.mean.mean(0), torch.zeros(4), atol=1e-5, rtol=0)
    assert float(model.rates(posterior).sum(1).mean()) > 4 * 1.5**2 / 2
    with torch.no_grad():
        model.norm.shift.fill_(0.5)
        model.summary.weight[4:] = 0
        model.summary.bias[4:] = 0
    assert float(model.rates(model.posterior(tokens)).sum(1).mean()) == pytest.approx(4 * (1.5**2 + 0.5**2) / 2)


def test_with_batch_norm_the_plain_vae_cannot_collapse(toy):
    """The rate, nothing without it (see below), stays at its floor: in training, and in evaluation with the
    averaged weights and the statistics that go with them."""
    model = small.model("vae", vocab=config_vocabulary(toy), rate=None, layers=1, encoder_layers=1, batch_norm=1.0)
    training = Training(model, trainer.Config(precision="fp32", lr=1e-2, schedule="constant"), steps=120, seed=0)

    def rows(number: int) -> Batch:
        found = toy.batch(number, 0, 32)
        return Batch(torch.from_numpy(found.tokens), total=found.total)

    reports = [report.means for report in trainer.steps(training, rows)]
    assert min(report["rate"] for report in reports) > 2.0 * 0.999
    assert reports[-1]["rate"] < 3.0, "the floor was never reached, so that nothing was tried here"
    every = torch.from_numpy(toy.rows("train").pad(range(len(toy.rows("train")))))
    with training.averaged() as averaged, torch.no_grad():
        rate = float(averaged.rates(averaged.posterior(every)).sum(1).mean())
        assert 2.0 * 0.95 < rate < 3.5
        averaged.norm.variance.fill_(1.0)  # these rows are seen through the statistics kept, not through their own
        assert not 2.0 * 0.95 < float(averaged.rates(averaged.posterior(every)).sum(1).mean()) < 3.5


def test_batch_norm_in_evaluation_does_not_look_at_the_other_rows():
    model = small.model("vae", batch_norm=0.5)
    whole = model.posterior(TOKENS).mean
    torch.testing.assert_close(model.posterior(TOKENS[1:2]).mean, whole[1:2])
    model.train().loss(Batch(TOKENS), noise(4))
    model.eval()
    assert not torch.allclose(model.posterior(TOKENS).mean, whole), "the running statistics did not run"


def test_batch_norm_bears_a_batch_of_one_row_and_of_none():
    model = small.model("vae", batch_norm=0.5).train()
    before = {name: weight.clone() for name, weight in model.norm.named_parameters()}
    for rows in (1, 0):
        assert torch.isfinite(model.loss(Batch(TOKENS[:rows]), noise(rows)).loss).all()
    assert all(torch.equal(weight, before[name]) for name, weight in model.norm.named_parameters())


def test_the_statistics_of_several_processes_are_their_mean(toy):
    class Other(Processes):
        """Another process whose parameters and gradients are ours, and 1 more."""

        def sum(self, tensors):
            for tensor in tensors:
                tensor.mul_(2).add_(1)

    model = small.model("vae", vocab=config_vocabulary(toy), batch_norm=0.5)
    training = Training(model, trainer.Config(), steps=1, seed=0, world=Other(0, 2))
    before = [model.norm.mean.clone(), model.norm.variance.clone(), model.norm.shift.clone()]
    training._agree()
    torch.testing.assert_close(model.norm.mean, before[0] + 0.5)
    torch.testing.assert_close(model.norm.variance, before[1] + 0.5)
    assert torch.equal(model.norm.shift, before[2])


def test_a_target_rate_under_the_floor_of_batch_norm_is_refused():
    with pytest.raises(ValueError, match=r"rate=8.0: expected more than 8, the floor that batch_norm=2 puts"):
        small.model("vae", rate=8.0, batch_norm=2.0)
    small.model("vae", rate=8.1, batch_norm=2.0)
    small.model("autoencoder", batch_norm=2.0)


# The aggressive encoder.


def test_an_aggressive_encoder_has_its_turns_with_batches_and_noise_of_their_own(toy):
    """As many as asked for, in its share of the steps; of the encoder and what follows it up to the posterior."""
    chosen = {"aggressive": 3, "aggressive_share": 0.5, "batch_norm": 0.5, "layers": 1}
    model = small.model("vae", vocab=config_vocabulary(toy), **chosen)
    training = Training(model, trainer.Config(precision="fp32", ema=0.0, accumulate=2), steps=4, seed=0)
    numbers, noises, decoders = [], [], []

    def rows(number: int) -> Batch:
        numbers.append(number)
        found = toy.batch(number, 0, 8)
        return Batch(torch.from_numpy(found.tokens), total=found.total)

    loss = model.loss

    def watched(batch, draw):
        noises.append(draw.generator.initial_seed())
        decoders.append([weight.clone() for weight in model.backbone.parameters()])
        return loss(batch, draw)

    training.players = {name: replace(player, loss=watched) for name, player in training.players.items()}
    reports = list(trainer.steps(training, rows))
    assert len(noises) == len(numbers) == 2 * (4 + 4 + 1 + 1)
    assert len(set(numbers)) == len(numbers)
    assert len(set(noises)) == len(noises)
    assert [numbers[at] for at in (0, 1, 8, 9, 16, 17, 18, 19)] == list(range(8)), "the model's own are those it had"
    first = [all(map(torch.equal, decoders[at], decoders[at + 1])) for at in range(7)]
    assert first == [True, False, True, True, True, True, True], "the decoder moves in the first turn alone"
    done = {
        player: {int(slots["step"]) for slots in optimiser.state.values()}
        for player, optimiser in training.optimisers.items()
    }
    assert done == {"model": {4}, "encoder": {6}}
    names = {id(weight): name for name, weight in model.named_parameters()}
    theirs = {names[id(weight)].partition(".")[0] for weight in training.optimisers["encoder"].state}
    assert theirs == {"encoder", "summary", "norm"}
    assert [name for name in reports[0].means if name.startswith("encoder ")]
    assert "rate" in reports[0].means
    assert not [name for name in reports[3].means if name.startswith("encoder ")]


def test_aggressive_turns_bring_the_posterior_nearer_to_the_decoders(toy):
    """With the decoder held, the encoder's turns lower the negative ELBO: what He et al. make them for."""
    vocab = config_vocabulary(toy)
    model = small.model("vae", vocab=vocab, rate=None, layers=1, encoder_layers=1, aggressive=8, aggressive_share=1.0)
    train(model, toy, 20)
    held_out = torch.from_numpy(toy.rows("valid").pad(range(30)))
    frozen = [weight.clone() for weight in model.backbone.parameters()]
    with torch.no_grad():
        model.summary.bias.add_(1.0)  # led astray
        before = float(model.eval().loss(Batch(held_out), noise(30)).loss.mean())
    model.turns, model.observe = lambda progress: ["encoder"] * 8, lambda means: None
    train(model, toy, 5)
    with torch.no_grad():
        after = float(model.eval().loss(Batch(held_out), noise(30)).loss.mean())
    assert all(map(torch.equal, frozen, model.backbone.parameters()))
    assert after < before - 0.3


# The rate.


def test_free_bits_charge_no_less_than_their_floor():
    bits = math.log(2)
    kl = torch.tensor([[0.1, 2.0], [0.3, 1.0]])
    plain = Rate(Config(rate=None)).charge(kl)
    torch.testing.assert_close(plain, kl.sum(1))
    per_dim = Rate(Config(rate=None, free_bits_dim=1.0)).charge(kl)
    assert float(per_dim.mean()) == pytest.approx(bits + 1.5)
    uneven = torch.tensor([[0.1, 2.0], [3.0, 1.0]])  # the floor is under the average over the batch: nothing to lift
    torch.testing.assert_close(Rate(Config(rate=None, free_bits_dim=1.0)).charge(uneven), uneven.sum(1))
    per_row = Rate(Config(rate=None, free_bits_row=2.5)).charge(kl)
    torch.testing.assert_close(per_row, torch.tensor([2.1, 2.5 * bits]))
    assert float(Rate(Config(rate=None, beta=0.25)).charge(kl).sum()) == pytest.approx(0.25 * 3.4)


def test_free_bits_have_no_gradient_below_their_floor():
    kl = torch.tensor([[0.1, 2.0], [0.3, 1.0]], requires_grad=True)
    Rate(Config(rate=None, free_bits_dim=1.0)).charge(kl).mean().backward()
    assert kl.grad[:, 0].abs().max() < 1e-7
    torch.testing.assert_close(kl.grad[:, 1], torch.tensor([0.5, 0.5]))


def test_the_weight_of_the_rate_warms_up():
    rate = Rate(Config(rate=None, beta=0.8, warm_start=0.2, kl_warmup=0.4))
    found = []
    for progress in (0.0, 0.19, 0.2, 0.4, 0.6, 0.9):
        rate.prepare(progress)
        found.append(rate.beta)
    assert found == pytest.approx([0, 0, 0, 0.4, 0.8, 0.8])


def test_the_warm_up_is_repeated_in_cycles():
    """Fu et al. 2019, sec. 4: M cycles, in a share R of each the weight rises from 0 to all of it, then it stays."""
    rate = Rate(Config(rate=None, beta=0.8, kl_warmup=0.5, kl_cycles=4))
    found = []
    for step in range(1000):
        rate.prepare(step / 1000)
        found.append(rate.beta)
    wanted = [0.8 * min(1.0, (step % 250) / 250 / 0.5) for step in range(1000)]
    assert found == pytest.approx(wanted, abs=1e-9)
    rate.prepare(1.0)
    assert rate.beta == pytest.approx(0.8)
    rate = Rate(Config(rate=None, warm_start=0.2, kl_warmup=0.4, kl_cycles=2))  # after the warm start: 0.2 up, 0.2 on
    found = []
    for progress in (0.1, 0.2, 0.3, 0.4, 0.59, 0.61, 0.7, 0.8, 0.99):
        rate.prepare(progress)
        found.append(rate.beta)
    assert found == pytest.approx([0, 0, 0.5, 1, 1, 0.05, 0.5, 1, 1])


def test_cycles_without_a_warm_up_are_refused():
    with pytest.raises(ValueError, match="kl_cycles=4: expected 1, or more with kl_warmup above 0"):
        Config(kl_cycles=4)


def test_the_multiplier_rests_while_its_weight_rises():
    """It would learn to undo the warm-up, and be far too large when the weight has risen."""
    rate = Rate(Config(rate=4.0, kl_warmup=0.5, kl_cycles=2))
    before = float(rate.log_beta)
    for progress, rests in ((0.0, True), (0.2, True), (0.3, False), (0.5, True), (0.7, True), (0.9, False)):
        rate.prepare(progress)
        rate.observe(100.0)
        assert (float(rate.log_beta) == before) == rests, progress
        before = float(rate.log_beta)


def test_the_multiplier_rises_above_the_target_and_falls_below_it():
    rate = Rate(Config(rate=4.0))
    rate.prepare(0.5)
    start = rate.beta
    for _ in range(50):
        rate.observe(9.0)
    above = rate.beta
    assert above > start
    for _ in range(150):
        rate.observe(1.0)
    assert rate.beta < above
    for _ in range(5000):
        rate.observe(1e9)
    assert rate.beta == pytest.approx(8.0, rel=1e-4)
    for _ in range(5000):
        rate.observe(0.0)
    assert rate.beta == pytest.approx(1e-4, rel=1e-4)


def test_the_multiplier_rests_during_a_warm_start():
    rate = Rate(Config(rate=4.0, warm_start=0.5))
    rate.prepare(0.1)
    before = float(rate.log_beta)
    rate.observe(100.0)
    assert float(rate.log_beta) == before
    assert rate.beta == 0


def test_the_multiplier_is_part_of_the_saved_model():
    names = dict(small.model("vae").named_buffers())
    assert {"rate.log_beta", "rate.average", "rate.restarted"} <= set(names)


@pytest.mark.parametrize("target", [2.0, 6.0])
def test_the_rate_is_held(toy, target):
    sizes = {"latent": 8, "width": 32, "layers": 1, "encoder_layers": 1}
    model = small.model("vae", vocab=config_vocabulary(toy), rate=target, **sizes)
    reports = train(model, toy, 600, batch=16, schedule="cosine")
    held = sum(report["rate"] for report in reports[-100:]) / 100
    assert held == pytest.approx(target, rel=0.07)


def test_the_plain_vae_collapses_and_raises_an_alarm(toy):
    model = small.model("vae", vocab=config_vocabulary(toy), rate=None, layers=1, encoder_layers=1)
    reports = train(model, toy, 120)
    assert reports[-1]["rate"] < 0.5
    model.prepare(0.5)
    means = {"rate": reports[-1]["rate"], "active units": 0}
    assert not list(model.alarms(means, 0.05)), "too early to tell"
    (alarm,) = model.alarms(means, 0.5)
    assert alarm.name == "collapse"
    assert "the posterior is collapsing" in str(alarm)
    assert "0 of 4 units" in str(alarm)
    assert "rate=8" in str(alarm)
    assert "\n" not in str(alarm)


def test_a_model_whose_code_is_used_raises_no_alarm():
    model = small.model("vae", rate=None)
    model.prepare(0.5)
    assert not list(model.alarms({"rate": 3.0, "active units": 2}, 0.5))
    assert not list(model.alarms({"rate": 3.0}, 0.5)), "where active units were not counted"
    assert not list(small.model("autoencoder").alarms({"distortion": 3.0}, 0.5))


# The warm start.


def test_a_warm_start_begins_the_decoder_afresh_once_and_keeps_the_encoder():
    model = small.model("vae", warm_start=0.25, layers=1)
    before = {name: weight.clone() for name, weight in model.named_parameters()}
    again = []
    for step in range(8):
        again.append(list(model.prepare(step / 8)))
        if step == 1:
            assert all(torch.equal(weight, before[name]) for name, weight in model.named_parameters())
    assert [len(found) > 0 for found in again] == [False, False, True, False, False, False, False, False]
    assert {id(weight) for weight in again[2]} == {id(weight) for weight in model.backbone.parameters()}
    for name, weight in model.named_parameters():
        if not name.startswith("backbone."):
            assert torch.equal(weight, before[name]), name
        elif weight.dim() >= 2:
            assert not torch.equal(weight, before[name]), name
    assert bool(model.rate.restarted)


def test_a_warm_start_without_a_reset_keeps_the_decoder():
    model = small.model("vae", warm_start=0.25, reset_decoder=False)
    assert not any(list(model.prepare(step / 8)) for step in range(8))


def test_the_optimiser_forgets_the_decoder_and_keeps_the_encoder_at_the_reset(toy):
    model = small.model("vae", vocab=config_vocabulary(toy), warm_start=0.5, rate=None, layers=1)
    training = Training(model, trainer.Config(precision="fp32", ema=0.9), steps=8, seed=0)
    counts = []
    for number in range(6):
        found = toy.batch(number, 0, 16)
        training.update([Batch(torch.from_numpy(found.tokens), total=found.total)])
        state = training.optimisers["model"].state
        counts.append([int(state[next(part.parameters())]["step"]) for part in (model.encoder, model.backbone)])
    assert counts == [[1, 1], [2, 2], [3, 3], [4, 4], [5, 1], [6, 2]]


def test_a_resumed_run_does_not_begin_the_decoder_afresh_again():
    model = small.model("vae", warm_start=0.25)
    assert list(model.prepare(0.5))
    other = small.model("vae", warm_start=0.25)
    other.load_state_dict(model.state_dict())
    assert not list(other.prepare(0.5))


# Random numbers by arithmetic.


def test_row_i_has_its_own_stream_of_numbers():
    for drawn in (lambda first, rows: normals(3, first, rows, 5), lambda first, rows: uniforms(3, first, rows, 5)):
        together = drawn(0, 9)
        assert torch.equal(drawn(4, 3), together[4:7])
        assert len({tuple(row) for row in together.tolist()}) == 9
    assert torch.equal(uniforms(3, 0, 4, 9)[:, :5], uniforms(3, 0, 4, 5))
    assert float(uniforms(2**32 - 1, 2**40, 50, 50).mean()) == pytest.approx(0.5, abs=0.02)
    assert float(normals(2**32 - 1, 2**40, 50, 50).std()) == pytest.approx(1.0, abs=0.05)


def test_the_noise_of_a_step_is_shared_out_between_processes():
    whole = Draw(1, 2, total=7).normal(3)
    for rank in range(3):
        assert torch.equal(Draw(1, 2, total=7, rank=rank, world=3).normal(3), whole[rank::3])
    assert not torch.equal(Draw(1, 3, total=7).normal(3), whole)
    assert not torch.equal(Draw(2, 2, total=7).normal(3), whole)


def test_a_recipe_survives_json():
    for parts in combinations(small.MODELS):
        recipe, _ = recipes.compose(parts["name"], small.settings(parts["name"], **rest(parts)))
        assert recipes.from_dict(recipe.to_dict()) == recipe

"""Players: a turn changes its own player's weights and nothing of the others; a model without a likelihood trains,
is judged and resumes as any other."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import small
from corpora.settings import names
from small import VOCAB
from textgen.core import checkpoint, recipes, trainer
from textgen.core.backbone import Vocabulary
from textgen.core.model import LikelihoodModel, Model, with_likelihood
from textgen.core.player import Alarm, Batch, Optimiser
from textgen.core.randomness import Draw
from textgen.core.trainer import Training

PICTURE = small.picture((4, 4), 5)
TEXTS = [(name, "textgen") for name in small.MODELS]
PICTURES = [(name, "imagegen") for name in [*names("imagegen.models"), "gan"]]


def built(name: str, package: str) -> tuple[Model, Vocabulary]:
    """A small model, with a second player and statistics of batches where it can have them."""
    vocab = VOCAB if package == "textgen" else PICTURE
    more = {"aggressive": 2, "aggressive_share": 0.5, "batch_norm": 0.5} if name.endswith(("vae", "encoder")) else {}
    return small.model(name, vocab, package=package, **more), vocab


def rows_of(vocab: Vocabulary, number: int) -> Batch:
    """Batch `number`: pictures in two columns of two colours, or short texts."""
    if not vocab.shape:
        return Batch(small.rows([2, 5, 3, 1, 4, 6], vocab, seed=number))
    generator = torch.Generator().manual_seed(number)
    picture = torch.arange(16) % 2 + 1
    noise = torch.rand(16, 16, generator=generator) < 0.05
    return Batch(torch.where(noise, 3, picture.expand(16, -1)))


def everything(model: Model) -> dict[str, torch.Tensor]:
    """All weights and buffers as they are now."""
    return {name: value.detach().clone() for name, value in [*model.named_parameters(), *model.named_buffers()]}


def own_names(model: Model, player: str) -> set[str]:
    """The names of the weights and buffers of a player's modules."""
    modules = model.players()[player].modules
    own = {id(value) for module in modules for value in [*module.parameters(), *module.buffers()]}
    return {name for name, value in [*model.named_parameters(), *model.named_buffers()] if id(value) in own}


def alone(model: Model, player: str) -> None:
    """From here on this player alone has a turn in each step."""
    model.turns, model.observe = lambda progress: [player], lambda means: None


@pytest.mark.parametrize(("name", "package"), TEXTS + PICTURES)
def test_a_turn_changes_nothing_of_the_other_players(new_leaves, name, package):
    model, vocab = built(name, package)
    training = Training(model, trainer.Config(lr_warmup=0, precision="fp32", ema=0.0), steps=4, seed=0)
    assert set(model.turns(0.0)) == set(model.players()), "at the start every player has a turn"
    for number, player in enumerate(model.players()):
        alone(model, player)
        before, own = everything(model), own_names(model, player)
        training.update([rows_of(vocab, number)])
        after = everything(model)
        changed = {name for name in before if not torch.equal(before[name], after[name])}
        assert changed, f"{player} changed nothing"
        assert changed <= own, f"{player} changed {changed - own}"
        statistics = {name for name in own if name.endswith(("running_mean", "norm.mean"))}
        assert statistics <= changed, "its own statistics run"


@pytest.mark.parametrize(("name", "package"), TEXTS + PICTURES)
def test_players_are_the_same_at_every_step_and_every_weight_has_one(new_leaves, name, package):
    model, _ = built(name, package)
    first = model.players()
    for progress in (0.0, 0.4, 0.99):
        assert list(model.players()) == list(first)
        assert set(model.turns(progress)) <= set(first)
        assert len(model.turns(progress)) <= len(model.turns(0.0))
    assert all(player.name == name for name, player in first.items())
    played = {id(weight) for player in first.values() for weight in player.parameters()}
    assert played == {id(weight) for weight in model.parameters()}


@pytest.mark.parametrize(("name", "package"), TEXTS + PICTURES)
@pytest.mark.parametrize("ema", [0.0, 0.9])
def test_training_resumes_bit_for_bit(new_leaves, tmp_path, name, package, ema):
    config = trainer.Config(lr=1e-2, lr_warmup=2, precision="fp32", ema=ema, accumulate=2)

    def begun() -> tuple[Training, Vocabulary]:
        model, vocab = built(name, package)
        return Training(model, config, steps=6, seed=3), vocab

    whole, vocab = begun()
    reports = []
    for report in trainer.steps(whole, lambda number: rows_of(vocab, number)):
        reports.append(report)
        if report.step == 3:
            with whole.averaged() as averaged:
                saved = checkpoint.pack(checkpoint.weights(averaged))
            tensors, values = whole.state()
            state = checkpoint.pack(tensors)
    again, _ = begun()
    checkpoint.fill(again.model, checkpoint.unpack(saved, Path("model")), tmp_path)
    again.restore(checkpoint.unpack(state, Path("state")), values)
    assert list(trainer.steps(again, lambda number: rows_of(vocab, number))) == reports[3:]
    theirs = everything(whole.model)
    assert all(torch.equal(value, theirs[key]) for key, value in everything(again.model).items())
    assert again.state()[0].keys() == whole.state()[0].keys()
    assert all(torch.equal(value, whole.state()[0][key]) for key, value in again.state()[0].items())


def test_the_tensors_of_a_training_state_are_named_by_player_and_weight(new_leaves):
    model, vocab = built("gan", "imagegen")
    training = Training(model, trainer.Config(precision="fp32"), steps=2, seed=0)
    training.update([rows_of(vocab, number) for number in range(3)])
    keys = set(training.state()[0])
    assert {"weights/critic.0.weight", "optimiser/critic/critic.0.weight/exp_avg"} <= keys
    assert "optimiser/generator/generator.3.bias/step" in keys
    assert not [key for key in keys if key.startswith(("optimiser/critic/generator", "optimiser/generator/critic"))]


def test_every_player_has_an_optimiser_of_its_own(new_leaves):
    model, vocab = built("gan", "imagegen")
    config = trainer.Config(lr=1e-3, lr_warmup=0, schedule="constant", clip=1.0, weight_decay=0.3, precision="fp32")
    training = Training(model, config, steps=4, seed=0)
    report = training.update([rows_of(vocab, number) for number in range(3)])
    critic, generator = (training.optimisers[name].param_groups for name in ("critic", "generator"))
    assert [group["lr"] for group in (*critic, *generator)] == [2e-3, 2e-3, 1e-3, 1e-3]
    assert {group["betas"] for group in (*critic, *generator)} == {(0.5, 0.9)}
    assert [group["weight_decay"] for group in (*critic, *generator)] == [0.0, 0.0, 0.3, 0.0]
    assert set(report.means) == {
        "critic loss", "critic right", "critic gradient", "generator loss", "generator gradient", "lr"
    }  # fmt: skip
    counts = [int(next(iter(training.optimisers[name].state.values()))["step"]) for name in ("critic", "generator")]
    assert counts == [2, 1]
    assert report.means["lr"] == 1e-3


@pytest.mark.parametrize("clip", [1e-4, 0.0])
def test_a_player_is_clipped_by_its_own_bound(new_leaves, clip):
    """By SGD with lr=1 the update is the clipped gradient itself."""
    model, vocab = built("gan", "imagegen")
    config = trainer.Config(optimiser="sgd", lr=1.0, lr_warmup=0, schedule="constant", clip=1e-4, precision="fp32")
    training = Training(model, config, steps=4, seed=0)
    own = Optimiser(lr=1.0, clip=clip)
    training.players["generator"] = replace(training.players["generator"], optimiser=own)
    alone(model, "generator")
    before = everything(model)
    norm = training.update([rows_of(vocab, 0)]).means["generator gradient"]
    weights = model.generator.named_parameters("generator")
    moved = sum(float((value.detach() - before[name]).square().sum()) for name, value in weights)
    assert moved**0.5 == pytest.approx(clip or norm, rel=1e-2)


def test_a_model_without_a_likelihood_trains_is_judged_and_draws(new_leaves):
    recipe, _ = recipes.compose("gan", {"critic_turns": "2", "critic_lr": "1"}, package="imagegen")
    assert recipes.from_dict(recipe.to_dict()) == recipe
    torch.manual_seed(0)
    model = recipes.build(recipe, PICTURE)
    training = Training(model, trainer.Config(lr=5e-3, precision="fp32", ema=0.0, clip=0.0), steps=300, seed=0)
    for _ in trainer.steps(training, lambda number: rows_of(PICTURE, number)):
        pass
    drawn = model.sample(50, length=16, seed=1)
    assert drawn.shape == (50, 16)
    assert float((drawn == torch.arange(16) % 2 + 1).float().mean()) > 0.7  # the pattern; by chance a fifth
    assert torch.equal(model.sample(5, length=16, seed=1, first=7), drawn[7:12])
    with torch.no_grad():
        terms = model.eval().judge(rows_of(PICTURE, 10**6), Draw(0, 0, total=16))
    assert terms.loss.shape == terms.report["right"].shape == (16,)
    assert model.score({"loss": 1.0}) is None
    assert not list(model.alarms({"right": 0.6}, 0.5))
    (alarm,) = model.alarms({"right": 1.0}, 0.5)
    assert str(alarm) == "the critic is always right, so the generator learns nothing. Try critic_turns=1"
    assert alarm == Alarm("critic", alarm.cause, alarm.advice)
    assert not isinstance(model, LikelihoodModel)
    with pytest.raises(ValueError, match=r"^toy has no likelihood: it can draw rows and no more$"):
        with_likelihood(model, "toy")


def test_no_step_may_have_more_turns_than_the_first(new_leaves):
    """Its random numbers would be those of the step after it."""
    model, vocab = built("gan", "imagegen")
    training = Training(model, trainer.Config(precision="fp32"), steps=2, seed=0)
    model.turns = lambda progress: ["critic"] * 9
    with pytest.raises(ValueError, match="step 1 has 9 turns and the first step 3"):
        training.update([rows_of(vocab, number) for number in range(9)])


def test_a_diverged_turn_changes_nothing_of_the_other_players(new_leaves):
    model, vocab = built("gan", "imagegen")
    training = Training(model, trainer.Config(precision="fp32"), steps=2, seed=0)
    with torch.no_grad():
        model.critic[0].weight.fill_(torch.nan)
    alone(model, "generator")
    before = everything(model)
    with pytest.raises(trainer.Diverged, match="step 1: the generator loss is not a finite number"):
        training.update([rows_of(vocab, 0)])
    after = everything(model)
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("critic.1"))

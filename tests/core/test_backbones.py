"""Laws of every backbone, and that a backbone which breaks one is caught."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import small
from small import PAD, VOCAB
from textgen.backbones import transformer
from textgen.core.backbone import Backbone, Dropout, select

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
C = 3  # numbers in a context

every_backbone = pytest.mark.parametrize("name", small.BACKBONES)
with_and_without_context = pytest.mark.parametrize("context", [0, C], ids=["no-context", "context"])


def contexts(rows: int, size: int, seed: int = 5) -> torch.Tensor | None:
    return torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)) if size else None


def ordinary(rows: int, length: int, seed: int = 1) -> torch.Tensor:
    return torch.randint(3, VOCAB.size, (rows, length), generator=torch.Generator().manual_seed(seed))


# The laws, as functions that raise AssertionError.


@torch.no_grad()
def check_causal(backbone: Backbone, size: int) -> None:
    """logits[:, i] do not change with the tokens at i and after, and those after i do change with token i."""
    tokens, context = ordinary(4, 7), contexts(4, size)
    logits = backbone(tokens, context)
    for place in range(7):
        other = tokens.clone()
        other[:, place] = (tokens[:, place] - 3 + 1) % (VOCAB.size - 3) + 3
        changed = (backbone(other, context) - logits).abs().amax(-1)
        assert changed[:, : place + 1].max() <= 1e-6, f"the logits before {place} see the token at {place}"
        if place < 6:
            assert changed[:, place + 1].min() > 1e-4, f"the logits after {place} do not see the token at {place}"


@torch.no_grad()
def check_steps(backbone: Backbone, size: int, rows: int = 4, length: int = 7) -> None:
    """`start` and `step` give what `forward` gives."""
    tokens, context = ordinary(rows, length), contexts(rows, size)
    wanted = backbone(tokens, context)
    logits, state = backbone.start(rows, length, context)
    for place in range(length):
        torch.testing.assert_close(logits, wanted[:, place], **CLOSE)
        if place + 1 < length:
            logits, state = backbone.step(tokens[:, place], state)


@torch.no_grad()
def check_rows_independent(backbone: Backbone, size: int) -> None:
    """A row's logits do not hang on the rows beside it."""
    tokens, context = ordinary(5, 6), contexts(5, size)
    together = backbone(tokens, context)
    for row in range(5):
        alone = backbone(tokens[row : row + 1], None if context is None else context[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], **CLOSE)


@torch.no_grad()
def check_padding(backbone: Backbone, size: int) -> None:
    """What stands behind a row's end changes nothing before it, nor the row's likelihood."""
    tokens, context = small.rows([2, 5, 3, 1]), contexts(4, size)
    longer = F.pad(tokens, (0, 4), value=PAD)
    torch.testing.assert_close(backbone(longer, context)[:, : tokens.shape[1]], backbone(tokens, context), **CLOSE)
    one = backbone.nll(tokens, VOCAB.mask(tokens), context)
    other = backbone.nll(longer, VOCAB.mask(longer), context)
    torch.testing.assert_close(one, other, **CLOSE)


@torch.no_grad()
def check_context_matters(backbone: Backbone) -> None:
    """Another context gives other logits at every position, the first included."""
    tokens = ordinary(4, 6)
    changed = (backbone(tokens, contexts(4, C, 5)) - backbone(tokens, contexts(4, C, 6))).abs().amax(-1)
    assert changed.min() > 1e-4


@torch.no_grad()
def check_select(backbone: Backbone, size: int) -> None:
    """A state whose rows were reordered and repeated goes on as those rows would."""
    tokens, context = ordinary(4, 6), contexts(4, size)
    picked = torch.tensor([2, 0, 0, 3, 2])
    _, state = backbone.start(4, 6, context)
    for place in range(2):
        _, state = backbone.step(tokens[:, place], state)
    wanted = backbone(tokens[picked], None if context is None else context[picked])
    state = select(state, picked)
    for place in range(2, 5):
        logits, state = backbone.step(tokens[picked, place], state)
        torch.testing.assert_close(logits, wanted[:, place + 1], **CLOSE)


def check_gradients(backbone: Backbone, size: int) -> None:
    """Every weight has a part in the logits."""
    tokens, context = ordinary(4, 7), contexts(4, size)
    weight = torch.randn(VOCAB.size, generator=torch.Generator().manual_seed(3))
    (backbone(tokens, context) @ weight).pow(2).sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.abs().max() > 0, f"the gradient of {name} is zero"
        assert torch.isfinite(parameter.grad).all(), name


# Every backbone keeps them.


@every_backbone
@with_and_without_context
def test_position_i_sees_the_tokens_before_i_alone(name, context):
    check_causal(small.backbone(name, context), context)


@every_backbone
@with_and_without_context
def test_step_equals_forward(name, context):
    check_steps(small.backbone(name, context), context)


@every_backbone
@with_and_without_context
def test_step_equals_forward_where_many_draws_allow_a_table(name, context):
    check_steps(small.backbone(name, context), context, rows=40, length=20)


@every_backbone
@with_and_without_context
def test_the_slow_default_of_start_and_step_equals_forward(name, context):
    class Slow(Backbone):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small.backbone(name, context)
            self.head = self.inner.head
            self.features = self.inner.features

    check_steps(Slow(), context)
    check_select(Slow(), context)


@every_backbone
@with_and_without_context
def test_a_row_does_not_hang_on_the_rows_beside_it(name, context):
    check_rows_independent(small.backbone(name, context), context)


@every_backbone
@with_and_without_context
def test_padding_behind_a_row_changes_nothing(name, context):
    check_padding(small.backbone(name, context), context)


@every_backbone
def test_the_context_matters_at_every_position(name):
    check_context_matters(small.backbone(name, C))


@every_backbone
@with_and_without_context
def test_a_selected_state_goes_on_right(name, context):
    check_select(small.backbone(name, context), context)


@every_backbone
@with_and_without_context
def test_gradients_reach_every_weight(name, context):
    check_gradients(small.backbone(name, context), context)


@every_backbone
@with_and_without_context
def test_nll_is_the_cross_entropy_of_forward_over_real_positions(name, context):
    backbone, tokens, given = small.backbone(name, context), small.rows([2, 5, 3, 0]), contexts(4, context)
    mask = VOCAB.mask(tokens)
    every = F.cross_entropy(backbone(tokens, given).transpose(1, 2), tokens, reduction="none")
    wanted = (every * mask).sum(1)
    torch.testing.assert_close(backbone.nll(tokens, mask, given), wanted, **CLOSE)
    with torch.no_grad():
        torch.testing.assert_close(backbone.nll(tokens, mask, given), wanted, **CLOSE)


@every_backbone
def test_nll_reads_the_inputs_and_scores_the_tokens(name):
    backbone, tokens = small.backbone(name), small.rows([4, 4])
    inputs = tokens.clone()
    inputs[:, 1] = small.BLANK
    logits = backbone(inputs)
    wanted = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none").sum(1)
    torch.testing.assert_close(backbone.nll(tokens, VOCAB.mask(tokens), inputs=inputs), wanted, **CLOSE)


@every_backbone
@with_and_without_context
def test_a_process_without_rows_has_a_loss_all_the_same(name, context):
    backbone, tokens = small.backbone(name, context), small.rows([3, 4])[:0]
    loss = backbone.nll(tokens, VOCAB.mask(tokens), contexts(2, context)[:0] if context else None)
    assert loss.shape == (0,)
    loss.sum().backward()


@every_backbone
@with_and_without_context
def test_one_layer_keeps_the_laws_as_well(name, context):
    if "layers" not in small.sizes(small.find("textgen.backbones", name).Config):
        pytest.skip("has no layers")
    for check in (check_causal, check_steps, check_select):
        check(small.backbone(name, context, layers=1), context)


@with_and_without_context
def test_an_untied_lstm_keeps_the_laws_as_well(context):
    for check in (check_causal, check_steps, check_gradients):
        check(small.backbone("lstm", context, tied=False), context)


def test_an_lstm_drops_between_its_layers_as_well():
    backbone, tokens = small.backbone("lstm", 0, layers=2, dropout=0.5).train(), small.rows([5, 6])
    backbone.dropout.p = 0.0  # of embeddings and of what the top layer gives
    assert not torch.equal(backbone.features(tokens), backbone.features(tokens))
    assert torch.equal(backbone.eval().features(tokens), backbone.features(tokens))


# Backbones that break a law are caught.


class Bigram(Backbone):
    """A backbone that is right: the logits follow from the tokens before, summed, and the context."""

    def __init__(self, context: int = 0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(VOCAB.size, 8)
        self.head = nn.Linear(8, VOCAB.size)
        self.context = nn.Linear(context, 8) if context else None

    def before(self, tokens):
        return F.pad(self.embedding(tokens).cumsum(1)[:, :-1], (0, 0, 1, 0))

    def features(self, tokens, context=None):
        seen = self.before(tokens)
        return seen if context is None else seen + self.context(context)[:, None]


class SeesItself(Bigram):
    def before(self, tokens):
        return self.embedding(tokens).cumsum(1)


class SeesTheFuture(Bigram):
    def before(self, tokens):
        return super().before(tokens) + 0.01 * self.embedding(tokens).mean(1, keepdim=True)


class SeesTheFirstTokenAlone(Bigram):
    def before(self, tokens):
        return F.pad(self.embedding(tokens[:, :1]).expand(-1, tokens.shape[1] - 1, -1), (0, 0, 1, 0))


class MixesRows(Bigram):
    def before(self, tokens):
        seen = super().before(tokens)
        return seen + seen.mean(0, keepdim=True)


class ForgetsTheContext(Bigram):
    def features(self, tokens, context=None):
        return self.before(tokens)


class UsesTheContextAtTheStartAlone(Bigram):
    def features(self, tokens, context=None):
        return self.before(tokens) + F.pad(self.context(context)[:, None], (0, 0, 0, tokens.shape[1] - 1))


class StepsOffByOne(Bigram):
    def step(self, tokens, state):
        logits, state = super().step(tokens, state)
        return logits.roll(1, 0), state


class SelectsNothing(Bigram):
    """Keeps its state where `select` cannot reach it."""

    def start(self, rows, length, context=None):
        logits, state = super().start(rows, length, context)
        return logits, {"hidden": [state]}

    def step(self, tokens, state):
        inner = state["hidden"][0]
        if len(inner["tokens"]) != len(tokens):
            inner = {**inner, "tokens": inner["tokens"][:1].expand(len(tokens), -1)}
        logits, inner = super().step(tokens, {**inner, "context": None})
        return logits, {"hidden": [inner]}


class CountsPadding(Bigram):
    def nll(self, tokens, mask, context=None, inputs=None):
        return super().nll(tokens, torch.ones_like(mask), context, inputs)


class HasAnIdleWeight(Bigram):
    def __init__(self, context: int = 0) -> None:
        super().__init__(context)
        self.idle = nn.Parameter(torch.ones(3))


def test_the_laws_hold_for_a_backbone_that_is_right():
    for check in (check_causal, check_steps, check_rows_independent, check_padding, check_select, check_gradients):
        check(Bigram(C), C)
        check(Bigram(), 0)
    check_context_matters(Bigram(C))


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (SeesItself, check_causal),
        (SeesTheFuture, check_causal),
        (SeesTheFirstTokenAlone, check_causal),
        (MixesRows, check_rows_independent),
        (StepsOffByOne, check_steps),
        (SelectsNothing, check_select),
        (CountsPadding, check_padding),
        (HasAnIdleWeight, check_gradients),
    ],
)
def test_a_backbone_that_breaks_a_law_is_caught(broken, check):
    with pytest.raises(AssertionError):
        check(broken(), 0)


@pytest.mark.parametrize("broken", [ForgetsTheContext, UsesTheContextAtTheStartAlone])
def test_a_backbone_that_ignores_its_context_is_caught(broken):
    with pytest.raises(AssertionError):
        check_context_matters(broken(C))


def test_a_code_does_not_drown_the_tokens_that_a_transformer_reads():
    made = transformer.build(transformer.Config(width=64), VOCAB._replace(size=500), 32)
    said = made.everywhere(contexts(100, 32)).detach()
    assert 0.7 < float(said.std() / made.embedding.weight.detach().std()) < 1.4


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_dropout_drops_the_share_that_it_says_and_keeps_the_mean(dtype, layout):
    torch.manual_seed(0)
    inputs = torch.ones(8, 12, 50, 50, dtype=dtype).contiguous(memory_format=layout).requires_grad_()
    outputs = Dropout(0.25)(inputs)
    kept = outputs != 0
    assert float(kept.double().mean()) == pytest.approx(0.75, abs=0.005)
    torch.testing.assert_close(outputs[kept], torch.full_like(outputs[kept], 4 / 3))
    assert outputs.stride() == inputs.stride()
    for axis in range(4):  # no place is preferred
        assert float(kept.double().mean([a for a in range(4) if a != axis]).std()) < 0.02
    outputs.sum().backward()
    assert torch.equal(inputs.grad, outputs.detach())


def test_dropout_of_nothing_and_in_evaluation_is_the_identity():
    inputs = torch.randn(3, 5)
    for layer in (Dropout(0.0), Dropout(0.5).eval()):
        assert torch.equal(layer(inputs), inputs)
    assert not Dropout(1.0)(inputs).any()
    part = Dropout(0.5)(torch.ones(4, 6)[:, 1:4].t())  # strides of its own
    assert set(part.unique().tolist()) <= {0.0, 2.0}

"""Laws of every backbone over texts and pictures, and that a backbone which breaks one is caught."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import small
from corpora.settings import find
from imagegen.backbones import pixelformer
from small import BLIND, PAD, VOCAB, C, contexts
from textgen.backbones import transformer
from textgen.core import sampler
from textgen.core.backbone import Backbone, Dropout, Rereading, Vocabulary

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
EXACT = {"rtol": 1e-9, "atol": 1e-9}  # in float64, so that no processor's rounding comes near

TEXT = [(name, VOCAB) for name in small.BACKBONES]
PICTURES = [(name, small.picture(shape)) for name in small.PICTURE_BACKBONES for shape in small.SHAPES]
ONE_EACH = TEXT + [(name, small.picture((3, 4))) for name in small.PICTURE_BACKBONES]


def named(value: object) -> str | None:
    """The name of a case: `pixelcnn-3x4`."""
    if isinstance(value, Vocabulary):
        return "x".join(map(str, value.shape)) if value.shape else "text"
    return None


def cases(parts: list[tuple[str, Vocabulary]], blind: bool = True) -> pytest.MarkDecorator:
    """Each part on its vocabulary, with and without a context; a part that looks back at nothing needs one."""
    found = [(name, vocab, size) for (name, vocab), size in itertools.product(parts, (0, C)) if name != BLIND or size]
    return pytest.mark.parametrize(
        ("name", "vocab", "context"), [case for case in found if blind or case[0] != BLIND], ids=named
    )


every_backbone = cases(TEXT + PICTURES)
each_backbone_once = cases(ONE_EACH)
with_and_without_context = pytest.mark.parametrize("context", [0, C], ids=["no-context", "context"])


# The laws, as functions that raise AssertionError.


@torch.no_grad()
def check_causal(backbone: Backbone, vocab: Vocabulary, size: int) -> None:
    """A token reaches the logits of all places after it, and of no other; of a decoder that is blind, of none."""
    backbone = copy.deepcopy(backbone).double()
    reached = torch.zeros(())
    for seed in range(3):
        row, context = small.full(1, vocab, seed), contexts(1, size, seed)
        length = row.shape[1]
        others = row.repeat(length, 1)
        least = 0 if vocab.pad is None else small.BLANK + 1
        others[range(length), range(length)] = (row[0] - least + 1 + seed) % (vocab.size - least) + least
        many = None if context is None else context.expand(length, -1).double()
        changed = backbone(others, many) - backbone(row.expand(length, -1), many)  # (L of the token, L, V)
        reached = torch.maximum(reached, changed.abs().amax(-1).T)
    seen = torch.ones(length, length, dtype=torch.bool)
    seen = seen.tril(-1) if backbone.looks_back else seen & False
    assert reached[~seen].max() <= 1e-12, "logits see a token that comes later, or themselves"
    assert not seen.any() or reached[seen].min() > 1e-9, "logits do not see a token before them"


@torch.no_grad()
def check_steps(backbone: Backbone, vocab: Vocabulary, size: int, rows: int = 4, length: int = 7) -> None:
    """A stepper gives what `forward` gives."""
    for kind, close in ((torch.float64, EXACT), (torch.float32, {"rtol": 1e-4, "atol": 1e-4})):
        backbone = backbone.to(kind)
        tokens, context = small.full(rows, vocab, length=length), contexts(rows, size)
        context = None if context is None else context.to(kind)
        wanted = backbone(tokens, context)
        stepper = backbone.start(rows, tokens.shape[1], context)
        for place in range(tokens.shape[1]):
            torch.testing.assert_close(stepper.logits, wanted[:, place], **close)
            stepper.logits.fill_(torch.nan)  # whoever reads them may write over them
            if place + 1 < tokens.shape[1]:
                stepper.step(tokens[:, place])


@torch.no_grad()
def check_rows_independent(backbone: Backbone, vocab: Vocabulary, size: int) -> None:
    """A row's logits do not depend on the rows beside it."""
    backbone = copy.deepcopy(backbone).double()
    tokens, context = small.full(5, vocab), contexts(5, size)
    context = None if context is None else context.double()
    together = backbone(tokens, context)
    for row in range(5):
        alone = backbone(tokens[row : row + 1], None if context is None else context[row : row + 1])
        torch.testing.assert_close(alone[0], together[row], **EXACT)


@torch.no_grad()
def check_padding(backbone: Backbone, vocab: Vocabulary, size: int) -> None:
    """Tokens behind a row's end change nothing before it, nor the row's likelihood."""
    tokens, context = small.rows([2, 5, 3, 1]), contexts(4, size)
    longer = F.pad(tokens, (0, 4), value=PAD)
    torch.testing.assert_close(backbone(longer, context)[:, : tokens.shape[1]], backbone(tokens, context), **CLOSE)
    one = backbone.nll(tokens, vocab.mask(tokens), context)
    other = backbone.nll(longer, vocab.mask(longer), context)
    torch.testing.assert_close(one, other, **CLOSE)


@torch.no_grad()
def check_context_matters(backbone: Backbone, vocab: Vocabulary) -> None:
    """Another context gives other logits at every position, the first included."""
    tokens, backbone = small.full(4, vocab), copy.deepcopy(backbone).double()
    one, other = (backbone(tokens, contexts(4, C, seed).double()) for seed in (5, 6))
    assert (one - other).abs().amax(-1).min() > 1e-6


@torch.no_grad()
def check_select(backbone: Backbone, vocab: Vocabulary, size: int) -> None:
    """A stepper whose rows were reordered and repeated goes on as those rows would, wherever that was."""
    backbone = copy.deepcopy(backbone).double()
    tokens, context = small.full(4, vocab), contexts(4, size)
    context, length = None if context is None else context.double(), tokens.shape[1]
    picked = torch.tensor([2, 0, 0, 3, 2])
    wanted = backbone(tokens[picked], None if context is None else context[picked])
    for cut in range(length - 1):
        stepper = backbone.start(4, length, context)
        for place in range(cut):
            stepper.step(tokens[:, place])
        stepper.select(picked)
        torch.testing.assert_close(stepper.logits, wanted[:, cut], **EXACT)
        for place in range(cut, length - 1):
            stepper.step(tokens[picked, place])
            torch.testing.assert_close(stepper.logits, wanted[:, place + 1], **EXACT)


def check_gradients(backbone: Backbone, vocab: Vocabulary, size: int) -> None:
    """Every weight has a part in the logits."""
    tokens, context = small.full(4, vocab), contexts(4, size)
    weight = torch.randn(vocab.size, generator=torch.Generator().manual_seed(3))
    (backbone(tokens, context) @ weight).pow(2).sum().backward()
    for name, parameter in backbone.named_parameters():
        assert parameter.grad is not None, f"{name} has no gradient"
        assert parameter.grad.abs().max() > 0, f"the gradient of {name} is zero"
        assert torch.isfinite(parameter.grad).all(), name


# Every backbone keeps them.


@every_backbone
def test_a_position_sees_all_the_tokens_before_it_and_no_other(name, vocab, context):
    """All: a picture has no blind spot. (The convolutions are deep enough here to reach from corner to corner.)"""
    check_causal(small.backbone(name, context, vocab), vocab, context)


@every_backbone
def test_step_equals_forward(name, vocab, context):
    check_steps(small.backbone(name, context, vocab), vocab, context)


@cases(TEXT)
def test_step_equals_forward_where_many_draws_allow_a_table(name, vocab, context):
    check_steps(small.backbone(name, context), vocab, context, rows=40, length=20)


@each_backbone_once
@pytest.mark.parametrize("chosen", [{"layers": 1}, {"layers": 3, "kernel": 3}, {"stages": 0}, {"stages": 3}], ids=str)
def test_the_laws_hold_at_other_sizes(name, vocab, context, chosen):
    home = "imagegen" if vocab.shape else "textgen"
    if not set(chosen) <= set(find(f"{home}.backbones", name).Config.__dataclass_fields__):
        pytest.skip("has no such setting")
    for check in (check_steps, check_select):
        check(small.backbone(name, context, vocab, **chosen), vocab, context)


@cases([("transformer", VOCAB), ("pixelformer", small.picture((3, 4)))])
@pytest.mark.parametrize("stride", [3, 64])
def test_a_transformer_steps_in_shapes_that_seldom_change(monkeypatch, stride, name, vocab, context):
    for stepper in (transformer.TransformerStepper, pixelformer.PixelformerStepper):
        monkeypatch.setattr(stepper, "stride", stride)
    for check in (check_steps, check_select):
        check(small.backbone(name, context, vocab), vocab, context)


@each_backbone_once
def test_the_slow_default_stepper_equals_forward(name, vocab, context):
    class Slow(Backbone):
        def __init__(self) -> None:
            super().__init__()
            self.inner = small.backbone(name, context, vocab)
            self.head = self.inner.head

        def features(self, tokens, context=None):
            return self.inner.features(tokens, context)

    for check in (check_steps, check_select):
        check(Slow(), vocab, context)


@each_backbone_once
def test_a_row_does_not_depend_on_the_rows_beside_it(name, vocab, context):
    check_rows_independent(small.backbone(name, context, vocab), vocab, context)


@cases(TEXT)
def test_padding_behind_a_row_changes_nothing(name, vocab, context):
    check_padding(small.backbone(name, context), vocab, context)


@pytest.mark.parametrize(("name", "vocab"), TEXT + PICTURES, ids=named)
def test_the_context_matters_at_every_position(name, vocab):
    check_context_matters(small.backbone(name, C, vocab), vocab)


@every_backbone
def test_a_selected_stepper_goes_on_right(name, vocab, context):
    check_select(small.backbone(name, context, vocab), vocab, context)


@each_backbone_once
def test_gradients_reach_every_weight(name, vocab, context):
    check_gradients(small.backbone(name, context, vocab), vocab, context)


@each_backbone_once
def test_nll_is_the_cross_entropy_of_forward_over_real_positions(name, vocab, context):
    backbone, given = small.backbone(name, context, vocab), contexts(4, context)
    tokens = small.full(4, vocab) if vocab.shape else small.rows([2, 5, 3, 0])
    mask = vocab.mask(tokens)
    every = F.cross_entropy(backbone(tokens, given).transpose(1, 2), tokens, reduction="none")
    wanted = (every * mask).sum(1)
    torch.testing.assert_close(backbone.nll(tokens, mask, given), wanted, **CLOSE)
    with torch.no_grad():
        torch.testing.assert_close(backbone.nll(tokens, mask, given), wanted, **CLOSE)


@cases(TEXT)
def test_nll_reads_the_inputs_and_scores_the_tokens(name, vocab, context):
    backbone, tokens, given = small.backbone(name, context), small.rows([4, 4]), contexts(2, context)
    inputs = tokens.clone()
    inputs[:, 1] = small.BLANK
    logits = backbone(inputs, given)
    wanted = F.cross_entropy(logits.transpose(1, 2), tokens, reduction="none").sum(1)
    torch.testing.assert_close(backbone.nll(tokens, vocab.mask(tokens), given, inputs), wanted, **CLOSE)


@each_backbone_once
def test_a_process_without_rows_has_a_loss_all_the_same(name, vocab, context):
    backbone, tokens = small.backbone(name, context, vocab), small.full(2, vocab)[:0]
    loss = backbone.nll(tokens, vocab.mask(tokens), contexts(2, context)[:0] if context else None)
    assert loss.shape == (0,)
    loss.sum().backward()


@pytest.mark.parametrize(("name", "vocab"), ONE_EACH, ids=named)
def test_a_sample_is_drawn_row_by_row(name, vocab):
    backbone, given = small.backbone(name, C, vocab), contexts(3, C)
    vocab = vocab._replace(stop=None)
    tokens = sampler.sample(backbone, vocab, rows=3, length=12, context=given, seed=4)
    again = sampler.sample(backbone, vocab, rows=1, length=12, context=given[1:2], first=1, seed=4)
    assert tokens.shape == (3, 12)
    assert torch.equal(tokens[1:2], again)


@with_and_without_context
def test_an_untied_lstm_keeps_the_laws_as_well(context):
    for check in (check_causal, check_steps, check_gradients):
        check(small.backbone("lstm", context, tied=False), VOCAB, context)


@pytest.mark.parametrize(("name", "vocab"), [("lstm", VOCAB), ("pixelrnn", small.picture((3, 4)))], ids=named)
def test_an_lstm_drops_between_its_layers_as_well(name, vocab):
    backbone, tokens = small.backbone(name, 0, vocab, layers=2, dropout=0.5).train(), small.full(2, vocab)
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
    def start(self, rows, length, context=None):
        class Stepper(Rereading):
            def step(self, tokens):
                super().step(tokens)
                self.logits = self.logits.roll(1, 0)

        return Stepper(self, rows, context)


class SelectsNothing(Bigram):
    """Keeps what it remembers where `select` does not look."""

    def start(self, rows, length, context=None):
        class Stepper(Rereading):
            def select(self, rows):
                self.logits = self.logits.index_select(0, rows)
                self.own["tokens"] = self.own["tokens"][:1].expand(len(rows), -1)

        return Stepper(self, rows, context)


class ForgetsLogits(Bigram):
    """Selects what it remembers, and leaves the logits as they were."""

    def start(self, rows, length, context=None):
        class Stepper(Rereading):
            def select(self, rows):
                logits = self.logits
                super().select(rows)
                self.logits = logits[: len(rows)]

        return Stepper(self, rows, context)


class CountsPadding(Bigram):
    def nll(self, tokens, mask, context=None, inputs=None):
        return super().nll(tokens, torch.ones_like(mask), context, inputs)


class HasAnIdleWeight(Bigram):
    def __init__(self, context: int = 0) -> None:
        super().__init__(context)
        self.idle = nn.Parameter(torch.ones(3))


def test_the_laws_hold_for_a_backbone_that_is_right():
    for check in (check_causal, check_steps, check_rows_independent, check_padding, check_select, check_gradients):
        check(Bigram(C), VOCAB, C)
        check(Bigram(), VOCAB, 0)
    check_context_matters(Bigram(C), VOCAB)


@pytest.mark.parametrize(
    ("broken", "check"),
    [
        (SeesItself, check_causal),
        (SeesTheFuture, check_causal),
        (SeesTheFirstTokenAlone, check_causal),
        (MixesRows, check_rows_independent),
        (StepsOffByOne, check_steps),
        (SelectsNothing, check_select),
        (ForgetsLogits, check_select),
        (CountsPadding, check_padding),
        (HasAnIdleWeight, check_gradients),
    ],
)
def test_a_backbone_that_breaks_a_law_is_caught(broken, check):
    with pytest.raises(AssertionError):
        check(broken(), VOCAB, 0)


@pytest.mark.parametrize("broken", [ForgetsTheContext, UsesTheContextAtTheStartAlone])
def test_a_backbone_that_ignores_its_context_is_caught(broken):
    with pytest.raises(AssertionError):
        check_context_matters(broken(C), VOCAB)


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

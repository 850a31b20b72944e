"""Sampling speed: ours beside window recomputation (LSTM) and beside Hugging Face's cached GPT-2 (Transformer).

    python benchmarks/sampling.py                # all threads, about ten minutes on two cores
    python benchmarks/sampling.py --only lstm
    python benchmarks/sampling.py --threads 1

Needs the `bench` extra for the Transformer (pip install "stroll[bench]"). Weights are random: speed does not depend on
them. Counted are tokens per second over all rows together; ours is `textgen.core.sampler.sample`, fp32, start to end.

LSTM (width 512, vocabulary 167, rows of 400 tokens: a 20 x 20 picture). The peer draws as PixelRNN scripts do: for
each token `nn.LSTM` reads the last 100 tokens again, one-hot, then softmax and `torch.multinomial`. So that this does
not take minutes, only a few steps at the full window are timed; the row is taken to cost what 400 tokens with windows
of 1, 2, ... 100, 100, ... would, in proportion to the window. That flatters the peer: short windows cost more.

Transformer (6 layers of width 256 with 8 heads, vocabulary 170, rows of 400 tokens): `GPT2LMHeadModel.generate` with
its cache and `do_sample=True`, all else at its defaults. Its first call with 64 rows in a process can be two to five
times slower than the later ones; that call is the warm-up and does not count. Ours has SwiGLU of two thirds of GPT-2's
hidden width (three matrices for two) and so the same weight count but for GPT-2's learned positions.

Beforehand both of our backbones read back a row that they drew: the greatest difference between the logits of
stepping and those of one forward pass is printed. Equal logits mean that carried state draws from the model's own
distribution.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

from onehot import OneHotLSTM
from stepping import ours, stepping_error
from textgen.backbones import lstm, transformer
from textgen.core.backbone import Vocabulary
from turns import Entry, Report, arguments, begin, in_turn

WINDOW = 100


def window_peer(model: OneHotLSTM, rows: int, length: int, steps: int) -> Callable[[], float]:
    """`steps` tokens of `rows` rows at the full window, and how many tokens of whole rows they stand for."""
    mean_window = sum(min(position + 1, WINDOW) for position in range(length)) / length
    begun = torch.randint(model.colours, (rows, WINDOW), generator=torch.Generator().manual_seed(0))

    @torch.inference_mode()
    def run() -> float:
        tokens = begun
        for _ in range(steps):
            following = torch.multinomial(model(tokens).softmax(-1), 1)
            tokens = torch.cat([tokens[:, 1:], following], 1)
        return rows * steps * WINDOW / mean_window

    return run


def hugging_face(vocab: int, rows: int, length: int) -> tuple[Callable[[], float], int]:
    """`generate` of an untrained GPT-2 of 6 layers, width 256 and 8 heads; and its weight count."""
    from transformers import GPT2Config, GPT2LMHeadModel, logging

    logging.set_verbosity_error()
    config = GPT2Config(
        vocab_size=vocab + 1,  # the start symbol
        n_positions=length + 1,
        n_embd=256,
        n_layer=6,
        n_head=8,
        bos_token_id=vocab,
        eos_token_id=None,
    )
    model = GPT2LMHeadModel(config).eval()
    start = torch.full((rows, 1), vocab)
    mask = torch.ones_like(start)

    @torch.inference_mode()
    def run() -> float:
        found = model.generate(start, attention_mask=mask, do_sample=True, min_new_tokens=length, max_new_tokens=length)
        return found[:, 1:].numel()

    return run, sum(weight.numel() for weight in model.parameters())


def compare_lstm(chosen: object, report: Report, quick: bool) -> None:
    """LSTM of 512 cells against window recomputation."""
    length, steps, width = (20, 2, 64) if quick else (400, 16, 512)
    vocab = Vocabulary(167)
    backbone = lstm.build(lstm.Config(width=width, embedding=167), vocab, 0).eval()
    error = stepping_error(backbone, vocab, 4, length)
    report.say("lstm stepping error", error, f"LSTM: stepping and forward differ by at most {error:.1e}")
    peer = OneHotLSTM(vocab.size, width).eval()
    one = Entry("peer, 1 row", window_peer(peer, 1, length, steps))
    entries = [one, Entry("ours, 1 row", ours(backbone, vocab, 1, length), 15)]
    entries.append(Entry("ours, 64 rows", ours(backbone, vocab, 64, length), 100))
    report.table("LSTM-512, over the peer's one row at a time", "tokens per second", in_turn(entries, chosen))
    many = Entry("peer, 64 rows", window_peer(peer, 64, length, 2))
    report.table(
        "LSTM-512, over a peer that is given the same 64 rows at once",
        "tokens per second",
        in_turn([many, entries[2]], chosen),
    )


def compare_transformer(chosen: object, report: Report, quick: bool) -> None:
    """Transformer 6 x 256 x 8 against Hugging Face's GPT-2."""
    length = 20 if quick else 400
    vocab = Vocabulary(170)
    backbone = transformer.build(transformer.Config(width=256, layers=6, heads=8), vocab, 0).eval()
    error = stepping_error(backbone, vocab, 4, length)
    report.say(
        "transformer stepping error", error, f"\nTransformer: stepping and forward differ by at most {error:.1e}"
    )
    for rows, bar in ((1, 1.5), (64, 3.0)):
        peer, weights = hugging_face(vocab.size, rows, length)
        if rows == 1:
            own = sum(weight.numel() for weight in backbone.parameters())
            report.say("weights", {"peer": weights, "ours": own}, f"weights: peer {weights:,}; ours {own:,}")
        title = f"Transformer 6 x 256 x 8, {rows} row{'s' * (rows > 1)}"
        entries = [
            Entry("Hugging Face generate, cached", peer),
            Entry("ours", ours(backbone, vocab, rows, length), bar),
        ]
        report.table(title, "tokens per second", in_turn(entries, chosen))


def main() -> None:
    """Measure peers and ours in turn."""
    parser = arguments(str(__doc__))
    parser.add_argument("--only", choices=["lstm", "transformer"], help="one of the two comparisons")
    chosen = begin(parser)
    report = Report(chosen)
    torch.manual_seed(0)
    if chosen.only != "transformer":
        compare_lstm(chosen, report, chosen.quick)
    if chosen.only != "lstm":
        compare_transformer(chosen, report, chosen.quick)
    report.end()


if __name__ == "__main__":
    main()

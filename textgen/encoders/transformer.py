"""Transformer encoder: the decoder's layers (`backbones/transformer.py`) without the causal mask, pooled."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from corpora.settings import Settings, require, setting
from textgen.backbones.transformer import Layer, rotary
from textgen.core.backbone import Vocabulary
from textgen.core.encoder import Encoder, pool


@dataclass(frozen=True)
class Config(Settings):
    encoder_width: int = setting(256, "encoder: width of every layer", 1, 16384)
    encoder_layers: int = setting(2, "encoder: layers", 1, 128)
    encoder_heads: int = setting(4, "encoder: attention heads of each layer", 1)
    encoder_dropout: float = setting(0.0, "encoder: dropped share inside the layers", 0, below=1)

    def check(self) -> None:
        """Raise InputError unless rotary positions can halve every head."""
        ok = self.encoder_width % (2 * self.encoder_heads) == 0
        require(ok, "encoder_heads", self.encoder_heads, "a number with encoder_width a multiple of 2 x encoder_heads")


class TransformerEncoder(Encoder):
    """The last layer's normed outputs, pooled, (B, 2 D)."""

    def __init__(self, config: Config, vocab: Vocabulary) -> None:
        super().__init__()
        self.size = 2 * config.encoder_width
        self.heads, self.width = config.encoder_heads, config.encoder_width
        self.embedding = nn.Embedding(vocab.size, config.encoder_width)
        nn.init.normal_(self.embedding.weight, std=0.02)
        self.layers = nn.ModuleList(
            Layer(config.encoder_width, config.encoder_heads, config.encoder_dropout, causal=False)
            for _ in range(config.encoder_layers)
        )
        self.norm = nn.RMSNorm(config.encoder_width, eps=1e-6)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        inputs = self.embedding(tokens)
        turns = rotary(tokens.shape[1], self.width // self.heads, tokens.device)
        for layer in self.layers:
            inputs = layer(inputs, turns, mask)
        return pool(self.norm(inputs), mask)


def build(config: Config, vocab: Vocabulary) -> TransformerEncoder:
    return TransformerEncoder(config, vocab)

"""Bidirectional LSTM encoder (Schuster and Paliwal 1997), pooled by maximum and mean (Long et al. 2019).

The backward direction is a second LSTM over each row reversed within its own length, so that padding stays at
the end of both and cannot reach anything. A pool forgets in which order things came; with `encoder_places` the outputs
at the first places also reach the posterior one by one, each through weights of its own, which a row needs to be
given back word for word (docs/results.md).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from corpora.settings import Settings, setting
from textgen.core.backbone import Dropout, Vocabulary
from textgen.core.encoder import Encoder, pool


@dataclass(frozen=True)
class Config(Settings):
    encoder_width: int = setting(256, "encoder: cells of each direction", 1, 16384)
    encoder_layers: int = setting(1, "encoder: layers", 1, 64)
    encoder_embedding: int = setting(256, "encoder: size of a token's embedding", 1, 16384)
    encoder_dropout: float = setting(0.0, "encoder: dropped share of embeddings", 0, below=1)
    encoder_places: int = setting(
        0, "encoder: places whose outputs reach the posterior one by one; 0: the pool alone", 0, 1024
    )


class BidirectionalLSTM(Encoder):
    """The top layer's outputs of both directions pooled, (B, 4 H), and those of each place made small, (B, P x 64)."""

    SMALL = 64

    def __init__(self, config: Config, vocab: Vocabulary) -> None:
        super().__init__()
        self.places = config.encoder_places
        self.size = 4 * config.encoder_width + self.places * self.SMALL
        self.embedding = nn.Embedding(vocab.size, config.encoder_embedding)
        nn.init.normal_(self.embedding.weight, std=config.encoder_embedding**-0.5)
        sizes = [config.encoder_embedding] + [2 * config.encoder_width] * (config.encoder_layers - 1)
        self.forwards = nn.ModuleList(nn.LSTM(size, config.encoder_width, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(nn.LSTM(size, config.encoder_width, batch_first=True) for size in sizes)
        self.small = nn.Linear(2 * config.encoder_width, self.SMALL) if self.places else None
        self.dropout = Dropout(config.encoder_dropout)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        inputs = self.dropout(self.embedding(tokens))  # (B, L, E)
        places = torch.arange(tokens.shape[1], device=tokens.device)
        lengths = mask.sum(1, keepdim=True)
        mirror = torch.where(mask, lengths - 1 - places, places)[..., None]  # (B, L, 1), its own inverse
        for ahead, back in zip(self.forwards, self.backwards, strict=True):
            seen = ahead(inputs)[0]
            reversed_inputs = inputs.gather(1, mirror.expand(-1, -1, inputs.shape[2]))
            coming = back(reversed_inputs)[0]
            coming = coming.gather(1, mirror.expand(-1, -1, coming.shape[2]))
            inputs = torch.cat([seen, coming], 2)  # (B, L, 2 H)
        pooled = pool(inputs, mask)
        if self.small is None:
            return pooled
        one_by_one = self.small(inputs).masked_fill(~mask[..., None], 0)  # (B, L, 64)
        one_by_one = F.pad(one_by_one, (0, 0, 0, self.places - tokens.shape[1]))  # cuts what is beyond the last place
        return torch.cat([pooled, one_by_one.flatten(1).to(pooled.dtype)], 1)


def build(config: Config, vocab: Vocabulary) -> BidirectionalLSTM:
    return BidirectionalLSTM(config, vocab)

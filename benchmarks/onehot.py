"""The lecture's exercise as it is usually written, for the benchmarks that set ours beside it."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class OneHotLSTM(nn.Module):
    """One-hot colours, one LSTM layer, one linear layer: what follows the last of some tokens, (B, L) -> (B, V)."""

    def __init__(self, colours: int, cells: int = 512) -> None:
        super().__init__()
        self.colours = colours
        self.lstm = nn.LSTM(colours, cells, batch_first=True)
        self.head = nn.Linear(cells, colours)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.lstm(self.one_hot(tokens))[0][:, -1])

    def everywhere(self, tokens: Tensor) -> Tensor:
        """Logits of every token given those before it, none before the first: (B, L) -> (B, L, V)."""
        before = F.pad(self.one_hot(tokens[:, :-1]), (0, 0, 1, 0))
        return self.head(self.lstm(before)[0])

    def one_hot(self, tokens: Tensor) -> Tensor:
        """(B, L) -> (B, L, V)"""
        return F.one_hot(tokens, self.colours).to(torch.float32)

"""Word embeddings at the cost of the words that occur."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding


class UsedRows(nn.Module):
    """Stands in for a word embedding during a fit and holds only the rows that the fit's texts use.

    Half of a small encoder is its word embedding, and a fit's texts touch a few hundred of its
    rows: the others have no gradient, so that AdamW only decays them, which ``remove`` does at once.
    """

    def __init__(self, full: nn.Embedding, used: Tensor) -> None:
        super().__init__()
        self._full = [full]  # in a list, so that its weight is no parameter of this module
        self._used = used
        self.weight = nn.Parameter(full.weight.detach()[used].clone())
        row_of = torch.zeros(full.num_embeddings, dtype=torch.int64, device=used.device)
        row_of[used] = torch.arange(len(used), device=used.device)
        self.register_buffer("row_of", row_of, persistent=False)
        self.row_of: Tensor
        self._pad_row = None if full.padding_idx is None else int(row_of[full.padding_idx])

    def forward(self, ids: Tensor) -> Tensor:
        """The embeddings of token ids, which must all be among the used ones."""
        return embedding(self.row_of[ids], self.weight, self._pad_row)

    @staticmethod
    def install(model: Any, ids: Tensor) -> "UsedRows":
        """Replace the model's word embedding by the rows of ``ids`` (distinct token ids, the padding's included)."""
        rows = UsedRows(model.get_input_embeddings(), ids)
        model.set_input_embeddings(rows)
        return rows

    @torch.no_grad()
    def remove(self, model: Any, decay: float) -> None:
        """Put the whole embedding back, with the trained rows; the others are multiplied by ``decay``."""
        full = self._full[0]
        full.weight.mul_(decay)
        full.weight[self._used] = self.weight
        model.set_input_embeddings(full)

"""Compute the training loss of a language model: weighted means over tokens and over cells. Knows no datasets
and no settings of a run.

Legend: B batch, L sequence, D width of the language model, F findings.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from llmcxr.model.finding_maps import READ_FROM, FindingMapHeads
from llmcxr.model.unified import IGNORE_INDEX, UnifiedModel

Sums = dict[str, tuple[Tensor, Tensor]]  # term -> (sum of its losses, number of tokens or cells summed over)


class ResponseLoss(nn.Module):
    """Computes the loss. `terms` has the weight of each term's mean; `heads` add those of finding maps.

    Calling it gives sums and counts, so that means can be taken over batches that are accumulated.
    """

    def __init__(
        self, model: UnifiedModel, terms: Mapping[str, float], heads: FindingMapHeads | None = None
    ) -> None:
        super().__init__()
        self.model, self.terms, self.heads = model, dict(terms), heads

    def forward(self, **directions: dict[str, Tensor]) -> Sums:
        """Return every term's sum and count over the batches of all directions, as `collate` makes them."""
        nothing = torch.zeros((), device=self.model.device)
        sums = dict.fromkeys(self.terms, (nothing, nothing))
        for batch in directions.values():
            for name, (total, count) in self._losses(**batch).items():
                sums[name] = (sums[name][0] + total, sums[name][1] + count)
        return sums

    def count(self, directions: Mapping[str, Mapping[str, Tensor]]) -> dict[str, int]:
        """Return the counts that a forward pass would give, from the batches of all directions alone."""
        counts = dict.fromkeys(self.terms, 0)
        for batch in directions.values():
            is_image = batch["input_ids"] >= self.model.vocabulary.image_token_offset  # (B, L)
            is_response = batch["labels"] != IGNORE_INDEX  # (B, L)
            drawn = (is_image & is_response)[:, 1:]
            counted = {
                "image_nll": drawn,
                "text_nll": (is_response & ~is_image)[:, 1:],
                "drawn_finding_map": drawn,
                "read_finding_map": is_image & ~is_response,
            }
            for term in counts:
                counts[term] += int(counted[term].sum())
        return counts

    def _losses(
        self, input_ids: Tensor, labels: Tensor, finding_map: Tensor | None = None, **kwargs: Tensor
    ) -> Sums:
        states = self.model.all_hidden_states(input_ids, **kwargs)  # num_layers + 1 of (B, L, D)
        losses = self.model.losses(states[-1], labels)
        if finding_map is not None:  # (B, L, F)
            is_image = input_ids >= self.model.vocabulary.image_token_offset  # (B, L)
            is_response = labels != IGNORE_INDEX  # (B, L)
            losses |= self.heads.losses(states[READ_FROM], is_image, is_response, finding_map)
        return losses

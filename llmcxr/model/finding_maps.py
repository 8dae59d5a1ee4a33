"""Compute an auxiliary loss that only training has. Two linear probes predict how much of each cell each
finding covers: one before the cell's code is generated, one after it is read. Without it the side of a nodule
(less than 1 of about 200 nats) is not learnt. Not saved.

Legend: B batch, L sequence, D width of the language model, F findings, n selected tokens.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

RARE = 1e-4  # lower base rates are raised to it, so that no entropy is zero
READ_FROM = -2  # the hidden states that the probes see: one layer is left to use what they know


class FindingMapHeads(nn.Module):
    """Predicts the findings of a cell from hidden states by two linear probes, (..., D) -> (..., F).

    base_rates (F,): the mean share of a cell that each finding covers.
    """

    def __init__(self, width: int, base_rates: Tensor) -> None:
        super().__init__()
        self.drawn, self.read = (nn.Linear(width, len(base_rates)) for _ in range(2))
        rates = base_rates.float().clamp(RARE, 1 - RARE)
        self.register_buffer("entropies", F.binary_cross_entropy(rates, rates, reduction="none"))  # (F,)

    def losses(
        self, hidden: Tensor, is_image: Tensor, is_response: Tensor, finding_map: Tensor
    ) -> dict[str, tuple[Tensor, Tensor]]:
        """Sum over cells and number of cells of drawn_finding_map and read_finding_map.

        hidden (B, L, D); is_image, is_response (B, L) bool, image tokens and tokens of the response;
        finding_map (B, L, F) in 0..1, the share of each image token's cell that each finding covers.
        Each finding's cross-entropy is divided by the entropy of its base rate: predicting the base rate
        scores 1, and rare findings weigh as much as common ones.
        """
        drawn, read = (is_image & is_response)[:, 1:], is_image & ~is_response  # (B, L-1), (B, L)
        return {
            "drawn_finding_map": (
                self._loss(self.drawn, hidden[:, :-1][drawn], finding_map[:, 1:][drawn]),
                drawn.sum(),
            ),
            "read_finding_map": (self._loss(self.read, hidden[read], finding_map[read]), read.sum()),
        }

    def _loss(self, head: nn.Linear, hidden: Tensor, covered: Tensor) -> Tensor:
        """Compute the loss of hidden (n, D), covered (n, F) -> (), summed over cells, mean over findings."""
        scores = head(F.rms_norm(hidden, hidden.shape[-1:])).float()  # (n, F)
        nll = F.binary_cross_entropy_with_logits(scores, covered, reduction="none")  # (n, F)
        return (nll.sum(0) / self.entropies).mean()

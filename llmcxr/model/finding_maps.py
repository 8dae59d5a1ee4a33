"""What a small model is told beside its words: which findings each cell of an image holds.

The likelihood of an image hardly says it: of some two hundred nats, on which side a nodule begins is less
than one. Linear maps from hidden states are trained to give each finding's cover of a cell: before the cell
is drawn, from the request and what is drawn so far, and after it is read. They are trained beside the model
and kept in no model directory; what stays is that the hidden states know where things belong.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

RARE = 1e-4  # a base rate below it counts as it
READ_FROM = -2  # the states that the heads see: one layer is left to make use of what they know


class LayoutHeads(nn.Module):
    """base_rates (F,): the mean cover of a cell by each finding. width: of the hidden states."""

    def __init__(self, width: int, base_rates: Tensor) -> None:
        super().__init__()
        self.drawn, self.read = (nn.Linear(width, len(base_rates)) for _ in range(2))
        rates = base_rates.float().clamp(RARE, 1 - RARE)
        self.register_buffer("entropies", F.binary_cross_entropy(rates, rates, reduction="none"))

    def losses(
        self, hidden: Tensor, is_image: Tensor, is_response: Tensor, layout: Tensor
    ) -> dict[str, Tensor]:
        """Sums over cells and their counts: drawn_layout, num_drawn, read_layout, num_read.

        hidden (B, L, D); is_image, is_response (B, L) bool, image words and those that are the response;
        layout (B, L, F) in 0..1, the cover of the cell of each image word. A head that knows the base rates
        alone has 1 a cell, one that knows more has less: each finding's cross-entropy counts by its share of
        its own entropy, so that a nodule, in one cell of two hundred, weighs as much as the heart.
        """
        drawn, read = (is_image & is_response)[:, 1:], is_image & ~is_response
        return {
            "drawn_layout": self._loss(self.drawn, hidden[:, :-1][drawn], layout[:, 1:][drawn]),
            "num_drawn": drawn.sum(),
            "read_layout": self._loss(self.read, hidden[read], layout[read]),
            "num_read": read.sum(),
        }

    def _loss(self, head: nn.Linear, hidden: Tensor, layout: Tensor) -> Tensor:
        scores = head(F.rms_norm(hidden, hidden.shape[-1:])).float()
        nll = F.binary_cross_entropy_with_logits(scores, layout, reduction="none")
        return (nll.sum(0) / self.entropies).mean()

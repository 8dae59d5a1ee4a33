"""What a step of training the language model makes smaller. Knows no datasets."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from llmcxr.model.finding_maps import READ_FROM, LayoutHeads
from llmcxr.model.unified import IGNORE_INDEX, UnifiedModel
from llmcxr.training.lm_config import LMRun


class ResponseLoss(nn.Module):
    """What the Trainer trains: the weighted mean losses of both directions, and of where findings are."""

    def __init__(self, model: UnifiedModel, config: LMRun, layout_heads: LayoutHeads | None) -> None:
        super().__init__()
        self.model, self.layout_heads = model, layout_heads
        self.terms = (
            (config.training.image_weight, "image_nll", "num_image"),
            (config.training.text_weight, "text_nll", "num_text"),
            (config.layout.drawn, "drawn_layout", "num_drawn"),
            (config.layout.read, "read_layout", "num_read"),
        )

    def forward(self, **directions: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss, and the sums and counts that it is the weighted mean of."""
        sums = {name: torch.tensor(0.0) for _, *names in self.terms for name in names}
        for batch in directions.values():
            for name, value in self._losses(**batch).items():
                sums[name] = sums[name].to(value.device) + value
        loss = sum(weight * sums[name] / sums[count].clamp(min=1) for weight, name, count in self.terms)
        return {"loss": loss, **sums}

    def _losses(
        self, input_ids: Tensor, labels: Tensor, layout: Tensor | None = None, **kwargs: Tensor
    ) -> dict[str, Tensor]:
        states = self.model.layers(input_ids, **kwargs)
        losses = self.model.losses(states[-1], labels)
        if layout is not None:
            is_image = input_ids >= self.model.vocabulary.image_token_offset
            is_response = labels != IGNORE_INDEX
            losses |= self.layout_heads.losses(states[READ_FROM], is_image, is_response, layout)
        return losses

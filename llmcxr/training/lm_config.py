"""The settings of a language model's training."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmcxr.codes.encode import EncodingConfig
from llmcxr.model.unified import LMConfig
from llmcxr.prompts import TEMPLATES
from llmcxr.training.examples import ExampleConfig
from vqgan.training.loop import LoopConfig


@dataclass(frozen=True)
class LMTrainingConfig(LoopConfig):
    """The loop's settings, with defaults of their own. A study of `batch_size` is used in both directions."""

    steps: int = 10_000
    batch_size: int = 8
    learning_rate: float = 3e-3
    muon_learning_rate: float = 0.0
    warmup_steps: int = 100
    decay: str = "linear"
    decay_share: float = 0.5
    final_learning_rate: float = 0.02
    weight_decay: float = 0.05
    image_weight: float = 1.0  # of the mean loss per image token
    text_weight: float = 1.5  # of the mean loss per text token
    sheet_studies: int = 4  # of the validation, drawn and reported on a picture each time; 0 = no picture


@dataclass
class LayoutConfig:
    """Weights of telling which findings each cell of an image holds (model.finding_maps); 0 = not told.

    Other than 0 for datasets that know where findings are: phantom:.
    """

    drawn: float = 0.0  # before a cell is drawn
    read: float = 0.0  # after a cell is read

    def __post_init__(self) -> None:
        if min(self.drawn, self.read) < 0:
            raise ValueError(f"layout weights must be 0 or more, got {self.drawn} and {self.read}")

    @property
    def is_wanted(self) -> bool:
        return self.drawn > 0 or self.read > 0


@dataclass
class LMRun:
    """One run. `tokenizer` is an image tokenizer directory; the images are encoded with it once."""

    kind: str = "lm"
    dataset: str = "phantom:n=20000,seed=0"
    validation: str = "phantom:n=64,seed=2,split=validate"
    tokenizer: str = "runs/tokenizer-phantom/model"
    run_dir: str = "runs/lm-phantom"
    cache_dir: str = "runs/cache"
    seed: int = 0
    template: str = "compact"  # or "alpaca", for instruction-tuned models
    model: LMConfig = field(default_factory=LMConfig)
    encoding: EncodingConfig = field(default_factory=EncodingConfig)
    examples: ExampleConfig = field(default_factory=ExampleConfig)
    layout: LayoutConfig = field(default_factory=LayoutConfig)
    training: LMTrainingConfig = field(default_factory=LMTrainingConfig)

    def __post_init__(self) -> None:
        if self.template not in TEMPLATES:
            raise ValueError(f"template must be one of {', '.join(TEMPLATES)}, got {self.template!r}")
        if self.layout.is_wanted and self.encoding.codings > 1:
            raise ValueError(
                f"layouts are of images as they are, and encoding.codings={self.encoding.codings} also shows "
                "changed ones; set it to 1, or layout.drawn and layout.read to 0"
            )

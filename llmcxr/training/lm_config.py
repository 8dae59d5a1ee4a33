"""Hold the settings of a language model's training."""

from __future__ import annotations

from dataclasses import dataclass, field

from llmcxr.codes.encode import EncodingConfig
from llmcxr.model.unified import LMConfig
from llmcxr.prompts import TEMPLATES
from llmcxr.training.examples import ExampleConfig
from vqgan.training.loop import LoopConfig


@dataclass(frozen=True)
class LMTrainingConfig(LoopConfig):
    """Gives the loop's settings defaults of their own. A study of `batch_size` is used in both directions."""

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
class FindingMapConfig:
    """Weighs the prediction of which findings each cell of an image holds (model.finding_maps), 0 = off.

    Only datasets that know where findings are, such as phantom:, can have other weights than 0.
    """

    drawn: float = 0.0  # of the prediction before a cell's code is generated
    read: float = 0.0  # of the prediction after it is read

    def __post_init__(self) -> None:
        if min(self.drawn, self.read) < 0:
            raise ValueError(f"finding_map weights must be 0 or more, got {self.drawn} and {self.read}")

    @property
    def is_wanted(self) -> bool:
        return self.drawn > 0 or self.read > 0


@dataclass
class LMRun:
    """Describes one run. `tokenizer` is an image tokenizer directory; the images are encoded with it once."""

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
    finding_map: FindingMapConfig = field(default_factory=FindingMapConfig)
    training: LMTrainingConfig = field(default_factory=LMTrainingConfig)

    def __post_init__(self) -> None:
        if self.template not in TEMPLATES:
            raise ValueError(f"template must be one of {', '.join(TEMPLATES)}, got {self.template!r}")
        if self.finding_map.is_wanted and self.encoding.augmentations > 1:
            raise ValueError(
                "finding maps are of images as they are, and encoding.augmentations="
                f"{self.encoding.augmentations} also shows changed ones; set it to 1, or finding_map.drawn "
                "and finding_map.read to 0"
            )

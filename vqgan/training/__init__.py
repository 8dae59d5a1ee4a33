"""Train an image tokenizer, without llmcxr: `from vqgan.training import TrainingConfig, train`."""

from vqgan.training.tokenizer import TrainingConfig, TrainingResult, train

__all__ = ["TrainingConfig", "TrainingResult", "train"]

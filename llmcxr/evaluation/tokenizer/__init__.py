"""How much of a radiograph an image tokenizer keeps, and what it erases."""

from llmcxr.evaluation.tokenizer.run import Fidelity, evaluate_tokenizer

__all__ = ["Fidelity", "evaluate_tokenizer"]

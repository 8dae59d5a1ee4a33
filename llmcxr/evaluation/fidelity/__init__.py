"""How much of a radiograph an image tokenizer keeps, and what it erases."""

from llmcxr.evaluation.fidelity.report import Fidelity, evaluate_tokenizer

__all__ = ["Fidelity", "evaluate_tokenizer"]

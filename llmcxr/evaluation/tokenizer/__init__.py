"""Measure how much of a radiograph an image tokenizer keeps, and what it erases."""

from llmcxr.evaluation.tokenizer.run import evaluate_tokenizer

__all__ = ["evaluate_tokenizer"]

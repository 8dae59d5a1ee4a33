"""Measure radiographs by geometry from their pixels, without a network."""

from llmcxr.measure.cardiothoracic_ratio import RatioMeasurement, measure_cardiothoracic_ratio

__all__ = ["RatioMeasurement", "measure_cardiothoracic_ratio"]

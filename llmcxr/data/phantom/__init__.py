"""Compute chest radiographs with their truth: masks, points, measurements, labels, texts. No patient."""

from llmcxr.data.phantom.dataset import PhantomDataset
from llmcxr.data.phantom.projection import render
from llmcxr.data.phantom.sampling import sample_case
from llmcxr.data.phantom.truth import indices, masks, points, salience

__all__ = ["PhantomDataset", "indices", "masks", "points", "render", "salience", "sample_case"]

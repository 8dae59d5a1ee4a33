"""Datasets as studies: `open_dataset("KIND:PATH[,key=value...]")` opens every source in the same shape."""

from llmcxr.data.dataset import Dataset, StudyDataset, Texts, find_frontal
from llmcxr.data.opening import open_dataset
from llmcxr.data.rejections import Rejections

__all__ = ["Dataset", "Rejections", "StudyDataset", "Texts", "find_frontal", "open_dataset"]

"""Give datasets as studies: `open_dataset("KIND:PATH[,key=value...]")` opens every source in one shape."""

from llmcxr.common.rejections import Rejections
from llmcxr.data.dataset import Dataset, StudyDataset, Texts, find_frontal
from llmcxr.data.opening import find_kind, open_dataset

__all__ = ["Dataset", "Rejections", "StudyDataset", "Texts", "find_frontal", "find_kind", "open_dataset"]

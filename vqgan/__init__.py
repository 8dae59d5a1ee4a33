"""An image tokenizer for chest radiographs: pixels <-> a grid of discrete codes. Imports nothing from llmcxr.

>>> from vqgan import VQGAN, VQGANConfig
>>> tokenizer = VQGAN(VQGANConfig())
>>> codes = tokenizer.encode(images)         # (B, 1, 128, 128) float32 in [0, 1] -> (B, 16, 8) int64
>>> images = tokenizer.decode(codes)
"""

from vqgan.config import VQGANConfig
from vqgan.model import VQGAN, VQGANOutput

__all__ = ["VQGAN", "VQGANConfig", "VQGANOutput"]

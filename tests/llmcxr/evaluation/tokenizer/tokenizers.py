"""Tokenizers without a network, whose losses are known by hand."""

import torch


class Passing(torch.nn.Module):
    """Gives back images times `gain`, and calls every cell code 0 or 1 of 4."""

    def __init__(self, size, gain=1.0):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.gain = gain
        self.config = type("Config", (), {"image_size": size, "codebook_size": 4, "grid": (2, 2)})

    def encode(self, images):
        self.images = images
        return (torch.arange(len(images) * 4) % 2).view(len(images), 2, 2)

    def decode(self, codes):
        assert len(codes) == len(self.images)
        return self.images * self.gain

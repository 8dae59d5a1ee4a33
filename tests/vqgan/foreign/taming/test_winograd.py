import pytest
import torch
from torch import nn
from torch.nn import functional as F

from vqgan.foreign.taming import winograd


@pytest.mark.parametrize(
    ("batch", "channels", "channels_out", "height", "width"),
    [(1, 3, 5, 2, 2), (2, 8, 4, 6, 10), (5, 16, 16, 16, 16), (1, 4, 4, 34, 64), (3, 2, 2, 8, 600)],
)
def test_it_is_a_convolution(batch, channels, channels_out, height, width):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(batch, channels, height, width, generator=generator)
    weight = torch.randn(channels_out, channels, 3, 3, generator=generator)
    bias = torch.randn(channels_out, generator=generator)
    exact = F.conv2d(x.double(), weight.double(), bias.double(), padding=1)
    with torch.no_grad():
        for layout in (torch.contiguous_format, torch.channels_last):
            given = x.contiguous(memory_format=layout), weight.contiguous(memory_format=layout), bias
            convolved = winograd.convolve(*given)
            assert convolved.is_contiguous(memory_format=torch.channels_last)
            assert (convolved - exact).abs().max() < 2e-5 * exact.abs().max()


def test_it_is_as_accurate_as_the_direct_way():
    conv = nn.Conv2d(256, 256, 3, padding=1)
    x = torch.randn(1, 256, 32, 32)
    with torch.no_grad():
        exact = F.conv2d(x.double(), conv.weight.double(), conv.bias.double(), padding=1)
        error = (winograd.convolve(x, conv.weight, conv.bias) - exact).abs().max()
    assert error < 5e-6


def test_it_is_left_to_encoding_with_many_channels():
    conv, x = nn.Conv2d(256, 256, 3, padding=1), torch.zeros(1, 256, 32, 32)
    assert not winograd.pays(x, conv)  # gradients are wanted
    with torch.no_grad():
        assert winograd.pays(x, conv)
        assert not winograd.pays(x[:, :, :31], conv)
        assert not winograd.pays(x[:, :, :16, :30], conv)
        assert not winograd.pays(x.bfloat16(), conv)
        assert not winograd.pays(torch.zeros(1, 128, 64, 64), nn.Conv2d(128, 128, 3, padding=1))

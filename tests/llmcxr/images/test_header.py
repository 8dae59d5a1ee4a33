import numpy as np

from llmcxr.images.header import measure_colour, to_luminance


def test_luminance_weighs_the_colours_by_hand():
    colours = np.array([[[1, 0, 0], [0, 1, 0]], [[0, 0, 1], [1, 1, 1]]], np.float32)  # (2, 2, 3)
    np.testing.assert_allclose(to_luminance(colours), [[0.299, 0.587], [0.114, 1.0]], rtol=1e-6)
    with_alpha = np.concatenate([colours, np.zeros((2, 2, 1), np.float32)], axis=-1)
    np.testing.assert_array_equal(to_luminance(with_alpha), to_luminance(colours))


def test_a_pixel_is_coloured_where_its_channels_are_a_tenth_apart():
    colours = np.full((2, 2, 3), 0.5)
    assert measure_colour(colours) == 0
    colours[0, 0, 2] = 0.7
    colours[1, 1, 0] = 0.55
    assert measure_colour(colours) == 0.25

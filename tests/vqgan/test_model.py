import pytest
import torch

from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig
from vqgan.quantizers.fsq import FSQConfig

NARROW = CXRConfig(stem_channels=8, grid_channels=8, level_blocks=0, grid_blocks=1, num_heads=1)
TINY = dict(image_size=32, fsq=FSQConfig((3, 3)), cxr=NARROW)


def build(**settings) -> VQGAN:
    torch.manual_seed(0)
    return VQGAN(VQGANConfig(**(TINY | settings))).eval()


@pytest.mark.parametrize("cell", [(4, 4), (8, 8), (8, 16), (16, 8), (16, 16), (4, 32)])
def test_codes_lie_on_a_grid_of_cells_and_decode_to_the_image_size(cell: tuple[int, int]) -> None:
    model = build(cell_height=cell[0], cell_width=cell[1])
    images = torch.rand(2, 1, 32, 32)
    codes = model.encode(images)
    assert codes.shape == (2, 32 // cell[0], 32 // cell[1]) == (2, *model.config.grid)
    assert codes.dtype == torch.int64 and codes.min() >= 0 and codes.max() < model.config.codebook_size == 9
    decoded = model.decode(codes)
    assert decoded.shape == images.shape and decoded.min() >= 0 and decoded.max() <= 1


def test_decoding_codes_is_the_clipped_reconstruction() -> None:
    model = build()
    images = torch.rand(2, 1, 32, 32)
    output = model(images)
    assert torch.equal(output.codes, model.encode(images))
    torch.testing.assert_close(model.decode(output.codes), output.reconstruction.clamp(0, 1))


def test_codes_of_an_image_do_not_depend_on_its_batch() -> None:
    model = build()
    images = torch.rand(3, 1, 32, 32)
    assert torch.equal(model.encode(images)[1:2], model.encode(images[1:2]))


def test_wrong_images_and_codes_are_refused_with_both_shapes() -> None:
    model = build(cell_height=8, cell_width=16)
    with pytest.raises(ValueError, match=r"\(B, 1, 32, 32\), got \(1, 3, 32, 32\)"):
        model.encode(torch.rand(1, 3, 32, 32))
    with pytest.raises(ValueError, match=r"\(B, 4, 2\), got \(1, 2, 4\)"):
        model.decode(torch.zeros(1, 2, 4, dtype=torch.long))
    with pytest.raises(ValueError, match=r"in 0\.\.8, got 0\.\.9"):
        model.decode(torch.tensor([[[9, 0]] * 4]))

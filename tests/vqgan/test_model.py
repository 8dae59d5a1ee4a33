import pytest
import torch

from vqgan import VQGAN, VQGANConfig
from vqgan.errors import UserError
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


@pytest.mark.parametrize(
    "change", [lambda x: x * 255, lambda x: x * 2 - 1, lambda x: x * torch.nan, lambda x: x / 0]
)
def test_values_outside_0_to_1_are_refused_where_a_user_gives_them(change) -> None:
    model = build()
    images = change(torch.rand(2, 1, 32, 32).clamp(0.01, 0.99))
    for door in (model.encode, model):
        with pytest.raises(UserError, match=r"must be finite and must lie in 0\.\.1"):
            door(images)
    assert model.train()(images).codes.shape == (2, *model.config.grid)  # a training's own are not looked at


def test_rounding_is_no_fault() -> None:
    model = build()
    images = torch.rand(2, 1, 32, 32)
    images[0, 0, 0, :2] = torch.tensor([-1e-6, 1 + 1e-6])
    assert torch.equal(model.encode(images), model.encode(images.clamp(0, 1)))


@pytest.mark.parametrize(
    ("door", "given", "says"),
    [
        ("encode", torch.zeros(1, 1, 32, 32, dtype=torch.uint8), "as floats in 0..1, got torch.uint8"),
        ("encode", torch.zeros(1, 1, 32, 32).to_sparse(), "as a dense tensor, got torch.sparse_coo"),
        ("encode", [[0.5]], "as a tensor, got list"),
        ("encode", None, "as a tensor, got NoneType"),
        ("encode", torch.zeros(1, 1, 32, 32, device="meta"), "on cpu, where the tokenizer is, got meta"),
        ("encode", torch.zeros(32, 32), r"\(B, 1, 32, 32\), got \(32, 32\)"),
        ("encode", torch.zeros(0, 1, 32, 32), r"\(B, 1, 32, 32\), got \(0, 1, 32, 32\)"),
        ("decode", torch.zeros(1, 4, 2), "as integers, got torch.float32"),
        ("decode", torch.full((1, 4, 2), -1), r"in 0\.\.8, got -1"),
    ],
)
def test_what_is_no_image_and_no_code_is_named(door, given, says) -> None:
    with pytest.raises(UserError, match=says):
        getattr(build(), door)(given)


def test_a_tokenizer_is_loaded_to_the_device_that_is_named(tmp_path) -> None:
    build().save_pretrained(tmp_path)
    found = next(VQGAN.from_pretrained(tmp_path, device="auto").parameters()).device.type
    assert found == ("cuda" if torch.cuda.is_available() else "cpu")
    with pytest.raises(UserError, match="device must be auto"):
        VQGAN.from_pretrained(tmp_path, device="gpu")

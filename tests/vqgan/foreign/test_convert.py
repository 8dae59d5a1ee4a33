"""Against the real modules of taming-transformers, where they are installed (without their dependencies)."""

import resource
from pathlib import Path

import pytest
import torch
import yaml
from torch import nn

from tests.vqgan.foreign.taming.test_networks import build, small
from vqgan import VQGAN
from vqgan.foreign.convert import from_taming, main, to_taming
from vqgan.foreign.taming import names

DEPENDENCY = "needs pip install --no-deps taming-transformers-rom1504"

SETTINGS = {
    "model": {
        "base_learning_rate": 4.5e-6,
        "target": "taming.models.vqgan.VQModel",
        "params": {
            "embed_dim": 8,
            "n_embed": 16,
            "ddconfig": {
                "double_z": False,
                "z_channels": 32,
                "resolution": 16,
                "in_channels": 3,
                "out_ch": 3,
                "ch": 32,
                "ch_mult": [1, 2],
                "num_res_blocks": 1,
                "attn_resolutions": [8],
                "dropout": 0.0,
            },
            "lossconfig": {"target": "taming.modules.losses.vqperceptual.VQLPIPSWithDiscriminator"},
        },
    }
}


class VQModel(nn.Module):
    """taming's VQModel from its own modules; the class itself does not import beside today's Lightning."""

    def __init__(self, embed_dim: int, n_embed: int, ddconfig: dict, **_ignored) -> None:
        super().__init__()
        networks = pytest.importorskip("taming.modules.diffusionmodules.model", reason=DEPENDENCY)
        quantize = pytest.importorskip("taming.modules.vqvae.quantize", reason=DEPENDENCY)
        self.encoder = networks.Encoder(**ddconfig)
        self.decoder = networks.Decoder(**ddconfig)
        self.quantize = quantize.VectorQuantizer2(n_embed, embed_dim, beta=0.25, sane_index_shape=True)
        self.quant_conv = nn.Conv2d(ddconfig["z_channels"], embed_dim, 1)
        self.post_quant_conv = nn.Conv2d(embed_dim, ddconfig["z_channels"], 1)

    def forward(self, colours: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """(B, 3, H, W) in [-1, 1] -> reconstruction of the same shape and codes (B, h, w)."""
        quantized, _, (_, _, codes) = self.quantize(self.quant_conv(self.encoder(colours)))
        return self.decoder(self.post_quant_conv(quantized)), codes


def settings_with(**network) -> dict:
    params = SETTINGS["model"]["params"]
    return {"model": {"params": params | {"ddconfig": params["ddconfig"] | network}}}


def published(directory: Path, settings: dict = SETTINGS) -> tuple[VQModel, Path, Path]:
    """A taming model of random weights with the files that its training leaves."""
    torch.manual_seed(0)
    model = VQModel(**settings["model"]["params"]).eval()
    with torch.no_grad():  # as wide as latents are: at its first values every latent has the same code
        model.quantize.embedding.weight.normal_()
    weights = model.state_dict() | {"loss.discriminator.main.0.weight": torch.ones(1)}
    torch.save({"epoch": 3, "global_step": 10, "state_dict": weights}, directory / "last.ckpt")
    (directory / "model.yaml").write_text(yaml.safe_dump(settings))
    return model, directory / "last.ckpt", directory / "model.yaml"


@torch.no_grad()
def assert_the_same(ours: VQGAN, theirs: VQModel, images: torch.Tensor) -> None:
    reconstruction, codes = theirs((2 * images - 1).expand(-1, 3, -1, -1))
    assert len(codes.unique()) > 2
    assert torch.equal(ours.encode(images), codes)
    grey = ((reconstruction.mean(1, keepdim=True) + 1) / 2).clamp(0, 1)
    torch.testing.assert_close(ours.decode(codes), grey, atol=1e-5, rtol=0)
    # and without float32's rounding, each channel
    quantized = ours.quantizer.codes_to_quantized(codes).double()
    colours, expected = ours.double().decoder.colours(quantized), theirs.double()
    torch.testing.assert_close(
        colours, expected.decoder(expected.post_quant_conv(quantized)), atol=1e-10, rtol=0
    )


def test_the_same_codes_and_pixels_as_taming_transformers(tmp_path: Path) -> None:
    theirs, checkpoint, settings = published(tmp_path)
    ours = from_taming(checkpoint, settings)
    assert ours.config == small()
    assert_the_same(ours, theirs, torch.rand(2, 1, 16, 16))


@pytest.mark.slow
def test_the_same_at_the_published_width(tmp_path: Path) -> None:
    settings = settings_with(
        z_channels=256, resolution=64, ch=128, ch_mult=[1, 1, 2, 2, 4], num_res_blocks=2, attn_resolutions=[4]
    )
    settings["model"]["params"] |= {"embed_dim": 256, "n_embed": 1024}
    theirs, checkpoint, yaml_file = published(tmp_path, settings)
    ours = from_taming(checkpoint, yaml_file)
    assert (ours.config.grid, ours.config.codebook_size) == ((4, 4), 1024)
    assert_the_same(ours, theirs, torch.rand(1, 1, 64, 64))


def test_there_and_back(tmp_path: Path) -> None:
    model = build()
    to_taming(model, tmp_path / "out" / "last.ckpt", tmp_path / "out" / "model.yaml")
    assert (
        from_taming(tmp_path / "out" / "last.ckpt", tmp_path / "out" / "model.yaml").fingerprint
        == model.fingerprint
    )
    written = yaml.safe_load((tmp_path / "out" / "model.yaml").read_text())
    ours, theirs = written["model"]["params"], SETTINGS["model"]["params"]
    assert {**ours, "lossconfig": None} == {**theirs, "lossconfig": None}


def test_exported_weights_have_the_names_of_taming_transformers(tmp_path: Path) -> None:
    theirs = VQModel(**SETTINGS["model"]["params"])
    to_taming(build(), tmp_path / "last.ckpt", tmp_path / "model.yaml")
    theirs.load_state_dict(torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"])


def test_every_name_goes_there_and_back() -> None:
    for name in build().state_dict():
        assert names.from_taming_name(names.to_taming_name(name)) == name
    assert names.from_taming_name("quant_conv.bias") == "encoder.to_codebook.bias"
    assert names.from_taming_name("post_quant_conv.bias") == "decoder.from_codebook.bias"
    assert (
        names.from_taming_name("decoder.up.4.attn.2.proj_out.weight")
        == "decoder.levels.4.attention.2.output.weight"
    )


def test_images_of_another_size_keep_attention_at_the_same_layers(tmp_path: Path) -> None:
    model = build()
    to_taming(model, tmp_path / "last.ckpt", tmp_path / "model.yaml")
    large = from_taming(tmp_path / "last.ckpt", tmp_path / "model.yaml", image_size=32)
    assert large.config.grid == (16, 16) and large.config.taming.attention_sides == (16,)
    assert large.encode(torch.rand(1, 1, 32, 32)).shape == (1, 16, 16)


def test_weights_that_do_not_fit_are_named_as_the_checkpoint_spells_them(tmp_path: Path) -> None:
    to_taming(build(), tmp_path / "last.ckpt", tmp_path / "model.yaml")
    weights = torch.load(tmp_path / "last.ckpt", weights_only=True)["state_dict"]
    weights["quantize.embed.weight"] = weights.pop("quantize.embedding.weight")
    torch.save({"state_dict": weights}, tmp_path / "gumbel.ckpt")
    with pytest.raises(ValueError) as caught:
        from_taming(tmp_path / "gumbel.ckpt", tmp_path / "model.yaml")
    assert "1 missing (quantize.embedding.weight); 1 unexpected (quantize.embed.weight)" in str(caught.value)
    torch.save({"model": weights}, tmp_path / "other.ckpt")
    with pytest.raises(ValueError, match="expected tensors, alone or under `state_dict`, found keys model"):
        from_taming(tmp_path / "other.ckpt", tmp_path / "model.yaml")


def test_a_codebook_of_another_size_is_said_with_both(tmp_path: Path) -> None:
    to_taming(build(), tmp_path / "last.ckpt", tmp_path / "model.yaml")
    other = {**SETTINGS["model"]["params"], "n_embed": 32}
    (tmp_path / "model.yaml").write_text(yaml.safe_dump({"model": {"params": other}}))
    with pytest.raises(ValueError, match=r"quantize.embedding.weight should be \(32, 8\) .* found \(16, 8\)"):
        from_taming(tmp_path / "last.ckpt", tmp_path / "model.yaml")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"data": {}}, "model.yaml: expected a setting model, found data"),
        ({"model": {"params": {"embed_dim": 8}}}, "expected a setting ddconfig, found embed_dim"),
        (settings_with(double_z=True), "expected ddconfig.double_z to be False, found True"),
        (settings_with(out_ch=1), "ddconfig.in_channels is 3, but out_ch is 1"),
        (settings_with(resolution=17), "cell_height 2 does not divide image_size 17"),
        (settings_with(ch=33), "taming.channels must be a multiple of 32, got 33"),
        ([1], "expected `model:` with its `params:`, found list"),
    ],
)
def test_settings_that_cannot_be_had_are_said(tmp_path: Path, settings: object, message: str) -> None:
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(settings))
    with pytest.raises(ValueError, match=message):
        from_taming(tmp_path / "last.ckpt", tmp_path / "model.yaml")


def test_a_tokenizer_of_ours_cannot_be_exported(tmp_path: Path) -> None:
    from tests.vqgan.test_model import build as build_cxr

    with pytest.raises(ValueError, match="found architecture cxr with quantizer fsq"):
        to_taming(build_cxr(), tmp_path / "last.ckpt", tmp_path / "model.yaml")
    assert not list(tmp_path.iterdir())


def test_the_command_imports_exports_and_says_what_is_wrong(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = build()
    checkpoint, settings = str(tmp_path / "last.ckpt"), str(tmp_path / "model.yaml")
    to_taming(model, checkpoint, settings)
    main(["from-taming", checkpoint, settings, str(tmp_path / "ours")])
    assert f"16 px, 8 x 8 codes of 16, fingerprint {model.fingerprint[:12]}" in capsys.readouterr().out
    assert VQGAN.from_pretrained(tmp_path / "ours").fingerprint == model.fingerprint
    main(["to-taming", str(tmp_path / "ours"), str(tmp_path / "back.ckpt"), str(tmp_path / "back.yaml")])
    assert from_taming(tmp_path / "back.ckpt", tmp_path / "back.yaml").fingerprint == model.fingerprint
    with pytest.raises(SystemExit) as caught:
        main(["from-taming", str(tmp_path / "none.ckpt"), settings, str(tmp_path / "new")])
    assert caught.value.code == 2 and "none.ckpt: expected a checkpoint" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_full_disk_is_said_and_leaves_nothing_half_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    checkpoint, settings = str(tmp_path / "last.ckpt"), str(tmp_path / "model.yaml")
    to_taming(build(), checkpoint, settings)
    build().save_pretrained(tmp_path / "ours")
    before = sorted(tmp_path.rglob("*"))
    exporting = ["to-taming", str(tmp_path / "ours"), str(tmp_path / "a.ckpt"), str(tmp_path / "a.yaml")]
    importing = ["from-taming", checkpoint, settings, str(tmp_path / "ours")]
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    for arguments, place in ((exporting, "a.ckpt"), (importing, "ours")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # fails as a full disk does
        try:
            with pytest.raises(SystemExit) as caught:
                main(arguments)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert caught.value.code == 2
        assert f"error: {tmp_path / place}: could not be written (" in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before


def test_settings_may_refer_to_each_other_as_omegaconf_lets_them(tmp_path: Path) -> None:
    _, checkpoint, settings = published(tmp_path)
    text = settings.read_text().replace("n_embed: 16", "n_embed: ${codes}")
    settings.write_text("codes: 16\n" + text)
    assert from_taming(checkpoint, settings).config == small()
    settings.write_text(text)
    with pytest.raises(ValueError, match=r"model.yaml: expected YAML, found .*codes"):
        from_taming(checkpoint, settings)
    settings.write_text(text.replace("${codes}", "many"))
    with pytest.raises(ValueError, match=r"model.yaml: "):
        from_taming(checkpoint, settings)


@pytest.mark.parametrize("taken", ["a.ckpt", "a.yaml"])
def test_an_export_replaces_no_file(tmp_path, taken, capsys):
    build().save_pretrained(tmp_path / "ours")
    (tmp_path / taken).write_text("mine")
    with pytest.raises(SystemExit):
        main(["to-taming", str(tmp_path / "ours"), str(tmp_path / "a.ckpt"), str(tmp_path / "a.yaml")])
    assert f"{taken}: expected a new file" in capsys.readouterr().err
    assert (tmp_path / taken).read_text() == "mine"

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed

from vqgan.quantizers.vq import VQ, VQConfig, entropy_penalty


def with_vectors(*vectors: list[float], **settings) -> VQ:
    quantizer = VQ(VQConfig(codebook_size=len(vectors), codebook_dim=len(vectors[0]), **settings))
    with torch.no_grad():
        quantizer.vectors.copy_(torch.tensor(vectors))
        quantizer.means.copy_(torch.tensor(vectors))
    return quantizer


def latents_of(*cells: list[float]) -> torch.Tensor:
    """One row of cells as latents (1, D, 1, N)."""
    return torch.tensor(cells).T[None, :, None, :]


PLAIN = dict(entropy=0, revive_after=0)
AXES = ([1.0, 0.0], [0.0, 1.0], [-1.0, 0.0])


def test_the_code_of_the_largest_cosine_is_taken_whatever_the_length() -> None:
    quantizer = with_vectors(*AXES).eval()
    output = quantizer(latents_of([0.2, 0.1], [3.0, 9.0], [-5.0, 4.0]))
    assert output.codes.tolist() == [[[0, 1, 2]]]
    assert output.quantized[0, :, 0].T.tolist() == [list(vector) for vector in AXES]
    assert torch.equal(quantizer.codes_to_quantized(output.codes), output.quantized)


def test_losses_by_hand() -> None:
    # The latent (0.6, 0.8) takes (0, 1): error (0.6, -0.2), mean square (0.36 + 0.04) / 2 = 0.2.
    latents = latents_of([0.6, 0.8])
    assert with_vectors(*AXES, **PLAIN)(latents).loss.item() == pytest.approx(0.25 * 0.2)
    gradient = with_vectors(*AXES, **PLAIN, update="gradient")
    loss = gradient(latents).loss
    assert loss.item() == pytest.approx(0.25 * 0.2 + 0.2)
    loss.backward()
    assert gradient.vectors.grad[1, 0] < 0 and gradient.vectors.grad[[0, 2]].abs().sum() == 0


def test_running_means_by_hand() -> None:
    # Two latents (0.6, 0.8) and (-0.6, 0.8) take (0, 1); with a decay of one half the mean of code 1 is
    # (0, 1) / 2 + (0, 1.6) / 2, the others' only shrink: no direction changes.
    quantizer = with_vectors(*AXES, **PLAIN, ema_decay=0.5).train()
    quantizer(latents_of([0.6, 0.8], [-0.6, 0.8]))
    torch.testing.assert_close(quantizer.means, torch.tensor([[0.5, 0.0], [0.0, 1.3], [-0.5, 0.0]]))
    torch.testing.assert_close(quantizer.vectors, torch.tensor(AXES))
    quantizer(latents_of([0.8, 0.6]))
    turned = torch.tensor([0.25 + 0.4, 0.3])
    torch.testing.assert_close(quantizer.vectors[0], turned / turned.norm())
    before = quantizer.vectors.clone()
    with torch.no_grad():
        quantizer(latents_of([0.8, 0.6]))
    quantizer.eval()(latents_of([0.8, 0.6]))
    assert torch.equal(quantizer.vectors, before)  # neither encoding nor evaluation teaches


@pytest.mark.parametrize("update", ["ema", "gradient"])
def test_a_code_that_nothing_takes_moves_to_a_latent(update: str) -> None:
    quantizer = with_vectors(*AXES, update=update, entropy=0.1, revive_after=2).train()
    latents = latents_of([1.0, 0.1], [0.1, 1.0]).requires_grad_()
    for _ in range(2):
        assert set(quantizer(latents).codes.flatten().tolist()) == {0, 1}
    assert quantizer.idle.tolist() == [0, 0, 2]
    output = quantizer(latents)
    assert 2 in output.codes
    output.loss.backward()  # the new vector is in place before the look-up
    assert quantizer.idle.tolist()[2] == 0
    torch.testing.assert_close(quantizer.vectors.norm(dim=1), torch.ones(3), atol=1e-5, rtol=0)


def test_codes_stay_in_use_where_plain_ones_die() -> None:
    generator = torch.Generator().manual_seed(0)
    used = {}
    for revive_after in (0, 5):
        torch.manual_seed(0)
        config = VQConfig(codebook_size=64, codebook_dim=4, ema_decay=0.9, revive_after=revive_after)
        quantizer = VQ(config).train()
        for _ in range(40):  # all latents near one direction
            latents = (
                torch.randn(4, 4, 8, 8, generator=generator) * 0.2
                + torch.tensor([2.0, 0, 0, 0])[:, None, None]
            )
            codes = quantizer(latents).codes
        used[revive_after] = len(codes.unique())
    assert used[5] > 48 > used[0]


def test_chance_comes_from_the_steps_alone() -> None:
    quantizers = []
    for noise in (1, 2):
        quantizer = with_vectors(*AXES, [0.0, -1.0], revive_after=1).train()
        torch.manual_seed(noise)
        for step in range(4):
            quantizer(torch.randn(2, 2, 3, 3, generator=torch.Generator().manual_seed(step)))
        quantizers.append(quantizer)
    assert torch.equal(quantizers[0].vectors, quantizers[1].vectors)


def test_entropy_penalty_by_hand() -> None:
    sure = torch.tensor([[50.0, 0.0], [0.0, 50.0]])  # each sure, both used: 0 - log 2
    assert entropy_penalty(sure).item() == pytest.approx(-math.log(2), abs=1e-5)
    assert entropy_penalty(torch.zeros(2, 2)).item() == pytest.approx(0, abs=1e-6)  # log 2 - log 2
    same = torch.tensor([[50.0, 0.0], [50.0, 0.0]])  # each sure of the same: 0 - 0
    assert entropy_penalty(same).item() == pytest.approx(0, abs=1e-5)


@given(st.integers(1, 40), st.integers(2, 6), st.integers(0, 2**31))
def test_codes_and_vectors_round_trip(size: int, dim: int, seed: int) -> None:
    torch.manual_seed(seed)
    quantizer = VQ(VQConfig(codebook_size=size, codebook_dim=dim)).eval()
    codes = torch.randint(size, (2, 3, 2))
    quantized = quantizer.codes_to_quantized(codes)
    # two vectors may be so near that either is the nearest, within a float's precision
    torch.testing.assert_close(quantizer(3 * quantized).quantized, quantized, atol=1e-3, rtol=0)
    assert torch.equal(quantizer.codebook()[codes].movedim(-1, 1), quantized)


def test_gradients_pass_straight_through_to_the_direction() -> None:
    latents = latents_of([3.0, 4.0]).requires_grad_()
    output = with_vectors(*AXES, **PLAIN).eval()(latents)
    output.quantized[0, 0].sum().backward()
    # d(x / |(x, y)|) at (3, 4): y^2 / 125 and -x y / 125
    torch.testing.assert_close(latents.grad.flatten(), torch.tensor([16 / 125, -12 / 125]))


def test_the_same_codes_and_vectors_as_vector_quantize_pytorch() -> None:
    theirs_of = pytest.importorskip("vector_quantize_pytorch", reason="needs vector-quantize-pytorch")
    torch.manual_seed(0)
    ours = VQ(VQConfig(codebook_size=32, codebook_dim=4, **PLAIN, ema_decay=0.8))
    theirs = theirs_of.VectorQuantize(
        dim=4,
        codebook_size=32,
        use_cosine_sim=True,
        decay=0.8,
        commitment_weight=0.25,
        threshold_ema_dead_code=0,
    )
    theirs.codebook = ours.vectors.clone()
    latents = torch.randn(2, 4, 5, 3)
    quantized, indices, _ = theirs.eval()(latents.movedim(1, -1).flatten(1, 2))
    output = ours.eval()(latents)
    assert torch.equal(output.codes.flatten(1), indices)
    torch.testing.assert_close(output.quantized.movedim(1, -1).flatten(1, 2), quantized)


def _learn(rank: int, processes: int, directory: Path, revive_after: int) -> None:
    """Three steps on this process's share of the batches; its vectors go to a file."""
    if processes > 1:
        distributed.init_process_group(
            "gloo", init_method=f"file://{directory}/rendezvous", rank=rank, world_size=processes
        )
    torch.manual_seed(0)
    config = VQConfig(codebook_size=16, codebook_dim=3, ema_decay=0.5, entropy=0, revive_after=revive_after)
    quantizer = VQ(config).train()
    for step in range(3):
        latents = torch.randn(4, 3, 2, 2, generator=torch.Generator().manual_seed(step))
        quantizer(latents[rank::processes])
    torch.save(quantizer.vectors, directory / f"{processes}-{rank}.pt")
    if processes > 1:
        distributed.destroy_process_group()


@pytest.mark.slow
@pytest.mark.parametrize("revive_after", [0, 1])
def test_processes_learn_one_codebook(tmp_path: Path, revive_after: int) -> None:
    torch.multiprocessing.spawn(_learn, (2, tmp_path, revive_after), nprocs=2)
    one, other = (torch.load(tmp_path / f"2-{rank}.pt") for rank in (0, 1))
    assert torch.equal(one, other)
    if not revive_after:  # revived codes are drawn from the first process's latents
        _learn(0, 1, tmp_path, revive_after)
        torch.testing.assert_close(one, torch.load(tmp_path / "1-0.pt"))


def test_bfloat16_autocast_does_not_change_the_codes() -> None:
    torch.manual_seed(0)
    quantizer = VQ(VQConfig(codebook_size=256)).eval()
    latents = torch.randn(1, 8, 16, 16)
    with torch.autocast("cpu", torch.bfloat16):
        inside = quantizer(latents).codes
    assert torch.equal(inside, quantizer(latents).codes)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"codebook_size": 0}, "codebook_size must be at least 1, got 0"),
        ({"update": "adam"}, "vq.update must be one of ema, gradient, got 'adam'"),
        ({"ema_decay": 1.0}, "vq.ema_decay must be from 0 to below 1, got 1.0"),
        ({"temperature": 0}, "vq.temperature must be above 0, got 0"),
    ],
)
def test_impossible_settings_are_refused(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        VQConfig(**settings)


def test_latents_of_another_width_are_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"\(B, 8, h, w\), got \(1, 4, 2, 2\)"):
        VQ(VQConfig())(torch.zeros(1, 4, 2, 2))

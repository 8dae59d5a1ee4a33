import pytest

from llmcxr.common.errors import UserError
from llmcxr.model.judges import fingerprint, read_loss_networks, refuse_loss_networks, write_loss_networks


@pytest.fixture
def networks(tmp_path):
    """Two directories and a file of weights; the file is a copy of the first's."""
    for name, weights in (("first", b"abc"), ("second", b"other")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(weights)
    (tmp_path / "copy.pt").write_bytes(b"abc")
    return tmp_path


def test_weights_are_recognised_wherever_they_lie(networks):
    # the published test value of SHA-256
    assert fingerprint(networks / "first").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert fingerprint(networks / "copy.pt") == fingerprint(networks / "first")
    assert fingerprint(networks / "nowhere") == fingerprint(networks) == ""


def test_a_loss_network_does_not_judge(networks):
    write_loss_networks(networks, {fingerprint(networks / "first"): "runs/loss_network"})
    refuse_loss_networks(read_loss_networks(networks), [networks / "second", networks / "nowhere"])
    with pytest.raises(UserError, match=r"copy\.pt: expected a judge .*\(runs/loss_network\)"):
        refuse_loss_networks(read_loss_networks(networks), [networks / "second", networks / "copy.pt"])


def test_the_file_of_older_tokenizers_is_read(networks):
    (networks / "teachers.json").write_text('{"0af3": "runs/old"}')
    assert read_loss_networks(networks) == {"0af3": "runs/old"}
    write_loss_networks(networks, {"1bc2": "runs/new"})
    assert read_loss_networks(networks) == {"1bc2": "runs/new"}


def test_without_loss_networks_there_is_no_file_and_anyone_judges(networks):
    write_loss_networks(networks, {})
    assert not (networks / "loss_networks.json").exists() and read_loss_networks(networks) == {}
    refuse_loss_networks({}, [networks / "first"])


@pytest.mark.parametrize("content", ["[1]", "[" * 100_000])
def test_another_file_of_that_name_is_said(networks, content):
    (networks / "loss_networks.json").write_text(content)
    with pytest.raises(UserError, match="expected the loss networks of a tokenizer"):
        read_loss_networks(networks)

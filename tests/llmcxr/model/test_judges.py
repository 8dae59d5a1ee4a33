import pytest

from llmcxr.common.errors import UserError
from llmcxr.model.judges import fingerprint, read_teachers, refuse_teachers, write_teachers


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


def test_a_teacher_does_not_judge(networks):
    write_teachers(networks, {fingerprint(networks / "first"): "runs/teacher"})
    refuse_teachers(read_teachers(networks), [networks / "second", networks / "nowhere"])
    with pytest.raises(UserError, match=r"copy\.pt: expected a judge .*\(runs/teacher\)"):
        refuse_teachers(read_teachers(networks), [networks / "second", networks / "copy.pt"])


def test_without_teachers_there_is_no_file_and_anyone_judges(networks):
    write_teachers(networks, {})
    assert not (networks / "teachers.json").exists() and read_teachers(networks) == {}
    refuse_teachers({}, [networks / "first"])


def test_another_file_of_that_name_is_said(networks):
    (networks / "teachers.json").write_text("[1]")
    with pytest.raises(UserError, match="expected the teachers of a tokenizer"):
        read_teachers(networks)

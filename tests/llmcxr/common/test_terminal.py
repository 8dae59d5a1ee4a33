import pytest

from llmcxr.common.terminal import CheckedStdout, StdoutError, progress, say


def test_messages_and_bars_leave_stdout_to_the_results(capsys):
    say("two were left out")
    with progress("reading", 3) as advance:  # stderr is no terminal here: no bar
        advance(2)
        print("a result")
        advance(1)
    printed = capsys.readouterr()
    assert printed.out == "a result\n"
    assert printed.err == "two were left out\n"


def test_a_full_stdout_is_told_from_other_files(tmp_path):
    with open("/dev/full", "wb", buffering=0) as device:
        full = CheckedStdout(device)
        assert full.name == "/dev/full"
        with pytest.raises(StdoutError, match="No space left"):
            full.write(b"text")
    with (tmp_path / "text").open("w") as file:
        whole = CheckedStdout(file)
        whole.writelines(["a\n", "b\n"])
        whole.flush()
    assert (tmp_path / "text").read_text() == "a\nb\n"

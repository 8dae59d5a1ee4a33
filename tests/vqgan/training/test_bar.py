import io

import pytest
from rich.console import Console

from vqgan.training.bar import training_bar


def test_where_stderr_is_no_terminal_nothing_is_shown(capsys: pytest.CaptureFixture) -> None:
    with training_bar("toy", 2, 10, is_shown=True) as show:
        show(3, {"loss": 0.5})
        show(4)
    assert capsys.readouterr() == ("", "")


def test_a_terminal_sees_the_step_and_the_newest_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    terminal = Console(file=screen, force_terminal=True, width=120)
    monkeypatch.setattr("rich.console.Console", lambda stderr: terminal)
    with training_bar("toy", 2, 10, is_shown=True) as show:
        show(3, {"loss": 0.51234567})
        show(4)
    assert "toy" in screen.getvalue() and "4/10" in screen.getvalue() and "loss 0.5123" in screen.getvalue()
    shown = screen.getvalue()
    with training_bar("toy", 2, 10, is_shown=False) as show:
        show(3)
    assert screen.getvalue() == shown

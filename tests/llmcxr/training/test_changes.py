"""What changed in a run's datasets since it began is told by counts."""

from pathlib import Path

import numpy as np
import pytest

from llmcxr.data import open_dataset
from llmcxr.images import write_png
from llmcxr.training.changes import FILE, tell_changes
from vqgan.training.run_directory import RunDirectory

ROWS = ["a.png,Clear.,p1", "b.png,Effusion.,p2", "c.png,Nodule.,p3"]


@pytest.fixture
def run_dir(tmp_path):
    for number, name in enumerate("abcd"):
        write_png(tmp_path / f"{name}.png", np.full((8, 8), number / 9))
    RunDirectory(tmp_path / "run").create()
    return tmp_path / "run"


def tell(run_dir, rows):
    (run_dir.parent / "t.csv").write_text("\n".join(["image,text,patient_id", *rows]) + "\n")
    dataset = open_dataset(f"csv:{run_dir.parent / 't.csv'}")
    return tell_changes(run_dir, {"dataset": dataset, "validation": open_dataset("phantom:n=2")})


def resume(run_dir):
    RunDirectory(run_dir).write_checkpoint(1, lambda folder: Path(folder).mkdir())


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (ROWS, None),
        (ROWS[::-1], None),
        ([*ROWS, "d.png,Clear.,p4"], "3 studies then, 4 now: 1 new"),
        (ROWS[:2], "3 studies then, 2 now: 1 gone"),
        (["a.png,Edema.,p1", *ROWS[1:]], "3 studies then, 3 now: 1 changed"),
        (["d.png,Clear.,p4", *ROWS[1:]], "3 studies then, 3 now: 1 new, 1 gone"),
    ],
)
def test_rows_are_compared_with_those_that_a_run_began_with(run_dir, rows, told, caplog):
    assert not tell(run_dir, ROWS)
    assert not tell(run_dir, [*ROWS, "d.png,Clear.,p4"]) and caplog.text == ""  # nothing is resumed
    tell(run_dir, ROWS)
    resume(run_dir)
    assert tell(run_dir, rows)
    assert (told or "") in caplog.text and ("changed since this run began" in caplog.text) == bool(told)
    caplog.clear()
    tell(run_dir, rows)
    assert caplog.text == ""  # said once
    assert "Nodule" not in (run_dir / FILE).read_bytes().decode("latin-1")


def test_a_file_that_was_replaced_is_a_change_and_a_damaged_record_is_none(run_dir, caplog):
    tell(run_dir, ROWS)
    resume(run_dir)
    write_png(run_dir.parent / "a.png", np.ones((8, 8)))
    tell(run_dir, ROWS)
    assert "1 changed" in caplog.text
    caplog.clear()
    (run_dir / FILE).write_bytes(b"cut")
    tell(run_dir, ROWS[:1])
    assert caplog.text == ""

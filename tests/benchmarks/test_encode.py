import json
import sys

import pytest
import torch

from benchmarks.encode import main
from llmcxr.common.errors import UserError


@pytest.fixture(autouse=True)
def threads():
    number = torch.get_num_threads()
    yield
    torch.set_num_threads(number)


def test_the_command_compares_the_same_codes(tmp_path):
    pytest.importorskip("taming", reason="needs taming-transformers-rom1504, installed with --no-deps")
    out = tmp_path / "encode.json"
    given = ["--json", str(out), "--small", "--images", "2", "--repeats", "2", "--threads", "1"]
    main(given)
    result = json.loads(out.read_text())
    assert [row["name"].split(",")[0] for row in result["rows"]] == ["encode taming_f16", "encode cxr_f16"]
    for row in result["rows"]:
        assert set(row) == {"name", "ours", "plain", "ratio", "spread", "roofline_share"}
        assert row["ratio"] > 0 and row["roofline_share"] > 0
    assert result["same_codes"] == 1


def test_without_taming_the_install_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "taming.modules.diffusionmodules.model", None)
    with pytest.raises(UserError, match="pip install --no-deps taming-transformers-rom1504"):
        main(["--small"])

"""No code of a model directory is run, and nobody is asked to allow it."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from llmcxr.common.errors import UserError
from llmcxr.common.pretrained import hide_bars, load_pretrained, refuse_code
from llmcxr.model.directory import load, save
from llmcxr.systems.hugging_face import HuggingFaceSystem
from tests.llmcxr.model.tiny import tiny_bundle

REPOSITORY = Path(__file__).resolve().parents[3]
OURS = {"CXR", "VQGAN", "Classifier", "nn.Embedding", "HuggingFaceSystem", "UnifiedModel"}
CODE = "open({mark!r}, 'w'); from transformers import LlamaConfig as C, LlamaForCausalLM as M"


def plant(directory, name, **settings):
    """Name code in a configuration that writes a mark when it runs; return the mark."""
    mark = directory / "ran"
    (directory / "planted.py").write_text(CODE.format(mark=str(mark)))
    path = directory / name
    known = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(known | settings))
    return mark


@pytest.fixture
def model_directory(tmp_path):
    return save(tiny_bundle(), tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("config.json", {"model_type": "unknown", "auto_map": {"AutoConfig": "planted.C"}}),
        ("config.json", {"auto_map": {"AutoModelForCausalLM": "planted.M"}}),
        ("config.json", {"text_config": {"auto_map": {"AutoModelForCausalLM": "planted.M"}}}),
        ("tokenizer_config.json", {"auto_map": {"AutoTokenizer": ["planted.C", None]}}),
        ("processor_config.json", {"auto_map": {"AutoProcessor": "planted.C"}}),
        ("preprocessor_config.json", {"auto_map": {"AutoImageProcessor": "planted.C"}}),
    ],
)
@pytest.mark.parametrize("open_it", [load, HuggingFaceSystem.from_pretrained])
def test_a_directory_that_names_code_is_refused(model_directory, name, settings, open_it, monkeypatch):
    mark = plant(model_directory, name, **settings)
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("asked"))
    with pytest.raises(UserError, match=f"{name}: expected settings alone, found auto_map") as error:
        open_it(model_directory)
    assert "never run" in str(error.value) and not mark.exists()


def test_the_command_does_not_read_stdin(model_directory):
    mark = plant(model_directory, "config.json", model_type="unknown", auto_map={"AutoConfig": "planted.C"})
    done = subprocess.run(
        [sys.executable, "-m", "llmcxr", "info", str(model_directory)],
        input="y\n" * 9,
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
    )
    assert done.returncode == 2 and "auto_map" in done.stderr and "y/N" not in done.stdout + done.stderr
    assert not mark.exists()


@pytest.mark.parametrize("loader", [AutoConfig, AutoModelForCausalLM, AutoTokenizer])
def test_what_transformers_knows_is_loaded(model_directory, loader):
    assert load_pretrained(loader, model_directory) is not None


def test_an_empty_map_names_no_code(tmp_path):
    LlamaConfig().save_pretrained(tmp_path)
    (tmp_path / "broken_config.json").write_text("{")
    plant(tmp_path, "config.json", auto_map={})
    refuse_code(tmp_path)


def calls_of_transformers():
    """Every call of `from_pretrained` or `from_config` that is not one of our own classes'."""
    for package in ("llmcxr", "vqgan", "benchmarks"):
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                    continue
                owner = ast.unparse(node.func.value)
                if node.func.attr in ("from_pretrained", "from_config") and owner not in OURS:
                    yield path.relative_to(REPOSITORY), node


def test_every_call_of_transformers_says_that_no_code_is_trusted():
    found = list(calls_of_transformers())
    assert {str(path) for path, _ in found} >= {"llmcxr/common/pretrained.py", "llmcxr/model/directory.py"}
    for path, call in found:
        told = {one.arg: ast.unparse(one.value) for one in call.keywords}
        assert told.get("trust_remote_code") == "False", f"{path}:{call.lineno}"


def test_every_load_of_torch_reads_weights_only():
    for package in ("llmcxr", "vqgan"):
        for path in (REPOSITORY / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in ("torch.load", "pickle.load"):
                    told = {one.arg: ast.unparse(one.value) for one in node.keywords}
                    assert told.get("weights_only") == "True", f"{path}:{node.lineno}"


def test_bars_of_transformers_are_hidden_and_shown_again_as_before():
    from transformers.utils import logging

    for was_shown in (True, False):
        (logging.enable_progress_bar if was_shown else logging.disable_progress_bar)()
        with hide_bars():
            assert not logging.is_progress_bar_enabled()
        assert logging.is_progress_bar_enabled() is was_shown
    logging.enable_progress_bar()

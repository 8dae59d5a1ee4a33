import pytest

from llmcxr.common.errors import UserError
from llmcxr.systems import Predictions, open_system
from llmcxr.systems.openai_endpoint import OpenAIEndpoint


def test_a_file(tmp_path):
    (tmp_path / "a,b=c.csv").write_text("id,report\n1,Clear.\n")
    system = open_system(f"file:{tmp_path / 'a,b=c.csv'}")
    assert isinstance(system, Predictions) and system.reports_for(["1"]) == ["Clear."]


def test_an_endpoint(monkeypatch):
    monkeypatch.setenv("SOME_KEY", "hidden")
    system = open_system("openai:http://localhost:8000/v1,model=org/name:tag,key_env=SOME_KEY")
    assert isinstance(system, OpenAIEndpoint)
    assert (system.url, system.model) == ("http://localhost:8000/v1", "org/name:tag")
    assert "hidden" not in repr(system)


def test_the_embedded_model():
    assert open_system("phantom", device="cpu").name == "phantom"


def test_a_prior_keeps_the_keys_of_its_dataset():
    assert open_system("prior:phantom:n=2,seed=5").provenance == {"dataset": "phantom:n=2,seed=5"}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("gpt:somewhere", "file:PATH, hf:DIRECTORY, openai:URL"),
        ("no-such-directory", "which is no directory"),
        ("file:", "found no place"),
        ("openai:http://localhost/v1", "found no model"),
        ("openai:http://localhost/v1,modle=x", "a key of openai (model, key_env, max_tokens, "),
        ("openai:localhost,model=x", "a URL such as"),
        ("hf:no-such-directory", "a directory with config.json"),
    ],
)
def test_bad_names(name, says):
    with pytest.raises(UserError) as error:
        open_system(name, device="cpu")
    assert says in str(error.value)


def test_bad_device(tmp_path):
    with pytest.raises(UserError, match="device must be"):
        open_system("phantom", device="abacus")

"""Which weights decay, and what a family of language models without an entry is taken for."""

from llmcxr.model.bases import FAMILIES, find_family, split_decayed
from tests.llmcxr.model.tiny import tiny_bundle


def test_only_matrices_inside_the_layers_decay():
    model = tiny_bundle().model
    matrices, rest = split_decayed(model, FAMILIES["llama"])
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    decayed = {names[id(parameter)] for parameter in matrices}
    assert decayed == {name for name in names.values() if ".layers." in name and "norm" not in name}
    assert len(matrices) + len(rest) == len(names)


def test_a_family_without_an_entry_is_taken_for_llama():
    assert find_family("a-newer-family") is find_family("llama")

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from llmcxr.common import config
from llmcxr.common.errors import UserError


@dataclass(frozen=True)
class Quantizer:
    levels: tuple[int, ...] = (8, 5, 5, 5)
    dropout: float = 0.0


@dataclass(frozen=True)
class Model:
    num_layers: int = 4
    width: int = 64
    num_heads: int = 4
    name: str | None = None

    def __post_init__(self) -> None:
        if self.width % self.num_heads:
            raise ValueError(f"width {self.width} is not a multiple of num_heads {self.num_heads}")


@dataclass(frozen=True)
class Run:
    run_dir: str
    kind: str = "toy"
    dataset: str = "phantom:n=8,seed=0"
    seed: int = 0
    quantizer: Quantizer = field(default_factory=Quantizer)
    model: Model = field(default_factory=Model)
    teacher: Model | None = None
    weights: dict[str, float] = field(default_factory=dict)


KINDS = {"toy": Run, "lazy": lambda: Run}


@pytest.fixture
def write(tmp_path):
    def write(text: str):
        path = tmp_path / "run.yaml"
        path.write_text(text)
        return path

    return write


def test_file_and_overrides_make_the_dataclass(write):
    path = write(
        "kind: toy\nrun_dir: runs/a\nmodel: {num_layers: 2}\nquantizer: {levels: [4, 4], dropout: 1e-3}\n"
    )
    loaded = config.load(path, ["model.num_layers=6", "seed=3", "model.num_layers=7"], kinds=KINDS)
    assert loaded == Run(
        run_dir="runs/a", seed=3, quantizer=Quantizer((4, 4), 0.001), model=Model(num_layers=7)
    )
    assert isinstance(loaded.quantizer.levels, tuple)


def test_override_may_hold_lists_colons_commas_and_references(write):
    path = write("kind: toy\nrun_dir: runs/a\n")
    given = [
        "dataset=phantom:n=4000,seed=1",
        "quantizer.levels=[2,3]",
        "weights.pixel=2",
        "model.name=${run_dir}/model",
    ]
    loaded = config.load(path, given, kinds=KINDS)
    assert loaded.dataset == "phantom:n=4000,seed=1"
    assert loaded.quantizer.levels == (2, 3)
    assert loaded.weights == {"pixel": 2.0}
    assert loaded.model.name == "runs/a/model"


def test_optional_group_can_be_given(write):
    loaded = config.load(write("kind: lazy\nrun_dir: a\nteacher: {width: 8}\n"), kinds=KINDS)
    assert loaded.teacher == Model(width=8)


def test_keys_of_older_files_are_read_under_their_names_of_today(write, monkeypatch):
    old = {"depth": "model.num_layers", "model.size": "model.width", "absent": "seed"}
    monkeypatch.setitem(config.OLD_KEYS, "toy", old)
    path = write("kind: toy\nrun_dir: a\ndepth: 2\nmodel: {size: 16}\n")
    assert config.load(path, kinds=KINDS).model == Model(num_layers=2, width=16)
    assert config.load(path, ["model.size=8"], kinds=KINDS).model.width == 8
    assert config.load(write("kind: lazy\nrun_dir: a\n"), kinds=KINDS).model == Model()


def test_a_dataclass_without_kind_is_loaded_too(write):
    assert config.load(write("kind: model\nwidth: 8\n"), kinds={"model": Model}) == Model(width=8)


def test_save_then_load_gives_an_equal_run(tmp_path):
    saved = Run(
        run_dir="runs/b", quantizer=Quantizer((3, 3)), teacher=Model(name="big"), weights={"edge": 0.5}
    )
    config.save(saved, tmp_path / "deep" / "config.yaml")
    assert config.load(tmp_path / "deep" / "config.yaml", kinds=KINDS) == saved
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["config.yaml"]


def test_to_dict_is_plain():
    assert config.to_dict(Model(width=8)) == {"num_layers": 4, "width": 8, "num_heads": 4, "name": None}


MISTAKES = [
    # file, overrides, what the message must say
    ("kind: toy\nrun_dir: a\nmodel: {num_layer: 2}\n", [], ["model.num_layer", "`num_layers`", "width"]),
    ("kind: toy\nrun_dir: a\nmodle: {}\n", [], ["modle", "`model`", "quantizer"]),
    ("kind: toy\nrun_dir: a\n", ["model.depth=3"], ["'model.depth=3'", "num_heads"]),
    ("kind: toy\nrun_dir: a\nmodel: {num_layers: many}\n", [], ["model.num_layers", "int", "'many'"]),
    ("kind: toy\nrun_dir: a\n", ["seed=1.5"], ["`seed` must be int", "1.5"]),
    ("kind: toy\nrun_dir: a\nquantizer: {levels: [4, x]}\n", [], ["quantizer"]),
    ("kind: toy\nrun_dir: a\n", ["quantizer.levels=[4,x]"], ["quantizer.levels", "int", "'x'"]),
    ("kind: toy\nrun_dir: a\n", ["model=4"], ["`model` must be a group of settings", "num_heads", "4"]),
    ("kind: toy\nrun_dir: a\n", ["model.width=65"], ["width 65 is not a multiple of num_heads 4"]),
    ("kind: toy\nrun_dir: a\n", ["model.name=${nowhere}"], ["nowhere"]),
    ("kind: toy\n", [], ["run_dir", "must be given"]),
    ("kind: toy\nrun_dir: ???\nseed: ???\n", [], ["must be given: run_dir, seed"]),  # seed has a default
    ("kind: toy\nrun_dir: a\n", ["seed=???"], ["must be given: seed"]),
    ('kind: toy\nrun_dir: a\nmodel: {width: "???"}\n', [], ["must be given: model.width"]),
    ("run_dir: a\n", [], ["`kind`", "lazy, toy", "none"]),
    ("kind: tokeniser\n", [], ["`kind`", "'tokeniser'"]),
    ("kind: toy\nrun_dir: a\n", ["seed"], ["'seed'", "key=value"]),
    ("kind: toy\nrun_dir: a\n", ["=3"], ["key=value"]),
    ("kind: toy\nrun_dir: a\n", ["seed=[1"], ["seed=[1", "not YAML"]),
    ("kind: [toy\n", [], ["not YAML"]),
    ("- a\n- b\n", [], ["key: value"]),
    ("just words\n", [], ["`kind`"]),
    ("", [], ["`kind`"]),
]


@pytest.mark.parametrize(("text", "overrides", "said"), MISTAKES)
def test_mistakes_name_the_file_and_the_key(write, text, overrides, said):
    path = write(text)
    with pytest.raises(UserError) as raised:
        config.load(path, overrides, kinds=KINDS)
    message = str(raised.value)
    for words in said:
        assert words in message
    assert "run.yaml" in message or overrides


def test_a_missing_file_lists_its_neighbours(write):
    path = write("kind: toy\n")
    with pytest.raises(UserError, match=r"tiny\.yaml.*no such.*run\.yaml"):
        config.load(path.with_name("tiny.yaml"), kinds=KINDS)


def test_a_binary_file_and_a_folder_are_refused(tmp_path):
    (tmp_path / "a.yaml").write_bytes(bytes(range(256)))
    for path in (tmp_path / "a.yaml", tmp_path):
        with pytest.raises(UserError, match=r"cannot be read|not YAML"):
            config.load(path, kinds=KINDS)


@pytest.mark.parametrize(
    "override",
    [
        "training=3",
        "training=[1]",
        "training=x",
        "model=[{a: 1}]",
        "training.learning_rate=1e40",
        "training.learning_rate=-1",
        "training.learning_rate=.nan",
        "training.learning_rate=1e-300",
        "training.batch_size=0",
        "training.batch_size=1e12",
        "training.steps=1000000000000",
        "training.warmup_steps=-1",
        "training.betas=[0.9]",
        "training.betas=[0.9, 1.0]",
        "training.ema_decay=1.5",
        "training.decay_share=.nan",
        "training.gradient_clip=-1",
        "seed=99999999999999999999999",
        "seed=-1",
        "model.hidden_size=99999999999",
    ],
)
def test_settings_of_other_types_and_sizes_are_named(override, tmp_path):
    from llmcxr.training.lm import LMRun

    given = ["dataset=phantom:n=1", "tokenizer=x", "run_dir=x", override]
    with pytest.raises(UserError) as error:
        config.load("configs/lm/demo.yaml", given, kinds={"lm": LMRun})
    assert override.partition("=")[0].rpartition(".")[2] in str(error.value)


@pytest.mark.parametrize("value", ["3", "[1, 2]", "text", "[{learning_rate: 1}]"])
def test_a_section_that_is_no_mapping_is_named(value, tmp_path):
    from llmcxr.training.lm import LMRun

    file = tmp_path / "run.yaml"
    file.write_text(f"kind: lm\ndataset: phantom:n=1\nrun_dir: x\ntokenizer: x\ntraining: {value}\n")
    with pytest.raises(UserError, match=r"run.yaml: `training.*must be a group of settings"):
        config.load(file, kinds={"lm": LMRun})

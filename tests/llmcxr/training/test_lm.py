"""Training lowers the loss, resumes where it stopped, and ends in a model that the library loads."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from transformers import LlamaConfig, LlamaForCausalLM

from llmcxr import CXR
from llmcxr.codes.store import CodeStore
from llmcxr.common import config
from llmcxr.common.errors import UserError
from llmcxr.model.directory import load
from llmcxr.model.unified import LMConfig
from llmcxr.prompts.vocabulary import train_text_tokenizer
from llmcxr.training import lm
from llmcxr.training.lm import run
from llmcxr.training.lm_config import FindingMapConfig, LMRun, LMTrainingConfig
from tests.processes import free_port, join
from vqgan import VQGAN, VQGANConfig
from vqgan.layers import CXRConfig
from vqgan.quantizers.fsq import FSQConfig
from vqgan.training.run_directory import RunDirectory


@pytest.fixture(scope="module")
def tokenizer_dir(tmp_path_factory):
    path = tmp_path_factory.mktemp("tokenizer")
    small = VQGANConfig(
        image_size=32,
        cell_height=8,
        cell_width=16,
        cxr=CXRConfig(stem_channels=8, grid_channels=8),
        fsq=FSQConfig((4, 3)),
    )
    VQGAN(small).save_pretrained(path)
    return path


def tiny_run(tokenizer_dir, run_dir, cache_dir, **training):
    return LMRun(
        dataset="phantom:n=8,seed=0",
        validation="phantom:n=4,seed=2,split=validate",
        tokenizer=str(tokenizer_dir),
        run_dir=str(run_dir),
        cache_dir=str(cache_dir),
        model=LMConfig(
            hidden_size=16, num_layers=1, num_heads=2, intermediate_size=32, text_vocabulary_size=400
        ),
        training=LMTrainingConfig(
            **{
                "steps": 6,
                "batch_size": 2,
                "warmup_steps": 2,
                "log_every": 1,
                "validate_every": 3,
                "checkpoint_every": 3,
                "sheet_studies": 0,
                "tensorboard": False,
            }
            | training
        ),
    )


def losses(run_dir):
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return {line["step"]: line["loss"] for line in lines if line["kind"] == "train"}


@pytest.mark.parametrize("muon", [0.0, 0.02])
def test_a_run_cut_in_two_follows_the_curve_of_a_whole_one(tokenizer_dir, tmp_path, muon):
    settings = {"muon_learning_rate": muon}
    run(tiny_run(tokenizer_dir, tmp_path / "whole", tmp_path, **settings))
    cut = settings | {"max_minutes": 1e-6}  # ends after its first step
    run(tiny_run(tokenizer_dir, tmp_path / "cut", tmp_path, **cut))
    assert sorted(losses(tmp_path / "cut")) == [1]
    model_dir = run(tiny_run(tokenizer_dir, tmp_path / "cut", tmp_path, **settings))
    assert losses(tmp_path / "cut") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)
    assert losses(tmp_path / "whole")[6] < losses(tmp_path / "whole")[1]
    cxr = CXR.from_pretrained(model_dir)
    assert cxr.draw("Normal chest.").image.shape == (32, 32)
    assert cxr.is_phantom_trained
    compact = CXR.from_pretrained(model_dir.with_name("compact"))
    assert (compact.draw("Normal chest.").codes == cxr.draw("Normal chest.").codes).all()


def test_a_batch_gives_one_loss_and_one_model_however_it_is_cut(tokenizer_dir, tmp_path):
    """Micro-batches differ in how many text tokens and read studies they have: all count alike."""
    models = []
    for accumulate in (1, 2, 8):
        settings = {"batch_size": 8, "accumulate": accumulate, "steps": 3, "muon_learning_rate": 0.02}
        config = tiny_run(tokenizer_dir, tmp_path / str(accumulate), tmp_path, **settings)
        config.finding_map, config.examples.reading_share = FindingMapConfig(drawn=1.0, read=1.0), 0.5
        models.append(load(run(config)).model.state_dict())
    for accumulate, model in zip((2, 8), models[1:], strict=True):
        assert losses(tmp_path / str(accumulate)) == pytest.approx(losses(tmp_path / "1"), rel=1e-4)
        for name, weights in models[0].items():
            torch.testing.assert_close(model[name], weights, rtol=1e-3, atol=1e-4)


def test_each_validation_leaves_a_sheet_of_studies_and_the_best_model(tokenizer_dir, tmp_path):
    model_dir = run(tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, sheet_studies=2))
    sheets = sorted((tmp_path / "run" / "sheets").iterdir())
    assert [path.name for path in sheets] == ["step_00000003.png", "step_00000006.png"]
    with Image.open(sheets[0]) as sheet:
        assert sheet.width == 2 * 256
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    nll = {
        line["step"]: line["image_nll"] + 1.5 * line["text_nll"] for line in lines if line["kind"] != "train"
    }
    assert nll[6] < nll[3]  # so that the best is the last
    best, last = (load(path).model.state_dict() for path in (model_dir.with_name("best"), model_dir))
    assert all(torch.equal(best[name], last[name]) for name in last)


def test_datasets_are_opened_once_and_directories_at_the_beginning_and_the_end(
    tokenizer_dir, tmp_path, monkeypatch
):
    called = []

    def watch(holder, name):
        real = getattr(holder, name)
        monkeypatch.setattr(
            holder, name, lambda *args, **kwargs: called.append(name) or real(*args, **kwargs)
        )

    for name in ("open_dataset", "find_image_tokenizer", "load_image_tokenizer", "save"):
        watch(lm, name)
    watch(lm.Loop, "run")
    run(tiny_run(tokenizer_dir, tmp_path / "run", tmp_path))
    assert called == [
        "find_image_tokenizer", "load_image_tokenizer", "open_dataset", "open_dataset", "run", "save", "save",
        "save",
    ]  # fmt: skip


def test_the_curve_goes_to_tensorboard(tokenizer_dir, tmp_path):
    pytest.importorskip("tensorboard", reason="needs pip install llmcxr[log]")
    run(tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, steps=1, tensorboard=True))
    assert list((tmp_path / "run" / "tensorboard").iterdir())


def test_a_run_resumes_at_the_last_whole_checkpoint_and_measures_no_step_twice(tokenizer_dir, tmp_path):
    run_dir = tmp_path / "run"
    run(tiny_run(tokenizer_dir, run_dir, tmp_path, steps=3))
    cut = run_dir / "checkpoints" / "step_00000005.tmp"  # as a kill within a save leaves it
    cut.mkdir()
    (cut / "model.safetensors").write_bytes(b"half")
    with (run_dir / "metrics.jsonl").open("a") as file:
        file.write('{"step": 5, "kind": "train", "loss": 0.0}\n')
    run(tiny_run(tokenizer_dir, run_dir, tmp_path))
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if line["kind"] == "train"] == [1, 2, 3, 4, 5, 6]
    assert 0.0 not in losses(run_dir).values()


def test_a_configuration_with_the_keys_of_before_is_read(tmp_path):
    (tmp_path / "old.yaml").write_text("kind: lm\ntraining: {save_every: 7}\n")
    assert config.load(tmp_path / "old.yaml", kinds={"lm": LMRun}).training.checkpoint_every == 7


def test_a_resumed_run_must_be_the_same_run(tokenizer_dir, tmp_path):
    config = tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, max_minutes=1e-6)
    run(config)
    config.seed = 1
    with pytest.raises(UserError, match="seed"):
        run(config)


def test_a_missing_tokenizer_is_named(tmp_path):
    with pytest.raises(UserError, match="tokenizer="):
        run(tiny_run(tmp_path / "nowhere", tmp_path / "run", tmp_path))


@pytest.mark.parametrize("form", ["compact", "model"])
def test_a_run_begins_with_a_saved_model_of_either_form(tokenizer_dir, tmp_path, form):
    first = tiny_run(tokenizer_dir, tmp_path / "first", tmp_path)
    run(first)
    second = tiny_run(tokenizer_dir, tmp_path / "second", tmp_path)
    second.model = LMConfig(start=str(tmp_path / "first" / form))
    run(second)
    assert losses(tmp_path / "second")[1] < losses(tmp_path / "first")[1]
    assert (tmp_path / "second" / "compact").is_dir() == (form == "compact")


def test_a_run_learns_where_findings_are_and_resumes(tokenizer_dir, tmp_path):
    def with_maps(name, **training):
        config = tiny_run(tokenizer_dir, tmp_path / name, tmp_path, **training)
        config.finding_map = FindingMapConfig(drawn=1.0, read=1.0)
        return config

    run(with_maps("whole"))
    run(with_maps("cut", max_minutes=1e-6))
    model_dir = run(with_maps("cut"))
    assert losses(tmp_path / "cut") == pytest.approx(losses(tmp_path / "whole"), rel=1e-4)
    lines = [json.loads(line) for line in (tmp_path / "cut" / "metrics.jsonl").read_text().splitlines()]
    last = [line for line in lines if line["kind"] == "validation"][-1]
    assert last["drawn_finding_map"] > 0 and last["read_finding_map"] > 0
    assert not any("heads." in name for name in load(model_dir).model.state_dict())


def test_finding_maps_need_a_dataset_that_knows_them(tokenizer_dir, tmp_path):
    Image.fromarray(np.zeros((40, 40), np.uint8)).save(tmp_path / "radiograph.png")
    (tmp_path / "radiographs.csv").write_text("image,text\nradiograph.png,Normal chest.\n")
    config = tiny_run(tokenizer_dir, tmp_path / "run", tmp_path)
    config.dataset, config.finding_map = f"csv:{tmp_path / 'radiographs.csv'}", FindingMapConfig(drawn=1.0)
    with pytest.raises(UserError, match=r"finding_map\.drawn=1\.0 .* need a dataset .* csv:.* does not"):
        run(config)
    config.dataset, config.validation = config.validation, config.dataset
    config.run_dir = str(tmp_path / "other")
    with pytest.raises(UserError, match=r"finding_map\.drawn=1\.0 .* need a dataset .* csv:.* does not"):
        run(config)


def test_depth_can_be_expanded_where_a_run_begins_with_a_model(tokenizer_dir, tmp_path):
    run(tiny_run(tokenizer_dir, tmp_path / "first", tmp_path, steps=1))
    second = tiny_run(tokenizer_dir, tmp_path / "second", tmp_path, steps=1)
    second.model = LMConfig(start=str(tmp_path / "first" / "compact"), expand_depth_to=2)
    assert len(load(run(second)).model.decoder.layers) == 2
    second.run_dir, second.model.start = str(tmp_path / "third"), str(tmp_path / "second" / "compact")
    second.model.expand_depth_to = 3
    with pytest.raises(UserError, match="no multiple"):
        run(second)


def test_a_model_of_another_image_tokenizer_cannot_be_trained_further(tokenizer_dir, tmp_path):
    run(tiny_run(tokenizer_dir, tmp_path / "first", tmp_path, steps=1))
    other = tmp_path / "other"
    torch.manual_seed(7)
    VQGAN(VQGAN.from_pretrained(tokenizer_dir).config).save_pretrained(other)
    second = tiny_run(other, tmp_path / "second", tmp_path)
    second.model = LMConfig(start=str(tmp_path / "first" / "compact"))
    with pytest.raises(UserError, match="image tokenizer"):
        run(second)


def test_a_base_that_is_stored_in_bfloat16_learns_image_tokens(tokenizer_dir, tmp_path):
    words = train_text_tokenizer(["No effusion. Small nodule."] * 50, 300, ["<|end|>"], "<|end|>")
    words.save_pretrained(tmp_path / "base")
    shape = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
    base = LlamaForCausalLM(LlamaConfig(vocab_size=len(words), **shape))
    base.to(torch.bfloat16).save_pretrained(tmp_path / "base")
    config = tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, steps=2)
    config.template, config.examples.max_length = "alpaca", 4000
    config.model = LMConfig(base=str(tmp_path / "base"))
    assert CXR.from_pretrained(run(config)).model.decoder.dtype == torch.float32


def test_an_unwritable_place_is_named(tokenizer_dir, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/run.*expected a place that can be written"):
        run(tiny_run(tokenizer_dir, tmp_path / "file" / "run", tmp_path))
    with pytest.raises(UserError, match=r"file/cache.*expected a place that can be written"):
        run(tiny_run(tokenizer_dir, tmp_path / "run", tmp_path / "file" / "cache"))


def test_what_is_too_long_is_left_out_and_warned_of(tokenizer_dir, tmp_path, caplog):
    config = tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, steps=2)
    config.examples.max_length = 90
    run(config)
    assert caplog.text.count("more than max_length=90 tokens are left out") >= 1


def _train_a_share(rank, port, config):
    """The training in one of two processes."""
    join(rank, port)
    run(config)
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_two_processes_train_together_and_resume(tokenizer_dir, tmp_path):
    for max_minutes in (1e-6, 0.0):  # the second resumes from the first's one step
        config = tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, max_minutes=max_minutes)
        config.finding_map, config.examples.reading_share = FindingMapConfig(drawn=1.0, read=1.0), 0.5
        torch.multiprocessing.spawn(_train_a_share, (free_port(), config), nprocs=2)
    assert sorted(losses(tmp_path / "run")) == [1, 2, 3, 4, 5, 6]
    assert CXR.from_pretrained(tmp_path / "run" / "model").draw("Normal chest.").image.shape == (32, 32)


def test_a_configuration_with_old_names_still_loads(tmp_path):
    old = tmp_path / "old.yaml"
    old.write_text(
        "kind: lm\nlayout: {drawn: 2.0, read: 1.0}\nexamples: {hiding_share: 0.25}\n"
        "model: {start: runs/first/model, deepen_to: 8, has_cell_words: false}\n"
    )
    loaded = config.load(old, ["layout.read=0.5", "model.deepen_to=12"], kinds={"lm": LMRun})
    assert loaded.finding_map == FindingMapConfig(drawn=2.0, read=0.5)
    assert loaded.examples.code_mask_share == 0.25
    assert loaded.model.expand_depth_to == 12 and not loaded.model.has_cell_tokens


@pytest.fixture
def table(tmp_path):
    """A function that writes a table of radiographs with these texts, and the run on it."""

    def write(tokenizer_dir, texts, **settings):
        rng = np.random.default_rng(len(texts))
        for number in range(len(texts)):
            if not (tmp_path / f"{number}.png").exists():
                Image.fromarray(rng.integers(0, 255, (40, 40), np.uint8)).save(tmp_path / f"{number}.png")
        rows = [f'{number}.png,"{text}"' for number, text in enumerate(texts)]
        (tmp_path / "t.csv").write_text("\n".join(["image,text", *rows]) + "\n")
        config = tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, **settings)
        config.dataset = config.validation = f"csv:{tmp_path / 't.csv'}"
        return config

    return write


WORDS = ["Clear lungs.", "Small left effusion.", "Nodule in the right upper zone."]


@pytest.mark.parametrize("text", ["", "  ", "INDICATION: Cough.", "FINDINGS: IMPRESSION:"])
def test_rows_without_words_train_no_language_model(tokenizer_dir, table, tmp_path, text):
    config = table(tokenizer_dir, [text] * 3)
    with pytest.raises(UserError, match=r"t\.csv: expected studies with a text, found none among 3"):
        run(config)
    assert not (tmp_path / "run" / "codes").exists()  # said before anything is encoded


def test_rows_without_words_are_left_out_and_counted(tokenizer_dir, table, caplog):
    run(table(tokenizer_dir, [*WORDS, "", " "], steps=1))
    assert "2 of 5 studies have no text and are left out of the training" in caplog.text


def test_images_alone_are_trained_where_that_is_asked_for(tokenizer_dir, table, tmp_path):
    config = table(tokenizer_dir, [""] * 3, steps=1, validate_every=1)
    config.examples.reading_share, config.examples.condition_dropout = 0.0, 1.0
    run(config)
    lines = [json.loads(line) for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert all("image_nll" in line and not line.get("text_nll") for line in lines)


def test_a_run_goes_on_over_a_table_that_changed_and_says_so(tokenizer_dir, table, tmp_path, caplog):
    run(table(tokenizer_dir, WORDS, steps=2, checkpoint_every=1))
    longer = [*WORDS, "Quite other words: sarcoidosis, cardiomegaly, kyphosis.", "Hyperinflated, emphysema."]
    model_dir = run(table(tokenizer_dir, longer, steps=4))
    assert "3 studies then, 5 now: 2 new" in caplog.text and "2 images are new" in caplog.text
    assert sorted(losses(tmp_path / "run")) == [1, 2, 3, 4]
    assert len(CodeStore.open(tmp_path / "run" / "codes")) == 5
    assert CXR.from_pretrained(model_dir).draw("Normal chest.").image.shape == (32, 32)


def test_damaged_best_weights_are_named_when_the_last_are_saved(tokenizer_dir, tmp_path):
    run(tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, steps=3))
    best = tmp_path / "run" / "best.safetensors"
    best.write_bytes(best.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"best\.safetensors: expected the best weights .* damaged"):
        run(tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, steps=3))


def test_a_second_training_in_the_same_place_is_refused_and_leaves_it_alone(tokenizer_dir, tmp_path):
    config = tiny_run(tokenizer_dir, tmp_path / "run", tmp_path, steps=2)
    run(config)

    def list_times():
        return {path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()}

    before = list_times()
    with ThreadPoolExecutor(1) as another:  # as another process would
        place = RunDirectory(tmp_path / "run").alone()
        another.submit(place.__enter__).result()
        with pytest.raises(UserError, match="run: another process is at work here"):
            run(replace(config, training=replace(config.training, steps=4)))
        another.submit(place.__exit__, None, None, None).result()
    assert {
        path: path.stat().st_mtime_ns for path in (tmp_path / "run").rglob("*") if path.is_file()
    } == before

"""Train the language model that reads and draws: open the data, encode the images once, train, write a model
directory.

The loop is the transformers Trainer (resume, accelerate, DDP, FSDP, DeepSpeed come with it); this file says
what a batch and its loss are. The studies and wordings of a step follow from (seed, step), so a resumed run
goes on with the same data.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from llmcxr.codes.encode import encode_dataset, find_ranks
from llmcxr.codes.store import CodeStore
from llmcxr.common import config as run_config
from llmcxr.common.errors import UserError
from llmcxr.common.files import check_writable, telling_write_failures
from llmcxr.data import Dataset, open_dataset
from llmcxr.images.statistics import read_summary
from llmcxr.model.bases import find_family, split_decayed
from llmcxr.model.building import build_model
from llmcxr.model.directory import Bundle, find_image_tokenizer, load_image_tokenizer, save
from llmcxr.model.finding_maps import FindingMapHeads
from llmcxr.model.judges import read_loss_networks
from llmcxr.model.unified import UnifiedModel
from llmcxr.prompts import DRAW, REPORT, SUMMARY, TEMPLATES, PromptTokenizer
from llmcxr.reports import to_text
from llmcxr.training.examples import ExampleConfig
from llmcxr.training.lm_config import LMRun, LMTrainingConfig
from llmcxr.training.response_loss import ResponseLoss
from llmcxr.training.step_examples import StepExamples
from vqgan.training.muon import MuonAdamW
from vqgan.training.run_directory import RunDirectory

TEXTS_FOR_BPE = 4000  # studies whose words the text tokenizer is trained on


def run(config: LMRun) -> Path:
    """Train, or go on where `run_dir` stands; returns the model directory, run_dir/model.

    A model trained from scratch is also left in run_dir/compact, the same in some megabytes.
    """
    ranks = find_ranks()
    check_writable(Path(config.run_dir) / "config.yaml")
    directory = RunDirectory(config.run_dir)
    checkpoints = _whole_checkpoints(directory.checkpoints)
    settings = directory.path / "config.yaml"
    if checkpoints and settings.is_file():
        run_config.check_goes_on(config, settings, free=("training", "cache_dir"))
    ranks.wait()  # before the first process writes what the others have read
    if ranks.index == 0:
        run_config.save(config, settings)
        directory.record_environment()
    set_seed(config.seed)
    try:
        image_tokenizer = load_image_tokenizer(config.tokenizer)
    except UserError as error:
        raise UserError(f"tokenizer={config.tokenizer}: {error}") from error
    dataset, validation = open_dataset(config.dataset), open_dataset(config.validation)
    store = encode_dataset(
        dataset, image_tokenizer, directory.path / "codes", config.cache_dir, config.encoding
    )
    validation_store = encode_dataset(
        validation, image_tokenizer, directory.path / "codes-validation", config.cache_dir
    )
    texts = _texts_of(dataset, config.seed)
    model, prompt_tokenizer = build_model(
        config.model, TEMPLATES[config.template], image_tokenizer, texts, config.seed
    )
    num_items = config.training.steps * config.training.batch_size
    examples = _step_examples(
        config, config.dataset, dataset, store, prompt_tokenizer, config.examples, num_items
    )
    as_predicted = replace(config.examples, hiding_share=0.0, reading_share=1.0)
    held_out = _step_examples(
        config,
        config.validation,
        validation,
        validation_store,
        prompt_tokenizer,
        as_predicted,
        len(validation),
    )
    trainer = _LMTrainer(config, model, examples, directory, held_out)
    if trainer.is_world_process_zero():
        directory.forget_after(_step_of(checkpoints[-1]) if checkpoints else 0)
    with telling_write_failures(directory.path, "free some space, and the same command goes on"):
        trainer.train(resume_from_checkpoint=str(checkpoints[-1]) if checkpoints else None)
    provenance = {"dataset": config.dataset, "seed": config.seed, "steps": trainer.state.global_step}
    made_by = find_image_tokenizer(config.tokenizer)
    bundle = Bundle(
        trainer.unwrapped.model,
        prompt_tokenizer,
        image_tokenizer,
        provenance,
        read_summary(made_by),
        read_loss_networks(made_by),
    )
    if ranks.index == 0:
        if not config.model.base:
            save(bundle, directory.path / "compact", compact=True)
        save(bundle, directory.path / "model")
    ranks.wait()  # none returns before the model is there
    return directory.path / "model"


def _step_examples(
    config: LMRun,
    name: str,
    dataset: Dataset,
    store: CodeStore,
    prompt_tokenizer: PromptTokenizer,
    examples: ExampleConfig,
    num_items: int,
) -> StepExamples:
    layout = config.layout
    if layout.is_wanted and dataset.finding_map(0, (1, 1)) is None:
        raise UserError(
            f"layout.drawn={layout.drawn} and layout.read={layout.read} need a dataset that knows where "
            f"findings are, as phantom: does; {name} does not, so leave both 0"
        )
    try:
        return StepExamples(
            dataset, store, prompt_tokenizer, examples, config.seed, num_items, layout.is_wanted
        )
    except UserError as error:
        raise UserError(f"{name}: {error}") from error


class _LMTrainer(Trainer):
    def __init__(
        self,
        config: LMRun,
        model: UnifiedModel,
        examples: StepExamples,
        directory: RunDirectory,
        held_out: StepExamples,
    ) -> None:
        training = config.training
        arguments = TrainingArguments(
            output_dir=str(directory.checkpoints),
            max_steps=training.steps,
            per_device_train_batch_size=training.batch_size,
            learning_rate=training.learning_rate,
            max_grad_norm=training.gradient_clip,
            logging_steps=training.log_every,
            save_steps=training.save_every,
            save_total_limit=1,
            seed=config.seed,
            bf16=training.mixed_precision == "bf16",
            remove_unused_columns=False,
            label_names=[],
            report_to=[],
            dataloader_num_workers=0,
            dataloader_pin_memory=False,
            use_cpu=not torch.cuda.is_available(),  # else processes on a CPU do not join
        )
        self.run_config, self.directory = config, directory
        super().__init__(
            model=ResponseLoss(model, _terms(config), _finding_map_heads(config, model, examples)),
            args=arguments,
            train_dataset=examples,
            data_collator=examples.collate,
            callbacks=[_Pieces(training.max_minutes), _Curve(directory, held_out, training)],
        )

    @property
    def unwrapped(self) -> ResponseLoss:
        return self.accelerator.unwrap_model(self.model)

    def _get_train_sampler(self, *args, **kwargs):
        return torch.utils.data.SequentialSampler(self.train_dataset)  # StepExamples shuffles by itself

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        sums = model(**inputs)
        loss = self.unwrapped.mean(sums)
        return (loss, sums) if return_outputs else loss

    def create_optimizer(self, *args, **kwargs):
        """AdamW that decays matrices and not embeddings, norms or biases; or Muon for the matrices."""
        training = self.run_config.training
        family = find_family(self.unwrapped.model.decoder.config.model_type)
        matrices, rest = split_decayed(self.model, family)
        betas = tuple(training.betas)
        if training.muon_learning_rate:
            self.optimizer = MuonAdamW(
                matrices,
                [parameter for parameter in rest if parameter.ndim > 1],
                [parameter for parameter in rest if parameter.ndim < 2],
                training.muon_learning_rate,
                training.learning_rate,
                betas,
                training.weight_decay,
            )
            return self.optimizer
        groups = [
            {"params": matrices, "weight_decay": training.weight_decay},
            {"params": rest, "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=training.learning_rate, betas=betas, fused=True)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer=None):
        training = self.run_config.training
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            optimizer or self.optimizer, lambda step: rate_factor(step, training)
        )
        return self.lr_scheduler


def rate_factor(step: int, training: LMTrainingConfig) -> float:
    """Warm-up, plateau, then linear decay to a fiftieth over the last `decay_share` of the steps."""
    if step < training.warmup_steps:
        return (step + 1) / training.warmup_steps
    decay_steps = max(1, round(training.steps * training.decay_share))
    left = max(0, training.steps - step) / decay_steps
    return max(0.02, min(1.0, left))


class _Pieces(TrainerCallback):
    """Stop with a checkpoint when this piece's minutes are over."""

    def __init__(self, max_minutes: float) -> None:
        self.deadline = time.monotonic() + 60 * max_minutes if max_minutes else float("inf")

    def on_step_end(self, args, state, control, **kwargs):
        if time.monotonic() > self.deadline:
            control.should_save = control.should_training_stop = True
        return control


class _Curve(TrainerCallback):
    """Training and validation losses as JSON lines, image and text apart."""

    def __init__(self, directory: RunDirectory, held_out: StepExamples, training: LMTrainingConfig) -> None:
        self.directory, self.held_out, self.every = directory, held_out, training.validate_every
        self.last_step = training.steps

    def on_log(self, args, state, control, logs=None, **kwargs):
        if state.is_world_process_zero and logs and "loss" in logs:
            self.directory.write_metrics(state.global_step, {"kind": "train", **logs})

    def on_step_end(self, args, state, control, model=None, **kwargs):
        if state.is_world_process_zero and (
            state.global_step % self.every == 0 or state.global_step == self.last_step
        ):
            values = validate(model, self.held_out)
            self.directory.write_metrics(state.global_step, {"kind": "validation", **values})


@torch.no_grad()
def validate(model: ResponseLoss, held_out: StepExamples, batch_size: int = 16) -> dict[str, float]:
    """Mean negative log-likelihood (nats) per image word and per response text word on held-out studies."""
    sums = {name: np.zeros(2) for name in model.terms}
    was_training = model.training
    model.eval()
    device = next(model.parameters()).device
    for start in range(0, len(held_out), batch_size):
        items = [held_out[i] for i in range(start, min(start + batch_size, len(held_out)))]
        batch = held_out.collate(items)
        batch = {name: {k: v.to(device) for k, v in part.items()} for name, part in batch.items()}
        for name, (total, count) in model(**batch).items():
            sums[name] += float(total), float(count)
    model.train(was_training)
    return {name: total / count for name, (total, count) in sums.items() if count}


def _terms(config: LMRun) -> dict[str, float]:
    """The weight of each term of the loss."""
    return {
        "image_nll": config.training.image_weight,
        "text_nll": config.training.text_weight,
        "drawn_finding_map": config.layout.drawn,
        "read_finding_map": config.layout.read,
    }


def _finding_map_heads(config: LMRun, model: UnifiedModel, examples: StepExamples) -> FindingMapHeads | None:
    if not config.layout.is_wanted:
        return None
    return FindingMapHeads(model.decoder.config.hidden_size, examples.base_rates())


def _whole_checkpoints(directory: Path) -> list[Path]:
    """By step. One that a kill cut short lacks trainer_state.json, which is written last, or its end."""

    def is_whole(path: Path) -> bool:
        try:
            return bool(json.loads((path / "trainer_state.json").read_text(encoding="utf-8")))
        except (OSError, ValueError):
            return False

    return sorted(filter(is_whole, directory.glob("checkpoint-*[0-9]")), key=_step_of)


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])


def _texts_of(dataset: Dataset, seed: int) -> Iterator[str]:
    """Everything the model will be asked and will answer, for the text tokenizer to be trained on."""
    for task in (REPORT, SUMMARY, DRAW):
        yield from task.instructions
    for index in range(min(len(dataset), TEXTS_FOR_BPE)):
        texts = dataset.texts(index, np.random.default_rng(np.random.SeedSequence((seed, index, 2))))
        yield to_text(texts.report)
        yield texts.request
        for question in texts.questions:
            yield question.question
            yield question.answer

"""Train the language model that reads and draws: open the data, encode the images once, train, write a model
directory.

The loop is vqgan's; this file says what a batch and its loss are. The studies and wordings of a step follow
from (seed, step), so a resumed run reads the same data.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.utils import send_to_device
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import set_seed

from llmcxr.codes.encode import encode_dataset, find_ranks
from llmcxr.codes.store import CodeStore, Ranks
from llmcxr.common import config as run_config
from llmcxr.common.errors import UserError
from llmcxr.common.files import check_writable, replacing, telling_write_failures
from llmcxr.data import Dataset, open_dataset
from llmcxr.decoding.predict import CXR
from llmcxr.images.checks import read_summary
from llmcxr.model.bases import find_family, split_decayed
from llmcxr.model.building import build_model
from llmcxr.model.directory import Bundle, find_image_tokenizer, has_compact_form, load_image_tokenizer, save
from llmcxr.model.finding_maps import FindingMapHeads
from llmcxr.model.judges import read_loss_networks
from llmcxr.model.unified import UnifiedModel
from llmcxr.prompts import DRAW, REPORT, SUMMARY, TEMPLATES, PromptTokenizer
from llmcxr.reports import to_text
from llmcxr.training.changes import tell_changes
from llmcxr.training.examples import ExampleConfig
from llmcxr.training.lm_config import LMRun
from llmcxr.training.response_loss import ResponseLoss
from llmcxr.training.step_examples import StepExamples, choose_studies
from llmcxr.training.study_sheet import draw_studies
from vqgan.training.loop import Loop, Task
from vqgan.training.optim import build_optimizer
from vqgan.training.run_directory import RunDirectory
from vqgan.training.trackers import check_installed

TEXTS_FOR_BPE = 4000  # studies whose words the text tokenizer is trained on
TEXT_TOKENIZER = "text_tokenizer"  # in the run directory, as trained on the texts that it began with
BEST_FILE = "best.safetensors"  # in the run directory, of the weights alone
VALIDATION_BATCH = 16  # studies
logger = logging.getLogger(__name__)


def run(config: LMRun) -> Path:
    """Train, or resume where `run_dir` stands; returns the model directory, run_dir/model.

    The best model by the validation is left in run_dir/best, and the last one also in run_dir/compact, the
    same in some megabytes, where it has that form. A resumed run may have other settings of training.
    """
    check_installed(config.training.wandb)
    with RunDirectory(config.run_dir).alone():
        return _run_alone(config, Path(config.run_dir))


def _run_alone(config: LMRun, run_dir: Path) -> Path:
    ranks = find_ranks()
    check_writable(run_dir / run_config.CONFIG_FILE)
    run_config.check_resumable(config, may_change=("training",))
    ranks.wait()  # before the first process writes what the others have read
    if ranks.index == 0:
        run_config.save(config, run_dir / run_config.CONFIG_FILE)
    set_seed(config.seed)
    bundle, task = _prepare(config, ranks)
    loop = Loop(config.training, run_dir, config.seed, uses_all_parameters=False)
    with telling_write_failures(run_dir, "free some space, and the same command resumes"):
        result = loop.run(task, run_config.to_dict(config))
    bundle.model = loop.network.model
    bundle.provenance = {"dataset": config.dataset, "seed": config.seed, "steps": result.step}
    if ranks.index == 0:
        _save(bundle, run_dir, is_compact=not config.model.base and has_compact_form(bundle.model))
    ranks.wait()  # none returns before the model is there
    return run_dir / "model"


def _prepare(config: LMRun, ranks: Ranks) -> tuple[Bundle, _LMTask]:
    """Prepare what will be saved, and how it is trained. Every dataset and directory is opened here, once."""
    try:
        made_by = find_image_tokenizer(config.tokenizer)
        image_tokenizer = load_image_tokenizer(made_by)
    except UserError as error:
        advice = "train one first (configs/tokenizer), or give tokenizer=cxr, which ships"
        raise UserError(f"tokenizer={config.tokenizer}: {error}; {advice}") from error
    run_dir = Path(config.run_dir)
    dataset, validation = open_dataset(config.dataset), open_dataset(config.validation)
    # before images are encoded, which can take long
    chosen, held_out_studies = (choose_studies(one, config.examples) for one in (dataset, validation))
    if ranks.index == 0 and not tell_changes(run_dir, {"dataset": dataset, "validation": validation}):
        shutil.rmtree(run_dir / TEXT_TOKENIZER, ignore_errors=True)
    ranks.wait()
    store = encode_dataset(dataset, image_tokenizer, run_dir / "codes", config.cache_dir, config.encoding)
    validation_store = encode_dataset(
        validation, image_tokenizer, run_dir / "codes-validation", config.cache_dir
    )
    texts = _texts_of(dataset, config.seed)
    template, kept = TEMPLATES[config.template], run_dir / TEXT_TOKENIZER
    model, prompt_tokenizer = build_model(config.model, template, image_tokenizer, texts, config.seed, kept)
    num_items = config.training.steps * config.training.batch_size
    examples = _step_examples(config, dataset, store, prompt_tokenizer, config.examples, num_items, chosen)
    reading_share = float(config.examples.uses_texts)
    as_predicted = replace(config.examples, code_mask_share=0.0, reading_share=reading_share)
    held_out = _step_examples(
        config,
        validation,
        validation_store,
        prompt_tokenizer,
        as_predicted,
        len(held_out_studies),
        held_out_studies,
    )
    summary, networks = read_summary(made_by), read_loss_networks(made_by)
    bundle = Bundle(model, prompt_tokenizer, image_tokenizer, {}, summary, networks)
    return bundle, _LMTask(config, bundle, examples, held_out)


def _save(bundle: Bundle, run_dir: Path, is_compact: bool) -> None:
    """Save the last model, and the best by its kept weights."""
    if is_compact:
        save(bundle, run_dir / "compact", compact=True)
    save(bundle, run_dir / "model")
    if (run_dir / BEST_FILE).is_file():
        bundle.model.load_state_dict(_load_best(run_dir / BEST_FILE))
        save(bundle, run_dir / "best")


def _load_best(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except (SafetensorError, OSError) as error:
        raise UserError(
            f"{file}: expected the best weights so far, found a damaged file; the last are in "
            f"{file.parent / 'model'}. Remove it, and the same command goes on without them"
        ) from error


def _step_examples(
    config: LMRun,
    dataset: Dataset,
    store: CodeStore,
    prompt_tokenizer: PromptTokenizer,
    examples: ExampleConfig,
    num_items: int,
    indices: list[int],
) -> StepExamples:
    weights = config.finding_map
    if weights.is_wanted and dataset.finding_map(0, (1, 1)) is None:
        raise UserError(
            f"finding_map.drawn={weights.drawn} and finding_map.read={weights.read} need a dataset that "
            f"knows where findings are, as phantom: does; {dataset.name} does not, so leave both 0"
        )
    return StepExamples(
        dataset, store, prompt_tokenizer, examples, config.seed, num_items, weights.is_wanted, indices
    )


class _LMTask(Task):
    name = "language model"
    sheet_name = "studies"
    is_in_order = True  # StepExamples shuffles by itself

    def __init__(self, config: LMRun, bundle: Bundle, examples: StepExamples, held_out: StepExamples) -> None:
        self.config, self.bundle, self.dataset, self.held_out = config, bundle, examples, held_out
        self.collate = examples.collate
        heads = _finding_map_heads(config, bundle.model, examples)
        self.loss = ResponseLoss(bundle.model, _terms(config), heads)
        self.weights = self.loss.terms
        self.networks, self.optimizers = {"model": self.loss}, {"model": self._build_optimizer()}

    def _build_optimizer(self) -> torch.optim.Optimizer:
        """AdamW decays the matrices, and not embeddings, norms and biases; beside Muon, embeddings too."""
        training = self.config.training
        matrices, rest = split_decayed(self.loss, find_family(self.bundle.model.decoder.config.model_type))
        decayed = [one for one in rest if one.ndim > 1 and training.muon_learning_rate]
        plain = [one for one in rest if one.ndim < 2 or not training.muon_learning_rate]
        return build_optimizer(training, matrices, decayed, plain)

    def augment(self, batch: dict[str, dict[str, Tensor]], generator: torch.Generator) -> dict[str, Any]:
        """Nothing is changed; how much each term is a mean over is counted."""
        return {"directions": batch, "counts": self.loss.count(batch)}

    def count(self, batch: dict[str, Any], loss: str) -> float:
        return batch["counts"][loss]

    def losses(self, network: str, batch: dict[str, Any]) -> dict[str, Tensor]:
        sums = self.networks[network](**batch["directions"])
        return {
            name: total / count.clamp(min=1) for name, (total, count) in sums.items() if self.weight(name)
        }

    def validate(self, network: ResponseLoss) -> dict[str, float]:
        return validate(network, self.held_out)

    def score(self, validation: Mapping[str, float]) -> float:
        return -sum(self.weight(name) * value for name, value in validation.items())

    def sheet(self, network: ResponseLoss) -> np.ndarray | None:
        if not self.config.training.sheet_studies:
            return None
        shown = replace(self.bundle, model=network.model)
        shown.image_tokenizer.to(network.model.device)
        indices = [index for index, _ in self.held_out.studies[: self.config.training.sheet_studies]]
        try:
            return draw_studies(CXR(shown), self.held_out.dataset, indices)
        except UserError as error:  # such as a prompt that is longer than the model's positions
            logger.warning("no sheet of studies: %s", error)
            return None

    def save(self, network: ResponseLoss, name: str) -> None:
        """The best weights: the last are in the checkpoint, and model directories are written at the end."""
        if name == "best":
            weights = {key: value.contiguous() for key, value in network.model.state_dict().items()}
            with replacing(Path(self.config.run_dir) / BEST_FILE) as beside:
                save_file(weights, beside)


@torch.no_grad()
def validate(network: ResponseLoss, held_out: StepExamples) -> dict[str, float]:
    """Return the mean negative log-likelihood (nats) per image token and per response text token on held-out
    studies.
    """
    sums = {name: np.zeros(2) for name in network.terms}
    for start in range(0, len(held_out), VALIDATION_BATCH):
        items = [held_out[i] for i in range(start, min(start + VALIDATION_BATCH, len(held_out)))]
        for name, sum_and_count in network(
            **send_to_device(held_out.collate(items), network.model.device)
        ).items():
            sums[name] += [float(value) for value in sum_and_count]
    return {name: total / count for name, (total, count) in sums.items() if count}


def _terms(config: LMRun) -> dict[str, float]:
    """Return the weight of each term of the loss."""
    return {
        "image_nll": config.training.image_weight,
        "text_nll": config.training.text_weight,
        "drawn_finding_map": config.finding_map.drawn,
        "read_finding_map": config.finding_map.read,
    }


def _finding_map_heads(config: LMRun, model: UnifiedModel, examples: StepExamples) -> FindingMapHeads | None:
    if not config.finding_map.is_wanted:
        return None
    return FindingMapHeads(model.decoder.config.hidden_size, examples.base_rates())


def _texts_of(dataset: Dataset, seed: int) -> Iterator[str]:
    """Yield all that the model will be asked and will answer, for the text tokenizer to be trained on."""
    for task in (REPORT, SUMMARY, DRAW):
        yield from task.instructions
    for index in range(min(len(dataset), TEXTS_FOR_BPE)):
        texts = dataset.texts(index, np.random.default_rng(np.random.SeedSequence((seed, index, 2))))
        yield to_text(texts.report)
        yield texts.request
        for question in texts.questions:
            yield question.question
            yield question.answer

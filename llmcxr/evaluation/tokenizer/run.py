"""Score an image tokenizer on a dataset in one pass over the images, batch by batch."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from llmcxr.common.errors import UserError
from llmcxr.common.terminal import progress
from llmcxr.data import Dataset, Rejections
from llmcxr.evaluation.tokenizer.erasure import erased_findings, means_over_findings
from llmcxr.evaluation.tokenizer.page import tokenizer_blocks
from llmcxr.evaluation.tokenizer.pixels import line_contrast_kept, region_psnr, similarities
from llmcxr.evaluation.tokenizer.reconstruction import Batch, reconstruct
from llmcxr.evaluation.tokenizer.regions import lesion_regions, thin_lines
from llmcxr.evaluation.tokenizer.sheet import draw_sheet
from llmcxr.images.checks import ImageSummary, compare_images, join_statistics, measure_images
from llmcxr.labeler.states import to_states
from llmcxr.metrics.images.features import FeatureExtractor
from llmcxr.metrics.images.frechet import frechet_distance
from llmcxr.metrics.intervals import bootstrap
from llmcxr.metrics.scores import macro
from llmcxr.model.classifier import to_probabilities
from llmcxr.outputs.notices import DISCLAIMER, FIDELITY_NOTICE
from llmcxr.pages.document import Plot
from llmcxr.pages.result import Result
from vqgan.metrics import WINDOW, code_statistics, scale_weights


def evaluate_tokenizer(
    tokenizer: Any,
    dataset: Dataset,
    n: int | None = None,
    *,
    classifier: Any = None,
    extractor: FeatureExtractor | None = None,
    training_images: ImageSummary | None = None,
    rejections: Rejections | None = None,
    seed: int = 0,
    batch_size: int = 16,
    with_sheet: bool = False,
) -> Result:
    """Encode and decode the first `n` studies (all for None) and score what comes back.

    `tokenizer` has `encode`, `decode`, `parameters`, `config.image_size` and `config.codebook_size` as
    `vqgan.VQGAN`. `classifier` (with `predict` as `Classifier`) and `extractor` took part in no loss of it;
    without them their scores are None. `training_images` is their summary (`images.checks`). Bad images are
    left out and added to `rejections`, or raised without. The figure, `with_sheet`, shows the worst and the
    ordinary reconstructions. Raises UserError where none can be read.
    """
    count = len(dataset) if n is None else min(n, len(dataset))
    work = _Work(tokenizer, dataset, classifier, extractor)
    with progress("reconstructing", count) as advance:
        for batch in reconstruct(tokenizer, dataset, range(count), batch_size, rejections):
            work.add(batch)
            advance(len(batch.indices))
    if not work.indices:
        why = f"; the first: {rejections[0][1]}" if rejections else ""
        raise UserError(f"expected images to reconstruct, found none of {count} that can be read{why}")
    scores = work.scores(seed)
    scores["site"] = _compare_site(training_images, work.statistics)
    scores["left_out"] = count - len(work.indices)
    figures = []
    if with_sheet:
        psnrs = np.concatenate(work.rows["psnr"])
        figures.append(Plot("Reconstructions", draw_sheet(tokenizer, dataset, work.indices, psnrs)))
    return Result(scores, tokenizer_blocks(scores), figures)


class _Work:
    """Keeps the numbers of every batch, and no images."""

    def __init__(
        self, tokenizer: Any, dataset: Dataset, classifier: Any, extractor: FeatureExtractor | None
    ) -> None:
        self.tokenizer, self.dataset = tokenizer, dataset
        self.classifier, self.extractor = classifier, extractor
        self.size = tokenizer.config.image_size
        self.counts = np.zeros(tokenizer.config.codebook_size, np.int64)
        self.indices: list[int] = []
        self.rows: dict[str, list[np.ndarray]] = defaultdict(list)  # score -> one array per batch
        self.statistics: list[dict[str, np.ndarray]] = []
        self.lesions: dict[str, list[float]] = defaultdict(list)  # finding -> dB of each
        self.lines: dict[str, list[float]] = defaultdict(list)  # finding -> contrast kept of each
        self.findings: list[str] = []

    def add(self, batch: Batch) -> None:
        self.indices += batch.indices
        self.counts += np.bincount(batch.codes.ravel(), minlength=len(self.counts))
        pair = batch.images, batch.reconstructions
        for name, values in similarities(*pair).items():
            self.rows[name].append(values)
        self.statistics.append(measure_images(batch.images))
        for name, images in zip(("original", "reconstructed"), pair, strict=True):
            if self.extractor is not None:
                self.rows[f"features {name}"].append(self.extractor(images))
            if self.classifier is not None:
                readings = self.classifier.predict(images)
                self.findings = list(readings[0].findings)
                self.rows[f"probabilities {name}"].append(to_probabilities(readings, self.findings))
        for index, image, reconstruction in zip(batch.indices, *pair, strict=True):
            self._add_places(index, image, reconstruction)

    def _add_places(self, index: int, image: np.ndarray, reconstruction: np.ndarray) -> None:
        for finding, region in lesion_regions(self.dataset, index, self.size):
            self.lesions[finding].append(region_psnr(image, reconstruction, region))
        for finding, lines in thin_lines(self.dataset, index, self.size):
            kept = line_contrast_kept(image, reconstruction, lines)
            if kept is not None:
                self.lines[finding].append(kept)

    def scores(self, seed: int) -> dict[str, Any]:
        joined = {name: np.concatenate(parts) for name, parts in self.rows.items()}
        studies = [self.dataset[index] for index in self.indices]
        patients = [study.patient_id for study in studies]
        result: dict[str, Any] = {"n": len(self.indices), "disclaimer": f"{DISCLAIMER} {FIDELITY_NOTICE}"}
        for name in ("psnr", "ssim", "ms_ssim"):
            result |= _mean(name, joined.get(name), patients, seed)
        result["ms_ssim_scales"] = len(scale_weights(max(self.size, WINDOW)))
        result["frechet"] = self._frechet(joined)
        result["frechet_features"] = None if self.extractor is None else self.extractor.name
        result |= {"codes_used": int((self.counts > 0).sum()), "codebook_size": len(self.counts)}
        result |= code_statistics(torch.from_numpy(self.counts))
        result["per_finding"] = self._per_finding(joined, studies, patients, seed)
        result["macro"] = means_over_findings(result["per_finding"])
        result["lesion_psnr"] = macro(_means(self.lesions))
        result["line_contrast"] = macro(_means(self.lines))
        return result

    def _frechet(self, joined: dict[str, np.ndarray]) -> float | None:
        if self.extractor is None:
            return None
        return frechet_distance(joined["features original"], joined["features reconstructed"])

    def _per_finding(
        self, joined: dict[str, np.ndarray], studies: Sequence[Any], patients: Sequence[str], seed: int
    ) -> dict[str, dict]:
        result: dict[str, dict] = {}
        if self.classifier is not None:
            labels = to_states([study.labels for study in studies], self.findings)
            pair = joined["probabilities original"], joined["probabilities reconstructed"]
            result = erased_findings(self.findings, labels, *pair, patients, seed)
        for key, count, values in (
            ("lesion_psnr", "num_lesions", self.lesions),
            ("line_contrast", "num_lines", self.lines),
        ):
            for finding, mean in _means(values).items():
                result.setdefault(finding, {})[key] = mean
                result[finding][count] = len(values[finding])
        return result


def _mean(name: str, values: np.ndarray | None, patients: Sequence[str], seed: int) -> dict[str, Any]:
    if values is None:
        return {name: None, f"{name}_interval": None}
    interval = bootstrap(lambda rows: float(values[rows].mean()), patients, seed=seed)
    return {name: float(values.mean()), f"{name}_interval": interval}


def _means(values: dict[str, list[float]]) -> dict[str, float]:
    return {name: float(np.mean(values[name])) for name in sorted(values)}


def _compare_site(training: ImageSummary | None, statistics: Sequence[dict[str, np.ndarray]]) -> dict:
    """Compare the images with those of the tokenizer's training; `warnings` are for the user."""
    if training is None:
        unknown = (
            "the tokenizer came without a summary of its training images (training_images.json): whether "
            "these are alike cannot be judged"
        )
        return {"judged": False, "warnings": [unknown], "statistics": []}
    shifts = compare_images(training, join_statistics(statistics))
    odd = [
        f"{shift.statistic} (median {shift.median:.3f}, there {shift.training_median:.3f}; "
        f"{shift.outside:.0%} outside its range)"
        for shift in shifts
        if shift.is_shifted
    ]
    difference = (
        f"these images differ from those of the tokenizer's training in {', '.join(odd)}; do not trust the "
        "tokenizer on them before looking at the sheet"
    )
    warnings = [difference] if odd else []
    return {"judged": True, "warnings": warnings, "statistics": [asdict(shift) for shift in shifts]}

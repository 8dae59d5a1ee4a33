"""Get what the privacy card needs of a system: drawings, and real images as codes, features, likelihoods.

Training images are read once, in batches, and only their codes and features are kept. A system without an
image tokenizer is judged in feature space alone, one without likelihoods has no membership. Knows no formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from llmcxr import images as image_files
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, open_dataset
from llmcxr.evaluation.leakage import check_one_split, check_splits
from llmcxr.evaluation.privacy.measures import ImageSet, Likelihoods, membership, privacy_card
from llmcxr.evaluation.privacy.page import privacy_blocks
from llmcxr.metrics.images.features import FeatureExtractor, extract, open_extractor
from llmcxr.pages.document import Picture, Sheet
from llmcxr.pages.result import Result
from llmcxr.systems import System
from llmcxr.systems.ask import drawing_requests, identify_all, word_studies

BATCH = 64
REQUESTS = ("training", "held-out")
PLAIN = "log p(image given request)"
OWN_REFERENCE = "log p(image given request) - log p(image)"
OTHER_REFERENCE = "log p(image given request) - the reference's"


@dataclass(frozen=True)
class PrivacySettings:
    """Say how many drawings (n), held-out images and likelihoods a side; `seed` decides wording and drawing.

    requests: whose requests are drawn. Those of the training images are the harder test: a model that keeps
    an image gives it back to its own text first (Carlini et al. 2023).
    """

    n: int = 100
    num_training: int = 2000
    requests: str = "training"
    seed: int = 0
    size: int = 128  # px at which images are given
    extractor: str = "classifier"

    def __post_init__(self) -> None:
        if self.requests not in REQUESTS:
            raise UserError(f"expected requests of {' or '.join(REQUESTS)}, found {self.requests!r}")


def open_training(name: str, system: System) -> tuple[str, Dataset]:
    """Open the dataset that a system was trained on: `name`, or for "" the one its provenance names.

    Raises UserError where there is neither, or the dataset cannot be opened.
    """
    known = name or str(system.provenance.get("dataset", ""))
    if not known:
        raise UserError(
            "expected the dataset that the system was trained on, found none in the system; "
            "name it by --training KIND:PATH,split=train"
        )
    return known, open_dataset(known)


def evaluate_privacy(
    system: System,
    held_out: Dataset,
    training: Dataset,
    settings: PrivacySettings | None = None,
    reference: System | None = None,
) -> Result:
    """Make the privacy card of drawings by `system` against the first `num_training` training images.

    Keys: those of `measures.privacy_card`, with "membership" a dict by the score that the attack goes by, and
    the settings. `reference` is another model with `score_image`. The figures are the closest pairs.
    Raises UserError where the training studies are of several splits, or were held out as well.
    """
    settings = settings or PrivacySettings()
    n, num_training = min(settings.n, len(held_out)), min(settings.num_training, len(training))
    check_one_split(training[index] for index in range(num_training))
    check_splits(held_out, training, n)
    drawn, codes = _draw(system, held_out, training, min(n, num_training), settings)
    network = open_extractor(settings.extractor)
    fitted = [image_files.fit(image, settings.size)[0] for image in drawn]
    known = _describe(system, network, training, num_training, settings.size, codes is not None)
    card = privacy_card(
        ImageSet(codes, extract(network, fitted)),
        known,
        _describe(system, network, held_out, n, settings.size, codes is not None),
    )
    attacks = _likelihoods(system, reference, held_out, training, min(n, num_training), settings)
    card["membership"] = {name: membership(one, settings.seed) for name, one in attacks.items()}
    card = {**asdict(settings), "n": len(drawn), "num_training": num_training, **card}
    return Result(card, privacy_blocks(card), _pair_sheets(card, drawn, training, settings.size))


def _draw(
    system: System, held_out: Dataset, training: Dataset, n: int, settings: PrivacySettings
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Return the drawings, (H, W) each, and their codes (n, h, w), None where the system has no codes."""
    of_training = settings.requests == "training" and not system.is_recorded  # a file is of held-out studies
    asked = drawing_requests(training if of_training else held_out, n, settings.seed)
    results = system.for_studies(identify_all(held_out)).ask("draw", asked, seed=settings.seed)
    codes = [one.codes for one in results]
    has_codes = "encode" in system.abilities and all(one is not None for one in codes)
    return [one.image for one in results], np.stack(codes) if has_codes else None


def _describe(
    system: System, network: FeatureExtractor, dataset: Dataset, n: int, size: int, has_codes: bool
) -> ImageSet:
    codes = []

    def read() -> Iterator[np.ndarray]:
        for start in range(0, n, BATCH):
            pixels = [dataset.read(index, size) for index in range(start, min(start + BATCH, n))]
            if has_codes:
                codes.append(system.encode(pixels))
            yield from pixels

    features = extract(network, read(), total=n)
    patients = [dataset[index].patient_id for index in range(n)]
    return ImageSet(np.concatenate(codes) if codes else None, features, patients)


def _likelihoods(
    system: System,
    reference: System | None,
    held_out: Dataset,
    training: Dataset,
    n: int,
    settings: PrivacySettings,
) -> dict[str, Likelihoods]:
    """Return them by the score that the attack goes by.

    Without another model as reference, the model's own likelihood without a request takes its
    place (Zhai et al. 2024, conditional likelihood discrepancy).
    """
    if "score_image" not in system.abilities:
        return {}
    sides = [_score_sides(system, reference, dataset, n, settings) for dataset in (training, held_out)]
    patients = [[dataset[index].patient_id for index in range(n)] for dataset in (training, held_out)]
    references = {PLAIN: None, OWN_REFERENCE: "unconditional"}
    if reference is not None:
        references[OTHER_REFERENCE] = "reference"
    return {
        name: Likelihoods(sides[0]["given"], sides[1]["given"], *(side.get(key) for side in sides), *patients)
        for name, key in references.items()
    }


def _score_sides(
    system: System, reference: System | None, dataset: Dataset, n: int, settings: PrivacySettings
) -> dict[str, np.ndarray]:
    pixels = [dataset.read(index, settings.size) for index in range(n)]
    requests = [words.request for words in word_studies(dataset, n, settings.seed)]
    scores = {
        "given": system.score_image(pixels, requests),
        "unconditional": system.score_image(pixels, [""] * n),
    }
    if reference is not None:
        scores["reference"] = reference.score_image(pixels, requests)
    return {name: np.asarray(values) for name, values in scores.items()}


def _pair_sheets(card: dict, drawn: Sequence[np.ndarray], training: Dataset, size: int) -> list[Sheet]:
    sheets = []
    for space in ("code_space", "feature_space"):
        pictures = []
        for number, pair in enumerate(card.get(space, {}).get("closest", []), 1):
            distance = f"pair {number}, distance {pair['distance']:.3f}"
            true = training.read(pair["training"], size)
            pictures += [
                Picture(drawn[pair["drawing"]], f"{distance}: drawing"),
                Picture(true, f"{distance}: training image", training.is_synthetic),
            ]
        if pictures:
            sheets.append(Sheet(f"The closest pairs in {space.replace('_', ' ')}", pictures))
    return sheets

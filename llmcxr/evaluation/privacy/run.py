"""Get what the privacy card needs of a system: drawings, and real images as codes, features, likelihoods.

Training images are read once, in batches, and only their codes and features are kept; a study whose image
cannot be read is left out, of either side, and listed. A system without an
image tokenizer is judged in feature space alone, one without likelihoods has no membership. Knows no formula.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from llmcxr import images as image_files
from llmcxr.common.errors import UserError
from llmcxr.data import Dataset, open_dataset
from llmcxr.evaluation.leakage import check_one_split, check_splits
from llmcxr.evaluation.left_out import count_left_out, list_unread
from llmcxr.evaluation.privacy.measures import ImageSet, Likelihoods, membership, privacy_card
from llmcxr.evaluation.privacy.page import SPACES, privacy_blocks
from llmcxr.metrics.images.features import FeatureExtractor, extract, open_extractor
from llmcxr.pages.document import Picture, Sheet
from llmcxr.pages.result import Result
from llmcxr.systems import System
from llmcxr.systems.ask import NO_IMAGE, drawing_requests, identify_all, read_radiographs, word_studies

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


@dataclass(frozen=True)
class _Side:
    """Hold what is known of the first real images of one side, and of which studies they are."""

    name: str
    images: ImageSet  # one row for each of `indices`
    indices: Sequence[int]  # of the studies in the dataset
    unread: Mapping[int, str]  # index -> why

    def choose(self, n: int) -> list[int]:
        """Return those of the first `n` studies whose image could be read. Raises UserError for none."""
        kept = [index for index in self.indices if index < n]
        if not kept:
            raise UserError(
                f"expected {self.name} images that can be read, found none among the first {n}: "
                f"{self.unread[0]}; mend them, or look at more studies (--n, --num-training)"
            )
        return kept


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

    Keys: those of `measures.privacy_card`, with "membership" a dict by the score that the attack goes by, the
    settings, and of each side "studies", what `count_left_out` gives, and "unread_images". The pairs in
    "closest" name studies by their index in the dataset: the one whose request was drawn, and the training
    one. `reference` is another model with `score_image`. The figures are the closest pairs. Raises UserError
    where the training studies are of several splits, or were held out as well, and where no image of a side
    can be read.
    """
    settings = settings or PrivacySettings()
    n, num_training = min(settings.n, len(held_out)), min(settings.num_training, len(training))
    check_one_split(training[index] for index in range(num_training))
    check_splits(held_out, training, n)
    if "draw" not in system.abilities:  # told before any image is read
        raise system.cannot("draw")
    network = open_extractor(settings.extractor)
    known = _describe("training", system, network, training, num_training, settings.size)
    real = _describe("held-out", system, network, held_out, n, settings.size)
    num_pairs = min(n, num_training)
    members, others = known.choose(num_pairs), real.choose(num_pairs)
    of_training = settings.requests == "training" and not system.is_recorded  # a file is of held-out studies
    source, requested = (training, members) if of_training else (held_out, others)
    drawn, codes = _draw(system, held_out, source, requested, settings.seed)
    fitted = [image_files.fit(image, settings.size)[0] for image in drawn]
    card = privacy_card(ImageSet(codes, extract(network, fitted)), known.images, real.images)
    attacks = _likelihoods(
        _score_side(system, reference, training, members, settings),
        _score_side(system, reference, held_out, others, settings),
    )
    card["membership"] = {name: membership(one, settings.seed) for name, one in attacks.items()}
    card = {**asdict(settings), "n": len(drawn), "num_training": num_training, **_count(known, real), **card}
    _name_pairs(card, requested, known.indices)
    drawing_of = dict(zip(requested, drawn, strict=True))
    return Result(card, privacy_blocks(card), _pair_sheets(card, drawing_of, training, settings.size))


def _count(training: _Side, held_out: _Side) -> dict:
    sides = {"training": training, "held_out": held_out}
    return {
        "studies": {
            name: count_left_out(len(side.indices), dict.fromkeys(side.unread, NO_IMAGE))
            for name, side in sides.items()
        },
        "unread_images": {name: list_unread(side.unread) for name, side in sides.items()},
    }


def _draw(
    system: System, held_out: Dataset, source: Dataset, requested: Sequence[int], seed: int
) -> tuple[list[np.ndarray], np.ndarray | None]:
    """Return the drawings, (H, W) each, and their codes (n, h, w), None where the system has no codes."""
    asked = drawing_requests(source, requested[-1] + 1, seed)
    of_studies = system.for_studies(identify_all(held_out))
    results = of_studies.ask("draw", [asked[index] for index in requested], seed=seed)
    codes = [one.codes for one in results]
    has_codes = "encode" in system.abilities and all(one is not None for one in codes)
    return [one.image for one in results], np.stack(codes) if has_codes else None


def _describe(
    name: str, system: System, network: FeatureExtractor, dataset: Dataset, n: int, size: int
) -> _Side:
    codes: list[np.ndarray] = []
    indices: list[int] = []
    unread: dict[int, str] = {}

    def read() -> Iterator[np.ndarray]:
        for start in range(0, n, BATCH):
            batch = read_radiographs(dataset, min(start + BATCH, n), size, start)
            pixels = list(batch.images.values())
            if pixels and "encode" in system.abilities:
                codes.append(system.encode(pixels))
            indices.extend(batch.images)
            unread.update(batch.unread)
            yield from pixels

    features = extract(network, read(), total=n)
    patients = [dataset[index].patient_id for index in indices]
    images = ImageSet(np.concatenate(codes) if codes else None, features, patients)
    return _Side(name, images, indices, unread)


@dataclass(frozen=True)
class _Scores:
    """Hold the likelihoods of one side, by what they are given, and the patients; {} without them."""

    values: Mapping[str, np.ndarray]
    patients: Sequence[str]


def _likelihoods(training: _Scores, held_out: _Scores) -> dict[str, Likelihoods]:
    """Return them by the score that the attack goes by.

    Without another model as reference, the model's own likelihood without a request takes its
    place (Zhai et al. 2024, conditional likelihood discrepancy).
    """
    references = {PLAIN: None, OWN_REFERENCE: "unconditional", OTHER_REFERENCE: "reference"}
    sides = (training, held_out)
    return {
        name: Likelihoods(
            training.values["given"],
            held_out.values["given"],
            *(side.values.get(key) for side in sides),
            *(side.patients for side in sides),
        )
        for name, key in references.items()
        if training.values and (key is None or key in training.values)
    }


def _score_side(
    system: System,
    reference: System | None,
    dataset: Dataset,
    indices: Sequence[int],
    settings: PrivacySettings,
) -> _Scores:
    patients = [dataset[index].patient_id for index in indices]
    if "score_image" not in system.abilities:
        return _Scores({}, patients)
    pixels = [dataset.read(index, settings.size) for index in indices]
    words = word_studies(dataset, indices[-1] + 1, settings.seed)
    requests = [words[index].request for index in indices]
    scores = {
        "given": system.score_image(pixels, requests),
        "unconditional": system.score_image(pixels, [""] * len(pixels)),
    }
    if reference is not None:
        scores["reference"] = reference.score_image(pixels, requests)
    return _Scores({name: np.asarray(values) for name, values in scores.items()}, patients)


def _name_pairs(card: dict, requested: Sequence[int], training: Sequence[int]) -> None:
    """Name the studies of the closest pairs by their indices in the datasets, not by their rows."""
    for space in SPACES:
        for pair in card.get(space, {}).get("closest", []):
            pair["drawing"], pair["training"] = requested[pair["drawing"]], training[pair["training"]]


def _pair_sheets(
    card: dict, drawing_of: Mapping[int, np.ndarray], training: Dataset, size: int
) -> list[Sheet]:
    sheets = []
    for space in SPACES:
        pictures = []
        for number, pair in enumerate(card.get(space, {}).get("closest", []), 1):
            distance = f"pair {number}, distance {pair['distance']:.3f}"
            true = training.read(pair["training"], size)
            pictures += [
                Picture(drawing_of[pair["drawing"]], f"{distance}: drawing"),
                Picture(true, f"{distance}: training image", training.is_synthetic),
            ]
        if pictures:
            sheets.append(Sheet(f"The closest pairs in {space.replace('_', ' ')}", pictures))
    return sheets

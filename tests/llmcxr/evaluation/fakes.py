"""Systems and a judge without a network: fake images hold their number, so the truth can be looked up."""

from dataclasses import dataclass

import numpy as np

from llmcxr.data import Dataset, Texts
from llmcxr.data.phantom.case import FINDINGS
from llmcxr.data.phantom.questions import ask_questions
from llmcxr.data.phantom.sampling import sample_case
from llmcxr.data.phantom.wording import describe, write_report
from llmcxr.model.classifier import ClassifierReading, FindingReading
from llmcxr.predictor import System
from llmcxr.records import Label, Report, Study


@dataclass
class Result:
    text: str = ""
    image: np.ndarray | None = None
    codes: np.ndarray | None = None

    @property
    def report(self):
        return Report(findings=self.text)


class NumberedPhantoms(Dataset):
    """Cases of the phantom; image i is 16 x 16 and holds nothing but i in its first pixel."""

    def __init__(self, n, seed=1):
        self.cases = [sample_case(seed, index) for index in range(n)]

    def __len__(self):
        return len(self.cases)

    def __getitem__(self, index):
        found = self.cases[index].find
        labels = {name: Label.PRESENT if found(name) else Label.ABSENT for name in FINDINGS}
        return Study(study_id=str(index), patient_id=f"patient {index}", radiographs=(), labels=labels)

    def case(self, index):
        return self.cases[index]

    def read(self, index, size=None):
        return numbered(index)

    def texts(self, index, rng):
        case = self.cases[index]
        return Texts(write_report(case, rng), describe(case, rng), ask_questions(case, rng))


def numbered(index):
    image = np.zeros((16, 16), np.float32)
    image[0, 0] = index / 4096
    return image


def number_of(image):
    return round(float(image[0, 0]) * 4096)


class PerfectPredictor(System):
    """Knows the cases: reports and answers with the truth, and draws the phantom that it was asked for."""

    abilities = frozenset({"report", "answer", "draw"})

    def __init__(self, dataset, requests=()):
        self.dataset = dataset
        self.index_of = {text: index for index, text in enumerate(requests)}

    def report(self, images, seed=0):
        cases = [self.dataset.case(number_of(image)) for image in images]
        reports = [write_report(case, np.random.default_rng(seed)) for case in cases]
        return [Result(f"{report.findings} {report.impression}") for report in reports]

    def draw(self, texts, *, seed=0, best_of=1):
        grid = np.arange(4).reshape(2, 2)
        images = [numbered(self.index_of[text]) for text in texts]
        for image in images:
            image[1, 1] = (seed + 1) / 64
        return [Result(image=image, codes=grid + index) for index, image in enumerate(images)]

    def answer(self, images, questions):
        answers = []
        for image, question in zip(images, questions, strict=True):
            index = number_of(image)
            rng = np.random.default_rng(np.random.SeedSequence((0, index)))
            known = {asked.question: asked.answer for asked in self.dataset.texts(index, rng).questions}
            answers.append(Result(known[question]))
        return answers


class ConstantPredictor(System):
    """Looks at nothing: always the same words, always the same picture."""

    abilities = frozenset({"report", "answer", "draw"})

    def report(self, images, seed=0):
        return [Result("Heart size is normal. Lungs are clear. No acute findings.")] * len(images)

    def draw(self, texts, *, seed=0, best_of=1):
        return [Result(image=numbered(0), codes=np.zeros((2, 2), int))] * len(texts)

    def answer(self, images, questions):
        return [Result("No.")] * len(images)


class KnowingEvaluator:
    """Reads the number of a phantom off its image and says what that phantom has."""

    def __init__(self, dataset):
        self.dataset = dataset

    def predict(self, images):
        return [self._read(self.dataset.case(number_of(image))) for image in images]

    def _read(self, case):
        found = {name: case.find(name) for name in FINDINGS}
        return ClassifierReading(
            {
                name: FindingReading(1.0, finding.side, finding.zone) if finding else FindingReading(0.0)
                for name, finding in found.items()
            },
            case.cardiothoracic_ratio,
        )

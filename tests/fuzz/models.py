"""Doors of models: what is shown to them, and the directories from which they are loaded."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import torch

from llmcxr.codes.store import CodeStore
from llmcxr.decoding import predict
from llmcxr.decoding.predict import CXR
from llmcxr.model.classifier import Classifier, ClassifierConfig
from llmcxr.model.directory import save
from llmcxr.prompts.parts import to_token_ids
from tests.fuzz.mutations import WORDS, Chance
from tests.fuzz.pictures import RAMP, make_array
from tests.fuzz.texts import REPORT
from tests.llmcxr.model.tiny import tiny_bundle
from vqgan import VQGAN


def _tiny_classifier() -> Classifier:
    return Classifier(ClassifierConfig(image_size=32, width=8, hidden=8)).eval()


class Readers:
    """All that may be shown to a model, alone and in lists, with any question."""

    weight = 4

    def __init__(self, folder: Path) -> None:
        predict.MAX_REPORT_TOKENS = 4
        self.cxr = CXR(tiny_bundle(), "tiny")

    def try_one(self, chance: Chance) -> None:
        image = RAMP if chance.happens(0.3) else self._make_source(chance)
        if chance.happens(0.3):
            image = [image, *(self._make_source(chance) for _ in range(chance.below(3)))]
        if chance.happens(0.5):
            results = self.cxr.report(image)
        else:
            results = self.cxr.answer(image, chance.damage_text("Is there a pneumothorax?"))
        assert all(isinstance(one.text, str) for one in (results if isinstance(results, list) else [results]))

    def _make_source(self, chance: Chance) -> object:
        kind = chance.below(4)
        if kind < 2:
            return make_array(chance)
        return chance.value() if kind == 2 else chance.pick(WORDS).encode("utf-8", "replace")


class Prompts:
    """Texts in prompts: none of them becomes a control or image token."""

    weight = 4

    def __init__(self, folder: Path) -> None:
        self.tokenizers = [tiny_bundle(template=name).prompt_tokenizer for name in ("compact", "alpaca")]

    def try_one(self, chance: Chance) -> None:
        tokenizer = chance.pick(self.tokenizers)
        text = chance.damage_text(REPORT).encode("utf-8", "replace").decode()
        ids = tokenizer.text(text).ids
        vocabulary = tokenizer.vocabulary
        assert all(0 <= one < vocabulary.size for one in ids)
        special = set(tokenizer.tokenizer.all_special_ids)
        assert not special & set(ids)
        prompt = to_token_ids(tokenizer.prompt("Describe.", text), vocabulary)
        assert isinstance(tokenizer.decode(prompt), str)


class ImageTokenizers:
    """Images and codes for an image tokenizer and a classifier."""

    weight = 4
    SHAPES = (*[(2, 1, 32, 32)] * 5, (1, 1, 32, 32), (0, 1, 32, 32), (32, 32), (1, 3, 32, 32), (1, 1, 16, 32))
    TYPES = (*[torch.float32] * 5, torch.float64, torch.float16, torch.uint8, torch.bool)
    CODE_TYPES = (torch.int64, torch.int64, torch.int32, torch.uint8, torch.float32)

    def __init__(self, folder: Path) -> None:
        self.tokenizer = tiny_bundle().image_tokenizer
        self.classifier = _tiny_classifier()

    def try_one(self, chance: Chance) -> None:
        images = torch.from_numpy(chance.rng.random(chance.pick(self.SHAPES)))
        if images.numel() and chance.happens(0.3):
            images.view(-1)[chance.below(images.numel())] = float(chance.number())
        images = (images * chance.pick((1, 1, 1, 1, 2, -1, 255))).to(chance.pick(self.TYPES))
        kind = chance.below(3)
        if kind == 0:
            codes = self.tokenizer.encode(images)
            assert codes.min() >= 0 and codes.max() < self.tokenizer.config.codebook_size
        elif kind == 1:
            readings = self.classifier.predict(images)
            assert len(readings) == len(images)
            assert all(0 <= one.probability <= 1 for each in readings for one in each.findings.values())
        else:
            codes = (images * 12).to(chance.pick(self.CODE_TYPES))
            codes = codes.flatten()[:8].reshape(1, 4, 2) if codes.numel() >= 8 else codes
            decoded = self.tokenizer.decode(codes)
            assert torch.isfinite(decoded).all() and decoded.min() >= 0 and decoded.max() <= 1


class Directories:
    """Directories of models, tokenizers and classifiers of which one file is damaged."""

    weight = 5

    def __init__(self, folder: Path) -> None:
        self.whole, self.copy = folder / "whole_models", folder / "model"
        save(tiny_bundle(), self.whole / "plain")
        save(tiny_bundle(), self.whole / "compact", compact=True)
        tiny_bundle().image_tokenizer.save_pretrained(self.whole / "tokenizer")
        Classifier(ClassifierConfig(image_size=32, width=8, hidden=8)).save_pretrained(
            self.whole / "classifier"
        )
        self.loaders = {
            "plain": CXR.from_pretrained,
            "compact": CXR.from_pretrained,
            "tokenizer": VQGAN.from_pretrained,
            "classifier": Classifier.from_pretrained,
        }

    def try_one(self, chance: Chance) -> None:
        name = chance.pick(list(self.loaders))
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.whole / name, self.copy)
        file = chance.pick(sorted(path for path in self.copy.rglob("*") if path.is_file()))
        if file.suffix == ".json" and chance.happens(0.6):
            tree = json.loads(file.read_text(encoding="utf-8"))
            file.write_text(json.dumps(chance.damage_tree(tree)), encoding="utf-8")
        elif chance.happens(0.1):
            file.unlink()
        else:
            file.write_bytes(chance.damage(file.read_bytes()))
        self.loaders[name](self.copy)


class CodeStores:
    """Stores of which one file is damaged: refused, or the codes that were written."""

    weight = 5

    def __init__(self, folder: Path) -> None:
        self.whole, self.copy = folder / "whole_codes", folder / "codes"
        images = torch.from_numpy(np.random.default_rng(0).random((6, 1, 32, 32), np.float32))
        names = [f"image{number}" for number in range(6)]
        store = CodeStore.build(self.whole, tiny_bundle().image_tokenizer, lambda start: [(names, images)])
        self.codes = {name: store[name].copy() for name in names}

    def try_one(self, chance: Chance) -> None:
        shutil.rmtree(self.copy, ignore_errors=True)
        shutil.copytree(self.whole, self.copy)
        file = chance.pick(sorted(self.copy.iterdir()))
        if file.suffix == ".json" and chance.happens(0.6):
            file.write_text(json.dumps(chance.damage_tree(json.loads(file.read_text()))), encoding="utf-8")
        else:
            file.write_bytes(chance.damage(file.read_bytes()))
        store = CodeStore.open(self.copy)
        for name in store.image_ids:
            assert np.array_equal(store[name], self.codes[name])

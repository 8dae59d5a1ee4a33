import numpy as np
import pytest

from llmcxr import images
from llmcxr.common.errors import UserError
from llmcxr.data import Rejections, open_dataset
from llmcxr.data.phantom import PhantomDataset
from llmcxr.evaluation.tokenizer import evaluate_tokenizer
from llmcxr.images.checks import summarise_images
from tests.llmcxr.evaluation.fakes import KnowingEvaluator, NumberedPhantoms
from tests.llmcxr.evaluation.tokenizer.tokenizers import Passing


def test_a_perfect_tokenizer_loses_nothing():
    phantoms = NumberedPhantoms(40)
    result = evaluate_tokenizer(Passing(16), phantoms, classifier=KnowingEvaluator(phantoms), batch_size=7)
    scores = result.json
    assert (scores["n"], scores["psnr"], scores["ssim"], scores["ms_ssim"]) == (40, 100, 1, pytest.approx(1))
    assert (scores["codes_used"], scores["usage"], scores["perplexity"]) == (2, 0.5, pytest.approx(2))
    assert scores["macro"]["survival"] == 1 and scores["macro"]["auroc_change"] == 0
    assert scores["lesion_psnr"] == 100
    assert scores["frechet"] is None
    assert scores["n"] == 40 and scores["psnr_interval"] == (100, 100)


def test_what_is_lost_shows():
    phantoms = NumberedPhantoms(40)
    lossy = Passing(16, gain=0.0)  # every picture becomes phantom 0
    scores = evaluate_tokenizer(lossy, phantoms, classifier=KnowingEvaluator(phantoms)).json
    assert scores["macro"]["survival"] < 0.5 and scores["macro"]["auroc_change"] < 0
    assert scores["psnr"] < 100


def means(images):
    """A feature extractor of two numbers."""
    return np.stack([images.mean((1, 2)), images.std((1, 2))], axis=1)


means.name, means.dimension = "means", 2


def test_half_the_contrast_is_half_the_lines_and_a_frechet_distance():
    phantoms = PhantomDataset(12, 5)
    whole = evaluate_tokenizer(Passing(64), phantoms, extractor=means).json
    half = evaluate_tokenizer(Passing(64, gain=0.5), phantoms, extractor=means).json
    assert whole["line_contrast"] == pytest.approx(1) and half["line_contrast"] == pytest.approx(0.5)
    assert whole["frechet"] == pytest.approx(0, abs=1e-6) and half["frechet"] > 0.01
    assert half["frechet_features"] == "means"
    assert half["psnr_interval"][0] <= half["psnr"] <= half["psnr_interval"][1]
    assert half["per_finding"]["pneumothorax"]["num_lines"] >= 1
    assert half["per_finding"]["pneumothorax"]["lesion_psnr"] < 30
    assert "auroc_original" not in half["per_finding"]["pneumothorax"]  # there was no judge


def test_images_unlike_those_of_the_training_are_warned_of():
    phantoms = PhantomDataset(12, 5)
    pictures = phantoms.read_many(range(12), 32)
    alike = evaluate_tokenizer(Passing(32), phantoms, training_images=summarise_images([pictures], 32))
    assert alike.json["site"]["judged"] and not alike.json["site"]["warnings"]
    darker = summarise_images([pictures * 0.3], 32)
    warnings = evaluate_tokenizer(Passing(32), phantoms, training_images=darker).json["site"]["warnings"]
    assert len(warnings) == 1 and "brightness (median 0.6" in warnings[0]
    assert "100% outside its range" in warnings[0]
    site = evaluate_tokenizer(Passing(32), phantoms).json["site"]
    assert not site["judged"] and "cannot be judged" in site["warnings"][0]


@pytest.fixture
def radiographs(tmp_path):
    rng = np.random.default_rng(0)
    images.write_png(tmp_path / "black.png", np.zeros((40, 40)))
    images.write_png(tmp_path / "radiograph.png", rng.random((300, 200)))
    (tmp_path / "cut.png").write_bytes((tmp_path / "radiograph.png").read_bytes()[:900])
    (tmp_path / "radiographs.csv").write_text("image,text\nblack.png,a\ncut.png,b\nradiograph.png,c\n")
    return f"csv:{tmp_path / 'radiographs.csv'}"


def test_bad_radiographs_are_left_out_and_black_ones_give_numbers(radiographs):
    rejections = Rejections()
    result = evaluate_tokenizer(Passing(32), open_dataset(radiographs), rejections=rejections)
    assert result.json["n"] == 2 and result.json["left_out"] == 1
    assert "cut.png" in rejections.entries[0][1]
    assert result.json["psnr"] == 100 and result.json["ms_ssim"] == pytest.approx(1)
    with pytest.raises(UserError, match=r"cut\.png"):
        evaluate_tokenizer(Passing(32), open_dataset(radiographs))


def test_where_nothing_can_be_read_the_reason_is_said(radiographs, tmp_path):
    (tmp_path / "radiographs.csv").write_text("image,text\ncut.png,b\n")
    with pytest.raises(UserError, match=r"none of 1 that can be read; the first: .*cut\.png"):
        evaluate_tokenizer(Passing(32), open_dataset(radiographs), rejections=Rejections())

import json

import numpy as np
import pytest

from llmcxr.common.errors import UserError
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from llmcxr.metrics.metric import Inputs, score
from llmcxr.metrics.reports.chexbert import FINDINGS, load_chexbert, open_chexbert

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "no", "edema", "effusion", "heart", "large", "."]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A BERT of a few thousand random numbers, saved as CheXbert's is."""
    import torch
    from transformers import BertConfig, BertModel

    folder = tmp_path_factory.mktemp("bert")
    config = BertConfig(
        vocab_size=len(WORDS),
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        initializer_range=1.0,  # wide, so that reports differ
    )
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    (folder / "vocab.txt").write_text("\n".join(WORDS))
    torch.manual_seed(0)
    model = torch.nn.Module()
    model.bert = BertModel(config)
    model.linear_heads = torch.nn.ModuleList(torch.nn.Linear(16, 4 if i < 13 else 2) for i in range(14))
    state = {f"module.{name}": value for name, value in model.state_dict().items()}
    torch.save({"epoch": 3, "model_state_dict": state}, folder / "chexbert.pth")
    return folder, model.eval()


REPORTS = ["No edema.", "large heart .", "", "effusion\n\n large", "No edema."]


def test_heads_and_classes_are_read_as_published(weights):
    import torch

    folder, model = weights
    labeler = load_chexbert(folder / "chexbert.pth", folder)
    labeler.batch_size = 2
    codes = labeler.label(REPORTS)
    assert (codes.dtype, codes.shape) == (np.int8, (5, 14))
    ids = {word: place for place, word in enumerate(WORDS)}
    for report, row in zip(REPORTS, codes, strict=True):
        words = report.lower().replace(".", " .").split()
        tokens = torch.tensor([[ids[word] for word in ["[CLS]", *words, "[SEP]"]]])
        with torch.no_grad():
            hidden = model.bert(tokens).last_hidden_state[:, 0]
            chosen = [int(head(hidden).argmax()) for head in model.linear_heads]
        assert row.tolist() == [(-2, 1, 0, -1)[choice] for choice in chosen]
    assert len(np.unique(codes[:4], axis=0)) > 1
    assert labeler.embed(REPORTS).shape == (5, 16)


def test_metrics_judge_what_chexbert_reads(weights):
    folder, _ = weights
    metrics = open_chexbert(folder / "chexbert.pth", folder)
    names = [metric.name for metric in metrics]
    assert "CheXbert micro F1, all 14 [omission negative, uncertain positive]" in names
    assert "CheXbert macro F1, CheXpert 5 [omission negative, uncertain negative]" in names
    inputs = Inputs([str(i) for i in range(5)], REPORTS, REPORTS)
    micro = metrics[names.index("CheXbert micro F1, all 14 [omission negative, uncertain positive]")]
    assert score(micro, inputs).value == 1.0


def test_the_findings_are_the_fourteen():
    assert set(FINDINGS) == set(CHEXPERT_FINDINGS)
    assert FINDINGS[-1] == "No Finding"


def test_what_is_missing_is_named(weights, tmp_path):
    import torch

    folder, _ = weights
    with pytest.raises(UserError, match=r"nowhere\.pth: expected CheXbert's chexbert\.pth"):
        load_chexbert(tmp_path / "nowhere.pth", folder)
    with pytest.raises(UserError, match=r"config\.json of bert-base-uncased"):
        load_chexbert(folder / "chexbert.pth", tmp_path)
    torch.save({"model_state_dict": {"bert.other": torch.zeros(1)}}, tmp_path / "other.pth")
    with pytest.raises(UserError, match="not the weights of a CheXbert"):
        load_chexbert(tmp_path / "other.pth", folder)

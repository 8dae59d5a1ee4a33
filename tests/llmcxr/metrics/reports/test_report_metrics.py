from llmcxr.metrics.metric import Inputs, score_all
from llmcxr.metrics.reports import report_metrics
from tests.llmcxr.metrics.reports.words import make_inputs


def test_word_metrics_need_reports_alone():
    scores = score_all(report_metrics(), make_inputs())
    names = ["BLEU-1", "BLEU-2", "BLEU-3", "BLEU-4", "ROUGE-L", "METEOR (exact, stem)", "CIDEr-D"]
    assert [one.name for one in scores] == names
    assert all(one.interval[0] < one.value < one.interval[1] for one in scores)


def test_label_metrics_wait_for_labels():
    metrics = report_metrics(("edema", "mass"))
    assert len(metrics) > len(report_metrics())
    assert len(score_all(metrics, make_inputs())) == 7
    assert score_all(metrics, Inputs(["p"])) == []


def test_a_report_is_perfect_against_itself():
    inputs = make_inputs()
    texts = [text for text in inputs.references if len(text.split()) > 4]
    scores = score_all(report_metrics(), Inputs([str(i) for i in range(len(texts))], texts, texts))
    values = {one.name: one.value for one in scores}
    assert [values[name] for name in ("BLEU-1", "BLEU-4", "ROUGE-L", "METEOR (exact, stem)")] == [1] * 4
    assert abs(values["CIDEr-D"] - 10) < 1e-9

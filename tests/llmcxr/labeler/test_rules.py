import tarfile
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.data.phantom.case import FINDINGS
from llmcxr.findings import FINDING_OF_NIH_LABEL
from llmcxr.labeler.rules import LABELED_FINDINGS, Mention, find_present, label, read_findings, read_ratio
from llmcxr.metrics.scores import detection
from llmcxr.records import Label, Report
from llmcxr.reports import describe_labels

SIGNS = {Label.PRESENT: "+", Label.ABSENT: "-", Label.UNCERTAIN: "?"}


def shorten(text: str) -> set[str]:
    """Every mention as "+right lower consolidation (small)"."""
    return {_shorten(mention) for mention in read_findings(text)}


def _shorten(mention: Mention) -> str:
    grade = f"({mention.grade})" if mention.grade else ""
    words = (SIGNS[mention.state], mention.side, mention.zone, mention.name, grade)
    return " ".join(word for word in words if word)


@pytest.mark.parametrize(
    ("text", "mentions"),
    [
        # Requests as users type them
        (
            "Large right pleural effusion with cardiomegaly.",
            {"+ right pleural effusion (large)", "+ cardiomegaly"},
        ),
        ("right apical pneumothorax. pacemaker", {"+ right pneumothorax", "+ pacemaker"}),
        ("Nodule in the left upper zone, heart size normal.", {"+ left upper nodule", "- cardiomegaly"}),
        (
            "RLL consolidation and small left effusion",
            {"+ right lower consolidation", "+ left pleural effusion (small)"},
        ),
        ("No pneumothorax, small left effusion.", {"- pneumothorax", "+ left pleural effusion (small)"}),
        ("Left PICC, mild edema", {"+ left central line", "+ edema (small)"}),
        ("Cardiothoracic ratio 0.57.", {"+ cardiomegaly"}),
        ("Cardiothoracic ratio 0.44.", {"- cardiomegaly"}),
        ("Cardiothoracic ratio 0.50.", set()),
        # Denials
        (
            "No pneumothorax, effusion, or consolidation.",
            {"- pneumothorax", "- pleural effusion", "- consolidation"},
        ),
        (
            "There is no focal consolidation or large effusion.",
            {"- consolidation", "- pleural effusion (large)"},
        ),
        ("Pleural effusion and pneumothorax are not seen.", {"- pleural effusion", "- pneumothorax"}),
        ("The endotracheal tube has been removed.", {"- endotracheal tube"}),
        ("Previously seen pneumothorax has resolved.", {"- pneumothorax"}),
        (
            "The heart is not enlarged but the mediastinum is widened.",
            {"- cardiomegaly", "+ mediastinal widening"},
        ),
        (
            "Lungs are clear of edema, pneumothorax, or effusion.",
            {"- edema", "- pneumothorax", "- pleural effusion"},
        ),
        ("No lines or tubes.", {"- pacemaker", "- central line", "- endotracheal tube"}),
        ("Effusion without pneumothorax.", {"+ pleural effusion", "- pneumothorax"}),
        ("No change in the left effusion.", {"+ left pleural effusion"}),
        # Doubt
        ("Possible right lower lobe pneumonia.", {"? right lower pneumonia"}),
        ("Pneumothorax cannot be excluded.", {"? pneumothorax"}),
        ("Consolidation may represent pneumonia.", {"+ consolidation", "? pneumonia"}),
        ("Borderline cardiomegaly.", {"? cardiomegaly"}),
        ("No consolidation to suggest pneumonia.", {"- consolidation", "- pneumonia"}),
        # Places and grades
        ("In the right lower lobe, there is consolidation.", {"+ right lower consolidation"}),
        (
            "Left lower lobe atelectasis and effusion.",
            {"+ left lower atelectasis", "+ left pleural effusion"},
        ),
        ("Atelectasis and effusion on the left.", {"+ left atelectasis", "+ left pleural effusion"}),
        ("Left pneumothorax and pacemaker.", {"+ left pneumothorax", "+ pacemaker"}),
        ("Effusions on the left and right.", {"+ bilateral pleural effusion"}),
        ("Bibasilar atelectasis.", {"+ bilateral lower atelectasis"}),
        ("The left effusion is moderate.", {"+ left pleural effusion (moderate)"}),
        ("Severely enlarged heart.", {"+ cardiomegaly (large)"}),
        ("The cardiac silhouette is mildly enlarged.", {"+ cardiomegaly (small)"}),
        ("Mass in the right middle lobe.", {"+ right mid nodule (large)", "+ right mid mass"}),
        ("Right central line with tip in the right atrium.", {"+ right central line"}),
        ("Pericardial effusion. Subcutaneous emphysema.", set()),
        # Questions count with their answers
        ("Is there a pneumothorax?", set()),
        ("Is there a pneumothorax? No.", {"- pneumothorax"}),
        ("Is there a nodule? Yes, in the left upper zone.", {"+ left upper nodule"}),
        ("Which side is the effusion on? On both sides.", {"+ bilateral pleural effusion"}),
        ("How large is the effusion? Large.", {"+ pleural effusion (large)"}),
        ("Is the heart enlarged? Yes.", {"+ cardiomegaly"}),
        ("What devices are present? None.", {"- pacemaker", "- central line", "- endotracheal tube"}),
        ("What devices are present? A left pacemaker.", {"+ left pacemaker"}),
        ("Is this radiograph normal? No.", set()),
        # Only findings and impression of a report speak
        ("INDICATION: Evaluate for pneumothorax. FINDINGS: Left effusion.", {"+ left pleural effusion"}),
        ("", set()),
    ],
)
def test_read_findings(text, mentions):
    assert shorten(text) == mentions


def test_normal_statements_deny_what_they_cover():
    labels = label("Heart size and mediastinal contours are within normal limits. The lungs are clear.")
    assert labels["cardiomegaly"] is labels["mediastinal widening"] is Label.ABSENT
    assert labels["nodule"] is labels["edema"] is Label.ABSENT
    assert labels["pneumothorax"] is labels["pacemaker"] is Label.NOT_MENTIONED


def test_an_enlarged_heart_beside_a_normal_mediastinum():
    labels = label("The heart is enlarged, the mediastinum is normal.")
    assert labels["cardiomegaly"] is Label.PRESENT
    assert labels["mediastinal widening"] is Label.ABSENT


def test_present_wins_over_uncertain_over_absent():
    report = Report(findings="No effusion. Possible nodule. No nodule.", impression="Small left effusion.")
    labels = label(report)
    assert labels["pleural effusion"] is Label.PRESENT
    assert labels["nodule"] is Label.UNCERTAIN
    assert labels["pneumothorax"] is Label.NOT_MENTIONED
    assert set(labels) == set(LABELED_FINDINGS) >= {*FINDINGS, *FINDING_OF_NIH_LABEL.values()}


def test_find_present_gathers_details_over_mentions():
    text = "There is an effusion. Small effusion on the right. No nodule."
    assert find_present(text) == {
        "pleural effusion": Mention("pleural effusion", Label.PRESENT, "right", "", "small")
    }


@pytest.mark.parametrize(
    ("text", "ratio"),
    [
        ("The heart is normal, cardiothoracic ratio 0.46.", 0.46),
        ("Cardio-thoracic ratio of approximately 0.5", 0.5),
        ("CTR 58%", 0.58),
        ("0.53.", 0.53),
        ("0.53", 0.53),
        ("Effusion of 0.53 l.", None),
        ("Cardiothoracic ratio 5.3", None),
        ("Cardiothoracic ratio .05", None),
        ("", None),
    ],
)
def test_read_ratio(text, ratio):
    assert read_ratio(text) == ratio


@pytest.mark.parametrize("name", FINDING_OF_NIH_LABEL)
def test_texts_written_from_labels_read_back(name):
    labels = label(describe_labels([name]))
    present = {finding for finding, state in labels.items() if state is Label.PRESENT}
    assert present - {"nodule"} == {FINDING_OF_NIH_LABEL[name]} - {"nodule"}


@given(st.text(alphabet="no lefturigd,.?:;/ nodulemasyn0123456789\n()%", max_size=300))
def test_any_text_is_read_without_error(text):
    assert set(label(text).values()) <= set(Label)


def test_a_very_long_sentence_is_read():
    assert label("no " * 1000 + "effusion and " * 1000)["pleural effusion"] is Label.ABSENT


def test_agrees_with_the_indexers_of_openi(shared_data):
    """The MeSH tags were given by people who read the same reports; they tag what is certain."""
    tags_of = {"cardiomegaly": "cardiomegaly", "pleural effusion": "pleural effusion"}
    tags_of["pulmonary atelectasis"] = "atelectasis"
    tagged: dict[str, list[bool]] = {name: [] for name in tags_of.values()}
    read: dict[str, list[bool]] = {name: [] for name in tags_of.values()}
    for report, tags in _read_openi(shared_data / "openi" / "NLMCXR_reports.tgz"):
        labels = label(report)
        for tag, name in tags_of.items():
            tagged[name].append(tag in tags)
            read[name].append(labels[name] is Label.PRESENT)
    for name in tagged:
        assert detection(tagged[name], read[name])["f1"] > 0.85


def _read_openi(path):
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.name.endswith(".xml"):
                continue
            root = ElementTree.parse(archive.extractfile(member))
            sections = {
                (text.get("Label") or "").lower(): text.text or "" for text in root.iter("AbstractText")
            }
            tags = {(tag.text or "").split("/")[0].strip().lower() for tag in root.iterfind(".//MeSH/major")}
            yield (
                Report(findings=sections.get("findings", ""), impression=sections.get("impression", "")),
                tags,
            )

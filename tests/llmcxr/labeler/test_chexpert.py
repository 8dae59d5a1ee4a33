import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS, label_chexpert
from llmcxr.labeler.rules import clear_cache
from llmcxr.records import Label, Report

# Wordings that fit every frame below: nouns of one finding alone.
WORDINGS = {
    "Enlarged Cardiomediastinum": ("mediastinal widening", "mediastinal prominence", "mediastinal fullness"),
    "Cardiomegaly": ("cardiomegaly", "cardiac enlargement"),
    "Lung Lesion": ("nodule", "lung mass", "pulmonary nodule", "cavitary lesion", "metastasis"),
    "Lung Opacity": ("opacity", "infiltrate", "airspace disease", "scarring", "interstitial markings"),
    "Edema": ("pulmonary edema", "vascular congestion", "heart failure", "interstitial edema"),
    "Consolidation": ("consolidation", "lobar consolidation"),
    "Pneumonia": ("pneumonia", "bronchopneumonia", "infection"),
    "Atelectasis": ("atelectasis", "lobar collapse"),
    "Pneumothorax": ("pneumothorax",),
    "Pleural Effusion": ("pleural effusion", "effusion", "pleural fluid", "hemothorax"),
    "Pleural Other": ("pleural thickening", "pleural scarring", "pleural plaque", "apical cap"),
    "Fracture": ("fracture", "rib fracture", "clavicle fracture"),
    "Support Devices": (
        "pacemaker",
        "central venous catheter",
        "endotracheal tube",
        "chest tube",
        "picc line",
    ),
}
NAMED = st.sampled_from([(finding, word) for finding, words in WORDINGS.items() for word in words])


def find(text: str, state: Label) -> set[str]:
    return {name for name, said in label_chexpert(text).items() if said is state}


@given(NAMED, st.sampled_from(("No {}.", "There is no {}.", "Without {}.", "The {} has resolved.")))
def test_denied(named, frame):
    finding, word = named
    labels = label_chexpert(frame.format(word))
    assert labels[finding] is Label.ABSENT
    assert labels["No Finding"] is Label.PRESENT


@given(
    NAMED,
    st.sampled_from(
        ("Possible {}.", "Probable {}.", "Questionable {}.", "May represent {}.", "{} cannot be excluded.")
    ),
)
def test_doubted(named, frame):
    finding, word = named
    labels = label_chexpert(frame.format(word))
    assert labels[finding] is Label.UNCERTAIN
    assert (labels["No Finding"] is Label.PRESENT) == (finding == "Support Devices")


@given(
    NAMED,
    st.sampled_from(
        (
            "{} is seen.",
            "There is {}.",
            "No change in {}.",
            "Small {}.",
            "{} persists.",
            "Compatible with {}.",
        )
    ),
)
def test_asserted(named, frame):
    finding, word = named
    labels = label_chexpert(frame.format(word))
    assert labels[finding] is Label.PRESENT
    assert (labels["No Finding"] is Label.PRESENT) == (finding == "Support Devices")


@given(NAMED, NAMED, NAMED)
def test_a_denial_reaches_over_a_list(first, second, third):
    labels = label_chexpert(f"No {first[1]}, {second[1]}, or {third[1]}.")
    assert {labels[finding] for finding, _ in (first, second, third)} == {Label.ABSENT}


@given(NAMED, NAMED)
def test_a_denial_ends_at_but(denied, stated):
    labels = label_chexpert(f"No {denied[1]}, but there is {stated[1]}.")
    assert labels[stated[0]] is Label.PRESENT
    if denied[0] != stated[0]:
        assert labels[denied[0]] is Label.ABSENT


@given(NAMED, NAMED)
def test_a_later_sentence_changes_nothing_of_another_finding(first, second):
    labels = label_chexpert(f"There is {first[1]}. No {second[1]}.")
    assert labels[first[0]] is Label.PRESENT


@pytest.mark.parametrize(
    ("text", "present"),
    [
        ("The heart is moderately enlarged.", {"Cardiomegaly"}),
        ("Enlarged cardiomediastinal silhouette.", {"Cardiomegaly", "Enlarged Cardiomediastinum"}),
        ("The mediastinum appears widened.", {"Enlarged Cardiomediastinum"}),
        ("A nodular density overlies the left base.", {"Lung Lesion", "Lung Opacity"}),
        ("Right hydropneumothorax.", {"Pneumothorax", "Pleural Effusion"}),
        ("Left upper lobe mass.", {"Lung Lesion"}),
        ("Hazy right base.", {"Lung Opacity"}),
        ("Coarse reticular pattern in both lungs.", {"Lung Opacity"}),
        ("The pulmonary vasculature is engorged.", {"Edema"}),
        ("Thickening of the minor fissure.", {"Pleural Other"}),
        ("Biapical pleural-parenchymal scarring.", {"Pleural Other"}),
        ("Old healed fractures of the left ribs.", {"Fracture"}),
        ("Fractured pacing lead.", {"Support Devices", "No Finding"}),
        ("Cholecystectomy clips.", {"Support Devices", "No Finding"}),
        ("Left port with its tip in the upper SVC.", {"Support Devices", "No Finding"}),
        ("Prosthetic aortic valve and cervical spine fusion.", {"Support Devices", "No Finding"}),
        ("Breast implants.", {"No Finding"}),
        # Abnormalities of no finding
        ("Calcified granuloma in the right lung.", set()),
        ("Calcified nodule.", set()),
        ("Sequela of granulomatous infection.", set()),
        ("Blunting of the left costophrenic angle.", set()),
        ("Scoliosis. Tortuous aorta. Hyperinflated lungs.", set()),
        ("Compression deformity of a vertebra.", set()),
        # Normal reports
        ("Heart size is normal. The lungs are clear.", {"No Finding"}),
        ("No acute cardiopulmonary abnormality.", {"No Finding"}),
        ("No focal opacity, effusion or pneumothorax. No bony abnormality.", {"No Finding"}),
        ("INDICATION: Pneumonia. FINDINGS: The lungs are clear.", {"No Finding"}),
        ("", set()),
    ],
)
def test_present(text, present):
    assert find(text, Label.PRESENT) == present


@pytest.mark.parametrize(
    ("text", "uncertain"),
    [
        ("Differential includes edema, atypical infection, and hemorrhage.", {"Edema", "Pneumonia"}),
        ("This may be due to atelectasis or infiltrate.", {"Atelectasis", "Lung Opacity"}),
        ("May represent scarring, atelectasis, or pneumonia.", {"Lung Opacity", "Atelectasis", "Pneumonia"}),
        ("It is difficult to completely exclude a pneumonia.", {"Pneumonia"}),
        ("Correlate clinically for pneumonia.", {"Pneumonia"}),
        ("Question small effusion.", {"Pleural Effusion"}),
        ("Borderline cardiomegaly.", {"Cardiomegaly"}),
        ("Age-indeterminate rib fracture.", set()),
    ],
)
def test_uncertain(text, uncertain):
    assert find(text, Label.UNCERTAIN) == uncertain


def test_present_wins_over_uncertain_over_absent():
    report = Report(findings="No effusion. Possible nodule. No nodule.", impression="Small left effusion.")
    labels = label_chexpert(report)
    assert tuple(labels) == CHEXPERT_FINDINGS
    assert labels["Pleural Effusion"] is Label.PRESENT
    assert labels["Lung Lesion"] is Label.UNCERTAIN
    assert labels["Fracture"] is labels["No Finding"] is Label.NOT_MENTIONED


def test_clear_lungs_have_no_opacity():
    labels = label_chexpert("The lungs are clear. No support devices.")
    for finding in ("Lung Opacity", "Consolidation", "Lung Lesion", "Support Devices"):
        assert labels[finding] is Label.ABSENT


@given(st.text(alphabet="no lefturigd,.?:;/ nodulemasyn0123456789\n()%", max_size=300))
def test_any_text_is_read_without_error(text):
    assert set(label_chexpert(text).values()) <= set(Label)


@pytest.mark.parametrize(
    "words",
    [
        "no effusion and ",
        "possible opacity ",
        "nodule is not seen ",
        "surgical pulmonary ",
        "may be ",
        "prior effusion ",
        "effusion (-) ",
        "pneumothoraxx, ",
        "edema: no ",
    ],
)
def test_a_long_sentence_takes_time_in_proportion(words):
    def seconds(repeats: int) -> float:
        clear_cache()
        start = time.process_time()
        label_chexpert(words * repeats)
        return time.process_time() - start

    seconds(100)
    assert seconds(4000) < 20 * seconds(1000) + 0.2

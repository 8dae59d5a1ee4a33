import pytest

from llmcxr.data.openi import _parse_tags
from llmcxr.labeler.chexpert import CHEXPERT_FINDINGS
from llmcxr.labeler.openi_tags import TAGS, find_findings, to_chexpert
from llmcxr.records import Label


@pytest.mark.parametrize(
    ("tags", "present"),
    [
        (["normal"], {"No Finding"}),
        (["Catheters, Indwelling/right"], {"No Finding", "Support Devices"}),
        (["Aorta/tortuous"], set()),
        (["Opacity/lung/base/left"], {"Lung Opacity"}),
        (["Opacity/lung/base/left/round"], {"Lung Opacity", "Lung Lesion"}),
        (["Density/ribs/left"], set()),
        (["Airspace Disease/lung/base/left"], {"Lung Opacity"}),
        (["Consolidation/lung/lower lobe/left"], {"Consolidation"}),
        (
            ["Airspace Disease/lung/right", "Consolidation/lung/lower lobe/left"],
            {"Consolidation", "Lung Opacity"},
        ),
        (["Infiltrate/lung/right"], {"Lung Opacity"}),
        (["Pulmonary Congestion/mild"], {"Edema"}),
        (["Cardiac Shadow/enlarged/mild"], {"Cardiomegaly"}),
        (["Thickening/pleura/apex/bilateral"], {"Pleural Other"}),
        (["Thickening/bronchovascular"], set()),
        (["Calcified Granuloma/lung/left"], set()),
        (["Hydropneumothorax/right"], {"Pneumothorax", "Pleural Effusion"}),
        (["Mediastinum/right/enlarged/mild"], {"Enlarged Cardiomediastinum"}),
    ],
)
def test_tags(tags, present):
    states = to_chexpert(_parse_tags(tags))
    assert {name for name, state in states.items() if state is Label.PRESENT} == present
    assert tuple(states) == CHEXPERT_FINDINGS


def test_a_borderline_tag_is_uncertain_and_no_tags_say_nothing():
    states = to_chexpert(_parse_tags(["Cardiomegaly/borderline"]))
    assert states["Cardiomegaly"] is Label.UNCERTAIN and states["No Finding"] is Label.ABSENT
    assert to_chexpert(_parse_tags(["No Indexing"])) == {}


def test_every_finding_but_no_finding_has_tags():
    assert set(TAGS) == {*CHEXPERT_FINDINGS} - {"No Finding"}
    assert find_findings("scoliosis/mild") == ()

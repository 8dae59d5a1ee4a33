import numpy as np

from llmcxr import images
from llmcxr.data import StudyDataset
from llmcxr.data.phantom import PhantomDataset
from llmcxr.evaluation.tokenizer.regions import lesion_regions, thin_lines
from llmcxr.records import LesionBox, Radiograph, Study


def test_a_box_lands_where_the_radiograph_was_fitted(tmp_path):
    images.write_png(tmp_path / "radiograph.png", np.zeros((40, 80)))  # fitted to 16 px: rows 4 to 12 hold it
    radiograph = Radiograph(
        "radiograph", "study", "patient", str(tmp_path / "radiograph.png"), view_position="PA"
    )
    boxes = {
        "radiograph": [LesionBox("mass", 0.0, 0.5, 0.5, 1.0), LesionBox("nodule", 0.999, 0.0, 1.0, 0.001)]
    }
    dataset = StudyDataset([Study("study", "patient", (radiograph,))], marked=boxes)
    regions = dict(lesion_regions(dataset, 0, 16))
    expected = np.zeros((16, 16), bool)
    expected[4:8, 8:16] = True
    assert (regions["mass"] == expected).all()
    assert regions["nodule"].sum() == 1 and regions["nodule"][11, 0]
    assert not list(lesion_regions(StudyDataset([Study("study", "patient", (radiograph,))]), 0, 16))


def test_phantoms_know_their_lesions_and_lines():
    dataset = PhantomDataset(30, 5)
    for index in range(30):
        names = [finding.name for finding in dataset.case(index).findings]
        assert {name for name, _ in lesion_regions(dataset, index, 64)} <= set(names)
        assert {name for name, _ in thin_lines(dataset, index, 64)} <= set(names)
    lined = {name for index in range(30) for name, _ in thin_lines(dataset, index, 64)}
    assert {"pneumothorax", "central line"} <= lined

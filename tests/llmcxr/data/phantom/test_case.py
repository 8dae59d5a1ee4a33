from dataclasses import replace

from llmcxr.data.phantom.case import DrawnFinding
from tests.llmcxr.data.phantom.cases import PLAIN


def test_a_finding_is_found_by_its_name():
    nodule = DrawnFinding("nodule", "left", "upper", "small")
    case = replace(PLAIN, findings=(DrawnFinding("edema", "bilateral"), nodule))
    assert case.find("nodule") is nodule
    assert case.find("effusion") is None and PLAIN.find("nodule") is None

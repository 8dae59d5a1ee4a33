import pytest

from llmcxr.codes.encode import EncodingConfig
from llmcxr.training.lm_config import FindingMapConfig, LMRun, LMTrainingConfig


def test_finding_maps_need_images_as_they_are():
    with pytest.raises(ValueError, match=r"encoding\.augmentations=2"):
        LMRun(finding_map=FindingMapConfig(drawn=1.0), encoding=EncodingConfig(augmentations=2))
    LMRun(encoding=EncodingConfig(augmentations=2))


def test_weights_of_finding_maps_are_not_negative_and_0_is_off():
    with pytest.raises(ValueError, match="finding_map weights must be 0 or more"):
        FindingMapConfig(read=-1.0)
    assert not FindingMapConfig().is_wanted
    assert FindingMapConfig(drawn=0.5).is_wanted and FindingMapConfig(read=0.5).is_wanted


def test_an_unknown_template_is_named():
    with pytest.raises(ValueError, match=r"template must be one of .*compact.*, got 'chat'"):
        LMRun(template="chat")


def test_a_language_model_warms_up_by_defaults_of_its_own():
    assert (LMTrainingConfig().warmup_steps, LMTrainingConfig().decay) == (100, "linear")

from vqgan import VQGANConfig
from vqgan.old_names import OLD_NAMES, from_old_names, to_old_names


def test_old_and_new_names_are_inverse():
    today = VQGANConfig().to_dict()
    before = to_old_names(today)
    assert OLD_NAMES.keys() <= before.keys() and "cxr" not in before and "fsq" not in before
    assert from_old_names(before) == today
    assert from_old_names(today) == today


def test_every_new_name_is_a_setting_of_today():
    today = VQGANConfig().to_dict()
    for new in OLD_NAMES.values():
        group, _, name = new.partition(".")
        assert name in today[group]

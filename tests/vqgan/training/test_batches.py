import pytest

from vqgan.training.batches import StepBatches


def test_each_pass_visits_every_image_once_in_another_order() -> None:
    batches = list(StepBatches(num_images=10, batch_size=4, seed=0, first_step=0, last_step=5))
    indices = [index for batch in batches for index in batch]
    assert [len(batch) for batch in batches] == [4] * 5  # batches run on across the border of two passes
    assert sorted(indices[:10]) == sorted(indices[10:]) == list(range(10))
    assert indices[:10] != indices[10:]


def test_a_step_has_the_same_batch_wherever_the_run_began() -> None:
    whole = list(StepBatches(10, 4, seed=3, first_step=0, last_step=20))
    assert list(StepBatches(10, 4, seed=3, first_step=13, last_step=20)) == whole[13:]
    assert list(StepBatches(10, 4, seed=4, first_step=0, last_step=20)) != whole


def test_processes_share_a_batch() -> None:
    whole = next(iter(StepBatches(10, 4, 0, 0, 1)))
    ranks = [next(iter(StepBatches(10, 4, 0, 0, 1, rank, num_processes=2))) for rank in (0, 1)]
    assert sorted(ranks[0] + ranks[1]) == sorted(whole) and len(ranks[0]) == len(ranks[1]) == 2


def test_impossible_requests_are_refused() -> None:
    with pytest.raises(ValueError, match="batch_size 5 cannot be split over 2"):
        StepBatches(10, 5, 0, 0, 1, 0, 2)
    with pytest.raises(ValueError, match="dataset is empty"):
        StepBatches(0, 4, 0, 0, 1)


def test_a_step_can_be_cut_into_micro_batches_and_taken_in_order() -> None:
    whole = list(StepBatches(10, 4, seed=3, first_step=0, last_step=3))
    cut = list(StepBatches(10, 4, seed=3, first_step=0, last_step=3, num_micro=2))
    assert [first + second for first, second in zip(cut[::2], cut[1::2], strict=True)] == whole
    assert list(StepBatches(12, 4, seed=None, first_step=1, last_step=3)) == [[4, 5, 6, 7], [8, 9, 10, 11]]

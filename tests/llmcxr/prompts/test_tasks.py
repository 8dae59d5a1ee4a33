"""The instructions of the tasks: what is asked tells which task is meant."""

from llmcxr.prompts import DRAW, REPORT, SUMMARY


def test_no_instruction_asks_for_two_tasks():
    instructions = [one for task in (DRAW, REPORT, SUMMARY) for one in task.instructions]
    assert len(set(instructions)) == len(instructions)
    assert all(one == one.strip() and one for one in instructions)

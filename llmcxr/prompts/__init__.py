"""What is said around the data: templates, tasks and their wording. Knows no model and no dataset."""

from llmcxr.prompts.tasks import DRAW, REPORT, SUMMARY, Task
from llmcxr.prompts.template import TEMPLATES, Encoder, PromptTemplate

__all__ = ["DRAW", "REPORT", "SUMMARY", "TEMPLATES", "Encoder", "PromptTemplate", "Task"]

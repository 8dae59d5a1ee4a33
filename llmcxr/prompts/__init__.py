"""Word what stands around the data: templates, tasks and instructions. Knows no model and no dataset."""

from llmcxr.prompts.prompt_tokenizer import PromptTokenizer
from llmcxr.prompts.tasks import DRAW, REPORT, SUMMARY, Task
from llmcxr.prompts.template import TEMPLATES, PromptTemplate

__all__ = ["DRAW", "REPORT", "SUMMARY", "TEMPLATES", "PromptTemplate", "PromptTokenizer", "Task"]

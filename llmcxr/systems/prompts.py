"""Word what other people's models are asked unless the caller says otherwise. Knows no model."""

REPORT_PROMPT = "Write the report of this chest radiograph: the findings, then the impression."
ANSWER_PROMPT = "{question} Answer in a few words; begin with yes or no where it is asked."

"""Tasks of `pipeline`: for each task, how texts become token ids and how model outputs become answers."""

from __future__ import annotations

from collections import UserDict
from importlib import import_module
from typing import Any

from gatonegro.tasks.task import Encoded, Notice, RowOutput, Task, notice


class _Tasks(UserDict[str, Any]):
    """Tasks by name; a task of this package is imported when it is asked for."""

    def __getitem__(self, name: str) -> Task:
        if isinstance(task := self.data[name], str):
            module, _, constant = task.partition(".")
            self.data[name] = task = getattr(import_module(f"gatonegro.tasks.{module}"), constant)
        return task  # type: ignore[no-any-return]


TASKS = _Tasks(
    {
        "text-classification": "text_classification.TEXT_CLASSIFICATION",
        "token-classification": "token_classification.TOKEN_CLASSIFICATION",
        "question-answering": "question_answering.QUESTION_ANSWERING",
        "zero-shot-classification": "zero_shot.ZERO_SHOT",
        "fill-mask": "fill_mask.FILL_MASK",
        "feature-extraction": "feature_extraction.FEATURE_EXTRACTION",
        "translation": "translation.TRANSLATION",
        "summarization": "text2text.SUMMARIZATION",
        "text2text-generation": "text2text.TEXT2TEXT",
        "text-generation": "text_generation.TEXT_GENERATION",
    }
)
ALIASES = {"sentiment-analysis": "text-classification", "ner": "token-classification"}

__all__ = ["ALIASES", "TASKS", "Encoded", "Notice", "RowOutput", "Task", "notice"]

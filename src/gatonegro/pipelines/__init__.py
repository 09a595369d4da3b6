"""Pipelines, which apply a model and its tokenizer to a task, and the loop that computes all tasks' answers."""

from importlib import import_module
from typing import Any

from gatonegro.pipelines.base import Part, Pipeline
from gatonegro.pipelines.factory import pipeline, pipeline_class
from gatonegro.pipelines.loop import Answer
from gatonegro.tasks import ALIASES, TASKS, Notice

__all__ = ["Answer", "Notice", "Part", "Pipeline", "find_class", "pipeline"]


def __getattr__(name: str) -> Any:
    if name == "pt_utils":  # as in `transformers`
        return import_module("gatonegro.pipelines.pt_utils")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def find_class(name: str) -> type[Pipeline] | None:
    """Return the class of a task's pipelines by its name in `transformers`, such as `TextClassificationPipeline`."""
    known = {**{task.class_name: task for task in TASKS.values()}, "NerPipeline": TASKS[ALIASES["ner"]]}
    return Pipeline if name == "Pipeline" else pipeline_class(known[name]) if name in known else None

"""Pipelines, which apply a model and its tokenizer to a task, and the loop that computes all tasks' answers."""

from gatonegro.pipelines.base import Part, Pipeline
from gatonegro.pipelines.factory import pipeline, pipeline_class
from gatonegro.pipelines.loop import Answer
from gatonegro.tasks import ALIASES, TASKS, Notice

__all__ = ["Answer", "Notice", "Part", "Pipeline", "find_class", "pipeline"]


def find_class(name: str) -> type[Pipeline] | None:
    """Return the class of a task's pipelines by its name in `transformers`, such as `TextClassificationPipeline`."""
    known = {**{task.class_name: task for task in TASKS.values()}, "NerPipeline": TASKS[ALIASES["ner"]]}
    return Pipeline if name == "Pipeline" else pipeline_class(known[name]) if name in known else None

"""Pipelines, which apply a model and its tokenizer to a task, and the loop that computes all tasks' answers."""

from gatonegro.pipelines.base import Part, Pipeline
from gatonegro.pipelines.factory import pipeline
from gatonegro.pipelines.loop import Answer
from gatonegro.tasks.task import Notice

__all__ = ["Answer", "Notice", "Part", "Pipeline", "pipeline"]

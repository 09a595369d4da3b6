"""Pipelines: a task with a model and a tokenizer, and the loop that computes answers for all tasks."""

from gatonegro.pipelines.base import Part, Pipeline
from gatonegro.pipelines.factory import pipeline
from gatonegro.pipelines.loop import Answer
from gatonegro.tasks.task import Notice

__all__ = ["Answer", "Notice", "Part", "Pipeline", "pipeline"]

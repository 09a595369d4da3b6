"""Pipelines: a task with its model and tokenizer, and the one loop from rows to answers."""

from gatonegro.pipelines.base import Part, Pipeline
from gatonegro.pipelines.loading import pipeline
from gatonegro.pipelines.loop import Answer
from gatonegro.tasks.task import Notice

__all__ = ["Answer", "Notice", "Part", "Pipeline", "pipeline"]

"""Pipelines: a task with its model and tokenizer, and the one loop from rows to answers."""

from gatonegro.pipelines.loading import pipeline
from gatonegro.pipelines.loop import Pipeline

__all__ = ["Pipeline", "pipeline"]

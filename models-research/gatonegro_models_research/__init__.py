"""Weights for `gatonegro` that learned from texts for research only: a folder a model, each with its card. Data only."""

__version__ = "0.1.0"

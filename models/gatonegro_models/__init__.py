"""Weights for `gatonegro`: a folder a model, each with its card. Data only; nothing here runs."""

__version__ = "0.1.0"

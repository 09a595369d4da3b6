"""Weights for `gatonegro`: a folder a model, each with its card. Data only; nothing here runs."""

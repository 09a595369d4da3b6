"""Fast inference: choice of precision and threads, and replacement of a model's modules by faster ones."""

from gatonegro.engine.optimize import PRECISIONS, best_precision, replace_modules, uses_kernels
from gatonegro.engine.processor import limit_threads, resolve_device

__all__ = [
    "PRECISIONS",
    "best_precision",
    "limit_threads",
    "replace_modules",
    "resolve_device",
    "uses_kernels",
]

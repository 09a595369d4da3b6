"""Running a model fast: precision, operators, threads. Faster modules replace its own, in a copy."""

from gatonegro.engine.optimize import PRECISIONS, best_precision, put_twins
from gatonegro.engine.processor import cores, fit_threads, resolve_device

__all__ = ["PRECISIONS", "best_precision", "cores", "fit_threads", "put_twins", "resolve_device"]

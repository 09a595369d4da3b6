"""Models that compute with numpy arrays: the forward pass to read, and the one that answers without PyTorch."""

from gatonegro.native.loading import best_precision, load
from gatonegro.native.model import NativeModel

__all__ = ["NativeModel", "best_precision", "load"]

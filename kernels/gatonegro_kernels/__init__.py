"""Compiled CPU kernels for gatonegro, which loads the library for the processor from this folder."""

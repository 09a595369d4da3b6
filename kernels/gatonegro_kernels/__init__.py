"""Compiled kernels for gatonegro, which finds the one for the processor beside this file."""

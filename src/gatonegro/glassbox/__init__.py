"""The glass box: every number between a text and its answer, told in Spanish or English; whether a model fits a text.

`gatonegro.explain` and `gatonegro.diagnose` are public. Nothing is imported here, so that `diagnose` needs no torch.
"""

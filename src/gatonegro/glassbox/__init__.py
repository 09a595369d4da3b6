"""Explanations of a model's answer, number by number, in Spanish or English; diagnoses of its language fit.

`gatonegro.explain` and `gatonegro.diagnose` are public. Nothing is imported here, so that `diagnose` needs no torch.
"""

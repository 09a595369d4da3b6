"""Explanations of a model's answers, number by number, and diagnoses of a model's fit to a text's language.

`gatonegro.explain` and `gatonegro.diagnose` are public. Nothing is imported here, so that `diagnose` needs no torch.
"""

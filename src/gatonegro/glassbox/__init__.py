"""The glass box: every number between a text and its answer, explained in Spanish or English; `diagnose`.

`gatonegro.explain` and `gatonegro.diagnose` are public. Nothing is imported here, so that `diagnose` needs no torch.
"""

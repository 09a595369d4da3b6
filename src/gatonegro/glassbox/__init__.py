"""Explanations of a model's answers, number by number, and diagnoses of a model's fit to a text's language.

`gatonegro.explain` and `gatonegro.diagnose` are public. Neither is imported here, so that `diagnose` needs no torch.
"""

from pathlib import Path

from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))

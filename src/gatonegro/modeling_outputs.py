"""The classes of models' outputs, where `transformers` has them."""

from gatonegro.models.output import CLASSES as _CLASSES
from gatonegro.models.output import ModelOutput as ModelOutput

globals().update(_CLASSES)  # where their names are looked up

"""Text generation, token by token, with a key–value cache: greedy search, sampling and beam search."""

from gatonegro.generation.hypothesis import Generated, is_repeating
from gatonegro.generation.options import OPTION_CHECKS, UNSUPPORTED_OPTIONS, GenerationConfig, generation_config
from gatonegro.generation.sampling import generate
from gatonegro.generation.state import GenerativeModel

__all__ = [
    "OPTION_CHECKS", "UNSUPPORTED_OPTIONS", "Generated", "GenerationConfig", "GenerativeModel", "generate",
    "generation_config", "is_repeating",
]  # fmt: skip

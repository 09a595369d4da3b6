"""Generation, token by token: greedy, beam search and sampling, with a cache."""

from gatonegro.generation.options import ALLOWED, IDLE, GenerationConfig, generation_config
from gatonegro.generation.search import Written, loops, write
from gatonegro.generation.writing import Writer

__all__ = ["ALLOWED", "IDLE", "GenerationConfig", "Writer", "Written", "generation_config", "loops", "write"]

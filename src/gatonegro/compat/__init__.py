"""The border to `transformers`: tables of the argument names of its API, and the decorator that applies them to a call.

A public function with a counterpart in `transformers` takes that function's arguments by name. Those that are
parameters of ours mean the same; `arguments.json` has a row for each of the others:

- `{"as": name}`: our name of the argument;
- `{"idle": true}`: accepted, since it cannot change an answer; with a list, these values only;
- `{"refused": key}`: not supported; `messages.json` says under that key what to use instead. Beside "idle": for all
  values but those listed.
"""

from gatonegro.compat.border import ARGUMENTS, NAMES, accepts, check_of, did_you_mean, refusal, unknown

__all__ = ["ARGUMENTS", "NAMES", "accepts", "check_of", "did_you_mean", "refusal", "unknown"]

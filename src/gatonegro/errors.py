"""One exception per thing a user can mend.

Every message says what is wrong, why, and what to do about it, and names the item.
Each class also derives from the built-in that `transformers` users already catch.
"""


class GatonegroError(Exception):
    """The base of every error that this library raises on purpose."""


class InputError(GatonegroError, ValueError):
    """The text, batch or argument that was passed cannot be used."""


class LanguageMismatchError(InputError):
    """A text in a language that the model was not made for, with `language_check="error"`."""


class ConfigError(GatonegroError, ValueError):
    """`config.json` is missing a value, contradicts itself or names an unknown architecture."""


class CheckpointError(GatonegroError, ValueError):
    """The weights cannot be used: damaged, incomplete, of another shape or of another model."""


class PickleRefusedError(CheckpointError):
    """The folder only has pickled weights, which can run code when they are opened."""


class MissingHeadError(CheckpointError):
    """The checkpoint has no weights for the head that was asked for."""


class TokenizerError(GatonegroError, ValueError):
    """The tokenizer's files are missing, damaged or do not fit together."""


class HubError(GatonegroError, OSError):
    """A model or one of its files could not be found or fetched."""


class MissingExtraError(GatonegroError, ImportError):
    """An optional dependency is not installed; the message names the extra that brings it."""


class OptionError(GatonegroError, TypeError):
    """A keyword that the function does not know, or a value that it cannot take."""


class GatonegroWarning(UserWarning):
    """Something that changes an answer, said once: a text cut into windows, say."""


class LanguageMismatchWarning(GatonegroWarning):
    """Texts in a language that the model was not made for: its answers to them are not to be trusted."""

"""`pipeline`: a task with a model that is loaded or given."""

from __future__ import annotations

import copy
import sys
from contextlib import suppress
from difflib import get_close_matches
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatonegro.engine import fit_threads, resolve_device
from gatonegro.errors import GatonegroError, InputError, OptionError
from gatonegro.hub import DEFAULTS, built_in_models, locate
from gatonegro.i18n import EMPTY, Message, localized
from gatonegro.language import built_in_languages
from gatonegro.models import Model, head_of, load, load_optimized, resolve_dtype, shared_copy
from gatonegro.pipelines.base import Pipeline
from gatonegro.pipelines.loop import Loop
from gatonegro.tasks import ALIASES, TASKS, Task
from gatonegro.tasks.prepare import Change, change_of
from gatonegro.tasks.translation import TASK_NAME, TRANSLATION
from gatonegro.tokenization import AutoTokenizer, Tokenizer

if TYPE_CHECKING:
    import torch

KNOWN = ", ".join([*ALIASES, *TASKS])


def pipeline(
    task: str | None = None,
    model: str | Path | Model | None = None,
    tokenizer: str | Path | Tokenizer | None = None,
    *,
    device: int | str | torch.device | None = None,
    dtype: torch.dtype | str | None = None,
    torch_dtype: torch.dtype | str | None = None,
    precision: str | None = None,
    revision: str | None = None,
    local_files_only: bool = False,
    allow_pickle: bool = False,
    batch_size: int | None = None,
    preprocess: str | Change | None = "auto",
    language_check: str = "warn",
    **options: Any,
) -> Pipeline:
    """Return a `Pipeline`: a function from texts to answers.

    Args:
        task: "sentiment-analysis" or "text-classification", "ner" or "token-classification", "fill-mask",
            "feature-extraction", "translation" or with its languages "translation_es_to_en", "summarization",
            "text2text-generation", "text-generation"; by default the one that the model has a head for.
        model: a folder, a built-in's short name, a name on the hub, or a model; by default the built-in one.
        tokenizer: the model's own unless given; a model object needs one.
        device: -1 or "cpu", a GPU's number, "cuda", "mps", or "auto" (a GPU where there is one). A model object
            stays where it is unless this is given.
        precision: as in `model.optimize`; "auto" for a model that is named, and for a model object nothing but itself.
        dtype: as in `from_pretrained`; `torch_dtype` is its older name. The model then runs as it is, in that type.
        revision, local_files_only, allow_pickle: as in `from_pretrained`.
        batch_size: maximal number of texts in a batch; batches are planned by tokens in any case.
        preprocess: the transform of texts before they are tokenized: "auto" (the one that the model needs, see
            `gatonegro.preprocessing`), a name of its table, a function, or None. Lists of words stay as they are.
        language_check: "warn", "error", "route" or "off" for texts in a language that the model was not made for, see
            `Pipeline.__call__`.
        options: those of the task, for every call; a call may change them.

    Raises:
        OptionError: an unknown task or option, or a model that cannot do the task.
        HubError, ConfigError, CheckpointError, TokenizerError: the model cannot be fetched or read.

    >>> pipeline("sentiment-analysis")("El profesor es bueno, todo será sencillo")
    [{'label': 'POS', 'score': 0.9…}]
    """
    arguments = {name: value for name, value in locals().items() if name != "options"} | options
    kept = {name: arguments[name] for name in ("task", "device", "precision", "preprocess", *options)}
    name, record, options = _task(task, model, options, revision, local_files_only)
    record.validate_options(options)
    dtype = dtype if dtype is not None else torch_dtype
    if dtype is not None and precision is not None:
        raise OptionError(
            "pass precision= or dtype=, one of the two: dtype= is how the model runs as it is.",
            "pasa precision= o dtype=, uno de los dos: dtype= es cómo funciona el modelo tal cual.",
        )
    if model is None:
        model = arguments["model"] = _default_model(name, record)
    if isinstance(model, Model):
        if tokenizer is None:
            raise OptionError(
                "a model object needs its tokenizer: pass tokenizer= too.",
                "un objeto modelo necesita su tokenizador: pasa también tokenizer=.",
            )
        _check_head(name, record, model)
        running = _prepared(model, device, dtype, precision)
    elif isinstance(model, str | Path):
        if language_check != "off" and not local_files_only:
            with suppress(GatonegroError):  # its card says for which languages it is; without it, that is measured
                locate(model, revision=revision).file("README.md")
        how = {"revision": revision, "local_files_only": local_files_only, "allow_pickle": allow_pickle}
        running = _loaded(model, record.head, device, dtype, precision, how)
    else:
        kind = type(model).__name__
        raise InputError(
            f"model must be a name, a folder or a model, not a {kind}.",
            f"model debe ser un nombre, una carpeta o un modelo, no {kind}.",
        )
    if not isinstance(tokenizer, Tokenizer):
        given: Any = model if tokenizer is None else tokenizer
        tokenizer = AutoTokenizer.from_pretrained(given, revision=revision, local_files_only=local_files_only)
    for part in ("model", "tokenizer"):  # so that folders are found from elsewhere too
        if isinstance(arguments[part], str | Path) and Path(arguments[part]).is_dir():
            arguments[part] = str(Path(arguments[part]).resolve())
    change = change_of(running, tokenizer, preprocess)
    fit_threads()
    route = cache(partial(_fitting, record.head, kept))
    maker = pipeline, arguments
    return Pipeline(record, running, tokenizer, batch_size, options, change, language_check, route, maker)


def _loaded(name: str | Path, head: str, device: Any, dtype: Any, precision: str | None, how: dict[str, Any]) -> Model:
    """Return a model by name, on its device; with a dtype as it is, else a faster copy."""
    place = resolve_device("auto" if device is None else device)
    if dtype is None:
        return load_optimized(name, head, precision=precision or "auto", device=place, **how)
    return load(name, head, dtype=dtype, **how).to(place).eval()


def _task(
    task: Any, model: Any, options: dict[str, Any], revision: str | None, local_files_only: bool
) -> tuple[str, Task, dict[str, Any]]:
    """Return the task's name, its record, and the options with those that its name holds."""
    if task is None:
        if model is None:
            raise OptionError(f"name a task ({KNOWN}) or a model.", f"nombra una tarea ({KNOWN}) o un modelo.")
        head = "sequence-classification"
        if isinstance(model, Model):
            head = model.task_head
        elif isinstance(model, str | Path):
            head = head_of(model, revision=revision, local_files_only=local_files_only) or head
        task = next((name for name, record in TASKS.items() if record.head == head), "feature-extraction")
    if isinstance(task, str) and TASK_NAME.fullmatch(task):
        options, task = {"direction": task, **options}, TRANSLATION.name
    record = TASKS.get(ALIASES.get(task, task)) if isinstance(task, str) else None
    if record is None:
        close = next(iter(get_close_matches(str(task), [*ALIASES, *TASKS], 1, 0.65)), None)
        hint = Message(f"Did you mean {close!r}? ", f"¿Querías decir {close!r}? ") if close else EMPTY
        raise OptionError(
            f"the task {task!r:.80} is not known. {hint.en}Known are {KNOWN}.",
            f"no se conoce la tarea {task!r:.80}. {hint.es}Hay {KNOWN}.",
        )
    return task, record, options


def _default_model(task: str, record: Task) -> str:
    """Return the built-in model of a task, and name it on stderr."""
    if record.name not in DEFAULTS:
        raise OptionError(
            f"{task} has no built-in model; pass model= with a folder or a name on the hub, "
            f"{record.example_model!r} say.",
            f"{task} no tiene modelo incluido; pasa model= con una carpeta o un nombre del hub, como "
            f"{record.example_model!r}.",
        )
    model = DEFAULTS[record.name]
    if sys.stderr is not None:  # as under pythonw
        said = localized(
            f"no model was named, so this is the built-in {model}.",
            f"no se nombró ningún modelo, así que este es el incluido, {model}.",
        )
        print(f"gatonegro: {said}", file=sys.stderr)
    return model


def _check_head(task: str, record: Task, model: Model) -> None:
    """Raise OptionError if a model cannot do a task, or names fewer labels than its head has."""
    if record.head not in ("none", model.task_head):
        raise OptionError(
            f"{task} needs a model with a {record.head} head, and this one has {model.task_head}.",
            f"{task} necesita un modelo con una cabeza {record.head}, y este tiene {model.task_head}.",
        )
    known, given = model.config.num_labels, getattr(getattr(model.head, "output", None), "out_features", None)
    if record.head.endswith("classification") and given not in (None, known):
        raise OptionError(
            f"the model's config names {known} labels, and its head gives {given}; name as many: "
            "model.config = model.config.with_labels([…]).",
            f"el config del modelo nombra {known} etiquetas, y su cabeza da {given}; nombra otras tantas: "
            "model.config = model.config.with_labels([…]).",
        )


def _prepared(model: Model, device: Any, dtype: Any, precision: str | None) -> Model:
    """Return a model that answers for the user's, which keeps its mode and its device."""
    if dtype is not None or device is not None:
        model = copy.deepcopy(model.source)
        model = model.to(model.device if device is None else resolve_device(device))
        model = model if dtype is None else model.to(resolve_dtype(dtype, model.dtype))
    elif not model.precision and precision is None:
        model = shared_copy(model)
    model = model if precision is None else model.optimize(precision)
    return model if model.precision else model.eval()


def _fitting(head: str, arguments: dict[str, Any], language: str) -> Loop | None:
    """Return the loop of a built-in model with this head for a language, or None."""
    for name in built_in_models():
        if head_of(name) == head and language in built_in_languages(name):
            return pipeline(model=name, language_check="off", **arguments).loop
    return None

"""`pipeline()`, which makes a pipeline for a task: it resolves the task and loads the model and tokenizer."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatonegro import tasks
from gatonegro.checks import short_repr
from gatonegro.compat import accepts
from gatonegro.config import Config
from gatonegro.errors import GatonegroError, InputError, OptionError, print_notice
from gatonegro.families.loading import head_of, one_device
from gatonegro.hub import DEFAULT_MODELS, built_in_models, locate, split_arguments
from gatonegro.i18n import EMPTY, Message
from gatonegro.pipelines.backend import choose_backend, runs_in_torch
from gatonegro.pipelines.base import Pipeline
from gatonegro.pipelines.language_check import LANGUAGE_CHECK_MODE
from gatonegro.pipelines.loop import MESSAGES, Loop
from gatonegro.preprocessing.transform import TextTransform, resolve_transform
from gatonegro.tasks import ALIASES, TASKS, Task
from gatonegro.tasks.task import TASK_NAME_PATTERN
from gatonegro.text_model import TextModel
from gatonegro.tokenization import AutoTokenizer, Tokenizer

if TYPE_CHECKING:
    import torch

    from gatonegro.models import Model

TASK_NAMES = ", ".join([*ALIASES, *TASKS])
TASK_WORDS = json.loads(Path(tasks.__file__).with_name("words.json").read_text(encoding="utf-8"))  # task → other words


@accepts("pipeline")
def pipeline(
    task: str | None = None,
    model: str | Path | TextModel | None = None,
    tokenizer: str | Path | Tokenizer | None = None,
    *,
    config: Config | str | Path | None = None,
    model_kwargs: Mapping[str, Any] | None = None,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    device_map: Any = None,
    device: int | str | torch.device | None = None,
    dtype: torch.dtype | str | None = None,
    precision: str | None = None,
    backend: str = "auto",
    revision: str | None = None,
    local_files_only: bool = False,
    allow_pickle: bool = False,
    batch_size: int | None = None,
    preprocess: str | TextTransform | None = "auto",
    language_check: str = "warn",
    **options: Any,
) -> Pipeline:
    """Create a `Pipeline`: a model and tokenizer for a task, called with texts to get answers.

    Args:
        task: "sentiment-analysis" or "text-classification", "ner" or "token-classification", "fill-mask",
            "feature-extraction", "question-answering", "zero-shot-classification", "translation" or with its
            languages "translation_es_to_en", "summarization", "text2text-generation", "text-generation"; by default
            the task that fits the model's head.
        model: a folder, a built-in's short name, a name on the hub or a model object; default: the task's built-in.
        tokenizer: a folder, a name or a tokenizer object; default: the model's. A model object needs one.
        config: as in `from_pretrained`, for a model and a tokenizer that are loaded.
        model_kwargs: more arguments of `from_pretrained` for the model.
        cache_dir: as in `from_pretrained`.
        token: as in `from_pretrained`. A pickle of the pipeline does not have it.
        device_map: another way to name the device, as in `from_pretrained`.
        device: -1 or "cpu", a GPU's number, "cuda", "mps", or "auto" (a GPU if available); default: "auto", or the
            model object's device.
        dtype: as in `from_pretrained`. The model is not optimized then.
        precision: as in `model.optimize`; default: "auto", whose scores differ from fp32 by up to 0.01, or "fp32" for
            "feature-extraction"; a model object is not optimized by default.
        backend: "torch", PyTorch, or "numpy", which starts faster; "auto": PyTorch for a GPU, a dtype or a model object
            of it, else numpy if `gatonegro-kernels` is installed, else PyTorch if that is.
        revision: branch, tag or commit on the hub.
        local_files_only: never use the network.
        allow_pickle: load pickled weights too, as in `from_pretrained`.
        batch_size: largest number of sequences per batch; batches are planned by tokens in any case.
        preprocess: the transform of texts before they are tokenized: "auto" (as the model needs it, see
            `gatonegro.preprocessing`), the name of a transform there, a function, or None. Lists of words are exempt.
        language_check: "warn", "error", "route" or "off" for texts in a language that the model does not support; see
            `Pipeline.__call__`.
        **options: the task's options for every call; a call can override them.

    Raises:
        InputError: `model` is no folder, name or model object, or a model object has no tokenizer.
        OptionError: the task or an option is unknown, or the model does not fit the task.
        HubError: the model cannot be found or downloaded.
        ConfigError: its config.json is invalid.
        CheckpointError: its weights cannot be used.
        TokenizerError: its tokenizer cannot be used.
        MissingExtraError: an argument needs PyTorch, which is not installed.

    >>> pipeline("sentiment-analysis")("El profesor es bueno, todo será sencillo")
    [{'label': 'POS', 'score': 0.81…}]
    """
    arguments = {name: value for name, value in locals().items() if name not in ("options", "token")} | options
    loading, where, device = _loading_arguments(arguments, token)
    name, record, given = _resolve_task(task, model, options, where)
    record.validate_options(given)
    arguments["backend"] = backend = choose_backend(backend, record, model, device, precision, loading)
    shared = {name: arguments[name] for name in ("task", "precision", "preprocess", "backend", *options)}
    dtype = loading.pop("dtype")
    if model is None:
        model = arguments["model"] = _default_model(name, record)
    if isinstance(model, TextModel):
        if tokenizer is None:
            raise OptionError(*MESSAGES["no_tokenizer"])
        _check_head(name, record, model)
        running, torch_model = _adapt_model(model, device, dtype, precision), None
    elif isinstance(model, str | Path):
        if LANGUAGE_CHECK_MODE("language_check", language_check) != "off":
            with suppress(GatonegroError):  # the card lists the model's languages; without it, they are estimated
                locate(model, **where).file("README.md")
        chosen = record.precision if precision is None else precision
        loading |= {"allow_pickle": allow_pickle, "allow_fresh_head": False}
        running, torch_model = _load(backend, model, record.head, device, dtype, chosen, loading)
    else:
        raise InputError(*MESSAGES["no_model"].format(kind=type(model).__name__))
    if not isinstance(tokenizer, Tokenizer):
        name_or_path: Any = model if tokenizer is None else tokenizer
        tokenizer = AutoTokenizer.from_pretrained(name_or_path, config=config, **where)
    arguments |= {part: _absolute(arguments[part]) for part in ("model", "tokenizer")}  # for other processes
    transform = resolve_transform(preprocess, running.name_or_path, running.config.extra, tokenizer.get_vocab)
    route = cache(partial(_built_in_loop, record.head, shared | {"device": device}))
    maker = pipeline, arguments
    made = object.__new__(pipeline_class(record))
    Pipeline.__init__(
        made, record, running, tokenizer, batch_size, given, transform, language_check, route, maker, torch_model
    )
    made.task = arguments["task"] or record.name  # as it was named
    return made


def _load(
    backend: str, name: str | Path, head: str, device: Any, dtype: Any, precision: str, loading: Mapping[str, Any]
) -> tuple[TextModel, Callable[[], TextModel] | None]:
    """Load a model for a backend, and return it with the function that loads PyTorch's in place of numpy's."""
    load_torch = partial(_load_torch, name, head, device, dtype, precision, **loading)
    if backend == "torch":
        return load_torch(), None
    from gatonegro import native  # here, for a light start

    return native.load(name, head, precision=precision, **loading), load_torch


@cache
def pipeline_class(record: Task) -> type[Pipeline]:
    """Return the class of a task's pipelines, such as `TextClassificationPipeline`, made from what `pipeline` takes."""

    def __init__(self: Pipeline, model: Any = None, tokenizer: Any = None, *, task: str = "", **options: Any) -> None:
        self.__dict__ = pipeline(task or record.name, model, tokenizer, **options).__dict__

    return type(record.class_name, (Pipeline,), {"__init__": __init__, "__module__": "gatonegro"})


def _loading_arguments(arguments: dict[str, Any], token: Any) -> tuple[dict[str, Any], dict[str, Any], Any]:
    """Return the arguments of loading a model, those of `locate` among them, and the device, from those of `pipeline`.

    `model_kwargs` in `arguments`, which are pickled, then has nothing that is secret or is done once.
    """
    loading = {name: arguments[name] for name in ("config", "revision", "local_files_only", "cache_dir", "device_map")}
    device = arguments["device"]
    loading |= {"dtype": arguments["dtype"], "token": token}
    more = dict(arguments["model_kwargs"] or {})
    for name, value in more.items():
        name = "dtype" if name == "torch_dtype" else name
        if loading.get(name):
            raise OptionError(*MESSAGES["model_kwargs"].format(name=name))
        loading[name] = value
    arguments["model_kwargs"] = {name: more[name] for name in more if name not in ("token", "force_download")}
    if loading["dtype"] is not None and arguments["precision"] is not None:
        raise OptionError(*MESSAGES["dtype_and_precision"])
    device_map = loading.pop("device_map")
    device = one_device(device_map) if device is None and device_map is not None else device
    return loading, split_arguments(loading)[0], device


def _absolute(name: Any) -> Any:
    """Return the absolute path of a folder, and any other value as it is."""
    return str(Path(name).resolve()) if isinstance(name, str | Path) and Path(name).is_dir() else name


def _load_torch(name: str | Path, head: str, device: Any, dtype: Any, precision: str, **source: Any) -> Model:
    """Load a PyTorch model onto a device, converted to a dtype if one is given or else optimized."""
    from gatonegro.engine import limit_threads, resolve_device
    from gatonegro.models import load, load_optimized

    limit_threads()
    resolved = resolve_device("auto" if device is None else device)
    if dtype is None:
        return load_optimized(name, head, precision=precision, device=resolved, **source)
    return load(name, head, dtype=dtype, **source).to(resolved).eval()


def _resolve_task(
    task: Any, model: Any, options: dict[str, Any], where: Mapping[str, Any]
) -> tuple[str, Task, dict[str, Any]]:
    """Return a task's name, its `Task` record and its options, choosing the task by the model if none is named."""
    if task is None:
        if model is None:
            raise OptionError(f"name a task ({TASK_NAMES}) or a model.", f"di una tarea ({TASK_NAMES}) o un modelo.")
        head = "sequence-classification"
        if isinstance(model, TextModel):
            head = model.task_head
        elif isinstance(model, str | Path):
            head = head_of(model, **where) or head
        task = next((name for name, record in TASKS.items() if record.head == head), "feature-extraction")
    if isinstance(task, str) and TASK_NAME_PATTERN.fullmatch(task):
        options, task = {"direction": task, **options}, "translation"
    record = TASKS.get(ALIASES.get(task, task)) if isinstance(task, str) else None
    if record is None:
        from difflib import get_close_matches  # here, for a light start

        meant = [name for name, words in TASK_WORDS.items() if str(task).lower() in words]
        close = next(iter(meant or get_close_matches(str(task), [*ALIASES, *TASKS], 1, 0.65)), None)
        hint = Message(f"Did you mean {close!r}? ", f"¿Querías decir {close!r}? ") if close else EMPTY
        raise OptionError(*MESSAGES["no_task"].format(task=short_repr(task), hint=hint, known=TASK_NAMES))
    return task, record, options


def _default_model(task: str, record: Task) -> str:
    """Return the name of the built-in model for a task, and tell the user on stderr that it was chosen."""
    if record.name not in DEFAULT_MODELS:
        raise OptionError(*MESSAGES["no_built_in"].format(task=task, example=record.example_model))
    model = DEFAULT_MODELS[record.name]
    print_notice(str(MESSAGES["built_in"].format(model=model)))
    return model


def _check_head(task: str, record: Task, model: TextModel) -> None:
    """Raise OptionError if a model's head does not fit the task or does not match the labels in the config."""
    if record.head not in ("none", model.task_head):
        raise OptionError(*MESSAGES["wrong_head"].format(task=task, head=record.head, has=model.task_head))
    labels, outputs = (
        model.config.num_labels,
        getattr(getattr(getattr(model, "head", None), "output", None), "out_features", None),
    )
    if record.head.endswith("classification") and outputs not in (None, labels):
        raise OptionError(*MESSAGES["wrong_labels"].format(labels=labels, outputs=outputs))


def _adapt_model(model: Any, device: Any, dtype: Any, precision: str | None) -> Any:
    """Return a copy or view of a user's model on a device and in a dtype or precision, without changing the model."""
    if not runs_in_torch(model):
        if precision not in (None, "auto", model.precision):
            raise OptionError(*MESSAGES["numpy_precision"].format(precision=model.precision))
        return model
    from gatonegro.engine import limit_threads, resolve_device
    from gatonegro.models import resolve_dtype, shared_copy

    limit_threads()
    if dtype is not None or device is not None:
        model = copy.deepcopy(model.source)
        model = model.to(model.device if device is None else resolve_device(device))
        model = model if dtype is None else model.to(resolve_dtype(dtype, model.dtype))
    elif not model.precision and precision is None:
        model = shared_copy(model)
    model = model if precision is None else model.optimize(precision)
    return model if model.precision else model.eval()


def _built_in_loop(head: str, arguments: dict[str, Any], language: str) -> Loop | None:
    """Return the pipeline loop of a built-in model with a given head and language, or None if there is none."""
    from gatonegro.language.diagnosis import built_in_languages  # here, for a light start

    for name in built_in_models():
        if head_of(name) == head and language in built_in_languages(name):
            return pipeline(model=name, language_check="off", **arguments).loop
    return None

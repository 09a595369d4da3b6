"""Name or folder → files: a folder on this machine, a built-in model, or a repository on the Hugging Face hub.

The only room that may ask the network, and it asks only for what its cache does not know yet.
https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import errno
import json
import os
import re
import warnings
from contextlib import suppress
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from gatonegro.checks import short
from gatonegro.errors import ConfigError, GatonegroWarning, HubError, OptionError
from gatonegro.i18n import Message, catalog, number

# short name → task; the weights are a distribution of their own, one folder a model
BUILT_IN = {
    "sentiment-es-en": "text-classification",
    "translate-es-en": "translation",
    "demo-en": "text-classification",
    "sentiment-es-en-research": "text-classification",
}
DEFAULTS = {"text-classification": "sentiment-es-en", "translation": "translate-es-en"}  # task → the model of no name
DISTRIBUTION, PACKAGE = "gatonegro-models", "gatonegro_models"
# what learned from texts for research only: apart, so that no one has it who did not ask for it
RESEARCH, RESEARCH_PACKAGE = "gatonegro-models-research", "gatonegro_models_research"

# what is a path and can be no hub name: ./x  /x  ~x  x\y  C:x  x/  x/y/z  x.safetensors
PATH = re.compile(r"[./~\\].*|.*\\.*|[A-Za-z]:.*|.*/|.*/.*/.*|.*\.(safetensors|bin|json)", re.DOTALL)

# what to say of a failure, by class of error (of huggingface_hub or the HTTP library below it), status or errno
CAUSES = catalog(Path(__file__).with_name("hub.json"))
# httpx or requests, by the version of huggingface_hub
SAME_CAUSE = dict.fromkeys(("HTTPError", "RequestException", "ConnectionError", "TimeoutError", "gaierror"), "network")
SAME_CAUSE |= {"OfflineModeIsEnabled": "offline", "EACCES": "not_written", "EROFS": "not_written"}


class Source:
    """Where the files of one model are.

    Attributes:
        name: what the user called it.
        folder: where they are, if that is known before they are asked for: all but hub names.
        revision: branch, tag or commit; for hub names.
    """

    def __init__(self, name: str, folder: Path | None = None, revision: str | None = None):
        self.name, self.folder, self.revision = name, folder, revision

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, folder={self.folder!r}, revision={self.revision!r})"

    @property
    def where(self) -> Message:
        """The place, in words, for messages."""
        return Message(f"the folder {self.folder}", f"la carpeta {self.folder}")

    def file(self, filename: str) -> Path | None:
        """The path of a file, fetched if need be; None where the model has no such file.

        Raises:
            HubError: it cannot be had, or the name would lead out of the model's folder.
        """
        parts = PurePosixPath(filename).parts
        if not parts or ".." in parts or filename.startswith("/") or re.search(r"[\\:\0]", filename):
            raise HubError(
                f"{self.name}: {filename!r} leads out of the model's folder; refused.",
                f"{self.name}: {filename!r} sale de la carpeta del modelo; se rechaza.",
            )
        return self._file(filename)

    def json(self, filename: str) -> dict[str, Any] | None:
        """Return the object that a JSON file holds; None where the model has no such file.

        Raises:
            ConfigError: it cannot be read, or holds something else.
            HubError: it cannot be had.
        """
        path = self.file(filename)
        if path is None:
            return None
        try:
            text = path.read_text(encoding="utf-8")
            data = json.loads(text)
            if "\\ud" in text.lower():  # half of a character could be read, and never be written
                json.dumps(data, ensure_ascii=False).encode()
        except (ValueError, RecursionError) as error:
            raise ConfigError(
                f"{path}: is not valid JSON ({error!s:.200}).", f"{path}: no es JSON válido ({error!s:.200})."
            ) from error
        except OSError as error:
            why = error.strerror or error
            raise ConfigError(f"{path}: cannot be read ({why}).", f"{path}: no se puede leer ({why}).") from None
        if not isinstance(data, dict):
            kind = type(data).__name__
            raise ConfigError(
                f"{path}: should be a JSON object, and is a {kind}.",
                f"{path}: debería ser un objeto JSON, y es de tipo {kind}.",
            )
        return data

    def _file(self, filename: str) -> Path | None:
        path = (self.folder or Path()) / filename
        try:
            return path if path.is_file() else None
        except OSError as error:
            why = error.strerror or error
            raise HubError(f"{path}: cannot be read ({why}).", f"{path}: no se puede leer ({why}).") from None


class HubSource(Source):
    """A repository on the hub. All its files come from one commit: the one that the first of them came from."""

    def __init__(self, name: str, revision: str | None, local_files_only: bool):
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        super().__init__(name, None, revision or "main")
        self.offline = local_files_only or constants.HF_HUB_OFFLINE
        self.cache = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=name, repo_type="model"))
        self._commit: str | None = None
        self._reached = False

    @property
    def where(self) -> Message:
        if self.offline:
            return Message(
                f"the cache ({self.cache}; the network was not asked)", f"la caché ({self.cache}; sin usar la red)"
            )
        return Message(f"{self.name} on the hub", f"{self.name} del hub")

    @property
    def commit(self) -> str:
        """The commit, once anything of it is in the cache; until then the revision that was asked for."""
        if self._commit is None:
            with suppress(OSError, ValueError):  # ValueError: a damaged file
                self._commit = (self.cache / "refs" / str(self.revision)).read_text(encoding="ascii").strip() or None
        return self._commit or str(self.revision)

    def _file(self, filename: str) -> Path | None:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

        known = try_to_load_from_cache(self.name, filename, revision=self.commit)
        if known is not None:  # a path, or the cache's word that the commit has no such file
            return Path(known) if isinstance(known, str) else None
        # Other programs keep some of a model's files in the cache without a word on those that it lacks
        kept = (self.cache / "snapshots" / self.commit).is_dir()
        if self.offline and kept:
            return None
        if self.offline:
            raise self._error("offline", filename)
        try:
            return self._fetch(filename)
        except Exception as error:  # which classes a network's failures have differs by the HTTP library
            if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
                return None
            happened = (error.__cause__ or error) if isinstance(error, LocalEntryNotFoundError) else error
            cause = _cause(happened)
            if cause is None:  # nothing that the network or the disk did
                raise
            if not (kept and cause == "network"):
                raise self._error(cause, filename, happened) from None
        self.offline = True
        warning = GatonegroWarning(
            f"{self.name}: the hub cannot be reached, so only its files in the cache are used, and {filename} is not "
            "among them.",
            f"{self.name}: no se puede llegar al hub, así que solo se usan sus archivos de la caché, y {filename} no "
            "está entre ellos.",
        )
        warnings.warn(warning, stacklevel=2)
        return None

    def _fetch(self, filename: str) -> Path:
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
        from huggingface_hub.errors import HfHubHTTPError

        if not self._reached:  # without a network this fails at once, where hf_hub_download tries for minutes
            with suppress(HfHubHTTPError):  # an answer; what it means is told below
                get_hf_file_metadata(hf_hub_url(self.name, filename, revision=self.commit))
            self._reached = True
        return Path(hf_hub_download(self.name, filename, revision=self.commit, library_name="gatonegro"))

    def _error(self, cause: str, filename: str, error: BaseException | None = None) -> HubError:
        from huggingface_hub import constants

        detail = str(error).strip().partition("\n")[0][:200] if error else ""
        text = CAUSES[cause].format(
            name=self.name,
            filename=filename,
            revision=self.commit,
            cache=self.cache,
            endpoint=constants.ENDPOINT,
            here=Path.cwd(),
            built_in=", ".join(BUILT_IN),
            status=_status(error),
        )
        tail = f" [{type(error).__name__}: {detail}]" if detail else ""
        return HubError(f"{self.name!r}: {text.en}{tail}", f"{self.name!r}: {text.es}{tail}")


def _status(error: BaseException | None) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _cause(error: BaseException) -> str | None:
    """Return the key of an error in `CAUSES`, by its most specific class; None for one that is no failure to fetch."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):  # httpx has no class for it
        return "SSLError"
    names = [kind.__name__ for kind in type(error).__mro__]
    if isinstance(error, OSError) and error.errno:
        names.insert(0, errno.errorcode.get(error.errno, ""))
    for name in names:
        if name == "HfHubHTTPError":
            return str(_status(error)) if str(_status(error)) in CAUSES else "trouble"
        if (key := SAME_CAUSE.get(name, name)) in CAUSES:
            return key
    return None


def locate(name: str | Path, *, revision: str | None = None, local_files_only: bool = False) -> Source:
    """Where a model's files are. An existing folder wins over a built-in's short name, that over the hub.

    Args:
        name: a folder, the short name of a built-in model, or a name on the hub.
        revision: branch, tag or commit; for names on the hub.
        local_files_only: never ask the network, as with HF_HUB_OFFLINE=1.

    Raises:
        HubError: there is no such folder, or no model can have that name; nothing is fetched yet.
    """
    if not isinstance(name, str | os.PathLike) or not isinstance(text := os.fspath(name), str):
        given = type(name).__name__
        raise OptionError(
            f"a model's name must be text or a path, not {given}.",
            f"el nombre de un modelo debe ser un texto o una ruta, no {given}.",
        )
    folder = _folder(text)
    if folder is not None:
        return Source(text, folder, revision)
    if revision is not None and not isinstance(revision, str):
        raise OptionError(
            f"revision must be the name of a branch, tag or commit, not {short(revision)}.",
            f"revision debe ser el nombre de una rama, un tag o un commit, no {short(revision)}.",
        )
    if len(text) > 4096:
        size = number(len(text))
        raise HubError(
            f"{text[:60]!r}…: there is no such folder, and no name on the hub has {size.en} characters.",
            f"{text[:60]!r}…: no existe esa carpeta, y ningún nombre del hub tiene {size.es} caracteres.",
        )
    if isinstance(name, os.PathLike) or PATH.fullmatch(text):
        path = Path(text)
        if "\0" not in text and path.is_file():
            raise HubError(
                f"{text!r} is a file; pass the folder that it is in, {str(path.parent)!r}.",
                f"{text!r} es un archivo; pasa la carpeta en la que está, {str(path.parent)!r}.",
            )
        raise HubError(
            f"{text!r}: there is no such folder (from {Path.cwd()}). Check its spelling.",
            f"{text!r}: no existe esa carpeta (desde {Path.cwd()}). Comprueba que esté bien escrita.",
        )
    if text in BUILT_IN:
        return Source(text, _built_in(text), revision)
    if "/" not in text and (close := get_close_matches(text, BUILT_IN, 1, 0.75)):
        raise HubError(
            f"{text!r} is no folder here; did you mean {close[0]!r}, the built-in model?",
            f"{text!r} no es una carpeta de aquí; ¿querías decir {close[0]!r}, el modelo incluido?",
        )
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(text)
    except HFValidationError as error:
        en, es = CAUSES["HFValidationError"]
        raise HubError(f"{text!r}: {en} [{error}]", f"{text!r}: {es} [{error}]") from None
    if revision is not None and (not revision or ".." in revision or revision.startswith("/") or "\\" in revision):
        raise HubError(
            f"{text!r}: {revision!r} cannot be a revision; name a branch, tag or commit.",
            f"{text!r}: {revision!r} no puede ser una revisión; indica una rama, un tag o un commit.",
        )
    return HubSource(text, revision, local_files_only)


def _folder(text: str) -> Path | None:
    with suppress(OSError, ValueError, RuntimeError):  # too long, holds a null, no such user's home
        path = Path(text).expanduser()
        return path if text and path.is_dir() else None
    return None


def built_in_models() -> dict[str, Path]:
    """The built-in models that are installed: short name → folder; one with nothing but its card is not."""
    specs = [find_spec(package) for package in (PACKAGE, RESEARCH_PACKAGE)]  # finds them without running them
    roots = [Path(place) for spec in specs if spec for place in spec.submodule_search_locations or ()]
    return {name: root / name for name in BUILT_IN for root in roots if (root / name / "config.json").is_file()}


def distribution_of(name: str) -> tuple[str, str]:
    """The distribution that brings a built-in model, and its folder in a checkout."""
    return (RESEARCH, "./models-research") if name.endswith("-research") else (DISTRIBUTION, "./models")


def _built_in(name: str) -> Path:
    folder = built_in_models().get(name)
    if folder is not None:
        return folder
    missing, source = distribution_of(name)
    raise HubError(
        f"the built-in model {name!r} is not installed, or {missing} is of an older version; the weights are "
        f"a package of their own. To add it: pip install -U {missing} (from a checkout: pip install {source})",
        f"el modelo incluido {name!r} no está instalado, o {missing} es de una versión anterior; los pesos "
        f"son un paquete aparte. Para añadirlo: pip install -U {missing} (desde una copia del repositorio: "
        f"pip install {source})",
    )

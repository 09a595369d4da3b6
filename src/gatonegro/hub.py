"""Name or folder → files: a folder on this machine, a built-in model, or a repository on the Hugging Face hub.

The only room that may ask the network, and it asks only for what its cache does not know yet.
https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import errno
import os
import re
import warnings
from contextlib import suppress
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path, PurePosixPath

from gatonegro.errors import GatonegroWarning, HubError, OptionError
from gatonegro.wording import Pair, both, number

# short name → task; the weights are a distribution of their own, one folder a model
BUILT_IN = {
    "sentiment-es-en": "text-classification",
    "translate-es-en": "translation",
    "demo-en": "text-classification",
    "sentiment-es-en-research": "text-classification",
}
DISTRIBUTION, PACKAGE = "gatonegro-models", "gatonegro_models"
# what learned from texts for research only: apart, so that no one has it who did not ask for it
RESEARCH, RESEARCH_PACKAGE = "gatonegro-models-research", "gatonegro_models_research"

# what is a path and can be no hub name: ./x  /x  ~x  x\y  C:x  x/  x/y/z  x.safetensors
PATH = re.compile(r"[./~\\].*|.*\\.*|[A-Za-z]:.*|.*/|.*/.*/.*|.*\.(safetensors|bin|json)", re.DOTALL)

# What to say, in English and in Spanish; `HubSource._say` fills it in.
NETWORK: Pair = (
    "{filename} is not in the cache ({cache}), and {endpoint} cannot be reached. Connect once, so that it can be kept, "
    "or pass a folder that has the model.",
    "{filename} no está en la caché ({cache}), y no se puede llegar a {endpoint}. Conéctate una vez, para que se pueda "
    "guardar, o pasa una carpeta que tenga el modelo.",
)
OFFLINE: Pair = (
    "{filename} is not in the cache ({cache}), and the network may not be asked (HF_HUB_OFFLINE or local_files_only). "
    "Load it once with a network, or pass a folder that has the model.",
    "{filename} no está en la caché ({cache}), y no se permite usar la red (HF_HUB_OFFLINE o local_files_only). "
    "Cárgalo una vez con red, o pasa una carpeta que tenga el modelo.",
)
NOT_WRITTEN: Pair = (
    "{cache} cannot be written. Set HF_HOME to a folder that is yours.",
    "no se puede escribir en {cache}. Pon en HF_HOME una carpeta que sea tuya.",
)
# class of an error, from huggingface_hub or the HTTP library below it (httpx or requests, by its version) → what to
# say; of an error's classes, the most specific one that is here decides
CAUSES: dict[str, Pair] = {
    "HFValidationError": (
        "that is no folder here, and no name on the hub, which look like 'author/model'. Look at its spelling, or pass "
        "a folder that exists.",
        "no es ninguna carpeta de aquí, ni un nombre del hub, que son como 'autor/modelo'. Comprueba que esté bien "
        "escrito, o pasa una carpeta que exista.",
    ),
    "GatedRepoError": (
        "its authors let in only those who ask. Accept their terms on {endpoint}/{name}, then log in with `hf auth "
        "login` (or set HF_TOKEN).",
        "sus autores solo dejan entrar a quien lo pide. Acepta sus condiciones en {endpoint}/{name} y luego inicia "
        "sesión con `hf auth login` (o define HF_TOKEN).",
    ),
    "DisabledRepoError": (
        "its authors, or the hub, have disabled it. Take another model.",
        "sus autores, o el hub, lo han desactivado. Usa otro modelo.",
    ),
    "RepositoryNotFoundError": (
        "there is no folder of that name in {here}, no built-in model ({built_in}) and nothing on {endpoint}, unless "
        "it is private: look at the spelling, or log in with `hf auth login` (or set HF_TOKEN).",
        "no hay ninguna carpeta con ese nombre en {here}, ni un modelo incluido ({built_in}), ni nada en {endpoint}, "
        "salvo que sea privado: comprueba que esté bien escrito, o inicia sesión con `hf auth login` (o define "
        "HF_TOKEN).",
    ),
    "RevisionNotFoundError": (
        "the repository has no revision {revision!r}. Name a branch, tag or commit that {endpoint}/{name}/commits "
        "lists; if you named none, its history was written anew: delete {cache} and try again.",
        "el repositorio no tiene la revisión {revision!r}. Indica una rama, un tag o un commit de los que aparecen en "
        "{endpoint}/{name}/commits; si no indicaste ninguno, su historial se ha reescrito: borra {cache} y vuelve a "
        "intentarlo.",
    ),
    "FileMetadataError": (
        "{endpoint} answers, but not as a hub does. Look at HF_ENDPOINT, and whether a proxy or a login page of the "
        "network stands in between.",
        "{endpoint} responde, pero no como un hub. Comprueba HF_ENDPOINT, y si hay por medio un proxy o una página de "
        "inicio de sesión de la red.",
    ),
    "SSLError": (
        "the certificate of {endpoint} could not be verified. Behind a proxy that opens TLS, set SSL_CERT_FILE to its "
        "certificate; else look at the clock of this machine.",
        "no se ha podido verificar el certificado de {endpoint}. Detrás de un proxy que abre TLS, pon en SSL_CERT_FILE "
        "su certificado; si no, comprueba el reloj de esta máquina.",
    ),
    "ProxyError": (
        "the proxy refused. Look at HTTPS_PROXY and HTTP_PROXY, or fetch it once on another network.",
        "el proxy se ha negado. Comprueba HTTPS_PROXY y HTTP_PROXY, o descárgalo una vez desde otra red.",
    ),
    "OfflineModeIsEnabled": OFFLINE,
    **dict.fromkeys(("HTTPError", "RequestException", "ConnectionError", "TimeoutError", "gaierror"), NETWORK),
    "OSError": (
        "{filename} could not be fetched or kept in {cache}. Try again.",
        "no se ha podido descargar {filename} o guardarlo en {cache}. Vuelve a intentarlo.",
    ),
}
STATUS: dict[int, Pair] = {
    401: (
        "the hub wants a valid token. Log in (anew) with `hf auth login`, or unset an old HF_TOKEN.",
        "el hub pide un token válido. Inicia sesión (de nuevo) con `hf auth login`, o quita un HF_TOKEN antiguo.",
    ),
    403: (
        "your token may not read it. Give it that right on {endpoint}/settings/tokens, or log in with another.",
        "tu token no tiene permiso para leerlo. Dale ese permiso en {endpoint}/settings/tokens, o inicia sesión con "
        "otro.",
    ),
    429: (
        "the hub says that too many requests came from here. Wait some minutes, or log in with `hf auth login`.",
        "el hub dice que desde aquí han llegado demasiadas peticiones. Espera unos minutos, o inicia sesión con "
        "`hf auth login`.",
    ),
}
TROUBLE: Pair = (
    "the hub is in trouble (status {status}). Try again later, or pass a folder.",
    "el hub tiene problemas (estado {status}). Vuelve a intentarlo más tarde, o pasa una carpeta.",
)
DISK: dict[int, Pair] = {
    errno.ENOSPC: (
        "the disk is full. Make room for {cache}, or set HF_HOME to a folder on a larger disk.",
        "el disco está lleno. Haz sitio para {cache}, o pon en HF_HOME una carpeta de un disco más grande.",
    ),
    errno.EDQUOT: (
        "your share of the disk is used up. Make room for {cache}, or set HF_HOME to another disk.",
        "se ha agotado tu cuota del disco. Haz sitio para {cache}, o pon en HF_HOME otro disco.",
    ),
    errno.EACCES: NOT_WRITTEN,
    errno.EROFS: NOT_WRITTEN,
}


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
    def where(self) -> str:
        """The place, in words, for messages."""
        return both(f"the folder {self.folder}", f"la carpeta {self.folder}")

    def file(self, filename: str) -> Path | None:
        """The path of a file, fetched if need be; None where the model has no such file.

        Raises:
            HubError: it cannot be had, or the name would lead out of the model's folder.
        """
        parts = PurePosixPath(filename).parts
        if not parts or ".." in parts or filename.startswith("/") or re.search(r"[\\:\0]", filename):
            raise HubError(
                both(
                    f"{self.name}: {filename!r} leads out of the model's folder; refused.",
                    f"{self.name}: {filename!r} sale de la carpeta del modelo; se rechaza.",
                )
            )
        return self._file(filename)

    def _file(self, filename: str) -> Path | None:
        path = (self.folder or Path()) / filename
        try:
            return path if path.is_file() else None
        except OSError as error:
            why = error.strerror or error
            raise HubError(both(f"{path}: cannot be read ({why}).", f"{path}: no se puede leer ({why}).")) from None


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
    def where(self) -> str:
        if self.offline:
            return both(
                f"the cache ({self.cache}; the network was not asked)", f"la caché ({self.cache}; sin usar la red)"
            )
        return both(f"{self.name} on the hub", f"{self.name} del hub")

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
            raise HubError(self._say(OFFLINE, filename))
        try:
            return self._fetch(filename)
        except Exception as error:  # which classes a network's failures have differs by the HTTP library
            if isinstance(error, EntryNotFoundError) and not isinstance(error, LocalEntryNotFoundError):
                return None
            happened = (error.__cause__ or error) if isinstance(error, LocalEntryNotFoundError) else error
            cause = _cause(happened)
            if cause is None:  # nothing that the network or the disk did
                raise
            if not (kept and cause is NETWORK):
                raise HubError(self._say(cause, filename, happened)) from None
        self.offline = True
        warnings.warn(
            both(
                f"{self.name}: the hub cannot be reached, so only its files in the cache are used, and {filename} is "
                "not among them.",
                f"{self.name}: no se puede llegar al hub, así que solo se usan sus archivos de la caché, y {filename} "
                "no está entre ellos.",
            ),
            GatonegroWarning,
            stacklevel=2,
        )
        return None

    def _fetch(self, filename: str) -> Path:
        from huggingface_hub import get_hf_file_metadata, hf_hub_download, hf_hub_url
        from huggingface_hub.errors import HfHubHTTPError

        if not self._reached:  # without a network this fails at once, where hf_hub_download tries for minutes
            with suppress(HfHubHTTPError):  # an answer; what it means is told below
                get_hf_file_metadata(hf_hub_url(self.name, filename, revision=self.commit))
            self._reached = True
        return Path(hf_hub_download(self.name, filename, revision=self.commit, library_name="gatonegro"))

    def _say(self, cause: Pair, filename: str, error: BaseException | None = None) -> str:
        from huggingface_hub import constants

        detail = str(error).strip().partition("\n")[0][:200] if error else ""
        text = both(*cause).format(
            name=self.name,
            filename=filename,
            revision=self.commit,
            cache=self.cache,
            endpoint=constants.ENDPOINT,
            here=Path.cwd(),
            built_in=", ".join(BUILT_IN),
            status=_status(error),
        )
        return f"{self.name!r}: {text}" + (f" [{type(error).__name__}: {detail}]" if detail else "")


def _status(error: BaseException | None) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _cause(error: BaseException) -> Pair | None:
    """What to say of an error: templates for `HubSource._say`; None for one that is no failure to fetch."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):  # httpx has no class for it
        return CAUSES["SSLError"]
    if isinstance(error, OSError) and error.errno in DISK:
        return DISK[error.errno]
    for kind in type(error).__mro__:
        if kind.__name__ == "HfHubHTTPError":
            return STATUS.get(_status(error) or 0, TROUBLE)
        if kind.__name__ in CAUSES:
            return CAUSES[kind.__name__]
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
            both(
                f"a model's name must be text or a path, not {given}.",
                f"el nombre de un modelo debe ser un texto o una ruta, no {given}.",
            )
        )
    folder = _folder(text)
    if folder is not None:
        return Source(text, folder, revision)
    if revision is not None and not isinstance(revision, str):
        raise OptionError(
            both(
                f"revision must be the name of a branch, tag or commit, not {revision!r:.80}.",
                f"revision debe ser el nombre de una rama, un tag o un commit, no {revision!r:.80}.",
            )
        )
    if len(text) > 4096:
        raise HubError(
            both(
                f"{text[:60]!r}…: there is no such folder, and no name on the hub has {number(len(text))} characters.",
                f"{text[:60]!r}…: no existe esa carpeta, y ningún nombre del hub tiene {number(len(text))} caracteres.",
            )
        )
    if isinstance(name, os.PathLike) or PATH.fullmatch(text):
        path = Path(text)
        if "\0" not in text and path.is_file():
            raise HubError(
                both(
                    f"{text!r} is a file; pass the folder that it is in, {str(path.parent)!r}.",
                    f"{text!r} es un archivo; pasa la carpeta en la que está, {str(path.parent)!r}.",
                )
            )
        raise HubError(
            both(
                f"{text!r}: there is no such folder (from {Path.cwd()}). Look at its spelling.",
                f"{text!r}: no existe esa carpeta (desde {Path.cwd()}). Comprueba que esté bien escrita.",
            )
        )
    if text in BUILT_IN:
        return Source(text, _built_in(text), revision)
    if "/" not in text and (close := get_close_matches(text, BUILT_IN, 1, 0.75)):
        raise HubError(
            both(
                f"{text!r} is no folder here; did you mean {close[0]!r}, the built-in model?",
                f"{text!r} no es una carpeta de aquí; ¿querías decir {close[0]!r}, el modelo incluido?",
            )
        )
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(text)
    except HFValidationError as error:
        raise HubError(f"{text!r}: {both(*CAUSES['HFValidationError'])} [{error}]") from None
    if revision is not None and (not revision or ".." in revision or revision.startswith("/") or "\\" in revision):
        raise HubError(
            both(
                f"{text!r}: {revision!r} cannot be a revision; name a branch, tag or commit.",
                f"{text!r}: {revision!r} no puede ser una revisión; indica una rama, un tag o un commit.",
            )
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
        both(
            f"the built-in model {name!r} is not installed, or {missing} is of an older version; the weights are "
            f"a package of their own. To add it: pip install -U {missing} (from a checkout: pip install {source})",
            f"el modelo incluido {name!r} no está instalado, o {missing} es de una versión anterior; los pesos "
            f"son un paquete aparte. Para añadirlo: pip install -U {missing} (desde una copia del repositorio: "
            f"pip install {source})",
        )
    )

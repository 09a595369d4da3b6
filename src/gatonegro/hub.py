"""Access to a model's files by name, in a local folder, a built-in model or a Hugging Face hub repository.

No other module but `download` uses the network. Only files that are not in the cache are downloaded.
https://huggingface.co/docs/huggingface_hub/guides/manage-cache
"""

from __future__ import annotations

import errno
import os
import re
import time
import warnings
from collections.abc import Mapping
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from gatonegro import storage
from gatonegro.checks import FLAG, Check, optional
from gatonegro.download import MAX_RETRIES, chunks, has_digest, request
from gatonegro.errors import ConfigError, GatonegroWarning, HubError, OptionError, is_notebook, warn
from gatonegro.i18n import Message, catalog, format_int

# short name → task; the weights are a separate distribution with one folder per model
BUILT_IN = {
    "sentiment-es-en": "text-classification",
    "translate-es-en": "translation",
    "demo-en": "text-classification",
}
DEFAULT_MODELS = {"text-classification": "sentiment-es-en", "translation": "translate-es-en"}  # task → short name
WEIGHTS_DISTRIBUTION, WEIGHTS_PACKAGE = "gatonegro-models", "gatonegro_models"
REVISION_CHECK = Check(
    lambda x: isinstance(x, str),
    Message("the name of a branch, tag or commit", "el nombre de una rama, un tag o un commit"),
)
ARGUMENTS = "revision", "local_files_only", "cache_dir", "token", "subfolder", "force_download"  # of `locate`
PATH_CHECK = Check(lambda x: isinstance(x, str | os.PathLike), Message("a folder's name", "el nombre de una carpeta"))
# an HTTP library's error for another text would show it
TOKEN = re.compile(r"[!-~]+")

# strings that are paths and not hub names: ./x  /x  ~x  x\y  C:x  x/  x/y/z  x.safetensors
LOCAL_PATH = re.compile(r"[./~\\].*|.*\\.*|[A-Za-z]:.*|.*/|.*/.*/.*|.*\.(safetensors|bin|json)", re.DOTALL)

# names that the hub gives, which become names of files: a commit; an ETag, perhaps quoted or weak; digests
COMMIT, ETAG = re.compile(r"[\w-]{1,128}", re.ASCII), re.compile(r'(?:W/)?"?([\w-]{1,128})"?', re.ASCII)
FULL_HASH = re.compile("[0-9a-f]{40}")
PROGRESS_BYTES = 2**23  # of a download with a progress bar, and between two breaks that count as progress

# error messages; keys of download errors are the class (of huggingface_hub or its HTTP library), status or errno
MESSAGES = catalog(Path(__file__).with_name("hub.json"))
# names of httpx's and requests' exceptions; which of the two is used depends on the version of huggingface_hub
ERROR_KEYS = {
    "network": "HTTPError RequestException ConnectionError TimeoutError gaierror",
    "FileMetadataError": "ProtocolError DecodingError UnsupportedProtocol",  # an answer that is no hub's
    "offline": "OfflineModeIsEnabled",
    "not_written": "EACCES EROFS",
}
ERROR_ALIASES = {name: key for key, names in ERROR_KEYS.items() for name in names.split()}


class Source:
    """Location of a model's files: a local folder or a repository on the Hugging Face hub.

    Attributes:
        name: the model's name, as the user wrote it.
        folder: the folder of the files; None for a hub name.
        revision: branch, tag or commit of a hub name.
        subfolder: the folder, within these, that has the files; "" for none.
    """

    def __init__(self, name: str, folder: Path | None = None, revision: str | None = None, subfolder: str = ""):
        self.name, self.folder, self.revision, self.subfolder = name, folder, revision, subfolder

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r}, folder={self.folder!r}, revision={self.revision!r})"

    @property
    def location(self) -> Message:
        """The location of a model's files, described for error messages."""
        return MESSAGES["in_folder"].format(folder=self.folder)

    def file(self, filename: str) -> Path | None:
        """Return the local path of a model's file, downloaded if necessary, or None if the model has no such file.

        Raises:
            HubError: the file cannot be downloaded, or its path leads out of the model's folder.
        """
        filename = f"{self.subfolder}/{filename}" if self.subfolder else filename
        parts = PurePosixPath(filename).parts
        if not parts or ".." in parts or filename.startswith("/") or re.search(r"[\\:\0]", filename):
            raise HubError(*MESSAGES["leads_out"].format(name=self.name, filename=filename))
        return self._file(filename)

    def json(self, filename: str) -> dict[str, Any] | None:
        """Return the object in a model's JSON file as a dict, or None if the model has no such file.

        Raises:
            ConfigError: the file cannot be read, or is not a JSON object.
            HubError: the file cannot be downloaded.
        """
        path = self.file(filename)
        return None if path is None else storage.read_json(path, ConfigError)

    def _file(self, filename: str) -> Path | None:
        path = (self.folder or Path()) / filename
        try:
            return path if path.is_file() else None
        except OSError as error:
            raise HubError(*storage.MESSAGES["not_read"].format(path=path, why=error.strerror or error)) from None


class HubSource(Source):
    """Location of a model's files in a Hugging Face hub repository, all taken from the same commit."""

    def __init__(
        self,
        name: str,
        revision: str | None,
        local_files_only: bool,
        cache_dir: str | Path | None = None,
        token: str | bool | None = None,
        subfolder: str = "",
        force_download: bool = False,
    ):
        from huggingface_hub import constants
        from huggingface_hub.file_download import repo_folder_name

        super().__init__(name, None, revision or "main", subfolder)
        self.offline = local_files_only or constants.HF_HUB_OFFLINE
        self.force = force_download and not self.offline
        cache = Path(cache_dir or constants.HF_HUB_CACHE).expanduser()
        self.cache = cache / repo_folder_name(repo_id=name, repo_type="model")
        self._token = token
        self._commit: str | None = None

    @property
    def location(self) -> Message:
        if self.offline:
            return MESSAGES["in_cache"].format(cache=self.cache)
        return MESSAGES["on_hub"].format(name=self.name)

    @property
    def commit(self) -> str:
        """The commit that the local cache has for the revision or, if it has none, the revision itself."""
        if self._commit is None and not self.force:
            with suppress(OSError, ValueError):  # ValueError: the file is damaged
                commit = (self.cache / "refs" / str(self.revision)).read_text(encoding="ascii").strip()
                self._commit = commit if COMMIT.fullmatch(commit) else None
        return self._commit or str(self.revision)

    def _file(self, filename: str) -> Path | None:
        from huggingface_hub import try_to_load_from_cache
        from huggingface_hub.errors import EntryNotFoundError

        path = None
        if not self.force:
            path = try_to_load_from_cache(self.name, filename, cache_dir=self.cache.parent, revision=self.commit)
        if path is not None:  # a path, or a marker that the commit has no such file
            return Path(path) if isinstance(path, str) else None
        # other programs cache some of a model's files, without markers for those that do not exist
        cached = (self.cache / "snapshots" / self.commit).is_dir()
        if self.offline:
            if cached:
                return None
            raise self._error("offline", filename)
        try:
            return self._fetch(filename)
        except EntryNotFoundError:
            return None
        except HubError:
            raise
        except Exception as error:  # classes of network errors differ by HTTP library
            cause = _message_key(error)
            if cause is None:  # an error of neither the network nor the disk
                raise
            if not (cached and cause == "network"):
                raise self._error(cause, filename, error) from None
        self.offline = True
        warning = GatonegroWarning(*MESSAGES["only_cached"].format(name=self.name, filename=filename))
        warn(warning, stacklevel=2)
        return None

    def _fetch(self, filename: str) -> Path:
        """Download a file into the cache, as huggingface_hub does; what the hub names is checked before it is used."""
        import shutil

        from huggingface_hub import hf_hub_url
        from huggingface_hub.errors import EntryNotFoundError

        try:
            headers, location = request(
                "HEAD", hf_hub_url(self.name, filename, revision=self.commit), token=self._token
            )
        except EntryNotFoundError as error:
            response = getattr(error, "response", None)
            if response is not None and (commit := response.headers.get("X-Repo-Commit")):
                marker = self.cache / ".no_exist" / self._check_commit(commit, filename) / filename
                marker.parent.mkdir(parents=True, exist_ok=True)
                marker.touch()
                self._set_commit(commit)
            raise
        commit = self._check_commit(headers.get("X-Repo-Commit") or "", filename)
        etag = ETAG.fullmatch(headers.get("X-Linked-Etag") or headers.get("ETag") or "")
        if etag is None:
            raise self._error("bad_id", filename)
        blob, pointer = self.cache / "blobs" / etag[1], self.cache / "snapshots" / commit / filename
        for folder in (blob.parent, pointer.parent):
            folder.mkdir(parents=True, exist_ok=True)
        if self.force or not blob.is_file():
            length = headers.get("X-Linked-Size") or ("Location" not in headers and headers.get("Content-Length")) or ""
            size = int(length) if length.isdecimal() and len(length) < 20 else -1
            free, most = shutil.disk_usage(blob.parent).free, storage.max_bytes(filename)
            if not 0 <= size <= min(free, most):
                cause = "FileMetadataError" if size < 0 else "too_large" if size > most else "ENOSPC"
                raise self._error(cause, filename)
            temporary = blob.with_name(f"{etag[1]}.{os.urandom(4).hex()}.incomplete")
            try:
                self._download(location, temporary, filename, size)
                if not has_digest(temporary, etag[1]):
                    raise self._error("wrong_content", filename)
                temporary.replace(blob)
            finally:
                temporary.unlink(missing_ok=True)
        pointer.unlink(missing_ok=True)
        try:
            pointer.symlink_to(os.path.relpath(blob, pointer.parent))
        except OSError:  # Windows without developer mode
            shutil.copyfile(blob, pointer)
        self._set_commit(commit)
        return pointer

    def _check_commit(self, commit: str, filename: str) -> str:
        """Return the commit that the hub names for a file, or raise HubError unless it can be the requested one."""
        if not commit:
            raise self._error("FileMetadataError", filename)
        if not COMMIT.fullmatch(commit) or (FULL_HASH.fullmatch(self.commit) and commit != self.commit):
            raise self._error("bad_id", filename)
        return commit

    def _set_commit(self, commit: str) -> None:
        """Store the commit of the revision in the cache, so that all files are taken from it."""
        if commit != self.commit:
            path = self.cache / "refs" / str(self.revision)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(commit, encoding="ascii")
        self._commit = commit

    def _download(self, url: str, path: Path, filename: str, size: int) -> None:
        """Write a file of the hub to a path, resuming it where the connection breaks."""
        from huggingface_hub import constants
        from tqdm import tqdm

        failures, mark = 0, 0
        hidden = bool(constants.HF_HUB_DISABLE_PROGRESS_BARS) or size < PROGRESS_BYTES
        with path.open("wb") as file, tqdm(desc=filename, total=size, unit="B", unit_scale=True, disable=hidden) as bar:
            while failures <= MAX_RETRIES:
                if failures:
                    time.sleep(1)
                if (done := file.tell()) >= mark + PROGRESS_BYTES:  # less is no progress
                    failures, mark = 0, done
                try:
                    for chunk in chunks(url, done, self._token):
                        if not chunk:  # it starts anew
                            file.seek(0)
                            file.truncate()
                        elif file.tell() + len(chunk) > size:
                            raise self._error("wrong_content", filename)
                        bar.update(file.write(chunk))
                except Exception as error:
                    if _message_key(error) not in ("network", "FileMetadataError") or failures == MAX_RETRIES:
                        raise
                else:
                    if file.tell() == size:
                        return
                failures += 1
        raise self._error("OSError", filename)

    def _error(self, cause: str, filename: str, error: BaseException | None = None) -> HubError:
        from huggingface_hub import constants

        detail = str(error).strip().partition("\n")[0][:200] if error else ""
        text = MESSAGES[cause].format(
            name=self.name, filename=filename, revision=self.commit, cache=self.cache, endpoint=constants.ENDPOINT,
            here=Path.cwd(), built_in=", ".join(BUILT_IN), status=_http_status(error),
        )  # fmt: skip
        tail = f" [{type(error).__name__}: {detail}]" if detail else ""
        return HubError(f"{self.name!r}: {text.en}{tail}", f"{self.name!r}: {text.es}{tail}")


def _http_status(error: BaseException | None) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)


def _message_key(error: BaseException) -> str | None:
    """Return the key in `MESSAGES` of the message for a download error, or None for other kinds of error."""
    if "CERTIFICATE_VERIFY_FAILED" in str(error):  # httpx has no class for it
        return "SSLError"
    names = [kind.__name__ for kind in type(error).__mro__]
    if isinstance(error, OSError) and error.errno:
        names.insert(0, errno.errorcode.get(error.errno, ""))
    for name in names:
        if name == "HfHubHTTPError":
            return str(_http_status(error)) if str(_http_status(error)) in MESSAGES else "trouble"
        if (key := ERROR_ALIASES.get(name, name)) in MESSAGES:
            return key
    return None


def split_arguments(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the arguments of `locate` among options, and the other options."""
    where = {name: value for name, value in options.items() if name in ARGUMENTS}
    return where, {name: value for name, value in options.items() if name not in where}


def locate(
    name: str | Path,
    *,
    revision: str | None = None,
    local_files_only: bool = False,
    cache_dir: str | Path | None = None,
    token: str | bool | None = None,
    subfolder: str | None = None,
    force_download: bool = False,
) -> Source:
    """Find a model by name, without downloading it: as a folder, else as a built-in model, else on the hub.

    A folder with the name of a built-in model counts only if it has a config.json; ./NAME always names the folder.

    Args:
        name: a folder, the short name of a built-in model, or a name on the hub.
        revision: branch, tag or commit of a hub name.
        local_files_only: never use the network, as with HF_HUB_OFFLINE=1.
        cache_dir: folder of downloaded files; default: the one that all programs share.
        token: the user's token, sent to the hub alone; None or True: the one that `hf auth login` stored; False: none.
        subfolder: the folder of the model's files, within the model's folder or the hub's repository.
        force_download: download files again that the cache has.

    Raises:
        HubError: there is no such folder, or the hub does not allow such a name.
        OptionError: an argument has a wrong type.
    """
    if not isinstance(name, str | os.PathLike) or not isinstance(text := os.fspath(name), str):
        raise OptionError(*MESSAGES["no_name"].format(kind=type(name).__name__))
    optional(FLAG)("local_files_only", local_files_only)
    optional(FLAG)("force_download", force_download)
    optional(PATH_CHECK)("cache_dir", cache_dir)
    optional(PATH_CHECK)("subfolder", subfolder)
    subfolder = os.fspath(subfolder or "").strip("/")
    if not isinstance(token, bool | None) and not (isinstance(token, str) and TOKEN.fullmatch(token)):
        raise OptionError(*MESSAGES["token"])  # without its value
    if is_notebook():  # huggingface_hub imports tqdm, which warns of a progress bar that it would like better
        with warnings.catch_warnings(), suppress(ImportError):
            warnings.simplefilter("ignore")
            import_module("tqdm.auto")
    folder = None
    with suppress(OSError, ValueError, RuntimeError):  # name too long, null character, unknown user in ~user
        path = Path(text).expanduser()
        folder = path if text and path.is_dir() else None
    if folder is not None and (text not in BUILT_IN or (folder / "config.json").is_file()):
        return Source(text, folder, revision, subfolder)
    optional(REVISION_CHECK)("revision", revision)
    if len(text) > 4096:
        raise HubError(*MESSAGES["long_name"].format(name=text[:60], size=format_int(len(text))))
    if isinstance(name, os.PathLike) or LOCAL_PATH.fullmatch(text):
        path = Path(text)
        if "\0" not in text and path.is_file():
            raise HubError(*MESSAGES["is_a_file"].format(name=text, folder=str(path.parent)))
        raise HubError(*MESSAGES["no_folder"].format(name=text, here=Path.cwd()))
    if text in BUILT_IN:
        if (folder := built_in_models().get(text)) is None:
            raise HubError(*MESSAGES["not_installed"].format(name=text, distribution=WEIGHTS_DISTRIBUTION))
        return Source(text, folder, revision, subfolder)
    from difflib import get_close_matches  # here, for a light start

    if "/" not in text and (close := get_close_matches(text, BUILT_IN, 1, 0.75)):
        raise HubError(*MESSAGES["did_you_mean"].format(name=text, close=close[0]))
    try:
        import_module("huggingface_hub.file_download")
        from huggingface_hub.errors import HFValidationError
        from huggingface_hub.utils import validate_repo_id  # type: ignore[attr-defined]
    except ValueError as error:  # the library reads its settings when it is imported
        raise HubError(*MESSAGES["bad_setting"].format(name=text, error=error)) from None
    try:
        validate_repo_id(text)
    except HFValidationError as error:
        en, es = MESSAGES["HFValidationError"]
        raise HubError(f"{text!r}: {en} [{error}]", f"{text!r}: {es} [{error}]") from None
    if revision is not None and (not revision or ".." in revision or revision.startswith("/") or "\\" in revision):
        raise HubError(*MESSAGES["no_revision"].format(name=text, revision=revision))
    return HubSource(text, revision, local_files_only, cache_dir, token, subfolder, force_download)


def built_in_models() -> dict[str, Path]:
    """Return the folders of the installed built-in models, by the models' short names."""
    spec = find_spec(WEIGHTS_PACKAGE)  # does not import it
    roots = [Path(root) for root in (spec.submodule_search_locations if spec else None) or ()]
    return {name: root / name for name in BUILT_IN for root in roots if (root / name / "config.json").is_file()}

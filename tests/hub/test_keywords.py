"""The keywords that say where a model's files are: `cache_dir`, `token`, `subfolder`, `force_download`."""

import pickle

import huggingface_hub
import pytest
from hub_server import FILES, NAME, NEW, blob_id

from gatonegro import AutoModel, AutoTokenizer, hub, pipeline
from gatonegro.errors import GatonegroError, HubError, OptionError

TOKEN = "hf_abcdefghijklmnopqrstuvwxyz"


def sent(server) -> set[str | None]:
    return {headers.get("authorization") for headers in server.headers}


@pytest.fixture
def stored(monkeypatch):
    """Store a token as `hf auth login` does."""
    monkeypatch.setattr(huggingface_hub, "get_token", lambda: "hf_stored")


@pytest.mark.parametrize(
    ("token", "expected"),
    [(TOKEN, f"Bearer {TOKEN}"), (None, "Bearer hf_stored"), (True, "Bearer hf_stored"), (False, None)],
)
def test_a_token_is_sent(server, stored, token, expected):
    hub.locate(NAME, token=token).file("config.json")
    assert sent(server) == {expected}


def test_a_token_is_in_no_message_and_no_pickle(server):
    source = hub.locate(NAME, token=TOKEN)
    assert TOKEN not in repr(source)
    server.refuse = 401, {}
    with pytest.raises(HubError) as error:
        source.file("config.json")
    assert TOKEN not in repr(error.value)
    for wrong in (TOKEN + "\n", f"{TOKEN} ", TOKEN.encode(), [TOKEN], ""):
        for load in (hub.locate, AutoModel.from_pretrained, AutoTokenizer.from_pretrained):
            with pytest.raises(OptionError, match="token must be") as error:
                load(NAME, token=wrong)
            assert TOKEN not in str(error.value)


def test_a_pipeline_forgets_its_token(make_folder):
    pipe = pipeline("text-classification", make_folder(), token=TOKEN, model_kwargs={"ignore_mismatched_sizes": True})
    data = pickle.dumps(pipe)
    assert TOKEN.encode() not in data
    assert pickle.loads(data)("el gato") == pipe("el gato")


def test_every_file_of_a_pipeline_comes_with_the_keywords(server, make_folder, tmp_path):
    folder = make_folder()
    server.commits[NEW] = {path.name: path.read_bytes() for path in folder.iterdir()}
    server.branches["main"] = NEW
    pipe = pipeline(model=NAME, token=TOKEN, cache_dir=tmp_path / "own")
    assert pipe("el gato") == pipeline("text-classification", folder)("el gato")
    assert sent(server) == {f"Bearer {TOKEN}"}
    assert not (tmp_path / "cache").exists() and (tmp_path / "own" / "models--alguien--modelo").is_dir()


def test_a_cache_of_its_own(server, tmp_path):
    path = hub.locate(NAME, cache_dir=tmp_path / "own").file("config.json")
    assert path.is_relative_to(tmp_path / "own") and not (tmp_path / "cache").exists()
    server.seen.clear()
    assert hub.locate(NAME, cache_dir=str(tmp_path / "own"), local_files_only=True).file("config.json") == path
    assert server.seen == []


def test_a_subfolder_of_the_repository(server):
    assert hub.locate(NAME, subfolder="onnx").file("model.onnx").read_bytes() == FILES["onnx/model.onnx"]
    assert hub.locate(NAME, subfolder="onnx/").file("config.json") is None
    for outside in ("..", "onnx/../..", "/etc/.."):
        with pytest.raises(GatonegroError, match="outside"):
            hub.locate(NAME, subfolder=outside).file("config.json")


def test_files_are_downloaded_again(server):
    hub.locate(NAME).file("config.json")
    server.branches["main"] = NEW
    assert hub.locate(NAME).json("config.json") == {"model_type": "bert"}
    source = hub.locate(NAME, force_download=True)
    assert source.json("config.json") == {"new": 1} and source.commit == NEW
    blob = source.cache / "blobs" / blob_id(server.commits[NEW]["config.json"])
    blob.write_bytes(b"damaged")
    assert hub.locate(NAME, force_download=True).json("config.json") == {"new": 1}
    server.seen.clear()
    assert hub.locate(NAME, force_download=True, local_files_only=True).json("config.json") == {"new": 1}
    assert server.seen == []

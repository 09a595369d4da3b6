"""`gatonegro convert`: int8 and back, pickles, folders that cannot be written."""

import json
import shutil
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from commands import CARD, answers
from safetensors.torch import load_file

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer
from gatonegro.errors import CheckpointError


def same_tensors(a, b) -> None:
    a, b = load_file(a), load_file(b)
    assert a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_convert_to_int8_and_back(wide, run, tmp_path, no_socket):
    small, back, again = tmp_path / "new" / "small", tmp_path / "back", tmp_path / "again"
    assert run("convert", wide, "-o", small, "--int8") == (f"{small}\n", "")
    assert run("convert", small, "-o", back) == (f"{back}\n", "")
    assert run("convert", back, "-o", again, "--int8") == (f"{again}\n", "")
    weights = [next(folder.glob("model*.safetensors")) for folder in (wide, small, back, again)]
    assert [file.name for file in weights] == ["model.safetensors", "model.int8.safetensors"] * 2
    size = [file.stat().st_size for file in weights]
    assert size[1] < 0.5 * size[0] and abs(size[2] - size[0]) < 2000
    same_tensors(weights[1], weights[3])
    assert answers(run, small) == pytest.approx(answers(run, wide), abs=0.1)
    assert answers(run, small) == pytest.approx(answers(run, back), abs=1e-6)
    assert (back / "README.md").read_text(encoding="utf-8") == CARD
    config = json.loads((back / "config.json").read_text())
    assert len(config.pop("gatonegro_save_id")) == 16
    before = json.loads((wide / "config.json").read_text())
    before.pop("gatonegro_save_id")
    assert config == before


def test_convert_of_a_pickled_model(wide, run, refused, tmp_path):
    before = answers(run, wide)
    torch.save(
        {name: tensor.clone() for name, tensor in load_file(wide / "model.safetensors").items()},
        wide / "pytorch_model.bin",
    )
    (wide / "model.safetensors").unlink()
    assert f"gatonegro convert {wide} -o FOLDER" in refused("sentiment", "-m", wide, "hola")
    run("convert", wide, "-o", tmp_path / "out")
    assert answers(run, tmp_path / "out") == before


@pytest.mark.case("N19")
@pytest.mark.parametrize("path", ["{0}", "{0}/", "{0}/../{1}", "link"])
def test_convert_onto_its_own_folder_is_refused(wide, refused, tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link").symlink_to(wide)
    before = {file: file.read_bytes() for file in wide.iterdir()}
    for options in ([], ["--int8"]):
        message = refused("convert", wide, "-o", path.format(wide, wide.name), *options)
        assert "is the folder of the model itself" in message
    assert {file: file.read_bytes() for file in wide.iterdir()} == before


class Killed(BaseException):
    """The end of the process."""


def dying(real, left):
    def step(*args, **options):
        if next(left, None) is None:
            raise Killed
        return real(*args, **options)

    return step


@pytest.mark.case("S2")
def test_convert_that_is_killed_mixes_no_two_models(wide, run, tmp_path, monkeypatch):
    """At any step: the folder has the old model with its tokenizer, the new one with its own, or is refused."""
    first, second, out = tmp_path / "first", tmp_path / "second", tmp_path / "out"
    for folder, number in ((first, 1), (second, 2)):
        shutil.copytree(wide, folder)
        model = AutoModelForSequenceClassification.from_pretrained(wide)
        for parameter in model.parameters():
            parameter.data.fill_(number)
        model.save_pretrained(folder)
        settings = json.loads((folder / "tokenizer_config.json").read_text())
        (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "model_max_length": 30 + number}))
    for name in ("generation_config.json", "added_tokens.json"):
        (first / name).write_text("{}")
    seen, whole = [], False
    for steps in range(99):
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(first, out)
        with monkeypatch.context() as patch:
            left = iter([True] * steps)
            for name in ("replace", "unlink"):
                patch.setattr(Path, name, dying(getattr(Path, name), left))
            with suppress(Killed):
                run("convert", second, "-o", out)
                whole = True
        try:
            model = AutoModelForSequenceClassification.from_pretrained(out)
        except CheckpointError:
            seen.append("refused")
        else:
            seen.append(next(model.parameters()).flatten()[0].item())
            assert AutoTokenizer.from_pretrained(out).model_max_length == 30 + seen[-1]
        if whole:
            break
    assert seen[0] == 1 and seen[-1] == 2 and set(seen) == {1, 2, "refused"}
    assert not (out / "generation_config.json").exists() and not (out / "added_tokens.json").exists()

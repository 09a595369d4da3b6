"""What is released: one version, types that users' checkers see, and wheels that answer without a checkout."""

import json
import os
import re
import runpy
import subprocess
import sys
import tarfile
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest
import tomllib

import gatonegro

ROOT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").is_file())
DISTRIBUTIONS = {"gatonegro": ROOT, "gatonegro-models": ROOT / "models", "gatonegro-kernels": ROOT / "kernels"}
SETTINGS = {
    name: tomllib.loads((folder / "pyproject.toml").read_text("utf-8")) for name, folder in DISTRIBUTIONS.items()
}


def hatchling(folder: Path, *arguments) -> str:
    """Run the build backend in `folder`, without a network, and return what it printed."""
    command = [sys.executable, "-m", "hatchling", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def build(kind: str, folder: Path, target: Path) -> Path:
    """Build an "sdist" or a "wheel" of the project in `folder`, and return its file."""
    before = {*target.glob("*")}
    hatchling(folder, "build", "-t", kind, "-d", target)
    (made,) = {*target.glob("*")} - before
    return made


def files_of(sdist: Path) -> set[str]:
    with tarfile.open(sdist) as archive:
        return {name.partition("/")[2] for name in archive.getnames()}


@pytest.mark.slow
def test_all_distributions_have_one_version():
    for name, folder in DISTRIBUTIONS.items():
        assert SETTINGS[name]["project"]["dynamic"] == ["version"]
        assert hatchling(folder, "version") == gatonegro.__version__, name


def test_the_changelog_has_the_version():
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    assert headings[0] == gatonegro.__version__
    assert len(headings) == len({*headings})


def test_a_release_needs_the_tag_of_the_version_and_a_dated_section():
    script = runpy.run_path(str(ROOT / "scripts" / "release_notes.py"))
    notes, changelog = (
        script["notes"],
        "# Changelog\n\n## 1.2.3 (2031-01-31)\n\n### Added\n\n- This.\n\n## 1.2.2 (2031-01-01)\n",
    )
    assert script["version_of"]('x = 1\n__version__ = "1.2.3"  # of all\n') == "1.2.3"
    assert notes(changelog, "1.2.3") == "### Added\n\n- This.\n"
    for version, problem in {"1.2": "no section", "1.2.2": "empty"}.items():
        with pytest.raises(SystemExit, match=problem):
            notes(changelog, version)
    with pytest.raises(SystemExit, match="YYYY-MM-DD"):
        notes(changelog.replace("2031-01-31", "unreleased"), "1.2.3")
    with pytest.raises(SystemExit, match=f"the version is {re.escape(gatonegro.__version__)}"):
        script["main"]("v0.0.9")


def test_the_release_brings_the_kernels_and_nothing_brings_torch():
    """The workflow of releases uncomments a line of the dependencies; a checkout installs without any kernels."""
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text("utf-8")
    assert 's/^    # "gatonegro-kernels/    "gatonegro-kernels/' in workflow
    released = tomllib.loads(text.replace('    # "gatonegro-kernels', '    "gatonegro-kernels'))["project"]
    extras = released["optional-dependencies"]
    before = SETTINGS["gatonegro"]["project"]["dependencies"]
    assert [name for name in released["dependencies"] if name not in before] == extras["kernels"]
    assert not any(name.startswith("torch") for name in before)
    assert extras["torch"] and "gatonegro[torch]" in extras["train"] and {*extras["torch"]} <= {*extras["test"]}


@pytest.mark.slow
def test_a_wheel_has_the_types_and_every_file_of_the_package(tmp_path):
    with ZipFile(build("wheel", ROOT, tmp_path)) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert "gatonegro/py.typed" in names
    source = ROOT / "src"
    files = {path.relative_to(source).as_posix() for path in source.rglob("*") if path.is_file()}
    assert names == {name for name in files if "__pycache__" not in name and ".egg-info" not in name}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gatonegro", "gatonegro-kernels"])
def test_an_sdist_has_what_its_pyproject_includes(name, tmp_path):
    check_sdist(name, build("sdist", DISTRIBUTIONS[name], tmp_path))


def check_sdist(name: str, sdist: Path) -> None:
    files, folder = files_of(sdist), DISTRIBUTIONS[name]
    for pattern in SETTINGS[name]["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]:
        expected = [path for path in folder.glob(pattern.removeprefix("/")) if path.suffix not in (".o", ".so")]
        assert expected, pattern
        for path in expected:
            inside = path.relative_to(folder).as_posix()
            assert inside in files or any(file.startswith(f"{inside}/") for file in files), inside
    assert {"pyproject.toml", "PKG-INFO", "README.md", "LICENSE"} <= files


def test_modules_without_torch_are_checked_strictly():
    tools = SETTINGS["gatonegro"]["tool"]
    assert tools["mypy"]["strict"]
    overrides = [o for o in tools["mypy"]["overrides"] if "disallow_untyped_calls" in o]  # those for PyTorch
    relaxed = {name.removesuffix(".*") for override in overrides for name in override["module"]}
    contracts = [c for c in tools["importlinter"]["contracts"] if "torch" in c.get("forbidden_modules", ())]
    assert contracts
    assert not relaxed & {module for contract in contracts for module in contract["source_modules"]}


@pytest.mark.slow
def test_wheels_answer_without_a_checkout(tmp_path):
    """Build sdists, wheels from these, and an environment with the wheels; dependencies are borrowed from this one."""
    wheels = []
    for name in ("gatonegro", "gatonegro-models"):
        sdist = build("sdist", DISTRIBUTIONS[name], tmp_path)
        check_sdist(name, sdist)
        with tarfile.open(sdist) as archive:
            archive.extractall(tmp_path / "source", filter="data")
        wheels.append(build("wheel", tmp_path / "source" / sdist.name.removesuffix(".tar.gz"), tmp_path))

    place = tmp_path / "venv"
    venv.create(place, with_pip=True)
    programs = place / ("Scripts" if os.name == "nt" else "bin")
    settings = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "GATONEGRO_CACHE"))}
    settings |= {"HF_HOME": str(tmp_path / "hf"), "HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}

    def run(program: str, *arguments) -> str:
        command = [str(programs / program), *map(str, arguments)]
        done = subprocess.run(
            command, cwd=place, env=settings, capture_output=True, encoding="utf-8", timeout=300, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run("python", "-m", "pip", "install", "--no-deps", "--no-index", "--disable-pip-version-check", *wheels)
    own = Path(run("python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip())
    # dependencies are borrowed; a path in a .pth file comes after the environment's own packages
    borrowed = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    (own / "borrowed.pth").write_text("\n".join(borrowed) + "\n", encoding="utf-8")

    code = (
        "import gatonegro, gatonegro_models, importlib.metadata as m; "
        "print(gatonegro.__file__, gatonegro_models.__file__, m.version('gatonegro'), m.version('gatonegro-models'))"
    )
    version = gatonegro.__version__
    first, second, *versions = run("python", "-c", code).split()
    assert Path(first).is_relative_to(place) and Path(second).is_relative_to(place)
    assert versions == [version, version]
    assert run("gatonegro", "--version").split() == ["gatonegro", version]
    answer = run("gatonegro", "sentiment", "--json", "El profesor es bueno, todo será sencillo")
    assert json.loads(answer)["label"] == "POS"

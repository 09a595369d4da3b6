"""Tests of the kernels against plain loops: as installed, under the compiler's sanitizers, and for Arm in QEMU."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from gatonegro.operators import kernels, processor

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name != "posix", reason="the driver forks")]

SOURCE = next(folder for folder in Path(__file__).parents if (folder / "kernels").is_dir() and folder.name != "tests")
SOURCE = SOURCE / "kernels" / "gatonegro_kernels"
DRIVER = Path(__file__).with_name("driver.cpp")
COMPILER, CROSS_COMPILER = os.environ.get("CXX", "g++"), "aarch64-linux-gnu-g++"
FLAGS = ["-std=c++20", "-pthread", "-fno-math-errno", "-Wall", "-Wextra", "-Werror", f"-I{SOURCE}"]
NATIVE = "-mavx2 -mfma -mf16c -mbmi2" if processor.cpu_capabilities() >= kernels.AVX2 else ""
ARM = {"neon": "armv8-a", "neon_dotprod": "armv8.2-a+dotprod", "neon_bf16": "armv8.2-a+dotprod+i8mm+bf16"}


def build(target: Path, *arguments, compiler: str = COMPILER) -> Path:
    """Compile, and return the file; skip the test where there is no such compiler or one of its libraries lacks."""
    if not shutil.which(compiler):
        pytest.skip(f"there is no {compiler}")
    command = [compiler, *FLAGS, *map(str, arguments), "-o", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "cannot find" in done.stderr and "san" in done.stderr:
        pytest.skip(f"{compiler} has no sanitizers: {done.stderr.splitlines()[0]}")
    assert done.returncode == 0, done.stderr
    return target


def check(*command, **environment) -> None:
    """Run the driver, which must find no difference, and the sanitizer in it, which must report nothing."""
    settings = os.environ | environment
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=300, env=settings, check=False)
    assert done.returncode == 0 and done.stdout.endswith("agree\n") and not done.stderr, done.stdout + done.stderr


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    """The driver as an object file, to be linked with kernels."""
    return build(tmp_path_factory.mktemp("driver") / "driver.o", "-O1", "-c", DRIVER)


@pytest.fixture(scope="module")
def arm_driver(tmp_path_factory):
    if not shutil.which("qemu-aarch64"):
        pytest.skip("there is no qemu-aarch64")
    return build(tmp_path_factory.mktemp("arm") / "driver.o", "-O2", "-c", DRIVER, compiler=CROSS_COMPILER)


@pytest.mark.skipif(not kernels.available(), reason="gatonegro-kernels is not installed, or not for this processor")
@pytest.mark.parametrize("name", kernels.ISA_CAPABILITIES)
def test_installed_libraries(name, driver, tmp_path):
    if not kernels.ISA_CAPABILITIES[name] <= processor.cpu_capabilities():
        pytest.skip(f"this processor has not what {name} needs")
    library = Path(kernels.find_spec("gatonegro_kernels").origin).resolve().with_name(f"kernels_{name}.so")
    program = build(tmp_path / "driver", driver, library, f"-Wl,-rpath,{library.parent}")
    for seed in range(4):
        check(program, 25, seed, 64 if name == "avx2" else 127, "busy")
    needs = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
    assert "libgomp" not in needs


@pytest.mark.skipif(not NATIVE, reason="the kernels need AVX2")
@pytest.mark.parametrize("sanitizers", ["address,undefined", "thread"])
def test_sanitizers(sanitizers, driver, tmp_path):
    optimized = "-O2" if sanitizers == "thread" else "-O1"  # with the other two, -O2 takes twice the time
    arguments = optimized, "-fexpensive-optimizations", *NATIVE.split()  # the latter fuses products and sums
    arguments += f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all"
    program = build(tmp_path / "driver", *arguments, driver, SOURCE / "kernels.cpp")
    check(program, 24, 7, 64, "idle", TSAN_OPTIONS="die_after_fork=0")


@pytest.mark.parametrize("name", ARM)
def test_arm(name, arm_driver, tmp_path):
    arguments = "-O2", "-static", f"-march={ARM[name]}", arm_driver, SOURCE / "kernels.cpp"
    program = build(tmp_path / "driver", *arguments, compiler=CROSS_COMPILER)
    check("qemu-aarch64", "-cpu", "max", program, 8, 5, 127)  # QEMU 7 cannot fork a process of several threads

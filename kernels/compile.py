"""Build hook that compiles kernels.cpp per instruction set; the libraries use PyTorch's OpenMP threads."""

import os
import platform
import subprocess
import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMON = "-O3 -std=c++17 -fPIC -fopenmp -fno-math-errno -fvisibility=hidden -Wall -Wextra -mfma -mf16c -mbmi2"
AVX512 = "-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni -mprefer-vector-width=512"
ISA_FLAGS = {
    "avx512_bf16": f"{AVX512} -mavx512bf16",
    "avx512": AVX512,
    "avx2_vnni": "-mavx2 -mavxvnni",
    "avx2": "-mavx2",
}


class Compile(BuildHookInterface):
    """The hook that adds the compiled libraries to the wheel."""

    def initialize(self, version, build_data):
        if sys.platform != "linux" or platform.machine() not in ("x86_64", "AMD64"):
            raise RuntimeError(
                "gatonegro-kernels is for Linux on x86-64; gatonegro does without it elsewhere, by PyTorch's operators."
            )
        source = Path(self.root) / "gatonegro_kernels" / "kernels.cpp"
        compiler = os.environ.get("CXX", "g++")
        for isa, flags in ISA_FLAGS.items():
            obj, library = (source.with_name(f"kernels_{isa}.{kind}") for kind in ("o", "so"))
            try:
                # two steps: a link with -fopenmp would bring a second OpenMP, whose threads wait for PyTorch's
                subprocess.run([compiler, *COMMON.split(), *flags.split(), "-c", source, "-o", obj], check=True)
                subprocess.run([compiler, "-shared", obj, "-o", library], check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise RuntimeError(
                    f"{compiler} could not compile {source.name} for {isa} ({error}). It needs g++ 11 or later: "
                    "on Debian and Ubuntu, apt install g++. gatonegro does without these kernels, more slowly."
                ) from None
            finally:
                obj.unlink(missing_ok=True)
        build_data.update(pure_python=False, tag="py3-none-linux_x86_64")

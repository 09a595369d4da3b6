"""Build hook that compiles kernels.cpp once per instruction set, for this machine or for the target that is named.

`GATONEGRO_KERNELS_TARGET` names another target, and `CXX` then its compiler:
GATONEGRO_KERNELS_TARGET=linux-aarch64 CXX=aarch64-linux-gnu-g++ pip wheel ./kernels
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

COMMON = "-O3 -std=c++20 -fno-math-errno -ffp-contract=fast -fvisibility=hidden -Wall -Wextra"
AVX2, AVX512 = "-mavx2 -mfma -mf16c -mbmi2", "-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx512vnni"
X86_64 = {  # library → flags, as in gatonegro's table of libraries and the processor features that they need
    "avx512_bf16": f"{AVX2} {AVX512} -mprefer-vector-width=512 -mavx512bf16",
    "avx512": f"{AVX2} {AVX512} -mprefer-vector-width=512",
    "avx2_vnni": f"{AVX2} -mavxvnni",
    "avx2": AVX2,
}
AARCH64 = {
    "neon_bf16": "-march=armv8.2-a+dotprod+i8mm+bf16",
    "neon_dotprod": "-march=armv8.2-a+dotprod",
    "neon": "-march=armv8-a",
}
TARGETS = {  # system and machine → libraries, other flags, compiler, the wheel's platform
    "linux-x86_64": (X86_64, "-fPIC -pthread", "g++", "linux_x86_64"),
    "linux-aarch64": (AARCH64, "-fPIC -pthread", "g++", "linux_aarch64"),
    "darwin-arm64": (AARCH64, "-mmacosx-version-min=11.0", "clang++", "macosx_11_0_arm64"),
    "win32-amd64": (X86_64, "", "clang++", "win_amd64"),
}


class Compile(BuildHookInterface):
    """The hook that adds the compiled libraries to the wheel."""

    def initialize(self, version, build_data):
        target = os.environ.get("GATONEGRO_KERNELS_TARGET") or f"{sys.platform}-{platform.machine().lower()}"
        if target not in TARGETS:
            raise RuntimeError(
                f"gatonegro-kernels is not for {target}, only for {', '.join(TARGETS)}; gatonegro does without it."
            )
        libraries, flags, compiler, tag = TARGETS[target]
        compiler, source = os.environ.get("CXX", compiler), Path(self.root) / "gatonegro_kernels" / "kernels.cpp"
        for other in source.parent.glob("*.so"):  # of another target
            other.unlink()
        for name, isa in libraries.items():
            library = source.with_name(f"kernels_{name}.so")  # on every system, as gatonegro looks for it
            command = [compiler, *f"{COMMON} {flags} {isa}".split(), "-shared", source, "-o", library]
            try:
                subprocess.run(command, check=True)
            except (OSError, subprocess.CalledProcessError) as error:
                raise RuntimeError(
                    f"{compiler} could not compile {source.name} for {name} ({error}). It needs g++ 11 or later: "
                    "on Debian and Ubuntu, apt install g++. gatonegro does without these kernels, more slowly."
                ) from None
        build_data.update(pure_python=False, tag=f"py3-none-{tag}")

"""Properties of the machine: instruction sets, and the cores and threads that this process may use."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

from gatonegro.i18n import catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
# precision → processor capabilities, any of which makes its products fast
PRECISION_CAPABILITIES = {
    "bf16": ("amx_bf16", "avx512_bf16", "bf16"),
    "int8": ("amx_int8", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "avx2"),
}
CPU_INFO = Path("/proc/cpuinfo")
# the kernel's names of capabilities that have another one here, PyTorch's
RENAMED = {
    "fma": "fma3",
    "avx512f": "avx512_f",
    "avx512bw": "avx512_bw",
    "avx512vl": "avx512_vl",
    "avx512dq": "avx512_dq",
}
# instruction sets that oneDNN can be limited to, in order; capability → the first of them that has it
ONEDNN_ISAS = [
    *("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16"),
    *("AVX512_CORE_FP16", "AVX10_1_512", "AVX512_CORE_AMX", "AVX512_CORE_AMX_FP16", "AVX10_1_512_AMX"),
]
FIRST_ISA = {
    "avx2": "AVX2",
    "avx_vnni": "AVX2_VNNI",
    "avx_vnni_int8": "AVX2_VNNI_2",
    "avx512_vnni": "AVX512_CORE_VNNI",
    "avx512_bf16": "AVX512_CORE_BF16",
    "amx_int8": "AVX512_CORE_AMX",
    "amx_bf16": "AVX512_CORE_AMX",
}
CGROUP_ROOT, PROCESS_CGROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@cache
def cpu_capabilities() -> frozenset[str]:
    """Return the names of the processor features, such as "avx512_bf16", that kernels may use.

    `ATEN_CPU_CAPABILITY` and `ONEDNN_MAX_CPU_ISA`, which limit PyTorch and oneDNN, are respected:
    https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
    """
    has = {RENAMED.get(name, name) for name in _flags()}
    level = os.environ.get("ATEN_CPU_CAPABILITY", "")
    if level in ("avx2", "default"):
        has = {name for name in has if not name.startswith(("avx512", "amx"))}
    if level == "default":
        has = {name for name in has if not name.startswith("avx")}
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "ALL")).upper()
    if limit in ONEDNN_ISAS:
        has -= {name for name, first in FIRST_ISA.items() if ONEDNN_ISAS.index(first) > ONEDNN_ISAS.index(limit)}
    return frozenset(has)


def _flags() -> set[str]:
    """Return the processor's features by the names in Linux's /proc/cpuinfo; on other systems, those that are sure."""
    with suppress(OSError, UnicodeDecodeError):
        for line in CPU_INFO.read_text().splitlines():
            name, _, flags = line.partition(":")
            if name.strip() in ("flags", "Features"):  # x86-64, and aarch64
                return set(flags.split())
    # neither of these was tried on a machine of ours
    if sys.platform == "darwin" and os.uname().machine == "arm64":
        return {"asimd", "asimddp"}
    if sys.platform == "win32" and ctypes.windll.kernel32.IsProcessorFeaturePresent(
        40
    ):  # PF_AVX2_INSTRUCTIONS_AVAILABLE
        return {"avx2", "fma", "f16c", "bmi2"}
    return set()


@cache
def fast_precisions() -> frozenset[str]:
    """Return the precisions, out of "bf16" and "int8", in which this processor multiplies matrices fast."""
    has = cpu_capabilities()
    return frozenset(precision for precision, any_of in PRECISION_CAPABILITIES.items() if has.intersection(any_of))


@cache
def cores() -> int:
    """Return the number of cores that this process may use, by CPU affinity and cgroup quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *(math.ceil(quota) for quota in _cpu_quotas())]))


def _cpu_quotas() -> Iterator[float]:
    """Yield the CPU quota, in cores, of this process's cgroup and of each cgroup that contains it.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, and for the first version cgroup-v1/sched-bwc
    """
    try:
        lines = PROCESS_CGROUP.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = CGROUP_ROOT / "cpu" if controllers else CGROUP_ROOT
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            with suppress(OSError, ValueError, IndexError):  # no such file, or no limit: "max", -1
                files = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
                quota, period = (int(word) for file in files for word in (folder / file).read_text().split())
                if quota > 0 and period > 0:
                    yield quota / period


def thread_count() -> int:
    """Return the number of threads that compute: one per core, or as many as `OMP_NUM_THREADS` or PyTorch's setting."""
    limits = [cores()]
    if (given := os.environ.get("OMP_NUM_THREADS", "").partition(",")[0]).isdecimal() and int(given):
        limits.append(int(given))
    # torch.set_num_threads; another thread may be importing torch, which then lacks the function
    if (threads := getattr(sys.modules.get("torch"), "get_num_threads", None)) is not None:
        limits.append(threads())
    return min(limits)


def _after_fork() -> None:
    """Let PyTorch, in a forked process, compute with one thread, since OpenMP waits for those of its parent."""
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() > 1:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def trim_memory() -> None:
    """Return freed memory that glibc keeps, such as after the packing of weights, to the operating system."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)

"""Properties of the machine: instruction sets, cores that this process may use, memory, and devices."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from gatonegro.checks import short_repr
from gatonegro.errors import OptionError, message_of
from gatonegro.i18n import Message, catalog

MESSAGES = catalog(Path(__file__).with_name("messages.json"))
# precision → PyTorch's names of processor capabilities, any of which makes its products fast
PRECISION_CAPABILITIES = {
    "bf16": ("amx_bf16", "avx512_bf16", "bf16"),
    "int8": ("amx_int8", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "avx2"),
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
    """Return the names of the processor features, such as "avx512_bf16", that PyTorch may use.

    `ATEN_CPU_CAPABILITY` and `ONEDNN_MAX_CPU_ISA`, which limit PyTorch and oneDNN, are respected:
    https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
    """
    has = {name for name, value in getattr(torch.cpu, "get_capabilities", dict)().items() if value is True}
    if "sse2" in has and vector_bits() < 512:  # the processor's, or PyTorch's limit
        has = {name for name in has if not name.startswith(("avx512", "amx"))}
    if "sse2" in has and vector_bits() < 256:
        has = {name for name in has if not name.startswith("avx")}
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "ALL")).upper()
    if limit in ONEDNN_ISAS:
        has -= {name for name, first in FIRST_ISA.items() if ONEDNN_ISAS.index(first) > ONEDNN_ISAS.index(limit)}
    return frozenset(has)


@cache
def fast_precisions() -> frozenset[str]:
    """Return the precisions, out of "bf16" and "int8", in which this processor multiplies matrices fast."""
    if not torch.backends.mkldnn.is_available():
        return frozenset()
    has = cpu_capabilities()
    return frozenset(precision for precision, any_of in PRECISION_CAPABILITIES.items() if has.intersection(any_of))


def vector_bits() -> int:
    """Return the width in bits of the vector instructions that PyTorch uses: 512, 256 or 128."""
    level = torch.backends.cpu.get_cpu_capability()
    return 512 if level == "AVX512" else 256 if level in ("AVX2", "SVE256") else 128


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


@cache
def limit_threads() -> int:
    """Limit PyTorch to as many threads as this process may use cores, and return the number of threads.

    More threads than cores wait for each other: two processes that both use all cores are many times slower. A number
    that the user set, by `OMP_NUM_THREADS` or `torch.set_num_threads`, is never raised.
    """
    if torch.get_num_threads() > cores():
        torch.set_num_threads(cores())
    return torch.get_num_threads()


def _after_fork() -> None:
    """Let a forked process compute with one thread, since it has none of its parent's, and OpenMP waits for them."""
    if torch.get_num_threads() > 1:
        torch.set_num_threads(1)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def trim_memory() -> None:
    """Return freed memory that glibc keeps, such as after the packing of weights, to the operating system."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def has_bf16() -> bool:
    """Return True if training is faster in bf16 than in fp32 on this processor."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def keep_memory() -> None:
    """Make glibc keep freed memory for reuse, since fetching it anew takes up to half of a training step.

    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    trim_threshold, mmap_max = -1, -4
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)  # as a size, the largest there is


def resolve_device(device: int | str | torch.device) -> torch.device:
    """Return the `torch.device` for a name such as "cuda", a GPU's index (-1 is the CPU), or "auto".

    Raises:
        OptionError: there is no such device, or nothing can be computed on it.
    """
    name = short_repr(device)
    if isinstance(device, str) and device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if isinstance(device, int) and not isinstance(device, bool):
        device = "cpu" if device < 0 else f"cuda:{device}"
    try:
        if isinstance(device, bool) or not isinstance(device, str | torch.device):
            raise OptionError("not a device name", "no es el nombre de un dispositivo")
        resolved = torch.device(device)
        torch.zeros(1, device=resolved).item()  # fails on "meta", whose tensors have no numbers
    except (RuntimeError, AssertionError, ValueError, ImportError, NotImplementedError, OptionError) as error:
        why = Message(*(text.splitlines()[0][:150] for text in message_of(error)))
        if why.en.startswith("Expected one of"):  # a list of all kinds that PyTorch can be built for
            why = Message("no such device type", "no hay dispositivos de ese tipo")
        kind = "gpu" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        raise OptionError(*MESSAGES["device"].format(name=name, why=why, devices=MESSAGES[kind])) from None
    return resolved

"""The machine: its processor, the cores that this process may use, memory, the device."""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from gatonegro.checks import short
from gatonegro.errors import OptionError, message_of

# precision that a processor multiplies fast → PyTorch's names of its capabilities, one of which is enough
ABILITIES = {
    "bf16": ("amx_bf16", "avx512_bf16", "bf16"),
    "int8": ("amx_int8", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "avx2"),
}
# instruction sets that oneDNN can be limited to, in order, and the first of them with each capability
LIMITS = [
    *("SSE41", "AVX", "AVX2", "AVX2_VNNI", "AVX2_VNNI_2", "AVX512_CORE", "AVX512_CORE_VNNI", "AVX512_CORE_BF16"),
    *("AVX512_CORE_FP16", "AVX10_1_512", "AVX512_CORE_AMX", "AVX512_CORE_AMX_FP16", "AVX10_1_512_AMX"),
]
THERE_FROM = {
    "avx2": "AVX2",
    "avx_vnni": "AVX2_VNNI",
    "avx_vnni_int8": "AVX2_VNNI_2",
    "avx512_vnni": "AVX512_CORE_VNNI",
    "avx512_bf16": "AVX512_CORE_BF16",
    "amx_int8": "AVX512_CORE_AMX",
    "amx_bf16": "AVX512_CORE_AMX",
}
GROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@cache
def names() -> frozenset[str]:
    """Return PyTorch's names of the processor's capabilities that PyTorch may use.

    `ATEN_CPU_CAPABILITY` and `ONEDNN_MAX_CPU_ISA`, which limit PyTorch and oneDNN, count:
    https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
    """
    has = {name for name, there in getattr(torch.cpu, "get_capabilities", dict)().items() if there is True}
    if "sse2" in has and vector_bits() < 512:  # the processor's, or PyTorch's limit
        has = {name for name in has if not name.startswith(("avx512", "amx"))}
    if "sse2" in has and vector_bits() < 256:
        has = {name for name in has if not name.startswith("avx")}
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "ALL")).upper()
    if limit in LIMITS:
        has -= {name for name, least in THERE_FROM.items() if LIMITS.index(least) > LIMITS.index(limit)}
    return frozenset(has)


@cache
def abilities() -> frozenset[str]:
    """Return the keys of `ABILITIES` that the processor has, and that PyTorch has operators for."""
    if not torch.backends.mkldnn.is_available():
        return frozenset()
    return frozenset(ability for ability, any_of in ABILITIES.items() if names().intersection(any_of))


def vector_bits() -> int:
    """Return the width of PyTorch's vectors in bits: 512, 256, or 128 where PyTorch names none."""
    level = torch.backends.cpu.get_cpu_capability()
    return 512 if level == "AVX512" else 256 if level in ("AVX2", "SVE256") else 128


def cores() -> int:
    """Return the number of cores that this process may use, by its affinity and its control group's share of time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(share) for share in _shares())]))


def _shares() -> Iterator[float]:
    """Yield the cores' worth of time that Linux grants to this process's control group, and to each group around it.

    https://docs.kernel.org/admin-guide/cgroup-v2.html, and for the first version cgroup-v1/sched-bwc
    """
    try:
        lines = OWN_GROUP.read_text().splitlines()
    except OSError:  # no Linux
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        root = GROUPS / "cpu" if controllers else GROUPS
        group = root / path.lstrip("/")
        for folder in (group, *group.parents):
            if not folder.is_relative_to(root):
                break
            with suppress(OSError, ValueError, IndexError):  # no such file, or no limit: "max", -1
                names = ("cpu.cfs_quota_us", "cpu.cfs_period_us") if controllers else ("cpu.max",)
                granted, period = (int(word) for name in names for word in (folder / name).read_text().split())
                if granted > 0 and period > 0:
                    yield granted / period


@cache
def fit_threads() -> int:
    """Limit PyTorch, once, to as many threads as the process has cores; return the number of threads.

    More threads than cores wait for each other: two processes that both use all cores are many times slower. A number
    that the user set, by `OMP_NUM_THREADS` or `torch.set_num_threads`, is only ever lowered.
    """
    if torch.get_num_threads() > cores():
        torch.set_num_threads(cores())
    return torch.get_num_threads()


def give_back() -> None:
    """Return free memory to the system: packing weights takes much for a moment, which glibc would keep."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def has_bf16() -> bool:
    """Return True if training is faster in bf16."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def keep_memory() -> None:
    """Keep the memory of a step for the next one, with glibc: new pages from the system take up to half of a step.

    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    trim_threshold, mmap_max = -1, -4
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)  # as a size, the largest there is


def resolve_device(device: int | str | torch.device) -> torch.device:
    """Return the device of a name, of a GPU's index (-1: the CPU), or of "auto".

    Raises:
        OptionError: there is no such device, or nothing can be computed on it.
    """
    given = short(device)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if isinstance(device, int) and not isinstance(device, bool):
        device = "cpu" if device < 0 else f"cuda:{device}"
    try:
        if isinstance(device, bool) or not isinstance(device, str | torch.device):
            raise OptionError("it is no name of a device", "no es el nombre de un dispositivo")
        usable = torch.device(device)
        torch.zeros(1, device=usable).item()  # fails on "meta", whose tensors have no numbers
    except (RuntimeError, AssertionError, ValueError, ImportError, NotImplementedError, OptionError) as error:
        en, es = (text.splitlines()[0][:150] for text in message_of(error))
        if en.startswith("Expected one of"):  # a list of all kinds that PyTorch can be built for
            en, es = "there is no such kind", "no hay dispositivos de ese tipo"
        raise OptionError(
            f"device={given} cannot be used here ({en}); use 'cpu', 'cuda', 'mps', a GPU's number or 'auto'.",
            f"device={given} no se puede usar aquí ({es}); usa 'cpu', 'cuda', 'mps', el número de una GPU o 'auto'.",
        ) from None
    return usable

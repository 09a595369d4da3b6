"""What this machine can compute with: its processor, the cores that this process may use, memory, a device."""

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

# What the processor can multiply fast → names that PyTorch gives such a processor's abilities, any of which will do.
ABILITIES = {
    "bf16": ("amx_bf16", "avx512_bf16", "bf16"),
    "int8": ("amx_int8", "avx512_vnni", "avx_vnni", "avx_vnni_int8", "avx2"),
}
# What oneDNN can be limited to, from the least, and where in that order an ability first is there.
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
    """PyTorch's names of what the processor has and PyTorch may use.

    `ATEN_CPU_CAPABILITY` and `ONEDNN_MAX_CPU_ISA`, by which PyTorch and oneDNN are told to do without, are heeded:
    https://uxlfoundation.github.io/oneDNN/dev_guide_cpu_dispatcher_control.html
    """
    has = {name for name, there in getattr(torch.cpu, "get_capabilities", dict)().items() if there is True}
    if "sse2" in has and vector_bits() < 512:  # as it is, or as PyTorch was told
        has = {name for name in has if not name.startswith(("avx512", "amx"))}
    if "sse2" in has and vector_bits() < 256:
        has = {name for name in has if not name.startswith("avx")}
    limit = os.environ.get("ONEDNN_MAX_CPU_ISA", os.environ.get("DNNL_MAX_CPU_ISA", "ALL")).upper()
    if limit in LIMITS:
        has -= {name for name, least in THERE_FROM.items() if LIMITS.index(least) > LIMITS.index(limit)}
    return frozenset(has)


@cache
def abilities() -> frozenset[str]:
    """Of `ABILITIES`, those that the processor has and that PyTorch has operators for."""
    if not torch.backends.mkldnn.is_available():
        return frozenset()
    return frozenset(ability for ability, any_of in ABILITIES.items() if names().intersection(any_of))


def vector_bits() -> int:
    """Width of the vectors that PyTorch computes with: 512, 256, or 128 where it does not say."""
    level = torch.backends.cpu.get_cpu_capability()
    return 512 if level == "AVX512" else 256 if level in ("AVX2", "SVE256") else 128


def cores() -> int:
    """Cores that this process may use: those it is bound to, and no more than its control group's share of time."""
    bound = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([bound, *(math.ceil(share) for share in _shares())]))


def _shares() -> Iterator[float]:
    """Cores' worth of time that Linux grants to this process's control group and to those around it.

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
    """Let PyTorch have no more threads than the process has cores, once, and say how many it has.

    More threads than cores wait for each other: two processes that both take all cores slow down many times over.
    What a user has set, by `OMP_NUM_THREADS` or `torch.set_num_threads`, is only ever lowered to the cores.
    """
    if torch.get_num_threads() > cores():
        torch.set_num_threads(cores())
    return torch.get_num_threads()


def give_back() -> None:
    """Give free memory back to the system: laying weights out takes much for a moment, which glibc else keeps."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def has_bf16() -> bool:
    """Whether training gains by computing in bf16 what need not be exact."""
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and torch.cpu._is_avx512_bf16_supported()


def keep_memory() -> None:
    """Let the process keep what a step has used: asked of the system anew each time, fresh pages take up to half of a
    step. Where the C library is not glibc, nothing is done. https://man7.org/linux/man-pages/man3/mallopt.3.html"""
    trim_threshold, mmap_max = -1, -4
    with suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL("libc.so.6").mallopt
        mallopt(mmap_max, 0)
        mallopt(trim_threshold, -1)  # as a size, the largest there is


def resolve_device(device: int | str | torch.device) -> torch.device:
    """Return the device of a name, of a GPU's number (-1: the CPU), or of "auto"; OptionError: it is of no use."""
    asked = device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    if isinstance(device, int) and not isinstance(device, bool):
        device = "cpu" if device < 0 else f"cuda:{device}"
    try:
        if isinstance(device, bool) or not isinstance(device, str | torch.device):
            raise OptionError("it is no name of a device", "no es el nombre de un dispositivo")
        found = torch.device(device)
        torch.zeros(1, device=found).item()  # "meta" gives tensors, and no numbers
    except (RuntimeError, AssertionError, ValueError, ImportError, NotImplementedError, OptionError) as error:
        en, es = (text.splitlines()[0][:150] for text in message_of(error))
        if en.startswith("Expected one of"):  # and then all that PyTorch was ever built for
            en, es = "there is no such kind", "no hay dispositivos de ese tipo"
        raise OptionError(
            f"device={short(asked)} cannot be used here ({en}); use 'cpu', 'cuda', 'mps', a GPU's number or 'auto'.",
            f"device={short(asked)} no se puede usar aquí ({es}); usa 'cpu', 'cuda', 'mps', el número de una GPU o "
            "'auto'.",
        ) from None
    return found

"""PyTorch on this machine: threads, memory, precisions and devices."""

from __future__ import annotations

import ctypes
from contextlib import suppress
from functools import cache
from pathlib import Path

import torch

from gatonegro.checks import short_repr
from gatonegro.errors import OptionError, message_of
from gatonegro.i18n import Message, catalog
from gatonegro.operators import processor
from gatonegro.operators.processor import cores

MESSAGES = catalog(Path(__file__).with_name("messages.json"))


@cache
def fast_precisions() -> frozenset[str]:
    """Return the precisions, out of "bf16" and "int8", in which PyTorch multiplies matrices fast on this processor."""
    return processor.fast_precisions() if torch.backends.mkldnn.is_available() else frozenset()


def vector_bits() -> int:
    """Return the width in bits of the vector instructions that PyTorch uses: 512, 256 or 128."""
    level = torch.backends.cpu.get_cpu_capability()
    return 512 if level == "AVX512" else 256 if level in ("AVX2", "SVE256") else 128


@cache
def limit_threads() -> int:
    """Limit PyTorch to as many threads as this process may use cores, and return the number of threads.

    More threads than cores wait for each other: two processes that both use all cores are many times slower. A number
    that the user set, by `OMP_NUM_THREADS` or `torch.set_num_threads`, is never raised.
    """
    if torch.get_num_threads() > cores():
        torch.set_num_threads(cores())
    return torch.get_num_threads()


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

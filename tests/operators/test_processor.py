"""Threads, CPU quotas and forks."""

import os
import sys
from types import SimpleNamespace

import pytest
import torch

from gatonegro.operators import kernels, processor

AVX2 = ("avx2", "fma3", "f16c", "bmi2")


@pytest.mark.parametrize(
    ("own", "files", "shares"),
    [
        ("0::/\n", {"cpu.max": "max 100000"}, []),
        ("0::/\n", {"cpu.max": "150000 100000"}, [1.5]),
        ("0::/u/x\n", {"cpu.max": "400000 100000", "u/cpu.max": "50000 100000", "u/x/cpu.max": "max 1"}, [0.5, 4]),
        ("4:cpu,x:/a\n2:pids:/a\n", {"cpu/a/cpu.cfs_quota_us": "200000", "cpu/a/cpu.cfs_period_us": "100000"}, [2]),
        ("4:cpu:/a\n", {"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, []),
        ("0::/\n", {"cpu.max": "nonsense"}, []),
        ("0::/\n", {}, []),
    ],
)  # fmt: skip
def test_a_share_of_time_is_respected(monkeypatch, tmp_path, own, files, shares):
    for name, text in files.items():
        (tmp_path / "groups" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "groups" / name).write_text(text + "\n")
    (tmp_path / "own").write_text(own)
    monkeypatch.setattr(processor, "CGROUP_ROOT", tmp_path / "groups")
    monkeypatch.setattr(processor, "PROCESS_CGROUP", tmp_path / "own")
    assert list(processor._cpu_quotas()) == shares
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: range(64), raising=False)
    assert processor.cores.__wrapped__() == max(1, min([64, *(int(-(-share // 1)) for share in shares)]))


@pytest.mark.parametrize(
    ("text", "environment", "expected"),
    [
        ("flags\t\t: fpu avx2 fma f16c bmi2 avx512f avx512bw", {}, {"fpu", *AVX2, "avx512_f", "avx512_bw"}),
        ("flags : avx2 fma avx512f", {"ATEN_CPU_CAPABILITY": "avx2"}, {"avx2", "fma3"}),
        ("flags : sse2 avx avx2 fma", {"ATEN_CPU_CAPABILITY": "default"}, {"sse2", "fma3"}),
        ("flags : avx2 avx512_vnni amx_int8", {"ONEDNN_MAX_CPU_ISA": "avx512_core_vnni"}, {"avx2", "avx512_vnni"}),
        ("flags : avx2 avx512_vnni", {"DNNL_MAX_CPU_ISA": "AVX2"}, {"avx2"}),
        ("flags : avx2", {"ONEDNN_MAX_CPU_ISA": "WHATEVER"}, {"avx2"}),
        ("model name : flags of all kinds\nFeatures\t: asimd bf16\nFeatures\t: other", {}, {"asimd", "bf16"}),
        ("nothing of the kind", {}, set()),
        (None, {}, set()),
    ],
)
def test_the_features_of_a_processor(monkeypatch, tmp_path, text, environment, expected):
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(processor, "CPU_INFO", tmp_path / "cpuinfo")
    if text is not None:
        processor.CPU_INFO.write_text(text + "\n")
    assert processor.cpu_capabilities.__wrapped__() == expected


@pytest.mark.skipif(not processor.CPU_INFO.exists(), reason="this system has no /proc/cpuinfo")
def test_the_features_that_pytorch_finds_are_found():
    """Of those that kernels and precisions ask for."""
    asked = {name for names in processor.PRECISION_CAPABILITIES.values() for name in names} - {"bf16"}
    asked |= set().union(*kernels.ISA_CAPABILITIES.values())
    theirs = {name for name, has in torch.cpu.get_capabilities().items() if has is True}
    assert asked & theirs == asked & processor.cpu_capabilities()


@pytest.mark.parametrize(
    ("given", "torchs", "expected"),
    [
        (None, None, 4),
        ("2", None, 2),
        ("3,1", None, 3),
        ("9", None, 4),
        ("", 4, 4),
        ("x", 1, 1),
        ("0", 2, 2),
        ("3", 2, 2),
    ],
)
def test_threads(monkeypatch, given, torchs, expected):
    """No more than cores, than OMP_NUM_THREADS, and than PyTorch's where it was imported."""
    monkeypatch.setattr(processor, "cores", lambda: 4)
    monkeypatch.setitem(sys.modules, "torch", torchs and SimpleNamespace(get_num_threads=lambda: torchs))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if given is not None:
        monkeypatch.setenv("OMP_NUM_THREADS", given)
    assert processor.thread_count() == expected


def test_no_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "PROCESS_CGROUP", tmp_path / "none")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processor.cores.__wrapped__() == 1


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no forks")
def test_a_forked_process_can_tokenize_without_a_warning(tiny, python):
    script = (
        "import os, sys\nfrom gatonegro import AutoTokenizer, pipeline\n"
        "tok = AutoTokenizer.from_pretrained(sys.argv[1]); tok(['el gato'] * 2000)\n"
        "child = os.fork()\n"
        "n = len(tok(['el gato'] * 2000)['input_ids'])\n"
        "if not child: os._exit(n != 2000)\n"
        "print(os.waitpid(child, 0)[1], n)"
    )
    ran = python("-W", "ignore::DeprecationWarning", "-c", script, tiny)
    assert ran.stdout.split() == [b"0", b"2000"] and not ran.stderr


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system binds no process to cores")
def test_threads_are_the_cores_that_the_process_is_bound_to(tiny, python):
    ask = (
        "import os, sys, torch; {}\nfrom gatonegro import pipeline\nfrom gatonegro.operators import processor\n"
        "pipeline('sentiment-analysis', model=sys.argv[1], backend='torch')('no')\n"
        "print(torch.get_num_threads(), processor.thread_count())"
    )
    bound = "torch.set_num_threads(7); os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    assert python("-c", ask.format(bound), tiny).stdout.split() == [b"1", b"1"]
    assert python("-c", ask.format("torch.set_num_threads(1)"), tiny).stdout.split() == [b"1", b"1"]  # never raised


def test_torch_while_another_thread_imports_it(monkeypatch):
    """It is in sys.modules, and lacks its functions still."""
    expected = processor.thread_count()
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())
    assert processor.thread_count() == min(expected, processor.thread_count()) >= 1

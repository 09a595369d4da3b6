"""Threads, CPU quotas and forks."""

import os

import pytest

from gatonegro.engine import processor


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
    assert processor.cores() == max(1, min([64, *(int(-(-share // 1)) for share in shares)]))


def test_no_linux(monkeypatch, tmp_path):
    monkeypatch.setattr(processor, "PROCESS_CGROUP", tmp_path / "none")
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processor.cores() == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system knows no forks")
def test_a_fork_is_answered_and_nothing_is_said(tiny, python):
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
    ask = "from gatonegro import pipeline; pipeline('sentiment-analysis', model=sys.argv[1])('no')\n"
    ask = f"import os, sys, torch; {{}}\n{ask}print(torch.get_num_threads())"
    bound = "torch.set_num_threads(7); os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])"
    assert python("-c", ask.format(bound), tiny).stdout.strip() == b"1"
    assert python("-c", ask.format("torch.set_num_threads(1)"), tiny).stdout.strip() == b"1"  # never raised

"""The processes that run trials, with limits of memory and of time."""

from __future__ import annotations

import argparse
import multiprocessing as mp
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from queue import Empty
from random import Random
from typing import Any

from fuzzing.templates import make_templates
from fuzzing.trials import TEXTS_PER_TRIAL, Trials

TRIAL_SECONDS = 20  # of CPU time, then a trial counts as endless; of ten times that on the clock, as one that hangs
TIMERS = (
    (signal.SIGPROF, signal.ITIMER_PROF, TRIAL_SECONDS),
    (signal.SIGALRM, signal.ITIMER_REAL, 10 * TRIAL_SECONDS),
)
CHUNK = 50  # trials that a child process is given at once
SMALL_CHUNK = 5  # of slow trials
SLOW = ("text", "explanation")
SHARES = {"checkpoint": 0.5, "text": 0.2, "card": 0.1, "hub": 0.1, "frame": 0.05, "explanation": 0.05}  # of the time


class Endless(BaseException):
    """Raised in a trial after TRIAL_SECONDS; no `except Exception` may catch it."""


def run_trial(trials: Trials, seed: int, kind: str, number: int) -> tuple[int, dict[str, str] | None]:
    """Run a trial; return the number of things tried, and the finding, or None."""
    from gatonegro.errors import GatonegroError

    def stop(*_: Any) -> None:
        raise Endless

    for number_of_signal, timer, seconds in TIMERS:
        signal.signal(number_of_signal, stop)
        signal.setitimer(timer, seconds)
    try:
        return getattr(trials, kind)(Random(f"{seed}:{kind}:{number}")), None
    except GatonegroError as error:
        told = [error.in_("en"), error.in_("es")]
        if max(map(len, told)) > 5000:
            return 1, {"error": "long message", "message": told[0][:200], "where": "message"}
        return 1, None
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        frames = [f for f in traceback.extract_tb(error.__traceback__) if "gatonegro" in f.filename] or [None]
        where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames[-1] else "?"
        return 1, {"error": type(error).__name__, "message": str(error)[:300], "where": where}
    finally:
        for _, timer, _ in TIMERS:
            signal.setitimer(timer, 0)


def child(root: str, seed: int, gigabytes: float, tasks: Any, results: Any, current: Any) -> None:
    """Run trials until none is left; `current` holds the number of the one that runs, for the parent."""
    os.environ["GATONEGRO_LANG"] = "en"
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # where the Rust tokenizer reports each panic
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    import gatonegro.engine  # noqa: F401

    trials = Trials(Path(root))
    used = (
        int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if sys.platform == "linux" else 0
    )
    limit = used + int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while (task := tasks.get()) is not None:
        kind, first, last = task
        tried, findings = 0, []
        for number in range(first, last):
            current.value = number
            count, finding = run_trial(trials, seed, kind, number)
            tried += count
            if finding:
                findings.append({"trial": f"{kind}:{number}", **finding})
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        results.put((kind, last - first, tried, findings, peak))
    shutil.rmtree(trials.work, ignore_errors=True)


class Worker:
    """A child process, which is started anew after its death."""

    def __init__(self, root: Path, options: argparse.Namespace):
        self.root, self.options = root, options
        self.task: tuple[str, int, int] | None = None
        self.start()

    def start(self) -> None:
        context = mp.get_context("spawn")
        self.tasks, self.results, self.current = context.SimpleQueue(), context.Queue(), context.Value("q", -1)
        arguments = (str(self.root), self.options.seed, self.options.memory, self.tasks, self.results, self.current)
        self.process = context.Process(target=child, args=arguments, daemon=True)
        self.process.start()
        self.seen, self.since = -1, time.monotonic() + 60  # imports take a while

    def give(self, task: tuple[str, int, int]) -> None:
        self.task = task
        self.tasks.put(task)

    def take(self) -> Any:
        """Return the results of the current task, or None; a death and a hang are results too."""
        try:
            done = self.results.get(timeout=0.05)
            self.task = None
            return done
        except Empty:
            pass
        if self.current.value != self.seen:
            self.seen, self.since = self.current.value, time.monotonic()
        hung = time.monotonic() - self.since > 12 * TRIAL_SECONDS
        if self.process.is_alive() and not hung:
            return None
        kind, first, last = self.task or ("?", 0, 0)
        number = max(self.seen, first)
        why = "process hangs" if hung else f"process died ({self.process.exitcode})"
        self.process.kill()
        self.process.join()
        finding = {"trial": f"{kind}:{number}", "error": why, "message": "", "where": "?"}
        self.start()
        if number + 1 < last:
            self.give((kind, number + 1, last))
        else:
            self.task = None
        return kind, number + 1 - first, number + 1 - first, [finding], 0


def fuzz(options: argparse.Namespace) -> dict[str, Any]:
    """Run trials on all processes until the time or the counts are reached, and return what was found."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatonegro-fuzz-") as name:
        root = Path(name) / "templates"
        root.mkdir()
        make_templates(root)
        targets = {kind: getattr(options, f"{kind}s") for kind in SHARES}
        workers = [Worker(root, options) for _ in range(options.processes)]
        next_number, tried, seconds = Counter[str](), Counter[str](), Counter[str]()
        findings: list[dict[str, str]] = []
        peak, shown = 0, Counter[str]()
        begun: dict[int, float] = {}

        def choose() -> tuple[str, int, int] | None:
            if options.seconds and time.monotonic() - started > options.seconds:
                return None
            open_ = [k for k in SHARES if targets[k] is None or planned(k) < targets[k]]
            if not open_ or (not options.seconds and all(targets[k] is None for k in open_)):
                return None
            if not options.seconds:
                open_ = [k for k in open_ if targets[k] is not None]
            kind = min(open_, key=lambda k: seconds[k] / SHARES[k])
            size = SMALL_CHUNK if kind in SLOW else CHUNK
            first = next_number[kind]
            next_number[kind] += size
            return kind, first, first + size

        def planned(kind: str) -> int:
            return next_number[kind] * (TEXTS_PER_TRIAL if kind == "text" else 1)

        while True:
            busy = False
            for i, worker in enumerate(workers):
                if worker.task is None and (task := choose()):
                    seconds[task[0]] += 0.01
                    begun[i] = time.monotonic()
                    worker.give(task)
                if worker.task is None:
                    continue
                busy = True
                if (done := worker.take()) is None:
                    continue
                kind, _, count, new, memory = done
                tried[kind] += count
                seconds[kind] += time.monotonic() - begun.get(i, time.monotonic())
                begun[i] = time.monotonic()
                peak = max(peak, memory)
                findings += new
                for finding in new:
                    shown[key := f"{finding['error']} {finding['where']}"] += 1
                    if shown[key] <= 3:
                        print(
                            f"seed {options.seed}  {finding['trial']}  {key}  {finding['message']!r:.150}", flush=True
                        )
            if not busy:
                break
        for worker in workers:
            worker.tasks.put(None)
        for worker in workers:
            worker.process.join(20)
    kinds = Counter(f"{f['trial'].split(':')[0]}: {f['error']} at {f['where']}" for f in findings)
    first = {}
    for f in findings:
        first.setdefault(f"{f['trial'].split(':')[0]}: {f['error']} at {f['where']}", f)
    return {
        "command": "python attacks/fuzz.py " + " ".join(sys.argv[1:]),
        "seed": options.seed,
        "tried": dict(tried),
        "seconds": round(time.monotonic() - started),
        "processes": options.processes,
        "memory_limit_gb": options.memory,
        "peak_memory_mb": peak,
        "findings": len(findings),
        "by_kind": {
            k: {"count": n, "first": first[k]["trial"], "message": first[k]["message"]} for k, n in kinds.most_common()
        },
    }

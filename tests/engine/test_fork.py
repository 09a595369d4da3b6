"""Tests of processes that are forked from one that has computed with several threads."""

import os

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")]

# the parent must not be the one that runs the tests, whose threads pytest's plugins may have changed
PROGRAM = """
import os, signal, sys, torch
from gatonegro import pipeline
torch.set_num_threads(2)
big = torch.randn(1500, 1500)
classify = pipeline(model=sys.argv[1], precision=sys.argv[2])
torch.set_num_threads(2)
(big @ big).sum()
before = classify(["hola", "el gato es bueno"] * 50)
child = os.fork()
signal.alarm(30)  # ends a process that waits for ever
if child == 0:
    same = all(abs(a["score"] - b["score"]) < 1e-4 for a, b in zip(classify(["hola", "el gato es bueno"] * 50), before))
    same = same and bool(torch.isfinite((big @ big).sum())) and torch.get_num_threads() == 1
    os._exit(0 if same else 1)
status = os.waitpid(child, 0)[1]
assert torch.get_num_threads() == 2 and len(classify(["hola"])) == 1
print("child:", os.waitstatus_to_exitcode(status))
"""


@pytest.mark.case("S13")
@pytest.mark.parametrize("precision", ["fp32", "int8"])
def test_a_forked_process_answers_as_its_parent(python, tiny, precision):
    done = python("-c", PROGRAM, tiny, precision)
    assert b"child: 0" in done.stdout, done.stderr[-1000:]


@pytest.mark.case("S13")
@pytest.mark.parametrize("number", [1, 3])
def test_a_pool_of_forked_processes(python, tiny, number):
    program = (
        "import multiprocessing, sys, signal, torch; from gatonegro import pipeline; torch.set_num_threads(2);"
        "signal.alarm(60);"
        "big = torch.randn(1500, 1500); (big @ big).sum(); classify = pipeline(model=sys.argv[1]); classify('hola');"
        "pool = multiprocessing.get_context('fork').Pool(int(sys.argv[2]));"
        "print(len(pool.map(classify, ['hola', 'el gato', 'es bueno'])))"
    )
    done = python("-c", program, tiny, number)
    assert done.stdout.strip() == b"3", done.stderr[-1000:]

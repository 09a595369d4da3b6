"""`attacks/fuzz.py`: its trials find planted faults, and the same number makes the same trial."""

from random import Random

import pytest
from small import ROOT

import gatonegro.pipelines.base
from gatonegro.glassbox import html

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::gatonegro.errors.GatonegroWarning"),
]


@pytest.fixture(scope="module")
def fuzzing(tmp_path_factory):
    """Return the module of trials, and trials of it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / "attacks")
        from fuzzing import templates, trials

        folder = tmp_path_factory.mktemp("fuzz") / "templates"
        folder.mkdir()
        templates.make_templates(folder)
        yield trials, trials.Trials(folder)


def findings(fuzzing, kind, numbers):
    """Return the promises that trials found broken."""
    from gatonegro.errors import GatonegroError

    found, (module, trials) = [], fuzzing
    for number in numbers:
        try:
            getattr(trials, kind)(Random(f"0:{kind}:{number}"))
        except module.BrokenPromise as finding:
            found.append(str(finding))
        except GatonegroError:
            pass
    return found


@pytest.mark.parametrize(
    ("kind", "count"), [("checkpoint", 5), ("card", 5), ("text", 1), ("frame", 10), ("explanation", 2)]
)
def test_trials_find_nothing(fuzzing, kind, count):
    assert findings(fuzzing, kind, range(count)) == []


def test_a_table_with_another_index_is_found(fuzzing, monkeypatch):
    whole = gatonegro.pipelines.base.frame
    monkeypatch.setattr(gatonegro.pipelines.base, "frame", lambda *inputs: whole(*inputs).reset_index(drop=True))
    assert any("another index" in finding for finding in findings(fuzzing, "frame", range(10)))


def test_a_table_of_shuffled_rows_is_found(fuzzing, monkeypatch):
    whole = gatonegro.pipelines.base.frame
    monkeypatch.setattr(gatonegro.pipelines.base, "frame", lambda inputs, rows, names: whole(inputs, rows[::-1], names))
    assert findings(fuzzing, "frame", range(30))


def test_a_page_that_does_not_escape_texts_is_found(fuzzing, monkeypatch):
    whole = html.page
    monkeypatch.setattr(html, "page", lambda record: whole(record) + record.text)
    monkeypatch.setattr("fuzzing.trials.text", lambda r: "<script>alert(1)</script>")
    assert findings(fuzzing, "explanation", range(3))


def test_a_number_is_a_trial(fuzzing, tmp_path):
    kept = []
    for attempt in range(2):
        trials = fuzzing[0].Trials(fuzzing[1].work.parent / "templates", tmp_path / str(attempt))
        trials.frame(Random("0:frame:4"))
        kept.append((tmp_path / str(attempt) / "series.txt").read_text())
    assert kept[0] == kept[1]

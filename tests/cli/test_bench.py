"""`gatonegro bench`: speeds, and the choice that `--tune` keeps."""

import json

from gatonegro import pipeline


def test_bench_says_how_fast_each_precision_is_and_keeps_the_fastest(tiny, run, tmp_path, monkeypatch):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tmp_path))
    found = json.loads(run("bench", "-m", tiny, "--json")[0])
    rows = {row["precision"]: row for row in found["precisions"]}
    assert {"fp32", "int8"} <= set(rows) and all(
        row["texts_per_s"] > 0 and row["ms_for_one"] > 0 for row in rows.values()
    )
    assert [row["precision"] for row in rows.values() if row["auto"]] == [pipeline(model=tiny).model.precision]
    assert not list(tmp_path.iterdir())
    out, err = run("bench", "-m", tiny, "--tune")
    assert len(out.splitlines()) == len(rows) and str(tmp_path / "tuned.json") in err
    assert (tmp_path / "tuned.json").exists()


def test_bench_where_nothing_can_be_kept(tiny, run, monkeypatch):
    monkeypatch.setenv("GATONEGRO_CACHE", str(tiny / "vocab.txt"))
    assert "set GATONEGRO_CACHE to another folder" in run("bench", "-m", tiny, "--tune", status=1)[1]

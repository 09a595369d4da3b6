"""The trials, each a function of its random numbers."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

from fuzzing.damage import NAMES, NUMBERS, damage_file
from fuzzing.lying_hub import LIES, start_hub
from fuzzing.templates import tree
from fuzzing.texts import card, text

TEXTS_PER_TRIAL = 100


class BrokenPromise(AssertionError):
    """An answer that a documented promise excludes."""


def check_frameworks(folder: Path, head: str, pickle: bool) -> None:
    """Read a checkpoint as tensors and as arrays, which must be found good or bad alike."""
    from gatonegro.errors import GatonegroError
    from gatonegro.families.loading import open_checkpoint

    outcomes: list[Any] = []
    for framework in ("pt", "np"):
        try:
            opened = open_checkpoint(folder, head, framework, allow_pickle=pickle)  # type: ignore[arg-type]
            outcomes.append([(name, tuple(x.shape)) for name, x in opened.assemble().state.items()])
        except GatonegroError as error:
            outcomes.append(type(error))  # messages name the first of several faults
    if outcomes[0] != outcomes[1]:
        raise BrokenPromise(f"as tensors {outcomes[0]!r:.300}, as arrays {outcomes[1]!r:.300}")


class Trials:
    """The trials of a child process, with what they share."""

    def __init__(self, root: Path, keep: Path | None = None):
        self.templates, self.keep = tree(root), keep
        self.good = [path for path in self.templates if not path.name.startswith("attack-")]
        self.work = Path(tempfile.mkdtemp(prefix="trials-", dir=root.parent))
        self.cached: dict[str, Any] = {}

    def checkpoint(self, r: Random) -> int:
        """Damage a folder, and load and use it as its task would."""
        import torch

        from gatonegro import AutoModel, AutoTokenizer, pipeline
        from gatonegro.families.loading import head_of
        from gatonegro.glassbox.diagnose import diagnose
        from gatonegro.models import load

        template = r.choice(self.good if r.random() < 0.85 else self.templates)
        folder = self.work / f"m{r.getrandbits(48):012x}"
        folder.mkdir()
        try:
            for path in template.iterdir():
                (shutil.copytree if path.is_dir() else os.link)(path, folder / path.name)
            names = sorted(path.name for path in template.iterdir())
            for _ in range(r.choice([1, 1, 1, 2])):
                names_of = [n for n in names if n != "README.md"]
                weighted = [n for n in names_of if n.endswith(".json")] * 2 + names_of
                damage_file(r, folder, r.choice(weighted))
            if self.keep:
                shutil.copytree(folder, self.keep, symlinks=True, dirs_exist_ok=True)
            pickle, kind = r.random() < 0.1, r.randrange(20)
            first = AutoTokenizer.from_pretrained(folder) if kind % 2 else None
            if kind == 0:
                pipe = pipeline(model=folder, allow_pickle=pickle, precision="fp32")
                pipe(["el gato es bueno", "la casa"])
            elif kind == 1:
                diagnose("El gato es muy bueno", model=folder)
            else:
                head = r.choice(["pooler", None]) or head_of(folder) or "pooler"
                check_frameworks(folder, head, pickle)
                model = (
                    load(folder, head, allow_pickle=pickle) if head != "pooler" else AutoModel.from_pretrained(folder)
                )
                first = first or AutoTokenizer.from_pretrained(folder)
                batch = first(["el gato es bueno", "la casa"], padding=True, truncation=True, max_length=16)
                first.batch_decode(batch["input_ids"])
                ids = {k: v for k, v in first.pad(batch, return_tensors="pt").items() if k != "token_type_ids"}
                with torch.no_grad():
                    if hasattr(model, "generate") and r.random() < 0.5:
                        model.generate(**ids, max_new_tokens=3)
                    else:
                        model(**ids)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        return 1

    def card(self, r: Random) -> int:
        """Read the languages of a model card that is made of random YAML."""
        from gatonegro.hub import locate
        from gatonegro.language import matching

        folder = self.work / "card"
        folder.mkdir(exist_ok=True)
        data = card(r)
        (folder / "README.md").write_bytes(data)
        if self.keep:
            shutil.copytree(folder, self.keep, dirs_exist_ok=True)
        codes = matching._card(locate(folder))
        if not all(isinstance(code, str) for code in codes):
            raise BrokenPromise(f"languages that are no text: {codes!r:.200}")
        matching.language_names(*codes)
        return 1

    def hub(self, r: Random) -> int:
        """Ask a hub that lies for the files of a model."""
        from gatonegro import download, hub

        hub.time = download.time = SimpleNamespace(sleep=lambda seconds: None)  # type: ignore[attr-defined]  # between two requests
        if "server" not in self.cached:
            self.cached["server"] = start_hub(self.work / "cache")
        server = self.cached["server"]
        server.random, server.lie = r, r.choice(LIES)
        server.kind = r.choice(["config.json", "model.safetensors", "README.md"])
        cache = self.work / "cache"
        try:
            source = hub.locate(f"alguien/modelo{r.getrandbits(30)}")
            path = source.file(server.kind)
            if path is not None and not path.resolve().is_relative_to(cache.resolve()):
                raise BrokenPromise(f"a file outside the cache: {path}")
        finally:
            outside = [p for p in self.work.iterdir() if p.name not in ("cache", "card")]
            if outside:
                for p in outside:
                    shutil.rmtree(p, ignore_errors=True) if p.is_dir() else p.unlink()
                raise BrokenPromise(f"{server.lie}: written outside the cache: {outside}")
            shutil.rmtree(cache, ignore_errors=True)
        return 1

    def text(self, r: Random) -> int:
        """Read a hundred texts with everything that reads texts."""
        from gatonegro import preprocessing
        from gatonegro.documents import lost_items, preserves_items, protected_items, split_at_items, split_sentences
        from gatonegro.language import detect_language

        texts = [text(r) for _ in range(TEXTS_PER_TRIAL)]
        if self.keep:
            self.keep.mkdir(exist_ok=True)
            (self.keep / "texts.json").write_text(json.dumps(texts, indent=1))
        for one in texts:
            for parts in (split_sentences(one, r.choice([None, None, 20])), split_at_items(one)):
                if "".join(part.text for part in parts) != one:
                    raise BrokenPromise(f"parts that do not add up: {one!r}")
            protected_items(one)
            other = r.choice(texts)
            lost_items(one, other)
            preserves_items(other, one)
            valid = one.encode(errors="ignore").decode()
            if valid == one:
                preprocessing.preprocess_tweet(one, r.choice(["es", "en"]))
                preprocessing.spell_emoji(one, lang=r.choice(["es", "en"]))
                self._document(one, other, r)
            detect_language(one)
        name = r.choice([path.name for path in self.good])
        tokenizer, pipe = self._loaded(name)
        valid = [one for one in texts if one.encode(errors="ignore").decode() == one]
        batch = tokenizer(valid, padding=tokenizer.pad_token is not None, truncation=True, max_length=32)
        tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=r.random() < 0.5)
        some = texts[: 2 if is_generator(name) else 6]
        for answer, one in zip(self._answers(pipe, some), some, strict=True):
            for entity in answer if isinstance(answer, list) else ():
                start, end = (entity.get(name) if isinstance(entity, dict) else None for name in ("start", "end"))
                if start is not None and not 0 <= start < end <= len(one):
                    raise BrokenPromise(f"{name}: {entity} in {one!r}")
        return len(texts)

    def frame(self, r: Random) -> int:
        """Answer a Series with an odd index, missing values, duplicates and some rows that are no texts, as a table."""
        import pandas

        name = r.choice([path.name for path in self.good])
        pipe, at = self._loaded(name)[1], r.random()
        rows: list[Any] = [text(r)[:300] for _ in range(r.choice([0, 1, 2] if is_generator(name) else [0, 1, 2, 12]))]
        if at < 0.9:
            rows = [one.encode(errors="ignore").decode() for one in rows]
        if pipe.task == "fill-mask":
            rows = [one if is_blank(one) else f"{one} {pipe.tokenizer.mask_token}" for one in rows]
        missing = [None, float("nan"), pandas.NA, pandas.NaT, "", " \n\u2003"]
        rows = r.choices([*rows, *r.sample(missing, r.choice([1, 1, 3]))], k=r.choice([0, 1, 2, len(rows) + 2]))
        if at > 0.95:
            rows.insert(r.randrange(len(rows) + 1), r.choice([3, b"x", [], ["a", None], {"text": "a"}, {}, True, 1.5]))
        dtype = r.choice(["object", "object", "string", "category"]) if at <= 0.95 else "object"
        series = pandas.Series(
            rows, index=odd_index(r, len(rows)), dtype=dtype, name=r.choice([None, "texto", "label", 0])
        )
        if self.keep:
            self.keep.mkdir(exist_ok=True)
            (self.keep / "series.txt").write_text(f"{name}\n{series.index!r}\n{rows!r}\n", errors="backslashreplace")
        table = pipe.to_frame(series)
        if not table.index.equals(series.index):
            raise BrokenPromise(f"{name}: another index: {table.index!r:.200}")
        if not table.columns.is_unique or not len(table.columns):
            raise BrokenPromise(f"{name}: columns {list(table)!r:.200}")
        if table.isna().all(axis=1).tolist() != [is_blank(one) for one in rows]:
            raise BrokenPromise(f"{name}: missing rows that are answered, or others that are not")
        if "score" in table and "label" in table:
            i = r.randrange(len(rows) or 1)
            if (
                rows
                and not is_blank(rows[i])
                and abs(pipe(series.iloc[i : i + 1])[0]["score"] - table.score.iloc[i]) > 1e-3
            ):
                raise BrokenPromise(f"{name}: row {i} has the answer of another")
        return 1

    def explanation(self, r: Random) -> int:
        """Explain a model's answer to a text, as JSON, as text and as a page."""
        from gatonegro.glassbox.explain import explain
        from gatonegro.glassbox.html import page

        name, lang = r.choice([*(path.name for path in self.good), "toy"]), r.choice(["es", "en"])
        model = name if name == "toy" else self._loaded(name)[1]
        made = text(r)[: r.choice([20, 100, 300])]
        made = made if r.random() < 0.1 else made.encode(errors="ignore").decode()
        if getattr(model, "task", None) == "fill-mask":
            made += model.tokenizer.mask_token
        if self.keep:
            self.keep.mkdir(exist_ok=True)
            (self.keep / "text.json").write_text(json.dumps([name, lang, made]))
        record = explain(made, model, lang=lang, max_new_tokens=2)
        json.loads(record.to_json())
        str(record).encode()
        if (key := (name, lang, "scripts")) not in self.cached:
            self.cached[key] = scripts(page(explain("El gato negro [MASK] <mask>", model, lang=lang, max_new_tokens=2)))
        if scripts(page(record)) != self.cached[key]:
            raise BrokenPromise(f"{name}: a page with other scripts: {made!r}")
        return 1

    def _document(self, one: str, other: str, r: Random) -> None:
        """Read a text as a document to translate, and another text as its translation."""
        from gatonegro.cli.input import find_columns
        from gatonegro.documents import Direction, decimal_symbol, insert_marks, lower_capitals, split_markup

        stretches, marks = split_markup(one)
        plain = "".join(stretch.text for stretch in stretches)
        if insert_marks(plain, marks).text != one:
            raise BrokenPromise(f"marks that are lost: {one!r}")
        lowered, capitals = lower_capitals(one)
        if insert_marks(lowered, capitals).text != one:
            raise BrokenPromise(f"capitals that are lost: {one!r}")
        source, target = r.choice([("es", "en"), ("en", "es"), (None, "en"), ("fr", None)])
        direction = Direction(source, target, decimal_symbol(one, source))
        for form in direction.readings(one):
            if not 0 <= min(form.to_original(0, len(form.text))) <= len(one):
                raise BrokenPromise(f"a span outside the text: {one!r}")
        direction.localize(other, one)
        direction.preserves(one, other)
        find_columns(one.splitlines())

    def _answers(self, pipe: Any, texts: list[str]) -> list[Any]:
        from gatonegro.errors import GatonegroError

        answers = []
        for one in texts:
            try:
                answers.append(pipe(one))
            except GatonegroError:
                answers.append(None)
        return answers

    def _loaded(self, name: str) -> Any:
        from gatonegro import AutoTokenizer, pipeline

        if name not in self.cached:
            folder = next(path for path in self.good if path.name == name)
            tweets = {"preprocess": "robertuito"} if "tokens" in name else {}
            task = {"marian": "translation"}.get(name)
            options = {"max_new_tokens": 4} if is_generator(name) else {}
            pipe = pipeline(task, model=folder, precision="fp32", **tweets, **options)
            self.cached[name] = AutoTokenizer.from_pretrained(folder), pipe
        return self.cached[name]


def is_generator(name: str) -> bool:
    return name.split("-")[0] in ("bart", "gpt2", "marian", "t5")


def is_blank(row: Any) -> bool:
    """Return True for a missing row of a table, and for a blank text."""
    from gatonegro.checks import blank_as_missing, is_missing_row

    return is_missing_row(blank_as_missing(row))


def odd_index(r: Random, size: int) -> Any:
    """Make an index of so many rows: with duplicates, missing values, several levels, dates or strange text."""
    import pandas

    kind = r.randrange(8)
    if kind == 0:
        return None
    if kind == 1:
        return pandas.date_range("1999-12-31", periods=size, tz=r.choice([None, "Europe/Madrid"]))
    if kind == 2:
        return pandas.MultiIndex.from_tuples([(r.randrange(2), r.choice("ab")) for _ in range(size)] or [(0, "a")])[
            :size
        ]
    if kind == 3:
        return pandas.CategoricalIndex(r.choices("ab", k=size))
    values = [NAMES, NUMBERS[:5], [0.5, float("nan"), float("inf")], [None, "a", 1, (1, 2), True]][kind - 4]
    return pandas.Index(r.choices(values, k=size), name=r.choice([None, "label", ("a", 1)]), tupleize_cols=False)


def scripts(html: str) -> tuple[int, int]:
    """Count what begins and ends a script."""
    return html.lower().count("<script"), html.lower().count("</script")

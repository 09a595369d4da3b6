"""The documents are true: snippets are files, files run, commands print what is shown, links and figures hold."""

import ast
import json
import re
import runpy
import shlex
import sys

import grimp
import pytest
import torch
import transformers as hf
from commands import posix, terminal_output
from small import ROOT

import gatonegro
from gatonegro import cli, families, hub
from gatonegro.compat import ARGUMENTS
from gatonegro.i18n import override_language
from gatonegro.tasks import TASKS

DOCS = ROOT / "docs"

READMES = [ROOT / "README.md", ROOT / "README.es.md"]

PAIRS = [
    READMES,
    [DOCS / "guide.md", DOCS / "guia.md"],
    [DOCS / "command-line.md", DOCS / "linea-de-ordenes.md"],
    [DOCS / "figures.md", DOCS / "cifras.md"],
    [DOCS / "transformer-in-numpy.md", DOCS / "transformer-en-numpy.md"],
    [DOCS / "from-transformers.md", DOCS / "de-transformers.md"],
]  # the same page in English and in Spanish

SPANISH = [spanish for _, spanish in PAIRS]

PAGES = [*sorted(ROOT.glob("*.md")), *sorted(DOCS.glob("*.md"))]

EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))

FENCE = re.compile(r"^(?:<!-- (?P<file>\S+) -->\n)?```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)

BUILT_IN = "sentiment-es-en"

needs_built_in = pytest.mark.skipif(
    BUILT_IN not in hub.built_in_models(), reason=f"the built-in {BUILT_IN} is not installed: pip install ./models"
)


def fences(page, *kinds):
    return [match for match in FENCE.finditer(page.read_text(encoding="utf-8")) if match["kind"] in kinds]


def agree(output, expected):
    """Return True if an output matches the document, where … stands for anything."""
    texts = (output, expected)
    output, expected = ("\n".join(line.rstrip() for line in text.strip("\n").splitlines()) for text in texts)
    return re.fullmatch(".*?".join(map(re.escape, expected.split("…"))), output, re.DOTALL) is not None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_snippets_are_files(page):
    for snippet in fences(page, "python", "py"):
        assert snippet["file"], f"no <!-- examples/… --> before the snippet that begins {snippet['text'][:60]!r}"
        assert snippet["text"] == (ROOT / snippet["file"]).read_text(encoding="utf-8"), snippet["file"]


def example_id(example):
    return example.relative_to(ROOT / "examples").with_suffix("").as_posix()


@pytest.mark.parametrize("example", EXAMPLES, ids=example_id)
def test_every_example_is_shown(example):
    shown = [
        page.name
        for page in PAGES
        for snippet in fences(page, "python")
        if snippet["file"] == example.relative_to(ROOT).as_posix()
    ]
    assert shown


@pytest.mark.parametrize("example", EXAMPLES, ids=example_id)
def test_examples_print_what_they_say(example, capsys, monkeypatch, tmp_path):
    text = example.read_text(encoding="utf-8")
    if any(word in text for word in (BUILT_IN, "demo-en", "pipeline(")) and BUILT_IN not in hub.built_in_models():
        pytest.skip(f"the built-in {BUILT_IN} is not installed: pip install ./models")
    if "import polars" in text:
        pytest.importorskip("polars")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(TASKS, "stars", None)  # so that it is taken away again
    with override_language("es" if example.parent.name == "es" else "en"):
        runpy.run_path(str(example))
    expected = "\n".join(re.findall(r"# → (.*)", text))
    output = capsys.readouterr().out
    assert agree(output, expected), output


def without_texts(code):
    """The syntax tree of an example, its texts aside."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            node.value = ""
    return ast.dump(tree)


@pytest.mark.parametrize("spanish", sorted((ROOT / "examples" / "es").glob("*.py")), ids=lambda path: path.stem)
def test_spanish_examples_are_the_english_ones(spanish):
    code, english = (path.read_text(encoding="utf-8") for path in (spanish, spanish.parents[1] / spanish.name))
    assert without_texts(code) == without_texts(english)
    comments, english_comments = (set(re.findall("# (?!→)(.*)", text)) for text in (code, english))
    assert len(comments) == len(english_comments)
    assert not comments & english_comments


@pytest.mark.parametrize(("english", "spanish"), PAIRS, ids=lambda page: page.name)
def test_both_languages_have_the_same_content(english, spanish):
    pages = [path.read_text(encoding="utf-8") for path in (english, spanish)]
    assert len({tuple(re.findall(r"^#+ |^\| |^- |^!\[", page, re.MULTILINE)) for page in pages}) == 1
    files = [[snippet["file"] for snippet in fences(page, "python")] for page in (english, spanish)]
    assert files[1] == [file.replace("examples/", "examples/es/") for file in files[0]]
    assert [m["text"] for m in fences(english, "sh")] == [m["text"] for m in fences(spanish, "sh")]
    console = [re.findall(r"^\$ .*", m["text"], re.MULTILINE) for p in (english, spanish) for m in fences(p, "console")]
    assert console[: len(console) // 2] == console[len(console) // 2 :]
    prose = [FENCE.sub("", page) for page in pages]
    numbers = [re.findall(r"\d+(?:[.,]\d+)*", page) for page in (re.sub(r"(?<=\d),(?=\d{3})", "", prose[0]), prose[1])]
    assert sorted(numbers[0]) == sorted(number.replace(",", ".") for number in numbers[1])


@pytest.mark.parametrize("page", READMES, ids=lambda page: page.name)
def test_a_readme_is_short_and_answers_soon(page):
    lines = page.read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 150
    assert any("POS" in line for line in lines[:25])


def commands(page):
    """Return the `$ gatonegro …` lines of a page as arguments, each with its documented output."""
    for block in fences(page, "console"):
        for part in re.split(r"^\$ ", block["text"], flags=re.MULTILINE)[1:]:
            line, _, output = part.partition("\n")
            words = shlex.split(re.split(r"[<|>]", line)[0])
            if words[0] == "gatonegro":
                yield words[1:], output


COMMANDS = [(page.name, *command) for page in PAGES for command in commands(page)]


@pytest.mark.parametrize(("page", "arguments", "output"), COMMANDS)
def test_commands_exist(page, arguments, output):
    cli.parser().parse_args(arguments)


@needs_built_in
@pytest.mark.parametrize(("page", "arguments", "output"), [command for command in COMMANDS if command[2]])
def test_commands_print_what_the_page_says(page, arguments, output, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)  # a terminal, but a plain one
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setenv("COLUMNS", "100")
    with override_language("es" if page in [spanish.name for spanish in SPANISH] else "en"):
        assert cli.main(arguments) == 0
    printed = capsys.readouterr().out
    assert agree(printed, re.sub(r"^gatonegro: .*\n", "", output, flags=re.MULTILINE)), printed


@posix
@pytest.mark.slow
@needs_built_in
@pytest.mark.parametrize(("page", "language"), list(zip(READMES, ("en", "es"), strict=True)), ids=["en", "es"])
def test_a_person_sees_the_first_answer_of_a_readme(page, language, monkeypatch):
    """On a terminal, with what is written to standard error."""
    monkeypatch.setenv("GATONEGRO_LANG", language)
    arguments, output = next(commands(page))
    printed = terminal_output(*arguments)
    assert agree(printed, output), printed


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


SHOWN = ("es.umsab", "es.opener", "es.turismo", "en.umsab", "en.sst2")

# the engines whose speeds docs/figures.md shows, in its order
ENGINES = [
    "transformers, its pipeline's default", "transformers, its pipeline, batch_size=32",
    "transformers bf16, batches of 32, sorted", "ONNX Runtime int8, dynamic, one by one",
    "CTranslate2 int8, batches of 32, sorted", "OpenVINO int8, NNCF, batches of 32, sorted",
    "gatonegro fp32", "gatonegro bf16", "gatonegro int8, without kernels", "gatonegro int8",
]  # fmt: skip


@pytest.mark.parametrize("pages", list(zip(PAIRS[3], READMES, strict=True)), ids=lambda pages: pages[0].name)
def test_figures_are_those_of_the_results(pages):
    text, readme = (re.sub(r"(?<=\d),(?=\d)", ".", page.read_text(encoding="utf-8")) for page in pages)
    measured = json.loads((ROOT / "recipes" / "sentiment" / "figures.json").read_text(encoding="utf-8"))["sets"]
    rows = re.findall(r"^\|[^|]*\| e[ns] \|[^|]*\| (0\.\d+) \| (0\.\d+) \|$", text, re.MULTILINE)
    held_out = json.loads((ROOT / "benchmarks" / "results" / "held-out.json").read_text(encoding="utf-8"))[BUILT_IN]
    assert rows == [(f"{measured[name]['value']:.3f}", str(held_out[name]["value"])) for name in SHOWN]
    engines = json.loads((ROOT / "benchmarks" / "results" / "engines-distilbert.json").read_text(encoding="utf-8"))
    speeds = re.findall(r"^\| [^|]* \| (\d+\.\d) \|$", text, re.MULTILINE)
    assert speeds == [str(engines["engines"][name]["sentences_per_s"]) for name in ENGINES]
    shown = re.findall(r"^\| [^|]* \| \d+\.\d \|$", readme, re.MULTILINE)
    assert shown and set(shown) <= set(text.splitlines())


@pytest.mark.parametrize("page", PAIRS[3], ids=lambda page: page.name)
def test_the_figures_of_doubt_are_those_of_the_result(page):
    """An aim that is met is no longer called missed."""
    text = re.sub(r"(?<=\d),(?=\d)", ".", page.read_text(encoding="utf-8"))
    own = json.loads((ROOT / "benchmarks" / "results" / "doubt.json").read_text(encoding="utf-8"))["own"]
    sets = [own["tatoeba"], own["wmt12"]]
    rows = re.findall(r"^\|[^|]*\| (0\.\d+) \| (0\.\d+) \| (0\.\d+) \|$", text, re.MULTILINE)
    columns = ("adequate", "unmarked", "unmarked_adequate")
    assert rows[:2] == [tuple(f"{figures[name]:.3f}" for name in columns) for figures in sets]
    for figures, shares in zip(sets, (("0.50", "0.60"), ("0.10", "0.25")), strict=True):
        assert all(f"{figures['curve'][share]:.3f}" in text for share in shares)
    assert all(figures["unmarked_adequate"] < 0.9 for figures in sets) and own["wmt12"]["unmarked"] < 0.25


@pytest.mark.slow
@needs_built_in
def test_what_the_design_calls_wrong_is_wrong_still():
    translate = gatonegro.pipeline("translation", num_beams=4, src_lang="en", tgt_lang="es")
    with pytest.warns(gatonegro.errors.DoubtWarning):
        assert all("doubtful" in answer for answer in translate(["increasingly", "h", "Fulfillment", "hablas espanol"]))
    classify = gatonegro.pipeline("sentiment-analysis")
    assert [answer["label"] for answer in classify(["😗", "Me gusta 😗"])] == ["NEG", "POS"]


def test_two_million_reviews_are_computed_from_the_results():
    page = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
    results = ROOT / "benchmarks" / "results" / f"engines-{BUILT_IN}.json"
    rate = json.loads(results.read_text(encoding="utf-8"))["engines"]["gatonegro int8"]["sentences_per_s"]
    assert f"read {rate:.0f} of these texts a second" in page
    assert f"{2_000_000 / (2 * rate) / 60:.0f} minutes" in page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_nothing_waits_to_be_filled_in(page):
    assert "{{" not in page.read_text(encoding="utf-8")


def test_the_card_is_its_template_with_the_figures_of_the_results():
    measured = json.loads((ROOT / "recipes" / "sentiment" / "figures.json").read_text(encoding="utf-8"))["sets"]
    template = (ROOT / "recipes" / "sentiment" / "card.md").read_text(encoding="utf-8")
    card = (ROOT / "models" / "gatonegro_models" / BUILT_IN / "README.md").read_text(encoding="utf-8")
    pattern = re.escape(template)
    for name, figures in measured.items():
        pattern = pattern.replace(re.escape("{{" + name + "}}"), f"{figures['value']:.3f}")
    pattern = re.sub(r"\\\{\\\{[\w.\\]+?\\\}\\\}", "(?s:.*?)", pattern)
    assert re.fullmatch(pattern, card)
    for figures in measured.values():
        assert f"{figures['value']:.3f}" in card and f"| {figures['texts']:,} |" in card


def test_ci_does_what_the_readme_says():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    for block in fences(READMES[0], "sh"):
        for step in block["text"].strip().split(" && "):
            first, *rest = step.split(" ", 2)
            assert re.search(re.escape(f"{first} {rest[0]}") + r"[^\n]*" + re.escape(" ".join(rest[1:])), script), step


def test_the_table_of_modules_has_all_modules_and_imports():
    page = (DOCS / "design.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/?` \|[^|]*\|([^|]*)\|$", page, re.MULTILINE)
    table = {module: set(re.findall(r"`(\w+)`", imports)) for module, imports in rows}
    graph = grimp.build_graph("gatonegro", exclude_type_checking_imports=True)
    children = graph.find_children("gatonegro") - {"gatonegro.__main__"}
    assert table.keys() == {name.removeprefix("gatonegro.") for name in children}
    for name in children:
        module = name.removeprefix("gatonegro.")
        imported = {
            part[1]
            for m in {name, *graph.find_descendants(name)}
            for i in graph.find_modules_directly_imported_by(m)
            if len(part := i.split(".")) > 1
        }
        assert imported - {module} == table[module], (
            f"docs/design.md: {module} imports {imported - {module} - table[module]} beside the table, "
            f"and not {table[module] - imported}"
        )


def test_the_picture_of_the_modules_is_drawn_from_the_layers():
    picture = runpy.run_path(str(DOCS / "img" / "modules.py"))
    assert (DOCS / "img" / "modules.svg").read_text(encoding="utf-8") == picture["draw"]()


@pytest.mark.parametrize("page", [DOCS / "architecture.md", DOCS / "design.md"], ids=lambda page: page.name)
def test_names_in_the_design_exist(page):
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "src").rglob("*.py"))
    words = set(re.findall(r"\w+", code)) | {path.stem for path in (ROOT / "src").rglob("*")}
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for name in re.findall(r"`([A-Za-z_][\w.]*)(?:\([^`]*\))?`", text):
        assert name.split(".")[-1] in words or (ROOT / name).exists(), f"{page.name}: {name}"


def test_the_task_that_is_added(monkeypatch, make_folder):
    """Stars, as registered by `docs/adding-a-task.md`, is a module of tasks, and has a class and other names."""
    text = (ROOT / "examples" / "stars.py").read_text(encoding="utf-8").partition("TASKS[")[0]
    text = text.replace("from gatonegro import pipeline\n", "")
    text = text.replace("from gatonegro.tasks import TASKS, Encoded", "from gatonegro.tasks.task import Encoded")
    module = {"__name__": "gatonegro.tasks.stars"}
    exec(text, module)
    monkeypatch.setitem(TASKS, "stars", module["STARS"])
    monkeypatch.setitem(ARGUMENTS, "StarsPipeline.__call__", {"decimals": {"as": "digits"}, "verbose": {"idle": True}})
    rate = gatonegro.pipeline("stars", make_folder())
    assert type(rate) is gatonegro.StarsPipeline
    expected = [round(answer["stars"], 2) for answer in rate(["el gato", "nada"], digits=2)]
    assert [answer["stars"] for answer in rate(["el gato", "nada"], decimals=2, verbose=True)] == expected


@pytest.mark.parametrize(
    "head", ["", "ForSequenceClassification", "ForTokenClassification", "ForMaskedLM", "ForPreTraining"]
)
def test_the_family_that_is_added(head, monkeypatch, tmp_path):
    """ELECTRA, as added by `docs/adding-a-family.md`, agrees with `transformers`, loaded and saved."""
    electra = runpy.run_path(str(ROOT / "examples" / "electra.py"))["ELECTRA"]
    monkeypatch.setitem(families.FAMILIES, "electra", electra)
    sizes = {"embedding_size": 24, "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4}
    torch.manual_seed(3)
    theirs = getattr(hf, f"Electra{head or 'Model'}")(
        hf.ElectraConfig(vocab_size=99, intermediate_size=40, max_position_embeddings=20, **sizes)
    ).eval()
    with torch.no_grad():
        for p in theirs.parameters():
            p += 0.1 * torch.randn_like(p)
    theirs.save_pretrained(tmp_path / "theirs")
    ids = torch.randint(5, 99, (3, 9))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    mask[2, :3] = 0
    x = {"input_ids": ids, "attention_mask": mask}
    auto = "AutoModel" + (head if head != "ForPreTraining" else "")  # whose head is none of ours: the encoder is read
    ours = getattr(gatonegro, auto).from_pretrained(tmp_path / "theirs")
    ours.save_pretrained(tmp_path / "ours")
    again = getattr(hf, auto).from_pretrained(tmp_path / "ours")
    reference = theirs.electra if head == "ForPreTraining" else theirs
    with torch.no_grad():
        a, b, c = (model(**x)[0] for model in (reference, ours, again))
    if a.dim() == 3:
        a, b, c = a[mask.bool()], b[mask.bool()], c[mask.bool()]
    assert (a - b).abs().max() <= 1e-5
    assert torch.equal(a, c)

"""Write docs/from-transformers.md and docs/de-transformers.md from the tables in src/gatonegro/compat.

python scripts/from_transformers.py
"""

import re
from pathlib import Path
from types import ModuleType

import transformers

import gatonegro
from gatonegro.compat import ARGUMENTS, NAMES
from gatonegro.compat.border import HERE, MESSAGES
from gatonegro.i18n import catalog

ROOT = Path(__file__).parents[1]
TARGETS = {"en": ROOT / "docs/from-transformers.md", "es": ROOT / "docs/de-transformers.md"}
DROPPED = (ROOT / "tests/compat/names-4.57.6.txt").read_text(encoding="utf-8").split()
SHOWN = 6  # examples of a row
OWNERS = {  # kind of objects → the class with the most attributes
    "PreTrainedModel": gatonegro.BartForConditionalGeneration,
    "PreTrainedConfig": gatonegro.BertConfig,
    "GenerationConfig": gatonegro.GenerationConfig,
    "PreTrainedTokenizer": gatonegro.PreTrainedTokenizerFast,
    "BatchEncoding": gatonegro.BatchEncoding,
    "Pipeline": gatonegro.Pipeline,
}
KNOWN = (
    "TrainingArguments",
    "DataCollatorWith",
    "get_linear",
    "BitsAndBytes",
    "AutoModelForMultiple",
    "is_torch_av",
    "GPT2ForSeq",
    "Llama",
    "Qwen3F",
    "Mistral",
    "Gemma",
    "Electra",
    "Albert",
    "DebertaV2",
    "Whisper",
    "ViT",
    "CLIP",
)  # first
SAME = {  # kind of names → pattern of its names; the first that matches counts
    ("Pipelines", "Pipelines"): r"\w*[Pp]ipeline",
    ("Auto classes", "Clases Auto"): r"Auto\w+",
    ("Tokenizers", "Tokenizadores"): r"\w*Tokenizer(Fast|Base)?|BatchEncoding|AddedToken|\w+Span",
    ("Configurations", "Configuraciones"): r"\w+Config",
    ("Generation", "Generación"): r"\w*(Logit|Criteria|Streamer|ExponentialDecay|Cache)\w*",
    ("Models", "Modelos"): r"\w+(Model|ForMaskedLM|Classification|Answering|Generation)",
    ("Others", "Otros"): r"\w+",
}
# table of arguments → title; the most used first
TITLES = {
    "pipeline": "`pipeline(…)`",
    "AutoTokenizer.from_pretrained": "`AutoTokenizer.from_pretrained(…)`",
    "AutoModel.from_pretrained": "`AutoModel….from_pretrained(…)`",
    "PreTrainedTokenizer.__call__": "`tokenizer(…)`",
    "Model.forward": "`model(…)`: BERT, DistilBERT, RoBERTa, XLM-RoBERTa, CamemBERT",
    "LanguageModel.forward": "`model(…)`: Marian, BART, T5, mT5, GPT-2",
    "generate": "`model.generate(…)`",
    "GenerationConfig": "`GenerationConfig(…)`, `model.generate(…)`",
    "Pipeline.__call__": "`pipe(…)`",
    "PreTrainedModel.save_pretrained": "`model.save_pretrained(…)`",
    "PreTrainedTokenizer.save_pretrained": "`tokenizer.save_pretrained(…)`",
}
TEXTS = {
    "title": ("From `transformers`", "De `transformers`"),
    "head": (
        "What is the same when `import transformers` becomes `import gatonegro`, and what to use where it is not. "
        "`scripts/from_transformers.py` writes this page from the tables in `src/gatonegro/compat/`, which the library "
        "itself reads; it was compared with `transformers` {version}. *[En español](de-transformers.md)* · "
        "[The calls of the course, one by one](de-transformers-a-gatonegro.md) (in Spanish)",
        "Qué queda igual cuando `import transformers` pasa a ser `import gatonegro`, y qué usar donde no. "
        "`scripts/from_transformers.py` escribe esta página con las tablas de `src/gatonegro/compat/`, las mismas que "
        "lee la biblioteca; se comparó con `transformers` {version}. *[In English](from-transformers.md)* · "
        "[Las llamadas del curso, una por una](de-transformers-a-gatonegro.md)",
    ),
    "changes": ("What changes with the import", "Qué cambia con el import"),
    "rules": (
        "- Import every name from `gatonegro` itself: `from gatonegro import BertModel`.\n"
        "- An argument is one of four: the same, without effect, known by another name, or refused with what to use "
        "instead.\n"
        "- Answers are those of `transformers`, and folders that one library saves can be read by the other.\n"
        "- Question answering, translation, summarization and text2text-generation, which `transformers` dropped, "
        "answer as in its version 4.",
        "- Importa todos los nombres de `gatonegro` mismo: `from gatonegro import BertModel`.\n"
        "- Un argumento es una de cuatro cosas: igual, sin efecto, conocido por otro nombre, o rechazado con lo que se "
        "usa en su lugar.\n"
        "- Las respuestas son las de `transformers`, y cada biblioteca lee las carpetas que guarda la otra.\n"
        "- Preguntas y respuestas, traducción, resumen y text2text-generation, que `transformers` quitó, responden "
        "como en su versión 4.",
    ),
    "differences": ("Known differences", "Diferencias conocidas"),
    "same": ("Names that both libraries have", "Nombres que tienen ambas bibliotecas"),
    "same_table": ("| | names |", "| | nombres |"),
    "arguments": ("Arguments", "Argumentos"),
    "about_arguments": (
        "Arguments that are not listed are the same. Those in tables are refused, but for the values in parentheses "
        "and None, which change nothing.",
        "Los argumentos que no se nombran son iguales. Los de las tablas se rechazan, salvo los valores entre "
        "paréntesis y None, que no cambian nada.",
    ),
    "arguments_table": ("| argument | use instead |", "| argumento | en su lugar |"),
    "as": ("Also accepted", "También se admiten"),
    "idle": ("Accepted, without effect", "Se admiten, sin efecto"),
    "names": ("Names that are not here", "Nombres que no están"),
    "names_table": ("| name | use instead |", "| nombre | en su lugar |"),
    "more": ("and {count} more", "y {count} más"),
    "attributes": ("Attributes and methods that are not here", "Atributos y métodos que no están"),
}


def code(names: list[str]) -> str:
    """Return names in a line of Markdown."""
    return ", ".join(f"`{name}`" for name in names)


def table(head: str, rows: list[tuple[str, str]]) -> str:
    """Return a Markdown table of two columns."""
    return "\n".join([head, "|---|---|", *(f"| {first} | {second} |" for first, second in rows)])


def arguments(name: str, texts: dict[str, str], lang: str) -> str:
    """Return the rows of one function's arguments."""
    rows, names, idle = dict[str, list[str]](), [], []
    for argument, row in ARGUMENTS[name].items():
        if row.get("idle") is True:
            idle.append(argument)
        elif "as" in row:
            names.append(f"`{argument}` = `{row['as']}`")
        else:
            accepted = [repr(value) for value in row.get("idle", []) if value is not None]
            values = f" ({code(accepted)})" if accepted else ""
            rows.setdefault(MESSAGES[row["refused"]].in_(lang), []).append(f"`{argument}=`{values}")
    parts = [f"### {TITLES.get(name, f'`{name}(…)`')}"]
    parts += (
        [table(texts["arguments_table"], [(", ".join(refused), use) for use, refused in rows.items()])] if rows else []
    )
    parts += [f"{texts['as']}: {', '.join(names)}."] if names else []
    return "\n\n".join([*parts, *([f"{texts['idle']}: {code(idle)}."] if idle else [])])


def is_here(name: str) -> bool:
    """Return True if a name is one of ours, and not a module that was imported by chance."""
    owner, _, attribute = name.rpartition(".")
    if owner:
        return hasattr(OWNERS.get(owner), attribute)
    return name in gatonegro.__all__ or not isinstance(getattr(gatonegro, name, gatonegro), ModuleType)


def missing(names: list[str]) -> dict[str, list[str]]:
    """Return the names that are not here, by the key of the message that says what to use."""
    found = dict[str, list[str]]()
    for name in names:
        row = next((pattern for pattern in NAMES if re.fullmatch(pattern, name)), None)
        if row is not None and not is_here(name):
            found.setdefault(NAMES[row], []).append(name)
    return {key: found[key] for key in dict.fromkeys(NAMES.values()) if key in found}


def examples(names: list[str], more: str) -> str:
    """Return the first few of some names, those that people look for before others, and how many more there are."""
    known = [next((i for i, stem in enumerate(KNOWN) if name.startswith(stem)), len(KNOWN)) for name in names]
    first = [name for _, _, name in sorted(zip(known, map(len, names), names, strict=True))]
    rest = len(names) - SHOWN
    return code(first[:SHOWN]) + (f" {more.format(count=rest)}" if rest > 0 else "")


def page(lang: str) -> str:
    """Return the page in a language."""
    texts = {key: pair[lang == "es"] for key, pair in TEXTS.items()}
    public = sorted({name for name in [*transformers.__all__, *DROPPED] if "." not in name})
    same = dict[str, list[str]]()
    for name in public:
        if is_here(name):
            kind = next(kind for kind, pattern in SAME.items() if re.fullmatch(pattern, name))
            same.setdefault(kind[lang == "es"], []).append(name)
    objects = {
        "PreTrainedModel": (transformers.BertModel, transformers.T5ForConditionalGeneration),
        "PreTrainedTokenizer": (transformers.BertTokenizer,),
        "PreTrainedConfig": (transformers.BertConfig,),
        "GenerationConfig": (transformers.GenerationConfig,),
        "Pipeline": (transformers.TextGenerationPipeline,),
    }
    attributes = sorted(
        {f"{key}.{name}" for key, kinds in objects.items() for kind in kinds for name in dir(kind) if name[0] != "_"}
    )
    both = missing(public), missing(attributes)
    tables = [
        table(
            texts["names_table"],
            [(examples(names, texts["more"]), MESSAGES[key].in_(lang)) for key, names in found.items()],
        )
        for found in both
    ]
    parts = [
        f"# {texts['title']}",
        texts["head"].format(version=transformers.__version__),
        *(f"## {texts['changes']}", texts["rules"]),
        *(
            f"## {texts['differences']}",
            "\n".join(f"- {m.in_(lang)}" for m in catalog(HERE / "differences.json").values()),
        ),
        *(
            f"## {texts['same']}",
            table(texts["same_table"], [(k[lang == "es"], code(same[k[lang == "es"]])) for k in SAME]),
        ),
        *(f"## {texts['arguments']}", texts["about_arguments"]),
        *(arguments(name, texts, lang) for name in [*TITLES, *(name for name in ARGUMENTS if name not in TITLES)]),
        *(f"## {texts['names']}", tables[0], f"## {texts['attributes']}", tables[1]),
    ]
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    for lang, target in TARGETS.items():
        target.write_text(page(lang), encoding="utf-8")

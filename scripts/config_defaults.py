"""Write src/gatonegro/families/defaults.json: the attributes of each family's configuration in `transformers`.

python scripts/config_defaults.py
"""

import json
from dataclasses import MISSING, fields
from pathlib import Path

from transformers import AutoConfig, GenerationConfig, PreTrainedConfig

from gatonegro.families import FAMILIES

TARGET = Path(__file__).parents[1] / "src/gatonegro/families/defaults.json"
OURS = ("transformers_version", "id2label", "label2id")  # the first is no option; the others follow from num_labels


def declared(kind: type) -> dict[str, object]:
    """Return the default value of each declared attribute of a configuration class."""
    return {f.name: f.default for f in fields(kind) if f.name not in OURS and f.default is not MISSING}


def defaults() -> dict[str, dict[str, object]]:
    """Return the attributes that all families have, under "", and those of each family, by its `model_type`.

    Under "generation" are options of generation in older files, which are no attributes.
    """
    common = declared(PreTrainedConfig) | {"output_attentions": False, "num_labels": 2}
    tables: dict[str, dict[str, object]] = {"": common, "generation": GenerationConfig._get_default_generation_params()}
    for name in FAMILIES:
        example = AutoConfig.for_model(name)
        own = {**declared(type(example)), "num_labels": example.num_labels}
        tables[name] = {k: v for k, v in own.items() if k not in common or common[k] != v}
    return tables


if __name__ == "__main__":
    rows = (f"{json.dumps(name)}: {json.dumps(table)}" for name, table in defaults().items())
    TARGET.write_text("{\n" + ",\n".join(rows) + "\n}\n", encoding="utf-8")

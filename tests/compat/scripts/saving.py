import json
import sys
import tempfile
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, pipeline

labels = ["negativo", "neutro", "positivo"]
id2label = dict(enumerate(labels))
config = AutoConfig.from_pretrained(
    sys.argv[1], id2label=id2label, label2id={label: i for i, label in id2label.items()}, classifier_dropout=0.2
)
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], config=config)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], model_max_length=32)
model.config.problem_type = "single_label_classification"
with tempfile.TemporaryDirectory() as folder:
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    data = json.loads(Path(folder, "config.json").read_text())
    print({key: data[key] for key in ("architectures", "id2label", "label2id", "problem_type", "model_type")})
    print([name for name in ("config.json", "model.safetensors", "tokenizer.json") if Path(folder, name).exists()])
    again = AutoModelForSequenceClassification.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    classifier = pipeline("text-classification", model=folder)
print(again.config.num_labels, again.config.classifier_dropout, tokenizer.model_max_length, again.config.hidden_size)
same = all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
print(same, model.state_dict().keys() == again.state_dict().keys(), sorted(again.state_dict())[:3])
result = classifier("Todo es sencillo cuando alguien lo explica bien.")[0]
print(result["label"], round(result["score"], 4))

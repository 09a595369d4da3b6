import sys

import torch
from torch.utils.data import DataLoader, Dataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer


class Reviews(Dataset):
    def __init__(self, texts, labels, tokenizer):
        self.encodings = tokenizer(texts, truncation=True)
        self.labels = labels

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, idx):
        item = {key: value[idx] for key, value in self.encodings.items()}
        return {**item, "label": self.labels[idx]}


def collate(features):
    batch = tokenizer.pad(
        [{key: value for key, value in feature.items() if key != "label"} for feature in features],
        padding=True,
        pad_to_multiple_of=8,
        return_tensors="pt",
    )
    batch["labels"] = torch.tensor([feature["label"] for feature in features])
    return batch


tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1]).eval()
texts = ["good", "The city is big, but the streets are quiet.", "Where is the library?", "late", "No entiendo nada."]
for batch in DataLoader(Reviews(texts, [1, 0, 1, 0, 1], tokenizer), batch_size=2, collate_fn=collate):
    with torch.no_grad():
        outputs = model(**batch)
    print(sorted(batch.keys()), batch["input_ids"].shape, batch["attention_mask"].sum(1).tolist())
    print(round(outputs.loss.item(), 4), (outputs.logits.argmax(-1) == batch["labels"]).tolist())

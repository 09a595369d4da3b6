import sys

import torch
from transformers import AutoModelForTokenClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1], add_prefix_space=True)
model = AutoModelForTokenClassification.from_pretrained(sys.argv[1])
sentences = [["John", "Smith", "lives", "in", "Washington", "."], ["La", "biblioteca", "de", "Alcalá"]]
inputs = tokenizer(sentences, is_split_into_words=True, padding=True, return_tensors="pt")
with torch.no_grad():
    predictions = model(**inputs).logits.argmax(-1)
for i, words in enumerate(sentences):
    previous = None
    for position, word_id in enumerate(inputs.word_ids(batch_index=i)):
        if word_id is not None and word_id != previous:
            print(words[word_id], model.config.id2label[predictions[i, position].item()])
        previous = word_id


def tokenize_and_align_labels(words, tags):
    encoding = tokenizer(words, truncation=True, is_split_into_words=True)
    encoding["labels"] = [-100 if word is None else tags[word] for word in encoding.word_ids()]
    return encoding


print({name: list(value) for name, value in tokenize_and_align_labels(sentences[1], [0, 0, 0, 1]).items()})

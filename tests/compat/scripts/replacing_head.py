import sys

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(
    sys.argv[1], num_labels=5, ignore_mismatched_sizes=True, problem_type="multi_label_classification"
)
print(model.config.num_labels, model.num_labels, model.classifier, model.config.id2label)
with torch.no_grad():
    model.classifier.weight.copy_(torch.linspace(-1, 1, model.classifier.weight.numel()).view(5, -1))
    model.classifier.bias.zero_()
labels = torch.tensor([[1.0, 0, 0, 1, 0], [0, 0, 1, 1, 1]])
inputs = tokenizer(["I like to read", "It is late"], padding=True, return_tensors="pt")
outputs = model(**inputs, labels=labels)
outputs.loss.backward()
print(round(outputs.loss.item(), 4), [round(p, 4) for p in torch.sigmoid(outputs.logits)[0].tolist()])
print(round(model.classifier.weight.grad.norm().item(), 4), model.distilbert.embeddings.word_embeddings.weight.shape)
regression = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], num_labels=1, ignore_mismatched_sizes=True)
torch.nn.init.constant_(regression.classifier.weight, 0.1)
torch.nn.init.zeros_(regression.classifier.bias)
outputs = regression(**inputs, labels=torch.tensor([0.5, -1.0]))
print(regression.config.problem_type, round(outputs.loss.item(), 4), outputs.logits.shape)
config = AutoConfig.from_pretrained(sys.argv[1], num_labels=4, dropout=0.0, attention_dropout=0.0)
print(type(AutoModelForSequenceClassification.from_config(config)).__name__, config.id2label, config.dim)

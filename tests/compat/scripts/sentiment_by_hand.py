import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
model.eval()
device = "cuda" if torch.cuda.is_available() else "cpu"
model.to(device)

inputs = tokenizer(["I love this café!", "No me gusta nada."], padding=True, return_tensors="pt").to(device)
print(tokenizer.convert_ids_to_tokens(inputs.input_ids[0]))
with torch.no_grad():
    logits = model(**inputs).logits
probabilities = torch.nn.functional.softmax(logits, dim=-1)
for row in probabilities:
    label = model.config.id2label[row.argmax().item()]
    print(label, [round(p, 4) for p in row.tolist()])
labels = torch.tensor([model.config.label2id["positive"], 0], device=device)
outputs = model(**inputs, labels=labels)
print(round(outputs.loss.item(), 4), tuple(outputs.logits.shape), list(outputs.keys()))

import torch

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer

tok = AutoTokenizer.from_pretrained("sentiment-es-en")
model = AutoModelForSequenceClassification.from_pretrained("sentiment-es-en")
batch = tok(["El gato negro", "The black cat sleeps in the sun"], padding=True, return_tensors="pt")
with torch.no_grad():
    out = model(**batch, output_attentions=True)
print(out.logits.shape)  # → torch.Size([2, 3])
print(len(out.attentions), out.attentions[0].shape)  # → 12 torch.Size([2, 12, 10, 10])
print(f"{model.num_parameters():,}")  # → 36,951,939
print(model)  # el árbol de sus módulos; cada línea muestra la operación y sus formas
# → …

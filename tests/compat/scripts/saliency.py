import sys

import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
model.eval()
inputs = tokenizer("La película no es nada mala", return_tensors="pt")
embedding_layer = model.get_input_embeddings()
embeds = embedding_layer(inputs["input_ids"]).detach().requires_grad_(True)
logits = model(inputs_embeds=embeds, attention_mask=inputs["attention_mask"]).logits
predicted = logits.argmax(-1).item()
logits[0, predicted].backward()
scores = (embeds.grad * embeds).sum(-1).squeeze(0)
for token, score in zip(tokenizer.convert_ids_to_tokens(inputs["input_ids"][0]), scores, strict=True):
    print(token, round(score.item(), 4))
print(model.config.id2label[predicted], torch.allclose(logits, model(**inputs).logits, atol=1e-5))

baseline = torch.zeros_like(embeds)
total = torch.zeros_like(embeds)
for alpha in torch.linspace(0, 1, 5):
    point = (baseline + alpha * (embeds - baseline)).detach().requires_grad_(True)
    out = model(inputs_embeds=point, attention_mask=inputs.attention_mask).logits[0, predicted]
    total += torch.autograd.grad(out, point)[0]
print([round(x, 4) for x in ((embeds - baseline) * total / 5).sum(-1)[0].tolist()])
handle = model.classifier.register_forward_hook(lambda module, args, out: print(args[0].shape, out.shape))
model(**inputs)
handle.remove()

import sys

import torch
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSeq2SeqLM.from_pretrained(sys.argv[1])
pairs = [
    ("El gato negro duerme", "The black cat sleeps"),
    ("Me gusta leer", "I like to read"),
    ("Es tarde", "It is late"),
]
prefix = "translate Spanish to English: "
model_inputs = tokenizer(
    [prefix + source for source, _ in pairs],
    text_target=[target for _, target in pairs],
    max_length=48,
    truncation=True,
    padding=True,
    return_tensors="pt",
)
labels = model_inputs["labels"]
labels[labels == tokenizer.pad_token_id] = -100
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
model.train()
for epoch in range(4):
    outputs = model(**model_inputs)
    outputs.loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    print(epoch, round(outputs.loss.item(), 4))
model.eval()
inputs = {name: model_inputs[name] for name in ("input_ids", "attention_mask")}
generated = model.generate(**inputs, max_new_tokens=10)
print(tokenizer.batch_decode(generated, skip_special_tokens=True))
labels = torch.where(labels == -100, tokenizer.pad_token_id, labels)
print(tokenizer.batch_decode(labels, skip_special_tokens=True), outputs.logits.shape)
print(list(outputs.keys()), outputs.encoder_last_hidden_state.shape)

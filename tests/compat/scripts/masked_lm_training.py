import sys

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForMaskedLM.from_pretrained(sys.argv[1])
text = ["The black cat sleeps in the old house.", "Where is the library of the university?", "I like it."]
inputs = tokenizer(text, return_tensors="pt", max_length=24, truncation=True, padding="max_length")
inputs["labels"] = inputs.input_ids.detach().clone()
rand = torch.rand(inputs.input_ids.shape, generator=torch.Generator().manual_seed(1))
special = torch.tensor(
    [tokenizer.get_special_tokens_mask(row, already_has_special_tokens=True) for row in inputs.input_ids.tolist()]
)
mask_arr = (rand < 0.25) & (special == 0)
inputs.input_ids[mask_arr] = tokenizer.mask_token_id
inputs["labels"][~mask_arr] = -100
model.train()
optim = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(3):
    optim.zero_grad()
    outputs = model(inputs["input_ids"], attention_mask=inputs["attention_mask"], labels=inputs["labels"])
    outputs.loss.backward()
    optim.step()
    print(f"Epoch {epoch}: {outputs.loss.item():.4f}")
print(int(mask_arr.sum()), tokenizer.decode(inputs["input_ids"][1], skip_special_tokens=False)[:60])
print(tokenizer.batch_decode(model.eval()(inputs["input_ids"]).logits[mask_arr].argmax(-1)))

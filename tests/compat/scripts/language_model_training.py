import sys

import torch
from torch.utils.data import DataLoader
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer.pad_token = tokenizer.eos_token
texts = ["The black cat sleeps in the old house.", "Where is the library?", "The city is big, but quiet."] * 4
ids = tokenizer("".join(text + tokenizer.eos_token for text in texts))["input_ids"]
block_size = 24
blocks = [ids[i : i + block_size] for i in range(0, len(ids) - block_size, block_size)]
loader = DataLoader(torch.tensor(blocks), batch_size=4)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
model.gradient_checkpointing_enable()
model.train()
accumulate = 2
for epoch in range(2):
    for step, block in enumerate(loader):
        loss = model(block, labels=block).loss / accumulate
        loss.backward()
        if (step + 1) % accumulate == 0:
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        print(epoch, step, round(loss.item() * accumulate, 4))
model.gradient_checkpointing_disable()
model.eval()
prompt = tokenizer("The black", return_tensors="pt")
output = model.generate(**prompt, max_new_tokens=8, do_sample=False, pad_token_id=tokenizer.eos_token_id)
print(repr(tokenizer.decode(output[0])))

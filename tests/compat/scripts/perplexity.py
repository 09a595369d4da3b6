import sys

import torch
from transformers import GPT2LMHeadModel, GPT2TokenizerFast

device = torch.device("cpu")
model = GPT2LMHeadModel.from_pretrained(sys.argv[1]).to(device)
tokenizer = GPT2TokenizerFast.from_pretrained(sys.argv[1])
text = "\n\n".join(["The black cat sleeps in the old house.", "My sister works in a hospital near the river."] * 6)
encodings = tokenizer(text, return_tensors="pt")
max_length = model.config.n_positions
stride = 32
seq_len = encodings.input_ids.size(1)
nlls, prev_end_loc = [], 0
for begin_loc in range(0, seq_len, stride):
    end_loc = min(begin_loc + max_length, seq_len)
    trg_len = end_loc - prev_end_loc
    input_ids = encodings.input_ids[:, begin_loc:end_loc].to(device)
    target_ids = input_ids.clone()
    target_ids[:, :-trg_len] = -100
    with torch.no_grad():
        outputs = model(input_ids, labels=target_ids)
        nlls.append(outputs.loss * trg_len)
    prev_end_loc = end_loc
    if end_loc == seq_len:
        break
ppl = torch.exp(torch.stack(nlls).sum() / end_loc)
print(seq_len, max_length, len(nlls), round(ppl.log().item(), 4))
print([round(nll.item() / 100, 4) for nll in nlls], model.num_parameters(), model.device, model.dtype)

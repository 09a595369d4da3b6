import sys

import torch
from transformers import GPT2LMHeadModel, GPT2Tokenizer

tokenizer = GPT2Tokenizer.from_pretrained(sys.argv[1])
model = GPT2LMHeadModel.from_pretrained(sys.argv[1])
model.eval()
generated = tokenizer.encode("The children play")
context = torch.tensor([generated])
past_key_values = None
log_probability = 0.0
for _ in range(10):
    with torch.no_grad():
        output = model(context, past_key_values=past_key_values, use_cache=True)
    past_key_values = output.past_key_values
    log_probabilities = output.logits[0, -1].log_softmax(-1)
    token = log_probabilities.argmax()
    log_probability += log_probabilities[token].item()
    generated.append(token.item())
    context = token.view(1, 1)
print(tokenizer.decode(generated), round(log_probability, 4), past_key_values.get_seq_length())

ids = torch.tensor([generated])
with torch.no_grad():
    outputs = model(ids, labels=ids)
print("perplexity", round(torch.exp(outputs.loss).item(), 4))
print(torch.allclose(outputs.logits[0, -2].log_softmax(-1), log_probabilities, atol=1e-4))

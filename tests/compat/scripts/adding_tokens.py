import sys

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForMaskedLM.from_pretrained(sys.argv[1])
size = len(tokenizer)
print(tokenizer.tokenize("The @user saw chlorophyll. [ENT]"))
added = tokenizer.add_tokens(["@user", "chlorophyll"]) + tokenizer.add_special_tokens(
    {"additional_special_tokens": ["[ENT]"]}
)
print(added, len(tokenizer) - size, tokenizer.tokenize("The @user saw chlorophyll. [ENT]"))
model.resize_token_embeddings(len(tokenizer))
embeddings = model.get_input_embeddings().weight
print(embeddings.shape[0] - size, model.config.vocab_size - size, tuple(model.get_output_embeddings().weight.shape))
with torch.no_grad():
    embeddings[size:] = embeddings[:size].mean(0)
inputs = tokenizer("The @user saw [MASK]. [ENT]", return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs, output_hidden_states=True)
print(inputs.input_ids[0, :3].tolist(), [round(x, 4) for x in outputs.hidden_states[-1][0, 2, :4].tolist()])
print(tokenizer.decode(inputs.input_ids[0], skip_special_tokens=True), tokenizer.get_added_vocab()["@user"] - size)

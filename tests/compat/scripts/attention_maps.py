import sys

import torch
from transformers import AutoTokenizer, BertModel

model = BertModel.from_pretrained(sys.argv[1], output_attentions=True, attn_implementation="eager")
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
inputs = tokenizer("El gato negro duerme", "en la casa vieja", return_tensors="pt")
with torch.no_grad():
    outputs = model(**inputs, output_hidden_states=True)
tokens = tokenizer.convert_ids_to_tokens(inputs["input_ids"][0])
print(len(outputs.hidden_states), outputs.hidden_states[0].shape, len(outputs.attentions), outputs.attentions[0].shape)
for layer, attention in enumerate(outputs.attentions):
    for head in range(attention.shape[1]):
        weight, position = attention[0, head, 1].max(-1)
        print(layer, head, tokens[1], "→", tokens[position], round(weight.item(), 4))
last_four = torch.stack(outputs.hidden_states[-2:]).sum(0).squeeze()
print([round(x, 4) for x in last_four[1, :5].tolist()], round(outputs.pooler_output.norm().item(), 4))
print(torch.equal(outputs.hidden_states[-1], outputs.last_hidden_state), outputs[0].shape, list(outputs))

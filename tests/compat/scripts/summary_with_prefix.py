import sys

import torch
from transformers import T5ForConditionalGeneration, T5Tokenizer

model = T5ForConditionalGeneration.from_pretrained(sys.argv[1])
tokenizer = T5Tokenizer.from_pretrained(sys.argv[1])
article = """The government announced a new law about water.
The children play in the park after school, and the city is big."""
inputs = tokenizer.encode("summarize: " + article, return_tensors="pt", max_length=64, truncation=True)
summary_ids = model.generate(inputs, max_length=24, min_length=8, length_penalty=2.0, num_beams=4, early_stopping=True)
print(tokenizer.decode(summary_ids[0], skip_special_tokens=True))

input_ids = tokenizer("The <extra_id_0> walks in <extra_id_1> park", return_tensors="pt").input_ids
labels = tokenizer("<extra_id_0> cute dog <extra_id_1> the <extra_id_2>", return_tensors="pt").input_ids
with torch.no_grad():
    outputs = model(input_ids=input_ids, labels=labels)
    encoded = model.get_encoder()(input_ids).last_hidden_state
print(round(outputs.loss.item(), 4), outputs.logits.shape, [round(x, 4) for x in encoded[0, 0, :3].tolist()])
start = torch.tensor([[model.config.decoder_start_token_id]])
print(model(input_ids=input_ids, decoder_input_ids=start).logits.argmax(-1).tolist())

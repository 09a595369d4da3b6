import sys

import torch
from transformers import MarianMTModel, MarianTokenizer

src_text = [
    "El gato negro duerme en la casa vieja.",
    "¿Dónde está la biblioteca?",
    "Mañana vamos a la playa si hace buen tiempo.",
    "Hola",
]
tokenizer = MarianTokenizer.from_pretrained(sys.argv[1])
model = MarianMTModel.from_pretrained(sys.argv[1])
for start in range(0, len(src_text), 2):
    batch = tokenizer(src_text[start : start + 2], return_tensors="pt", padding=True)
    translated = model.generate(**batch, num_beams=4, max_new_tokens=20)
    for t in translated:
        print(tokenizer.decode(t, skip_special_tokens=True))

result = model.generate(
    **batch, num_beams=3, num_return_sequences=2, max_new_tokens=8, output_scores=True, return_dict_in_generate=True
)
print(result.sequences.shape, [round(score, 4) for score in result.sequences_scores.tolist()])
targets = tokenizer(text_target=["The black cat", "Hello"], return_tensors="pt", padding=True)
targets.input_ids[targets.input_ids == tokenizer.pad_token_id] = -100
with torch.no_grad():
    print(round(model(**batch, labels=targets.input_ids).loss.item(), 4))

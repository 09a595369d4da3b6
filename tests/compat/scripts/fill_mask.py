import sys

import torch
from transformers import AutoModelForMaskedLM, AutoTokenizer, pipeline

unmasker = pipeline("fill-mask", model=sys.argv[1])
for result in unmasker(f"The black {unmasker.tokenizer.mask_token} sleeps in the house.", top_k=3):
    print(result["token"], repr(result["token_str"]), result["sequence"], round(result["score"], 4))
for result in unmasker("The [MASK] is late.", targets=["train", "bus"]):
    print(result["token_str"], round(result["score"], 6))

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForMaskedLM.from_pretrained(sys.argv[1])
inputs = tokenizer("I like to [MASK] a book when it [MASK].", return_tensors="pt")
with torch.no_grad():
    logits = model(**inputs).logits
rows, positions = (inputs.input_ids == tokenizer.mask_token_id).nonzero(as_tuple=True)
for position in positions:
    values, ids = logits[0, position].topk(3)
    print(tokenizer.convert_ids_to_tokens(ids), tokenizer.decode(ids[0]), [round(v, 4) for v in values.tolist()])

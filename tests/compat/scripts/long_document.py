import sys

import torch
from transformers import BertForSequenceClassification, BertTokenizerFast

tokenizer = BertTokenizerFast.from_pretrained(sys.argv[1])
model = BertForSequenceClassification.from_pretrained(sys.argv[1])
text = "El hotel es bueno, pero la playa está lejos y el desayuno no me gusta nada. " * 6
tokens = tokenizer(text, add_special_tokens=False, return_tensors="pt")
input_id_chunks = list(tokens["input_ids"][0].split(30))
mask_chunks = list(tokens["attention_mask"][0].split(30))
for i in range(len(input_id_chunks)):
    input_id_chunks[i] = torch.cat(
        [torch.tensor([tokenizer.cls_token_id]), input_id_chunks[i], torch.tensor([tokenizer.sep_token_id])]
    )
    mask_chunks[i] = torch.cat([torch.tensor([1]), mask_chunks[i], torch.tensor([1])])
    pad_len = 32 - input_id_chunks[i].shape[0]
    if pad_len > 0:
        input_id_chunks[i] = torch.cat([input_id_chunks[i], torch.Tensor([0] * pad_len)])
        mask_chunks[i] = torch.cat([mask_chunks[i], torch.Tensor([0] * pad_len)])
input_dict = {"input_ids": torch.stack(input_id_chunks).long(), "attention_mask": torch.stack(mask_chunks).int()}
outputs = model(**input_dict)
probs = torch.nn.functional.softmax(outputs[0], dim=-1)
mean = probs.mean(dim=0)
print(input_dict["input_ids"].shape, torch.argmax(mean).item(), [round(p, 4) for p in mean.tolist()])
print(outputs.to_tuple()[0].shape, len(outputs[:1]), outputs.loss, outputs.attentions, "logits" in outputs)

import sys

import torch
from transformers import AutoModelForQuestionAnswering, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForQuestionAnswering.from_pretrained(sys.argv[1]).eval()
question = "¿Dónde trabaja mi hermana?"
context = " ".join(f"{i}. Mi hermana trabaja en un hospital cerca del río, y el tren llega tarde." for i in range(9))
inputs = tokenizer(
    question,
    context,
    max_length=48,
    truncation="only_second",
    stride=16,
    return_overflowing_tokens=True,
    return_offsets_mapping=True,
    padding="max_length",
    return_tensors="pt",
)
offsets = inputs.pop("offset_mapping")
sample_map = inputs.pop("overflow_to_sample_mapping")
with torch.no_grad():
    outputs = model(**inputs)
answers = []
for i in range(len(offsets)):
    in_context = torch.tensor([number == 1 for number in inputs.sequence_ids(i)])
    start = outputs.start_logits[i].masked_fill(~in_context, -1e4).softmax(-1)
    end = outputs.end_logits[i].masked_fill(~in_context, -1e4).softmax(-1)
    scores = torch.triu(start[:, None] * end[None, :]) - torch.triu(torch.ones(48, 48), diagonal=15)
    first, last = divmod(scores.argmax().item(), 48)
    score = round(scores.max().item(), 4)
    answers.append((score, context[offsets[i, first, 0] : offsets[i, last, 1]]))
print(inputs["input_ids"].shape, sample_map.tolist())
for score, answer in answers:
    print(answer, score)

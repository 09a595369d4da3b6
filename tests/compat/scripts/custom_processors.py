import sys

import torch
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    LogitsProcessor,
    LogitsProcessorList,
    StoppingCriteria,
    StoppingCriteriaList,
)


class OnlyShortTokens(LogitsProcessor):
    def __init__(self, tokenizer, limit):
        self.banned = [i for i in range(len(tokenizer)) if len(tokenizer.decode([i])) > limit]

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        scores[:, self.banned] = -float("inf")
        return scores


class StopOnTokens(StoppingCriteria):
    def __init__(self, stop_ids):
        self.stop_ids = stop_ids
        self.steps = 0

    def __call__(self, input_ids, scores, **kwargs) -> bool:
        self.steps += 1
        return input_ids[0, -1].item() in self.stop_ids


tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
inputs = tokenizer("I don't understand why", return_tensors="pt")
processors = LogitsProcessorList([OnlyShortTokens(tokenizer, 4)])
plain = model.generate(**inputs, max_new_tokens=15, logits_processor=processors)[0]
print(tokenizer.decode(plain))
stop = StopOnTokens({plain[-8].item()})
outputs = model.generate(
    **inputs, max_new_tokens=15, logits_processor=processors, stopping_criteria=StoppingCriteriaList([stop])
)
print(tokenizer.decode(outputs[0]), stop.steps)
outputs = model.generate(**inputs, max_new_tokens=6, output_scores=True, return_dict_in_generate=True)
scores = model.compute_transition_scores(outputs.sequences, outputs.scores, normalize_logits=True)
for token, score in zip(outputs.sequences[0, -len(scores[0]) :], scores[0], strict=True):
    print(repr(tokenizer.decode(token)), round(score.item(), 4))

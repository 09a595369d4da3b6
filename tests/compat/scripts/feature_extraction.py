import sys

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer, pipeline

extractor = pipeline("feature-extraction", model=sys.argv[1], tokenizer=sys.argv[1])
features = extractor("The café on the corner closes at eight.")
print(np.array(features).shape, [round(x, 4) for x in np.array(features)[0].mean(axis=0)[:4].tolist()])
print([np.squeeze(rows).shape for rows in extractor(["one", "two three"])])
tensor = extractor("one", return_tensors=True)
print(type(tensor).__name__, tensor.shape)

model = AutoModel.from_pretrained(sys.argv[1], torch_dtype=torch.bfloat16)
print(model.dtype, next(model.parameters()).dtype, model.config.dtype)
model = model.float()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
batch = tokenizer(["one", "two three four"], padding="longest", return_tensors="np")
print(type(batch["input_ids"]).__name__, batch["input_ids"].dtype, batch["input_ids"].shape)
model.config.output_hidden_states = True
with torch.inference_mode():
    out = model(**{name: torch.from_numpy(value) for name, value in batch.items()})
print(len(out.hidden_states), out.last_hidden_state.shape, isinstance(out, tuple), len(out))
max_pooled = out.last_hidden_state.masked_fill(torch.tensor(batch["attention_mask"])[..., None] == 0, -1e9).amax(1)
print([round(x, 2) for x in max_pooled[:, 0].tolist()])

import sys

import torch
from torch.nn.functional import cosine_similarity, normalize
from transformers import AutoModel, AutoTokenizer


def mean_pooling(model_output, attention_mask):
    token_embeddings = model_output[0]
    mask = attention_mask.unsqueeze(-1).expand(token_embeddings.size()).float()
    return torch.sum(token_embeddings * mask, 1) / torch.clamp(mask.sum(1), min=1e-9)


sentences = ["El gato duerme en la casa.", "The cat is sleeping.", "Mañana vamos a la playa con mi hermana."]
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModel.from_pretrained(sys.argv[1])
encoded_input = tokenizer(sentences, padding=True, truncation=True, return_tensors="pt")
with torch.no_grad():
    model_output = model(**encoded_input)
embeddings = normalize(mean_pooling(model_output, encoded_input["attention_mask"]), p=2, dim=1)
print(embeddings.shape, model_output.last_hidden_state.dtype)
for i, sentence in enumerate(sentences):
    scores = cosine_similarity(embeddings[i : i + 1], embeddings)
    print(sentence, [round(score, 4) for score in scores.tolist()])

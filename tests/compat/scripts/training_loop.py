import sys

import torch
from torch.optim import AdamW
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader, TensorDataset
from transformers import AutoModelForSequenceClassification, AutoTokenizer, set_seed

set_seed(42)
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSequenceClassification.from_pretrained(sys.argv[1])
texts = ["Me encanta.", "No me gusta.", "Muy bueno.", "Muy malo.", "Todo bien, gracias.", "Nada bien.", "¡Sí!", "No"]
encoded = tokenizer(texts, padding="max_length", max_length=16, truncation=True, return_tensors="pt")
dataset = TensorDataset(encoded["input_ids"], encoded["attention_mask"], torch.tensor([1, 0] * 4))
loader = DataLoader(dataset, batch_size=4, shuffle=True)

no_decay = ["bias", "LayerNorm.weight"]
optimizer = AdamW(
    [
        {"params": [p for n, p in model.named_parameters() if not any(x in n for x in no_decay)], "weight_decay": 0.01},
        {"params": [p for n, p in model.named_parameters() if any(x in n for x in no_decay)], "weight_decay": 0.0},
    ],
    lr=1e-3,
)
num_training_steps = 3 * len(loader)
scheduler = LambdaLR(optimizer, lambda step: min((step + 1) / 2, 1 - step / num_training_steps))
model.train()
for epoch in range(3):
    for input_ids, attention_mask, labels in loader:
        outputs = model(input_ids, attention_mask=attention_mask, labels=labels)
        outputs.loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        print(epoch, round(outputs.loss.item(), 4), round(scheduler.get_last_lr()[0], 6))
model.eval()
with torch.no_grad():
    print(model(**encoded).logits.softmax(-1)[:, 1].mul(10000).round().div(10000).tolist())

import torch
from torch import nn

from gatonegro import AutoModelForSequenceClassification, AutoTokenizer


class LowRank(nn.Module):
    """A linear map that stays as it is, and a trained update of low rank beside it."""

    def __init__(self, linear, rank=4):
        super().__init__()
        self.linear = linear
        self.down = nn.Linear(linear.in_features, rank, bias=False)
        self.up = nn.Linear(rank, linear.out_features, bias=False)
        nn.init.zeros_(self.up.weight)  # at first the model is the old one

    def forward(self, x):
        return self.linear(x) + self.up(self.down(x))


torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained("sentiment-es-en")
model = AutoModelForSequenceClassification.from_pretrained("sentiment-es-en").requires_grad_(False)
for layer in model.encoder.layers:
    for name in ("query", "value"):
        setattr(layer.attention, name, LowRank(getattr(layer.attention, name)))
trained = [p for p in model.parameters() if p.requires_grad]
print(sum(p.numel() for p in trained), "of", sum(p.numel() for p in model.parameters()))
# → 73728 of 37025667

batch = tokenizer(["El profesor es bueno", "La clase fue un desastre"], padding=True, return_tensors="pt")
labels = torch.tensor([model.config.label2id["NEU"]] * 2)
optimizer = torch.optim.AdamW(trained, lr=1e-2)
losses = []
for _ in range(5):
    loss = model(**batch, labels=labels).loss
    loss.backward()
    optimizer.step()
    optimizer.zero_grad()
    losses.append(loss.item())
print(losses[-1] < losses[0])
# → True

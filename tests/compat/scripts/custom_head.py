import sys
import tempfile
from pathlib import Path

import torch
from torch import nn
from transformers import AutoConfig, AutoModel, AutoTokenizer


class SentimentClassifier(nn.Module):
    def __init__(self, name, n_classes):
        super().__init__()
        self.config = AutoConfig.from_pretrained(name)
        self.bert = AutoModel.from_pretrained(name)
        self.drop = nn.Dropout(p=0.3)
        self.out = nn.Linear(self.bert.config.hidden_size, n_classes)
        torch.manual_seed(0)
        nn.init.xavier_normal_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, input_ids, attention_mask):
        hidden = self.bert(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.out(self.drop(hidden[:, 0]))


tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = SentimentClassifier(sys.argv[1], 2).eval()
encoding = tokenizer("Nunca he estado aquí.", max_length=16, padding="max_length", return_tensors="pt")
x = {name: encoding[name] for name in ("input_ids", "attention_mask")}
loss = nn.CrossEntropyLoss()(model(**x), torch.tensor([1]))
loss.backward()
torch.optim.Adam(model.parameters(), lr=1e-2).step()
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "best_model_state.bin")
    torch.save(model.state_dict(), path)
    again = SentimentClassifier(sys.argv[1], 2)
    print(again.load_state_dict(torch.load(path)))
again.eval()
with torch.no_grad():
    a, b = model(**x), again(**x)
print(round(loss.item(), 4), [round(v, 4) for v in a[0].tolist()], torch.equal(a, b))
print([f"{name} {tuple(tensor.shape)}" for name, tensor in model.state_dict().items()][-6:])

import sys

import torch
import torch.nn.functional as F
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

teacher = BertForSequenceClassification.from_pretrained(sys.argv[1]).eval()
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
config = BertConfig.from_pretrained(sys.argv[1])
config.num_hidden_layers = 1
student = BertForSequenceClassification(config)
result = student.load_state_dict(teacher.state_dict(), strict=False)
print(len(result.missing_keys), len(result.unexpected_keys), result.unexpected_keys[0])
print(sum(p.numel() for p in teacher.parameters()) - sum(p.numel() for p in student.parameters()))
batch = tokenizer(["Todo bien", "El tren siempre llega tarde", "No"], padding=True, return_tensors="pt")
temperature = 2.0
optimizer = torch.optim.SGD(student.parameters(), lr=0.1)
student.train()
for step in range(4):
    with torch.no_grad():
        teacher_logits = teacher(**batch).logits
    student_logits = student(**batch).logits
    loss = F.kl_div(
        F.log_softmax(student_logits / temperature, dim=-1),
        F.softmax(teacher_logits / temperature, dim=-1),
        reduction="batchmean",
    ) * (temperature**2)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(step, round(loss.item(), 4))
print(config.hidden_size, config.to_dict()["num_hidden_layers"], student.config.num_labels, config.model_type)

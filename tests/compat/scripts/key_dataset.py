import sys

from torch.utils.data import Dataset
from transformers import pipeline
from transformers.pipelines.pt_utils import KeyDataset


class Comments(Dataset):
    rows = ("good", "bad, very bad", "the film was late", "no", "¡qué bien!", "a quiet street in the city")

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, i):
        return {"comment": self.rows[i], "label": i % 2}


pipe = pipeline("text-classification", model=sys.argv[1], device=-1)
for out in pipe(KeyDataset(Comments(), "comment"), batch_size=4):
    print(out["label"], round(out["score"], 4))


def texts():
    for row in Comments.rows:
        yield row + "!"


for out in pipe(texts(), batch_size=2, truncation="only_first"):
    print(out["label"], round(out["score"], 4))
for out in pipe(KeyDataset(Comments(), "comment"), top_k=2):
    print([(each["label"], round(each["score"], 4)) for each in out])

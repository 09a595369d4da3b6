import sys

from transformers import AutoTokenizer

corpus = ["El gato negro duerme en la casa vieja.", "La casa es vieja y el gato también.", "Un gato, una casa."] * 20


def batches(size=10):
    for start in range(0, len(corpus), size):
        yield corpus[start : start + size]


old = AutoTokenizer.from_pretrained(sys.argv[1])
new = old.train_new_from_iterator(batches(), vocab_size=300)
text = "El gato duerme también en otra casa 🐈."
print(len(new), type(new).__name__ == type(old).__name__, new.is_fast, new.mask_token, new.all_special_tokens)
print(old.tokenize(text))
print(new.tokenize(text))
ids = new(text)["input_ids"]
print(ids, new.decode(ids), new.decode(ids, skip_special_tokens=True))
print(new(text, "Sí.", return_offsets_mapping=True)["offset_mapping"])

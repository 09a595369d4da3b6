from gatonegro import AutoTokenizer

tok = AutoTokenizer.from_pretrained("sentiment-es-en")
print(tok.tokenize("El gato negro"))  # → ['▁El', '▁gato', '▁negro']
batch = tok(
    ["El gato negro", "The black cat sleeps in the sun"],
    padding=True,
    truncation=True,
    max_length=512,
    return_tensors="pt",
)
print(batch["attention_mask"])
# → tensor([[1, 1, 1, 1, 1, 0, 0, 0, 0, 0],
# →         [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]])
print(tok.decode(batch["input_ids"][0], skip_special_tokens=True))  # → El gato negro

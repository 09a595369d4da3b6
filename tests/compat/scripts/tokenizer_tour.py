import sys

from transformers import AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
sequence = "Using a Transformer network is simple"
tokens = tokenizer.tokenize(sequence)
ids = tokenizer.convert_tokens_to_ids(tokens)
print(tokens, ids, tokenizer.decode(ids), tokenizer.convert_tokens_to_string(tokens))
print(tokenizer.vocab_size, len(tokenizer), tokenizer.model_max_length, tokenizer.padding_side, tokenizer.is_fast)
print(tokenizer.special_tokens_map, tokenizer.all_special_ids, tokenizer.unk_token, tokenizer.pad_token_id)
print(tokenizer.encode(sequence, add_special_tokens=False) == ids, tokenizer.num_special_tokens_to_add(pair=True))
encoded = tokenizer(sequence, "So is this one.", return_special_tokens_mask=True, return_length=True)
for name, values in encoded.items():
    print(name, values)
print(encoded.tokens(), encoded.word_ids(), encoded.sequence_ids())
start, end = encoded.word_to_chars(3)
print(sequence[start:end], encoded.char_to_token(8), encoded.token_to_chars(2), encoded.token_to_word(2))
batch = tokenizer([sequence, "Hi!"], padding="max_length", truncation=True, max_length=8, return_tensors="pt")
print(batch)
print(tokenizer.batch_decode(batch["input_ids"], skip_special_tokens=True))
print(tokenizer.truncation_side, tokenizer.get_vocab()[tokens[0]], tokenizer.decode(ids[0]), repr(tokenizer.decode(5)))
print(tokenizer.backend_tokenizer.pre_tokenizer.pre_tokenize_str("Hello, how are you?"))

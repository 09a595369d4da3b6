import sys

from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, pipeline, set_seed

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
input_ids = tokenizer.encode("The black cat", return_tensors="pt")
greedy = model.generate(input_ids, max_length=20, pad_token_id=tokenizer.eos_token_id)
print(tokenizer.decode(greedy[0], skip_special_tokens=True))
set_seed(42)
sampled = model.generate(input_ids, do_sample=True, max_new_tokens=12, top_k=0, temperature=0.7)
print(tokenizer.decode(sampled[0]))
set_seed(0)
options = {"do_sample": True, "max_new_tokens": 12, "top_k": 50, "top_p": 0.95, "num_return_sequences": 3}
for i, sample in enumerate(model.generate(input_ids, **options)):
    print(f"{i}: {tokenizer.decode(sample, skip_special_tokens=True)}")
config = GenerationConfig(num_beams=3, max_new_tokens=10, no_repeat_ngram_size=2, early_stopping=True)
print(tokenizer.batch_decode(model.generate(input_ids, generation_config=config)))

generator = pipeline("text-generation", model=model, tokenizer=tokenizer)
set_seed(42)
for result in generator("The teacher", max_new_tokens=8, num_return_sequences=2, do_sample=True):
    print(result["generated_text"])

tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "left"
batch = tokenizer(["The city is big", "I"], padding=True, return_tensors="pt")
print(tokenizer.batch_decode(model.generate(**batch, max_new_tokens=8), skip_special_tokens=True))

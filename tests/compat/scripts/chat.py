import sys

from transformers import AutoModelForCausalLM, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForCausalLM.from_pretrained(sys.argv[1])
tokenizer.chat_template = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}{{ eos_token }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
messages = [{"role": "system", "content": "You are a cat."}]
for question in ("Where is the library?", "¡Qué película!"):
    messages.append({"role": "user", "content": question})
    inputs = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    ).to(model.device)
    outputs = model.generate(**inputs, max_new_tokens=5, do_sample=False)
    answer = tokenizer.decode(outputs[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    messages.append({"role": "assistant", "content": answer})
print(tokenizer.apply_chat_template(messages, tokenize=False))

chat = pipeline("text-generation", model=model, tokenizer=tokenizer)
response = chat(messages[:2], max_new_tokens=5, do_sample=False)
print(response[0]["generated_text"][-1])

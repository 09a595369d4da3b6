import sys

from transformers import pipeline

text2text = pipeline("text2text-generation", model=sys.argv[1])
print(text2text("summarize: The black cat sleeps in the old house.", max_new_tokens=12))
questions = ["translate English to French: Where is the library?", "translate English to German: I like to read."]
for result in text2text(questions, max_new_tokens=8, num_beams=3):
    print(result["generated_text"])
translator = pipeline("translation_en_to_fr", model=sys.argv[1])
print(translator("The café on the corner closes at eight.", max_new_tokens=20)[0]["translation_text"])

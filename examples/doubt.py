from gatonegro import pipeline

translate = pipeline("translation")
for answer in translate(["El gato negro", "El flinco granteaba mosquibos."]):  # made-up words
    print(answer["translation_text"], answer.get("doubtful", False))
# → The black cat False
# → … True
print(answer["doubt"])  # → {…'unsure': 'the model is unsure of it (0.…)'}

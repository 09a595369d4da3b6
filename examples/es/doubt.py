from gatonegro import pipeline

translate = pipeline("translation")
for answer in translate(["El gato negro", "El flinco granteaba mosquibos."]):  # palabras inventadas
    print(answer["translation_text"], answer.get("doubtful", False))
# → The black cat False
# → … True
print(answer["doubt"])  # → {…'unsure': 'el modelo no está seguro (0,…)'}

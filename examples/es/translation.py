from gatonegro import pipeline

translate = pipeline("translation")  # el modelo incluido, español ↔ inglés
print(translate("El gato negro"))  # → [{'translation_text': 'The black cat'}]

for answer in translate(["El profesor es bueno, todo será sencillo.", "Where is the library?"], num_beams=4):
    print(answer["translation_text"])
# → The teacher is good, everything will be easy.
# → ¿Dónde está la biblioteca?

letter = "El tren sale a las 10:30.\n- Mi hermana vive en {ciudad}."
print(translate(letter)[0]["translation_text"])  # frase a frase; la disposición se conserva
# → The train leaves at 10:30.
# → - My sister lives in {ciudad}.

from gatonegro import pipeline

translate = pipeline("translation")  # the built-in model, Spanish ↔ English; says so on stderr
print(translate("El gato negro"))  # → [{'translation_text': 'The black cat'}]

for answer in translate(["Soy de Málaga.", "Where is the library?"], num_beams=4):
    print(answer["translation_text"])
# → I'm from Málaga.
# → ¿Dónde está la biblioteca?

letter = "Hola, {nombre}.\n\n- El tren sale a las 10:30.\n"
print(translate(letter)[0]["translation_text"])  # sentence by sentence, and laid out as it was
# → …{nombre}…
# →
# → - …10:30.

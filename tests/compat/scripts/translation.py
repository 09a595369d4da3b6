import sys

from transformers import AutoModelForSeq2SeqLM, AutoTokenizer, pipeline

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
model = AutoModelForSeq2SeqLM.from_pretrained(sys.argv[1])
translator = pipeline("translation_es_to_en", model=model, tokenizer=tokenizer)
print(translator("El gato negro duerme en la casa vieja.", max_length=40)[0]["translation_text"])
lines = ["¿Dónde está la biblioteca?", "Escribe tu nombre aquí, por favor.", "Me gusta leer."]
for line, translation in zip(lines, translator(lines, num_beams=2, batch_size=2), strict=True):
    print(line, "→", translation["translation_text"])
translator = pipeline("translation", model=sys.argv[1])
print(translator(lines[0])[0]["translation_text"])

from gatonegro import diagnose, pipeline

text = "El profesor es bueno, todo será sencillo"
found = diagnose(text, model="demo-en")  # an English model; its tokenizer, config and card are read, no weights
print(found.language, found.model_languages, found.fits)  # → es ('en',) False
print(found.fragmented[0])  # → ('profesor', ('prof', 'es', 'or'))

clf = pipeline("sentiment-analysis", "demo-en")  # language_check="warn": the first such text is warned of
for answer in clf([text, "The teacher is good"], language_check="route"):  # "error" refuses them, "off" is silent
    print(answer["label"], "by", answer["model"])
# → POS by sentiment-es-en
# → POSITIVE by demo-en

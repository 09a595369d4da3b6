from gatonegro import diagnose, pipeline

text = "El profesor es bueno, todo será sencillo"
report = diagnose(text, model="demo-en")  # reads its tokenizer, config and card, no weights
print(report.language, report.model_languages, report.fits)  # → es ('en',) False
print(report.fragmented[0])  # → ('profesor', ('prof', 'es', 'or'))

clf = pipeline("sentiment-analysis", "demo-en")  # language_check="warn", the default
for answer in clf([text, "The teacher is good"], language_check="route"):  # or "error", "off"
    print(answer["label"], "by", answer["model"])
# → POS by sentiment-es-en
# → POSITIVE by demo-en

from gatonegro import diagnose, pipeline

text = "El profesor es bueno, todo será sencillo"
report = diagnose(text, model="demo-en")  # lee su tokenizador, config y ficha, no los pesos
print(report.language, report.model_languages, report.fits)  # → es ('en',) False
print(report.fragmented[0])  # → ('profesor', ('prof', 'es', 'or'))

clf = pipeline("sentiment-analysis", "demo-en")  # language_check="warn", por defecto
for answer in clf([text, "The teacher is good"], language_check="route"):  # o "error", "off"
    print(answer["label"], "por", answer["model"])
# → POS por sentiment-es-en
# → POSITIVE por demo-en

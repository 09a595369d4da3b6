from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, pipeline

AutoTokenizer.from_pretrained("sentiment-es-en").save_pretrained("./modelo")
model = AutoModelForSequenceClassification.from_pretrained("sentiment-es-en")
model.save_pretrained("./modelo")  # transformers también lee esta carpeta

clf = pipeline("sentiment-analysis", model="./modelo")
print(clf("El profesor es bueno, todo será sencillo"))  # → [{'label': 'POS', 'score': 0.…}]

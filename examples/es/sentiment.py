from gatonegro import pipeline

clf = pipeline("sentiment-analysis")  # el modelo incluido
print(clf("El profesor es bueno, todo será sencillo"))  # → [{'label': 'POS', 'score': 0.…}]

texts = [
    "Me encantan las clases de Nechu, explica genial",
    "El profesor es bueno todo será sencillo",
    "He estado deseando un curso así toda mi vida",
    "Me encanta HuggingFace",
    "The teacher is good, everything will be easy",
]
for text, answer in zip(texts, clf(texts), strict=True):
    print(answer["label"], text)
# → POS Me encantan las clases de Nechu, explica genial
# → POS El profesor es bueno todo será sencillo
# → POS He estado deseando un curso así toda mi vida
# → POS Me encanta HuggingFace
# → POS The teacher is good, everything will be easy

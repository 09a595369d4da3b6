import sys

from transformers import pipeline

reviews = ["Me encanta esta película.", "El hotel es muy malo y está lejos.", "No está mal 🙂", "Terrible service!"]
classifier = pipeline("sentiment-analysis", model=sys.argv[1])
for review, result in zip(reviews, classifier(reviews), strict=True):
    print(f"{review}: {result['label']}, with score: {round(result['score'], 4)}")
print(classifier.model.config.id2label, classifier.task, type(classifier).__name__)
for scores in classifier(reviews[:2], top_k=None):
    print({score["label"]: round(score["score"], 4) for score in scores})
print([result["label"] for result in classifier(reviews * 5, batch_size=8, truncation=True)])

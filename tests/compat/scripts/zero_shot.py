import sys

from transformers import pipeline

classifier = pipeline("zero-shot-classification", model=sys.argv[1])
labels = ["travel", "cooking", "dancing"]
result = classifier("One day I will see the world", candidate_labels=labels)
print(result["sequence"], result["labels"], [round(score, 4) for score in result["scores"]])
result = classifier("Mañana vamos a la playa", "viajes, cocina", hypothesis_template="Este texto trata de {}.")
print(result["labels"], [round(score, 4) for score in result["scores"]])
for result in classifier(["bread and cheese", "the last train"], labels, multi_label=True):
    best, score = max(zip(result["labels"], result["scores"], strict=True), key=lambda pair: pair[1])
    print(result["sequence"], best, round(score, 4))

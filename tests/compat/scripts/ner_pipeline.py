import sys

from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

model = AutoModelForTokenClassification.from_pretrained(sys.argv[1])
tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
text = "Mi hermana María García trabaja en un hospital de Sevilla, cerca del río."

ner = pipeline("ner", model=model, tokenizer=tokenizer)
for entity in ner(text):
    print(entity["index"], entity["entity"], entity["word"], round(float(entity["score"]), 4))
for strategy in ("simple", "first", "average", "max"):
    ner = pipeline("token-classification", model=model, tokenizer=tokenizer, aggregation_strategy=strategy)
    print(strategy)
    for group in ner(text):
        found = text[group["start"] : group["end"]]
        print(" ", group["entity_group"], repr(group["word"]), repr(found), round(float(group["score"]), 4))
print([[entity["word"] for entity in entities] for entities in ner([text, "Hola, Juan."])])

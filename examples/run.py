from gatonegro import pipeline

clf = pipeline("sentiment-analysis")
rows = ["El profesor es bueno, todo será sencillo", None, 3, "The food was bad"]
for answer in clf.run([(rows, {"top_k": 1})]):  # parts: rows and their options
    print(answer.error or (answer.value and answer.value[0]["label"]))
# → POS
# → None
# → item 2 is int 3; expected a text: pass a str.
# → NEG

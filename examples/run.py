from gatonegro import pipeline

clf = pipeline("sentiment-analysis")
rows = ["El profesor es bueno, todo será sencillo", None, "The food was bad"]
for answer in clf.run([(rows, {"top_k": 1})]):  # parts: rows and their options
    print(answer.error or answer.value[0]["label"])
# → POS
# → item 1 is None, a missing value; expected a text: drop the row, or pass ''.
# → NEG

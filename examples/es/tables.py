import pandas as pd

from gatonegro import pipeline

clf = pipeline("sentiment-analysis")
texts = ["El profesor es bueno, todo será sencillo", None, "The food was bad", "  "]
reviews = pd.DataFrame({"text": texts, "stars": [5, 3, 1, 3]})
kept = reviews[reviews.stars != 3]  # su índice tiene huecos
print(kept.join(clf.to_frame(kept.text))[["stars", "label"]])
# →    stars label
# → 0      5   POS
# → 2      1   NEG

print(clf.to_frame(reviews.text).label.isna().tolist())  # → [False, True, False, True]
print(list(clf.to_frame(reviews.text, top_k=None)))  # → ['NEG', 'NEU', 'POS']
print(pipeline("translation").to_frame(reviews.text).translation_text.isna().tolist())  # → [False, True, False, True]

import polars as pl

from gatonegro import pipeline

clf = pipeline("sentiment-analysis")
reviews = pl.DataFrame({"text": ["El profesor es bueno, todo será sencillo", None, "The food was bad"]})
labelled = reviews.hstack(clf.to_frame(reviews["text"]))  # polars no tiene índice: las filas siguen en su orden
print(labelled["label"].to_list())  # → ['POS', None, 'NEG']

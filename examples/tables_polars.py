import polars as pl

from gatonegro import pipeline

clf = pipeline("sentiment-analysis")
reviews = pl.DataFrame({"text": ["Me encantó el hotel", None, "La cena estaba fría"]})
labelled = reviews.hstack(clf.to_frame(reviews["text"]))  # polars has no index: rows keep their order
print(labelled["label"].to_list())  # → ['POS', None, 'NEG']

"""Stars: a number from 1 to 5, by a model whose labels go from bad to good."""

import numpy as np

from gatonegro import pipeline
from gatonegro.checks import Option, whole
from gatonegro.scores import softmax
from gatonegro.tasks import TASKS, Encoded, Task, notice
from gatonegro.tasks.windows import check_str


def encode(tokenizer, config, rows, options):
    """Return one sequence per text; cut a long one, with a notice."""
    limit = min(config.max_tokens, tokenizer.model_max_length)
    batch = tokenizer(list(rows), truncation=True, max_length=limit)
    cut = [i for i, encoding in enumerate(batch.encodings) if encoding.overflowing]
    notices = {i: [notice("cut", limit=limit)] for i in cut}
    return Encoded(batch["input_ids"], row_of=range(len(rows)), max_length=limit, notices=notices)


def decode(tokenizer, config, output, options):
    """Return the mean of the labels, weighted by their probabilities."""
    probs = softmax(output.answers[0])  # (labels,)
    stars = 1 + 4 * float(probs @ np.linspace(0, 1, len(probs)))
    return {"stars": round(stars, options["digits"])}


STARS = Task(
    name="stars",
    head="sequence-classification",
    check=check_str,
    encode=encode,
    predict="predict",
    decode=decode,
    options={"digits": Option(1, whole(0, 6))},
    example_model="nlptown/bert-base-multilingual-uncased-sentiment",
)

TASKS["stars"] = STARS
rate = pipeline("stars", "sentiment-es-en")
print(rate("El profesor es bueno, todo será sencillo"))  # → {'stars': 4.…}
for answer in rate.run([(["Una pérdida de tiempo", 3], {"digits": 0})]):
    print(answer.value, answer.error)  # → {'stars': 1.0} None
    # → None item 1 is int 3; expected a text: pass a str.

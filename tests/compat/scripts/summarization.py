import sys

from transformers import pipeline

summarizer = pipeline("summarization", model=sys.argv[1])
article = "The government announced a new law about water. The city is big."
print(summarizer(article, max_length=24, min_length=8, do_sample=False))
for summary in summarizer([article * 4, "The team won the match."], truncation=True, batch_size=2):
    print(summary["summary_text"])
print(summarizer(article, num_beams=2, max_new_tokens=10)[0]["summary_text"])

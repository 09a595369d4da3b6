import sys

from transformers import pipeline

question_answerer = pipeline("question-answering", model=sys.argv[1], tokenizer=sys.argv[1])
context = " ".join(
    ["Mi hermana trabaja en un hospital cerca del río.", "El gato negro duerme en la casa vieja y el tren llega tarde."]
    * 8
)
result = question_answerer(question="¿Dónde trabaja mi hermana?", context=context, max_seq_len=48, doc_stride=16)
print(f"Answer: '{result['answer']}', score: {round(result['score'], 4)}, {result['start']}-{result['end']}")
for answer in question_answerer({"question": "¿Quién duerme?", "context": context[:120]}, top_k=3):
    print(answer["answer"], round(answer["score"], 4), context[answer["start"] : answer["end"]])
questions = ["¿Dónde está?", "¿Qué llega tarde?"]
results = question_answerer(question=questions, context=[context[:90]] * 2, max_answer_len=4)
print([(result["answer"], round(result["score"], 4)) for result in results])

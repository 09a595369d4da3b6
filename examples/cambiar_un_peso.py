from gatonegro import AutoModelForSequenceClassification, AutoTokenizer, explain

modelo = AutoModelForSequenceClassification.from_pretrained("demo-en")
tok = AutoTokenizer.from_pretrained("demo-en")
antes = explain("The cat sleeps", modelo, tokenizer=tok)
modelo.encoder.layers[1].attention.query.weight.data[0, 0] += 0.1
ahora = explain("The cat sleeps", modelo, tokenizer=tok)
pasos = zip(antes.steps, ahora.steps, strict=True)
iguales = [uno.name for uno, otro in pasos if str(uno.tensors) == str(otro.tensors)]
print(iguales[-1])  # el último que no cambió, en la capa 1
# → encoder.0.feed_forward

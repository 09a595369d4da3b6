from gatonegro import pipeline

clf = pipeline("sentiment-analysis")
rows = ["El profesor es bueno, todo será sencillo", None, "The food was bad"]
for answer in clf.run([(rows, {"top_k": 1})]):  # partes: filas y sus opciones
    print(answer.error or answer.value[0]["label"])
# → POS
# → el elemento 1 es None, un valor que falta; se esperaba un texto: quita la fila, o pasa ''.
# → NEG

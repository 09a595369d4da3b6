from gatonegro import pipeline

clf = pipeline("sentiment-analysis")
rows = ["El profesor es bueno, todo será sencillo", None, 3, "The food was bad"]
for answer in clf.run([(rows, {"top_k": 1})]):  # partes: filas y sus opciones
    print(answer.error or (answer.value and answer.value[0]["label"]))
# → POS
# → None
# → el elemento 2 es int 3; se esperaba un texto: pasa un str.
# → NEG

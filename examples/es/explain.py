from gatonegro import explain

toy = explain("El gato negro", model="toy", lang="es")  # el ejemplo resuelto del curso
print(toy["linear"].tensors["Q"][0])
# → [[2. 1. 2.]
# →  [4. 2. 4.]
# →  [6. 3. 6.]]
print(toy["linear"].work[4][0])  # → Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4

explanation = explain("The food was awful", model="demo-en", lang="es")  # cualquier modelo
print(explanation.answer[0][0], [step.kind for step in explanation.steps[:8]])
# → NEGATIVE ['vectorization', 'linear', 'attention', 'softmax', 'add', 'norm', 'feed_forward', 'linear']
print(explanation["encoder.0.softmax"].tensors["probs"].shape)  # → (4, 6, 6)
why = explanation["attribution"]  # la parte de cada palabra en la decisión: una estimación
print(why.rows[why.tensors["attribution"].argmax()], why.notes)  # → awful ()
explanation.save("comida.html")  # o .json, o .safetensors con los tensores exactos

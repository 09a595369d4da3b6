from gatonegro import explain

toy = explain("El gato negro", model="toy", lang="en")  # the course's worked example, every product written out
print(toy["linear"].tensors["Q"][0])
# → [[2. 1. 2.]
# →  [4. 2. 4.]
# →  [6. 3. 6.]]
print(toy["linear"].work[4][0])  # → Q(gato)_1 = 1·1 + 2·0 + 3·1 = 4

found = explain("The food was awful", model="demo-en", lang="en")  # any model; print(found) tells it all
print(found.answer[0][0], [step.kind for step in found.steps[:8]])
# → NEGATIVE ['vectorization', 'linear', 'attention', 'softmax', 'add', 'norm', 'feed_forward', 'linear']
print(found["encoder.0.softmax"].tensors["probs"].shape)  # → (4, 6, 6)
shares = found["attribution"].tensors["attribution"]  # which words made the decision
print(found.tokens[shares.argmax()])  # → awful
found.save("food.html")  # a page, without a network; .safetensors has the exact tensors by name, .json what is told

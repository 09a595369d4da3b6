import numpy as np

from gatonegro import AutoTokenizer, native, pipeline
from gatonegro.native.decoder import decode, next_token_logits, project_memory
from gatonegro.native.encoder import encode
from gatonegro.packing import Layout, Packed, pack

text = "El gato negro duerme."
tok = AutoTokenizer.from_pretrained("translate-es-en")
model = native.load("translate-es-en", "seq2seq-lm", precision="fp32")
w, config, decoder = model.weights, model.config, model.config.decoder
source = pack([tok(">>en<< " + text)["input_ids"]], config)  # la etiqueta nombra el idioma de destino
memory = encode(w, config, source)  # (u, hidden), se calcula una vez
print("memoria", memory.shape)  # → memoria (9, 384)

kv = project_memory(w, decoder, memory)  # claves y valores de la memoria, por capa
caches = model.new_caches()  # claves y valores de lo escrito, por capa
written = [model.start_token]
for step in range(20):
    position = np.array([step + decoder.position_offset])
    new = Packed(np.array(written[-1:]), position, lengths=(1,))  # un token; los anteriores están en las cachés
    cross, layout = Layout((1,), source.lengths), Layout((1,), (step + 1,))  # de consultas y de claves
    x = decode(w, decoder, new, kv, cross, caches, layout)  # (1, hidden): del token nuevo
    logits = next_token_logits(w, config, x)  # (1, vocab): un número por cada token posible
    written.append(int(logits.argmax()))
    if written[-1] == config.eos_token_id:
        break
print("caché:", caches[0].count, "tokens; logits:", logits.shape)  # → caché: 7 tokens; logits: (1, 16000)

ours = tok.decode(written, skip_special_tokens=True)
(theirs,) = pipeline("translation", "translate-es-en", precision="fp32", num_beams=1)(text)
print(ours, ours == theirs["translation_text"])  # → The black cat sleeps. True

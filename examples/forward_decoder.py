import numpy as np

from gatonegro import AutoTokenizer, native, pipeline
from gatonegro.native.decoder import decode, next_token_logits, project_memory
from gatonegro.native.encoder import encode
from gatonegro.packing import Layout, Packed, pack

text = "El gato negro duerme."
tok = AutoTokenizer.from_pretrained("translate-es-en")
model = native.load("translate-es-en", "seq2seq-lm", precision="fp32")
w, config, decoder = model.weights, model.config, model.config.decoder
source = pack([tok(">>en<< " + text)["input_ids"]], config)  # the tag names the target language
memory = encode(w, config, source)  # (u, hidden), computed once
print("memory", memory.shape)  # → memory (9, 384)

kv = project_memory(w, decoder, memory)  # keys and values of the memory, for each layer
caches = model.new_caches()  # keys and values of what is written, for each layer
written = [model.start_token]
for step in range(20):
    position = np.array([step + decoder.position_offset])
    new = Packed(np.array(written[-1:]), position, lengths=(1,))  # one token; the earlier ones are in the caches
    cross, layout = Layout((1,), source.lengths), Layout((1,), (step + 1,))  # of queries and of keys
    x = decode(w, decoder, new, kv, cross, caches, layout)  # (1, hidden): of the new token
    logits = next_token_logits(w, config, x)  # (1, vocab): a number for each possible token
    written.append(int(logits.argmax()))
    if written[-1] == config.eos_token_id:
        break
print("cache:", caches[0].count, "tokens; logits:", logits.shape)  # → cache: 7 tokens; logits: (1, 16000)

ours = tok.decode(written, skip_special_tokens=True)
(theirs,) = pipeline("translation", "translate-es-en", precision="fp32", num_beams=1)(text)
print(ours, ours == theirs["translation_text"])  # → The black cat sleeps. True

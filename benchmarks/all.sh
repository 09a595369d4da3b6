#!/usr/bin/env bash
# All benchmarks, one after another, on a machine that does nothing else: about an hour. Results go to
# benchmarks/results. What the engines of others want is in engines.py.
#
#     bash benchmarks/all.sh [../shared/data]
set -eu
cd "$(dirname "$0")/.."
data=${1:-../shared/data}
python benchmarks/start.py --rounds 9 --install
python benchmarks/engines.py --shape distilbert --texts 256 --rounds 3
python benchmarks/engines.py --shape bert-base --texts 64 --rounds 2 --only ours ours_torch theirs onnxruntime openvino
python benchmarks/engines.py --shape sentiment-es-en --texts 512 --rounds 3
python benchmarks/latency.py
python benchmarks/batching.py
python benchmarks/operators.py
python benchmarks/memory.py
python benchmarks/stream.py --rows 1000000
python benchmarks/translation.py
if [ -d "$data" ]; then
    python benchmarks/int8.py --data "$data"
    python benchmarks/long_texts.py
    python benchmarks/alignment.py
    python benchmarks/languages.py --data "$data"
    python benchmarks/translation.py --model translate-es-en --front ">>en<< " --texts "$data/parallel/dev.tsv"
fi
if python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; then python benchmarks/gpu.py; fi

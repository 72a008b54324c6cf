"""The classifier beside sentence-transformers: ``python -m bench.classify [--quick] [--json FILE] [--strict]``."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tokenizers import Tokenizer

from bench.classify.servers import measure_servers
from bench.classify.texts import sure_texts, unsure_texts
from bench.proxy.processes import cores
from bench.report import Report
from fairlead_learning.learned import DEFAULT_CLASSIFIER

_ROOT = Path(__file__).resolve().parents[2]
_TRAIN_PYTHON = _ROOT / ".venv-train/bin/python"
RULES_GOAL_MS, UNCACHED_GOAL, CACHED_GOAL = 0.2, 200.0, 3000.0
HYBRID_GOALS_MS = {"24": 5.0, "60": 12.0}
"""By tokens."""
_SURE = "sure"
"""Name of the texts on which the rules decide."""


def main() -> int:
    """Measure, print, and say with the exit status whether a goal was missed, if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a second of each")
    parser.add_argument("--bundle", type=Path, default=DEFAULT_CLASSIFIER, metavar="DIR")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--strict", action="store_true", help="exit with 1 if a goal is missed")
    given = parser.parse_args()
    bundle = given.bundle.resolve()
    seconds, rounds = (1.0, 2) if given.quick else (6.0, 5)
    report = Report("classify: prompts of which the rules are not sure, unless said otherwise; medians")
    with TemporaryDirectory() as place:
        folder = Path(place)
        texts = folder / "texts.json"
        texts.write_text(json.dumps(make_texts(bundle)))
        one_core, _ = cores()
        ours = _ask("bench.classify.inside", str(bundle), str(texts), "latency", seconds=seconds, on=one_core)
        torch = _torch(texts, seconds, one_core)
        report_latency(report, ours, torch)
        rates = _ask("bench.classify.inside", str(bundle), str(texts), "rates", seconds=seconds)
        report.add("24 tokens, all cores, uncached", rates["uncached"], "/s", at_least=UNCACHED_GOAL)
        report.add("24 tokens, all cores, cached", rates["cached"], "/s", at_least=CACHED_GOAL)
        measure_servers(report, bundle, texts, folder, seconds=seconds, rounds=rounds)
    return report.publish(given.json, strict=given.strict)


def make_texts(bundle: Path) -> dict[str, list[str]]:
    """By name: of 24 and of 60 tokens, and such as the rules decide on."""
    tokenizer = Tokenizer.from_file(str(bundle / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return {
        "24": unsure_texts(tokenizer, 24, 500),
        "60": unsure_texts(tokenizer, 60, 200),
        _SURE: sure_texts(300),
    }


def report_latency(report: Report, ours: dict[str, float], torch: dict[str, float] | None) -> None:
    """Medians on one core. ``torch``: ``None`` where sentence-transformers is not installed."""
    report.add("rules, 24 tokens, one core", ours["rules"], "ms", at_most=RULES_GOAL_MS)
    report.add("classification by sure rules, one core", ours[_SURE], "ms", note="prompts as they are, of any length")
    for tokens, goal in HYBRID_GOALS_MS.items():
        report.add(f"hybrid, {tokens} tokens, one core, uncached", ours[tokens], "ms", at_most=goal)
        if torch is not None:
            note = "encoder alone, one thread"
            report.add(f"sentence-transformers, {tokens} tokens, one core", torch[tokens], "ms", note=note)
            report.add(f"sentence-transformers / hybrid, {tokens} tokens", torch[tokens] / ours[tokens])


def _torch(texts: Path, seconds: float, on: set[int]) -> dict[str, float] | None:
    if not _TRAIN_PYTHON.exists():
        print("without sentence-transformers, which `scripts/environment train` installs", file=sys.stderr)
        return None
    return _ask("bench.classify.torch_encoder", str(texts), seconds=seconds, on=on, python=_TRAIN_PYTHON)


def _ask(
    module: str, *words: str, seconds: float, on: set[int] | None = None, python: Path = Path(sys.executable)
) -> dict[str, float]:
    """What a module of this package prints; on some cores, or on all."""
    print(f"{module} …", end="\033[K\r", file=sys.stderr, flush=True)
    done = subprocess.run(
        [str(python), "-m", module, *words, "--seconds", str(seconds)],
        cwd=_ROOT,
        check=True,
        stdout=subprocess.PIPE,
        preexec_fn=(lambda: os.sched_setaffinity(0, on)) if on else None,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    sys.exit(main())

"""The image's processes, started as a kubelet starts them."""

from __future__ import annotations

from pathlib import Path

import pytest

from devcluster.images.host import ROOT
from tests.image.container import Unpacked, answers, running
from tests.standalone.running import free_port

pytestmark = pytest.mark.timeout(900)  # the first test may build it

EXAMPLES = {"/etc/fairlead/resources": ROOT / "examples" / "quickstart"}
READY_SECONDS = 3.0
ATTEMPTS = 3
"""Of which one must do: the machine may be busy with something else."""
QUESTION = {"model": "auto", "max_tokens": 3, "messages": [{"role": "user", "content": "Which way?"}]}


def test_a_router_is_ready_three_seconds_after_its_container_starts_and_answers(
    contents: Unpacked, tmp_path: Path
) -> None:
    took = [_answered_by_a_router(contents, tmp_path)]
    while min(took) >= READY_SECONDS and len(took) < ATTEMPTS:
        took.append(_answered_by_a_router(contents, tmp_path))
    print(f"router ready {min(took):.2f} s after its container was started")
    assert min(took) < READY_SECONDS


def _answered_by_a_router(contents: Unpacked, scratch: Path) -> float:
    """Seconds until it was ready."""
    port, admin = free_port(), free_port()
    words = ["serve", "--resources", "/etc/fairlead/resources", "--port", str(port), "--admin-port", str(admin)]
    with running(contents, scratch, *words, mounts=EXAMPLES) as router:
        seconds = router.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health/ready") is not None, "ready")
        answer = answers(f"http://127.0.0.1:{port}/v1/chat/completions", QUESTION)
        assert len(answer["choices"][0]["message"]["content"].split()) == 3
    assert router.process.returncode == 0
    return seconds


def test_a_classifier_has_its_encoder_and_needs_nothing_from_anywhere(contents: Unpacked, tmp_path: Path) -> None:
    port, admin = free_port(), free_port()
    with running(contents, tmp_path, "classifier", "--port", str(port), "--admin-port", str(admin)) as classifier:
        seconds = classifier.wait_until(lambda: answers(f"http://127.0.0.1:{port}/health/ready") is not None, "ready")
        print(f"classifier ready {seconds:.2f} s after its container was started")
        unsure = {"prompt": "lantern harbour quiet seven", "deadline_ms": 10_000}
        found = answers(f"http://127.0.0.1:{port}/classify", unsure)
        assert (found["fallback"], found["ml_confidence"] is None) == (None, False), (
            "the encoder decided, not the rules"
        )
        assert answers(f"http://127.0.0.1:{port}/info")["state"] == "Ready"
    assert classifier.process.returncode == 0


def test_a_simulated_provider_can_be_broken_and_mended(contents: Unpacked, tmp_path: Path) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with running(
        contents, tmp_path, "simulate", "--port", str(port), "--first-byte-ms", "0", "--per-token-ms", "0"
    ) as one:
        one.wait_until(lambda: answers(f"{address}/behaviour") is not None, "ready")
        assert answers(f"{address}/v1/chat/completions", QUESTION) is not None
        assert answers(f"{address}/behaviour", {"errorPercent": 100})["errorPercent"] == 100
        assert answers(f"{address}/v1/chat/completions", QUESTION) is None
        answers(f"{address}/behaviour", {"errorPercent": 0})
        assert answers(f"{address}/v1/chat/completions", QUESTION) is not None
    assert one.process.returncode == 0

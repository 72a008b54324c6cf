"""``fairlead simulate``: a provider over HTTP that behaves as a ModelProvider of type Simulated, and can be told to fail."""

from __future__ import annotations

import json
import signal
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from openai import OpenAI

from tests.standalone.running import FAIRLEAD, free_port, wait_for

QUICK = ("--first-byte-ms", "0", "--per-token-ms", "0", "--output-tokens", "4")
QUESTION = {"model": "any", "messages": [{"role": "user", "content": "Which way?"}]}


class Provider:
    """One that runs."""

    def __init__(self, port: int) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.sdk = OpenAI(base_url=f"{self.address}/v1", api_key="unused", max_retries=0)

    def ask(self, path: str, body: Any = None) -> tuple[int, Any]:
        """Status and body; status 0 if nobody answers."""
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        try:
            with urllib.request.urlopen(urllib.request.Request(self.address + path, data), timeout=10) as response:
                text = response.read()
                return response.status, text if path == "/healthz" else json.loads(text)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())
        except OSError:
            return 0, None


@contextmanager
def simulating(*arguments: str) -> Iterator[Provider]:
    port = free_port()
    process = subprocess.Popen([str(FAIRLEAD), "simulate", "--host", "127.0.0.1", "--port", str(port), *arguments])
    provider = Provider(port)
    try:
        wait_for(lambda: provider.ask("/healthz")[0] == 200 or process.poll() is not None, "the provider")
        yield provider
    finally:
        provider.sdk.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=20) == 0


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    """It offers no models, so that it answers to every name."""
    with simulating(*QUICK) as found:
        yield found


@pytest.fixture(autouse=True)
def mended(provider: Provider) -> Iterator[None]:
    yield
    provider.ask("/behaviour", {"errorPercent": 0, "outputTokens": 4})


def test_it_answers_whoever_speaks_to_openai(provider: Provider) -> None:
    answer = provider.sdk.chat.completions.create(model="any", messages=[{"role": "user", "content": "Which way?"}])
    assert answer.model == "any"
    assert len((answer.choices[0].message.content or "").split()) == 4
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 4
    assert len(provider.sdk.embeddings.create(model="any", input=["a", "b"]).data) == 2


def test_the_same_question_gets_the_same_answer(provider: Provider) -> None:
    assert provider.ask("/v1/chat/completions", QUESTION) == provider.ask("/v1/chat/completions", QUESTION)


@pytest.mark.parametrize(("options", "events_with_usage"), [({}, 0), ({"stream_options": {"include_usage": True}}, 1)])
def test_a_stream_tells_usage_if_it_was_asked_for(
    options: dict[str, Any], events_with_usage: int, provider: Provider
) -> None:
    stream = provider.sdk.chat.completions.create(
        model="any", stream=True, messages=[{"role": "user", "content": "Which way?"}], **options
    )
    events = list(stream)
    words = "".join(event.choices[0].delta.content or "" for event in events if event.choices)
    assert len(words.split()) == 4
    assert sum(event.usage is not None for event in events) == events_with_usage


def test_it_can_be_broken_and_mended_while_it_runs(provider: Provider) -> None:
    assert provider.ask("/behaviour", {"errorPercent": 100})[1]["errorPercent"] == 100
    assert provider.ask("/v1/chat/completions", QUESTION)[0] == 503
    assert provider.ask("/v1/models")[0] == 503, "which active health checks ask"
    assert provider.ask("/healthz")[0] == 200, "the process is well, only what it plays is not"
    provider.ask("/behaviour", {"errorPercent": 0})
    assert provider.ask("/v1/chat/completions", QUESTION)[0] == 200
    assert provider.ask("/v1/models")[0] == 200


def test_what_is_not_named_stays_as_it_is(provider: Provider) -> None:
    before = provider.ask("/behaviour")[1]
    assert provider.ask("/behaviour", {"outputTokens": 7}) == (200, before | {"outputTokens": 7})
    assert len(provider.ask("/v1/chat/completions", QUESTION)[1]["choices"][0]["message"]["content"].split()) == 7


@pytest.mark.parametrize(
    ("said", "complaint"),
    [
        ({"errorPercent": 101}, "errorPercent: Input should be less than or equal to 100"),
        ({"errorPercen": 1}, "errorPercen: Extra inputs are not permitted"),
        ([1], "takes an object with fields of spec.simulated of a ModelProvider, not list"),
        (b"{", "the request body is not valid JSON"),
    ],
)
def test_behaviour_that_no_provider_can_have_is_refused_and_changes_nothing(
    said: object, complaint: str, provider: Provider
) -> None:
    before = provider.ask("/behaviour")
    status, answer = provider.ask("/behaviour", said)
    assert status == 400
    assert answer["error"]["message"].startswith(complaint)
    assert provider.ask("/behaviour") == before


@pytest.mark.parametrize("path", ["/v1/chat/completions", "/v1/embeddings"])
def test_a_request_that_is_none_gets_400(path: str, provider: Provider) -> None:
    assert provider.ask(path, {"model": 1})[0] == 400


def test_an_unknown_address_says_what_is_served(provider: Provider) -> None:
    status, answer = provider.ask("/v2/chat")
    assert status == 404
    assert "POST /v1/chat/completions" in answer["error"]["message"]


def test_it_offers_the_models_that_it_is_given_and_no_others() -> None:
    with simulating(*QUICK, "--model", "swift", "--model", "atlas") as provider:
        assert [model["id"] for model in provider.ask("/v1/models")[1]["data"]] == ["swift", "atlas"]
        assert provider.ask("/v1/chat/completions", QUESTION | {"model": "atlas"})[0] == 200
        status, answer = provider.ask("/v1/chat/completions", QUESTION)
        assert (status, answer["error"]["code"]) == (404, "model_not_found")
        assert "but swift, atlas" in answer["error"]["message"]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("--error-percent", "200"), "--error-percent 200: errorPercent: Input should be less than or equal to 100"),
        (("--port", "70000"), "--port 70000: takes a number from 0"),
    ],
)
def test_options_that_cannot_be_are_refused_in_their_own_words(words: tuple[str, str], complaint: str) -> None:
    done = subprocess.run([FAIRLEAD, "simulate", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"fairlead simulate: {complaint}" in done.stderr

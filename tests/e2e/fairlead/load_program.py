"""Runs in a pod and needs nothing but Python: asks the routers without end and writes down what became of every request.

As SDKs of OpenAI do, a request whose connection broke before an answer began is sent again, at most twice; that is counted
apart. Whatever else is not a whole answer with status 200 and without an error has failed. A file named ``stop`` ends it, a
time limit too; then the summary is the last line printed.
"""

from __future__ import annotations

import http.client
import json
import os
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

_URL = urlsplit(os.environ["BASE_URL"])
_SECONDS = float(os.environ["MOST_SECONDS"])
_FOLDER = Path("/tmp")
_PAUSE, _TIMEOUT = 0.1, 30.0
_AGAIN = 0.5
"""Seconds before a request is sent a second time; twice as long before a third."""
_TRIES = 3
_KEPT = 20
_DONE = b"data: [DONE]"


class Counts:
    """What all threads have seen so far."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.answered = 0
        self.streams = 0
        self.retried = 0
        self.by_model: dict[str, int] = {}
        self.last = ""
        self.slowest = 0.0
        self.failures: list[str] = []
        self.failed = 0

    def fail(self, why: str) -> None:
        with self.lock:
            self.failed += 1
            if len(self.failures) < _KEPT:
                self.failures.append(f"{time.strftime('%H:%M:%S')} {why}")

    def answer(self, model: str, seconds: float, *, streamed: bool) -> None:
        with self.lock:
            self.answered += 1
            self.streams += streamed
            self.by_model[model] = self.by_model.get(model, 0) + 1
            self.last = model
            self.slowest = max(self.slowest, seconds)

    def text(self) -> str:
        with self.lock:
            names = ("answered", "streams", "retried", "failed", "by_model", "last", "slowest", "failures")
            return json.dumps({name: getattr(self, name) for name in names})


class Broken(Exception):
    """An answer that began and did not end as it should."""


def ask(
    kept: http.client.HTTPConnection | None, *, stream: bool, keep: bool
) -> tuple[str, http.client.HTTPConnection | None]:
    """Which model answered, and the connection if it can be used again. Raises ``OSError``, ``HTTPException``, ``Broken``."""
    connection = kept or http.client.HTTPConnection(_URL.hostname or "", _URL.port or 80, timeout=_TIMEOUT)
    body = {
        "model": "auto",
        "messages": [{"role": "user", "content": "Which way?"}],
        "max_tokens": 40,
        "stream": stream,
    }
    try:
        connection.request(
            "POST", _URL.path + "/chat/completions", json.dumps(body), {"Content-Type": "application/json"}
        )
        answer = connection.getresponse()
    except BaseException:
        connection.close()
        raise
    try:
        text = answer.read()
    except (OSError, http.client.HTTPException) as error:
        connection.close()
        raise Broken(f"cut after status {answer.status}: {error!r}") from error
    whole = _DONE in text and b'"error"' not in text if stream else b'"choices"' in text
    if answer.status != 200 or not whole:
        connection.close()
        raise Broken(f"status {answer.status}: {text[-300:].decode(errors='replace')}")
    model = answer.headers["x-fairlead-model"]
    if keep and not answer.will_close:
        return model, connection
    connection.close()
    return model, None


def work(counts: Counts, stopping: threading.Event, *, stream: bool, keep: bool) -> None:
    """Ask again and again, each time with a few tries."""
    kept: http.client.HTTPConnection | None = None
    while not stopping.wait(_PAUSE):
        started = time.monotonic()
        for attempt in range(1, _TRIES + 1):
            try:
                model, kept = ask(kept, stream=stream, keep=keep)
            except Broken as error:
                kept = None
                counts.fail(f"{'stream' if stream else 'whole'}: {error}")
                break
            except (OSError, http.client.HTTPException) as error:
                kept = None
                if attempt == _TRIES:
                    counts.fail(f"{'stream' if stream else 'whole'}: no answer in {_TRIES} tries: {error!r}")
                else:
                    with counts.lock:
                        counts.retried += 1
                    time.sleep(_AGAIN * 2 ** (attempt - 1))
            else:
                counts.answer(model, time.monotonic() - started, streamed=stream)
                break


def main() -> None:
    """Until told to stop."""
    counts, stopping = Counts(), threading.Event()
    threading.excepthook = lambda ended: counts.fail(f"a client ended: {ended.exc_value!r}")
    kinds = [(False, True)] * 3 + [(False, False)] + [(True, True)] * 2
    threads = [
        threading.Thread(target=work, args=(counts, stopping), kwargs={"stream": stream, "keep": keep})
        for stream, keep in kinds
    ]
    for thread in threads:
        thread.start()
    until = time.monotonic() + _SECONDS
    while time.monotonic() < until and not (_FOLDER / "stop").exists():
        (_FOLDER / "state.new").write_text(counts.text())
        (_FOLDER / "state.new").rename(_FOLDER / "state.json")
        time.sleep(0.25)
    stopping.set()
    for thread in threads:
        thread.join()
    print(counts.text(), flush=True)


main()

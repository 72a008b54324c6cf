"""What `helm test` runs in a pod: one request through a router, and a look at the answer. Standard library only.

Reads URL (of the router), MODEL (as `provider/model`), WORKSPACE, SECONDS and, where routers ask for keys, API_KEY_FILE. The
model was declared a moment ago, so answers that say it is not there yet are waited out.
"""

import json
import os
import sys
import time
import urllib.error
import urllib.request


def ask() -> tuple[int, dict[str, str], str]:
    """Status, headers and body of a chat completion; 0 and what is wrong if nobody answers."""
    question = {
        "model": os.environ["MODEL"],
        "messages": [{"role": "user", "content": "Does it work?"}],
        "max_tokens": 8,
    }
    headers = {"Content-Type": "application/json", "X-Fairlead-Workspace": os.environ["WORKSPACE"]}
    if file := os.environ.get("API_KEY_FILE"):
        with open(file, encoding="utf-8") as key:
            headers["Authorization"] = f"Bearer {key.read().strip()}"
    request = urllib.request.Request(  # noqa: S310 - the chart writes the URL
        f"{os.environ['URL']}/v1/chat/completions", json.dumps(question).encode(), headers, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
            return (
                answer.status,
                {name.lower(): value for name, value in answer.headers.items()},
                answer.read().decode(),
            )
    except urllib.error.HTTPError as error:
        return error.code, {}, error.read().decode(errors="replace")
    except OSError as error:
        return 0, {}, str(error)


def wrong(status: int, headers: dict[str, str], body: str) -> str | None:
    """What is not as it should be, in words."""
    if status != 200:
        return f"status {status}: {body}"
    answer = json.loads(body)
    if not answer["choices"][0]["message"]["content"]:
        return f"an answer without content: {body}"
    if "x-fairlead-decision" not in headers:
        return f"no header x-fairlead-decision: {headers}"
    return None


def main() -> int:
    """0 once an answer is as it should be, 1 if none was in time."""
    deadline = time.monotonic() + float(os.environ["SECONDS"])
    while True:
        status, headers, body = ask()
        problem = wrong(status, headers, body)
        if problem is None:
            print(f"{headers['x-fairlead-model']} answered; decision {headers['x-fairlead-decision']}")
            return 0
        if time.monotonic() > deadline or status in {401, 403}:
            print(f"FAILED: {os.environ['URL']} gave {problem}", file=sys.stderr)
            return 1
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())

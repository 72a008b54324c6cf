"""Run as a program with a base URL: asks a router for everything through the LiteLLM SDK, and prints what came as JSON.

A process of its own, because the SDK takes seconds to import and leaves threads and warnings behind. Without tools: with them
this SDK imports packages that it does not depend on.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"


def main(base_url: str) -> dict[str, Any]:
    """One answer of each kind."""
    import litellm

    litellm.suppress_debug_info = True
    hello = [{"role": "user", "content": "hi"}]
    common = {"api_base": base_url, "api_key": "any", "num_retries": 0, "max_retries": 0}

    whole = litellm.completion(model="openai/auto", messages=hello, **common)
    stream = litellm.completion(
        model="openai/auto", messages=hello, stream=True, stream_options={"include_usage": True}, **common
    )
    pieces = list(stream)
    vectors = litellm.embedding(model="openai/ada", input=["a", "b"], **common)
    try:
        litellm.completion(model="openai/none", messages=hello, **common)
        refused = "nothing"
    except litellm.exceptions.NotFoundError as error:
        refused = type(error).__name__
    return {
        "whole": whole.choices[0].message.content,
        "usage": whole.usage.total_tokens,
        "stream": "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices),
        "streamUsage": next(piece.usage.total_tokens for piece in pieces if getattr(piece, "usage", None)),
        "vectors": len(vectors.data),
        "refused": refused,
    }


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1])))

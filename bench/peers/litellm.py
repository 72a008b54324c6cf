"""LiteLLM's proxy: Python, FastAPI on uvicorn."""

from __future__ import annotations

import json
from pathlib import Path

from bench.peers.cache import python_environment
from bench.peers.recipe import Launch, Recipe, Site

_VERSION = "1.106.2"
_MASTER_KEY = "sk-bench"


def _install(folder: Path) -> None:
    python_environment(folder, f"litellm[proxy]=={_VERSION}")


def _launch(site: Site) -> Launch:
    config = site.scratch / "litellm.json"
    config.write_text(json.dumps(_config(site)))  # JSON is YAML
    return Launch(
        command=[
            str(site.installed / "bin" / "litellm"),
            *("--config", str(config), "--host", "127.0.0.1", "--port", str(site.port)),
            *("--num_workers", "1", "--telemetry", "False"),
        ],
        # The price list in the package, or it would be fetched at each start; and no line for each request.
        environment={
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MODE": "PRODUCTION",
        },
        ready_path="/health/liveliness",
        model="chat",
        headers={"Authorization": f"Bearer {_MASTER_KEY}"},
    )


def _config(site: Site) -> dict[str, object]:
    settings: dict[str, object] = {"routing_strategy": "simple-shuffle"}
    if site.fallback is None:
        models = [_deployment("chat", site.upstream), _deployment("chat", site.upstream)]
    else:
        models = [_deployment("chat", site.upstream), _deployment("backup", site.fallback)]
        settings["fallbacks"] = [{"chat": ["backup"]}]
        # Else one failure keeps a deployment out for seconds, and what follows is judged for that and not for itself.
        settings["disable_cooldowns"] = True
    return {"model_list": models, "router_settings": settings, "general_settings": {"master_key": _MASTER_KEY}}


def _deployment(group: str, url: str) -> dict[str, object]:
    parameters = {"model": "openai/gpt-4o-mini", "api_base": url, "api_key": "sk-upstream"}
    return {"model_name": group, "litellm_params": parameters}


LITELLM = Recipe("litellm", _VERSION, "the Python package index", _install, _launch)

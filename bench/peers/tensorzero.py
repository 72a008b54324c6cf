"""TensorZero's gateway: Rust, inside the extension module of its Python client.

The client has no program, but what starts a gateway for a patched OpenAI client (``tensorzero._start_http_gateway``) serves
HTTP on a port of its choice, by the same code.
"""

from __future__ import annotations

from pathlib import Path

from bench.peers.cache import python_environment
from bench.peers.recipe import Launch, Recipe, Site

_VERSION = "2026.6.0"
_SERVE = Path(__file__).with_name("tensorzero_serve.py")


def _install(folder: Path) -> None:
    python_environment(folder, f"tensorzero=={_VERSION}")


def _launch(site: Site) -> Launch:
    config = site.scratch / "tensorzero.toml"
    config.write_text(_config(site))
    return Launch(
        # -P: beside the script lies this module, which must not be taken for the package of that name.
        command=[str(site.installed / "bin" / "python"), "-P", str(_SERVE), str(config)],
        path="/openai/v1/chat/completions",
        model="tensorzero::function_name::chat",
        announces_port=True,
    )


def _config(site: Site) -> str:
    """Without weights both variants are equally likely; one variant whose model has two providers tries them in turn."""
    lines = ["[gateway]", "observability.enabled = false", "[functions.chat]", 'type = "chat"']
    if site.fallback is None:
        for name in ("first", "second"):
            lines += _variant(name) + _model(name, {"only": site.upstream})
    else:
        lines += _variant("first") + _model("first", {"primary": site.upstream, "backup": site.fallback})
    return "\n".join([*lines, ""])


def _variant(name: str) -> list[str]:
    return [f"[functions.chat.variants.{name}]", 'type = "chat_completion"', f'model = "{name}"']


def _model(name: str, providers: dict[str, str]) -> list[str]:
    routing = ", ".join(f'"{provider}"' for provider in providers)
    lines = [f"[models.{name}]", f"routing = [{routing}]"]
    for provider, url in providers.items():
        lines += [f"[models.{name}.providers.{provider}]", 'type = "openai"', 'model_name = "gpt-4o-mini"']
        lines += [f'api_base = "{url}"', 'api_key_location = "none"']
    return lines


TENSORZERO = Recipe("tensorzero", _VERSION, "the Python package index", _install, _launch)

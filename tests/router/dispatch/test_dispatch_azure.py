"""Where Azure OpenAI answers."""

from __future__ import annotations

import pytest
from yarl import URL

from fairlead_router.dispatch.providers.azure_openai import azure_root_url, azure_url

VERSION = "2024-10-21"


@pytest.mark.parametrize(
    ("base", "deployment", "path", "expected"),
    [
        (
            "https://acme.openai.azure.com/",
            "gpt-4o",
            "chat/completions",
            "https://acme.openai.azure.com/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21",
        ),
        (
            "https://acme.openai.azure.com/openai/",
            "ada-002",
            "embeddings",
            "https://acme.openai.azure.com/openai/deployments/ada-002/embeddings?api-version=2024-10-21",
        ),
        (
            "https://apim.example/behind/a/gateway/",
            "gpt-35",
            "completions",
            "https://apim.example/behind/a/gateway/openai/deployments/gpt-35/completions?api-version=2024-10-21",
        ),
        (
            "https://acme.openai.azure.com/openai/v1/",
            "gpt-4o",
            "chat/completions",
            "https://acme.openai.azure.com/openai/v1/chat/completions",
        ),
        (
            "https://acme.openai.azure.com/",
            "a/b?c",
            "embeddings",
            "https://acme.openai.azure.com/openai/deployments/a%2Fb%3Fc/embeddings?api-version=2024-10-21",
        ),
    ],
    ids=["plain", "with /openai", "behind a gateway", "the newer API", "a name that must be escaped"],
)
def test_the_deployment_stands_in_the_path_and_the_version_in_the_query(
    base: str, deployment: str, path: str, expected: str
) -> None:
    assert str(azure_url(URL(base), deployment, path, VERSION)) == expected


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("https://acme.openai.azure.com/", "https://acme.openai.azure.com/openai/models?api-version=2024-10-21"),
        ("https://acme.openai.azure.com/openai/", "https://acme.openai.azure.com/openai/models?api-version=2024-10-21"),
        ("https://acme.openai.azure.com/openai/v1/", "https://acme.openai.azure.com/openai/v1/models"),
    ],
)
def test_a_health_check_asks_the_api_itself(base: str, expected: str) -> None:
    assert str(azure_root_url(URL(base), "/models", VERSION)) == expected

"""Endpoint: one address of a provider, its headers, TLS and health checks."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field, StringConstraints

from fairlead_crds.kinds.common import Choice, LocalObjectRef, Model, ObjectKeyRef, how_many
from fairlead_crds.kinds.rules import ListMap, Rule
from fairlead_crds.kinds.scalars import (
    HTTP_PATH,
    DnsLabel,
    DnsName,
    HeaderName,
    HeaderValue,
    Token,
)

HTTP_URL = r'^https?://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[!-"$->@-~]*)?$'

ROUTER_HEADERS = (
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
)
SECRET_HEADERS = ("api-key", "authorization", "cookie", "x-api-key", "x-goog-api-key")


def _cel_list(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(f"'{word}'" for word in words) + "]"


class EndpointRole(Choice):
    """Whether an endpoint carries traffic by day or waits."""

    PRIMARY = "Primary"
    BACKUP = "Backup"


class HeaderSource(Model):
    """Where a header takes its value from."""

    secret_ref: ObjectKeyRef = Field(
        description="Key of a Secret that carries the label fairlead.dev/credentials: provider."
    )


class Header(Model):
    """One header added to every request to the endpoint."""

    name: HeaderName = Field(description="Name of the header; case does not matter.")
    value: HeaderValue | None = Field(
        None, description="The value in plain text; visible to everyone who can read the object."
    )
    value_from: HeaderSource | None = Field(None, description="Takes the value from a Secret instead.")

    rules = (
        Rule(
            cel="has(self.value) != has(self.valueFrom)",
            message="a header takes exactly one of value and valueFrom: remove one or add the missing one",
            check=lambda h: how_many(h.value, h.value_from) == 1,
        ),
        Rule(
            cel=f"!(self.name.lowerAscii() in {_cel_list(ROUTER_HEADERS)})",
            message="this header belongs to a single connection and is set by the router itself: remove it",
            check=lambda h: h.name.lower() not in ROUTER_HEADERS,
            field="name",
        ),
        Rule(
            cel=f"!has(self.value) || !(self.name.lowerAscii() in {_cel_list(SECRET_HEADERS)})",
            message="this header carries a credential: use spec.credentials, or valueFrom with a Secret, instead "
            "of a plain value",
            check=lambda h: h.value is None or h.name.lower() not in SECRET_HEADERS,
            field="value",
        ),
    )


class Tls(Model):
    """How to verify the endpoint and how to identify to it."""

    ca_bundle_ref: ObjectKeyRef | None = Field(
        None, description="ConfigMap key with PEM certificates trusted instead of the system's."
    )
    server_name: DnsName | None = Field(None, description="Name to send and to verify instead of the host in url.")
    client_cert_secret_ref: LocalObjectRef | None = Field(
        None, description="Secret of type kubernetes.io/tls with the client certificate."
    )


class HealthCheck(Model):
    """Active checks. Without this block an endpoint is judged by live traffic alone."""

    path: Annotated[str, StringConstraints(min_length=1, max_length=1024, pattern=HTTP_PATH)] = Field(
        "/models", description="Path below url that is fetched with GET."
    )
    period_seconds: int = Field(15, ge=1, le=3600, description="Seconds between two checks.")
    timeout_seconds: int = Field(3, ge=1, le=300, description="Seconds until a check counts as failed.")
    failure_threshold: int = Field(
        3, ge=1, le=100, description="Failed checks in a row that make the endpoint unhealthy."
    )
    success_threshold: int = Field(
        1, ge=1, le=100, description="Successful checks in a row that make it healthy again."
    )

    rules = (
        Rule(
            cel="self.timeoutSeconds <= self.periodSeconds",
            message="timeoutSeconds must not exceed periodSeconds: lower timeoutSeconds or raise periodSeconds "
            "(defaults 3 and 15)",
            check=lambda c: c.timeout_seconds <= c.period_seconds,
        ),
    )


class Endpoint(Model):
    """One address of the provider."""

    name: DnsLabel = Field(description="Name of the endpoint, unique in the provider; shown in status and metrics.")
    url: Annotated[str, StringConstraints(min_length=8, max_length=512)] = Field(
        description="Base URL, http or https, such as https://api.openai.com/v1; the router appends "
        "/chat/completions and the like."
    )
    role: EndpointRole = Field(
        EndpointRole.PRIMARY, description="Primary carries traffic; Backup only while no Primary endpoint is usable."
    )
    weight: int = Field(
        100,
        ge=0,
        le=1000,
        description="Share among endpoints of the same role, relative to their sum; 0 sends nothing.",
    )
    region: Token | None = Field(None, description="Where requests are processed; compared with constraints.regions.")
    headers: Annotated[tuple[Header, ...], ListMap(max=16)] = Field(
        (), description="Headers added to every request to this endpoint."
    )
    tls: Tls | None = Field(None, description="TLS settings other than the system's.")
    health_check: HealthCheck | None = Field(None, description="Active health checks. Absent: passive only.")

    rules = (
        Rule(
            cel=f"self.url.matches(r'{HTTP_URL}')",
            message="url must be http:// or https:// with a host and optionally a port and a path, without user "
            "info, query or fragment: "
            "keys belong in spec.credentials, other parameters in headers",
            check=lambda e: re.fullmatch(HTTP_URL, e.url) is not None,
            field="url",
        ),
        Rule(
            cel="!has(self.tls) || self.url.startsWith('https://')",
            message="tls needs an https:// url: change the url or remove tls",
            check=lambda e: e.tls is None or e.url.startswith("https://"),
            field="tls",
        ),
    )

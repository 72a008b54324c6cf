"""Bounded text, exact decimals and instants: the leaves every kind is made of.

Money and fractions travel as decimal strings, since a float would already have rounded them; the classes here turn
them into integers without a float in between. Each pattern has a plain-words twin in `PATTERN_WORDS`, so that an
error can say what was expected.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, GetCoreSchemaHandler, GetJsonSchemaHandler, StringConstraints, WithJsonSchema
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

# No \s and \S: ASCII to the API server, Unicode to us. [!-~] is printable ASCII, [!-"$->@-~] that without ? and #.
DNS_LABEL = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
DNS_SUBDOMAIN = r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$"
MODEL_NAME = r"^[A-Za-z0-9]([A-Za-z0-9._:/-]*[A-Za-z0-9])?$"
TOKEN = r"^[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"  # noqa: S105 - a pattern
DATA_KEY = r"^[A-Za-z0-9._-]+$"
HEADER_NAME = r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
HEADER_VALUE = r"^[^\x00-\x08\x0a-\x1f\x7f]*$"
NO_SPACES = r"^[!-~]+$"
LANGUAGE = r"^[a-z]{2,3}(-[A-Za-z0-9]{2,8})*$"
TIME_ZONE = r"^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$"
HTTP_PATH = r'^/[!-"$->@-~]*$'
API_VERSION = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(-preview)?$"
CLOUD_REGION = r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$"
ROLE_ARN = r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+$"
BUNDLE_URI = r'^(s3|gs|https|oci)://[!-"$-.0->A-~]+(/[!-"$->@-~]*)?$|^file:///[!-"$->@-~]+$'
SHA256 = r"^sha256:[0-9a-f]{64}$"
LABEL_KEY = r"^([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?$"
LABEL_VALUE = r"^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?)?$"
REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"
CONDITION_TYPE = r"^[A-Z][A-Za-z0-9]*$"
# The years 1000 to 2999 and offsets below a day: what every language on the way can hold.
RFC3339 = (
    r"^[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"(Z|[+-]([01][0-9]|2[0-3]):[0-9]{2})$"
)

USD_DECIMAL = r"^(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?$"
TOKEN_USD_DECIMAL = r"^(0|[1-9][0-9]{0,2})(\.[0-9]{1,12})?$"  # noqa: S105 - a pattern
PERCENT_DECIMAL = r"^(100(\.0{1,4})?|[1-9]?[0-9](\.[0-9]{1,4})?)$"
TEMPERATURE_DECIMAL = r"^([01](\.[0-9]{1,2})?|2(\.0{1,2})?)$"
STATISTIC_DECIMAL = r"^-?(0|[1-9][0-9]{0,11})(\.[0-9]{1,9})?$"

PATTERN_WORDS: dict[str, str] = {
    DNS_LABEL: "lower-case letters, digits and '-', beginning and ending with a letter or digit",
    DNS_SUBDOMAIN: (
        "a DNS-1123 name: lower-case letters, digits, '-' and '.', every part beginning and ending "
        "with a letter or digit"
    ),
    MODEL_NAME: "letters, digits and any of . : _ / -, beginning and ending with a letter or digit",
    TOKEN: "letters, digits and any of . _ -, beginning and ending with a letter or digit",
    DATA_KEY: "letters, digits and any of . _ -",
    HEADER_NAME: "an HTTP header name such as x-team: letters, digits and '-', no spaces or colons",
    HEADER_VALUE: "one line of text without control characters",
    NO_SPACES: "printable ASCII characters without spaces",
    LANGUAGE: "a language tag such as en or pt-BR",
    TIME_ZONE: "an IANA time zone such as Europe/Berlin or UTC",
    HTTP_PATH: "a path of ASCII characters that begins with '/', without query or fragment",
    API_VERSION: "a dated API version such as 2024-10-21 or 2025-01-01-preview",
    CLOUD_REGION: "an AWS region such as eu-central-1",
    ROLE_ARN: "the ARN of an IAM role, such as arn:aws:iam::123456789012:role/llm",
    BUNDLE_URI: (
        "s3://, gs://, https:// or oci:// with a host or bucket, or file:/// with an absolute path; no "
        "user info, query or fragment"
    ),
    SHA256: "sha256: followed by 64 lower-case hexadecimal digits",
    LABEL_KEY: "a label key such as team or example.com/team",
    LABEL_VALUE: "a label value: letters, digits and any of . _ -, beginning and ending with a letter or digit",
    REASON: "one CamelCase word",
    CONDITION_TYPE: "one CamelCase word",
    RFC3339: "an RFC 3339 time such as 2026-01-31T09:00:00Z",
    USD_DECIMAL: (
        'a decimal number in quotes such as "0.05": not negative, at most 9 digits before and 6 after the point'
    ),
    TOKEN_USD_DECIMAL: (
        'a decimal number in quotes such as "0.00001": not negative, at most 3 digits before and 12 after the point'
    ),
    PERCENT_DECIMAL: 'a decimal number in quotes from "0" to "100", at most 4 digits after the point',
    TEMPERATURE_DECIMAL: 'a decimal number in quotes from "0" to "2", at most 2 digits after the point',
    STATISTIC_DECIMAL: "a decimal number in quotes, at most 12 digits before and 9 after the point",
}


DECIMAL_PATTERNS = frozenset({USD_DECIMAL, TOKEN_USD_DECIMAL, PERCENT_DECIMAL, TEMPERATURE_DECIMAL, STATISTIC_DECIMAL})


class DecimalString(str):
    """A decimal number kept as the text it was written in; read it as an integer with `scaled`, never as a float."""

    __slots__ = ()
    pattern: ClassVar[str]
    max_chars: ClassVar[int]

    def scaled(self, decimals: int) -> int:
        """The value times ten to the `decimals`, exactly; digits beyond are an error, not a rounding."""
        sign, digits = (-1, self[1:]) if self.startswith("-") else (1, str(self))
        whole, _, fraction = digits.partition(".")
        kept = fraction.rstrip("0")
        if len(kept) > decimals:
            raise ValueError(f"{self} has more than {decimals} decimals")
        return sign * int(whole + kept.ljust(decimals, "0"))

    @property
    def micros(self) -> int:
        """Millionths of the unit."""
        return self.scaled(6)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        text = core_schema.str_schema(pattern=cls.pattern, max_length=cls.max_chars, min_length=1, strict=True)
        return core_schema.no_info_after_validator_function(
            cls, text, serialization=core_schema.plain_serializer_function_ser_schema(str)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        return {"type": "string", "pattern": cls.pattern, "minLength": 1, "maxLength": cls.max_chars}


class USD(DecimalString):
    """US dollars; `.micros` is micro-dollars."""

    __slots__ = ()
    pattern = USD_DECIMAL
    max_chars = 16


class TokenUSD(DecimalString):
    """US dollars per single token, where micro-dollars are too coarse."""

    __slots__ = ()
    pattern = TOKEN_USD_DECIMAL
    max_chars = 16

    @property
    def micros_per_million_tokens(self) -> int:
        """Micro-dollars per million tokens, the unit of prices: dollars per token times 10**12."""
        return self.scaled(12)


class PercentString(DecimalString):
    """A percentage that needs decimals, 0–100."""

    __slots__ = ()
    pattern = PERCENT_DECIMAL
    max_chars = 8

    @property
    def parts_per_million(self) -> int:
        """100 % is 1,000,000."""
        return self.scaled(4)


class Temperature(DecimalString):
    """A sampling temperature, 0–2."""

    __slots__ = ()
    pattern = TEMPERATURE_DECIMAL
    max_chars = 4


class Statistic(DecimalString):
    """A measured number in a status: may be negative."""

    __slots__ = ()
    pattern = STATISTIC_DECIMAL
    max_chars = 24


MAX_COUNT = 2**53 - 1
"""Bounds what is counted without an end. API servers keep bounds as doubles, which hold no larger number exactly."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def epoch_seconds(instant: datetime) -> int:
    """Whole seconds since 1970 UTC, rounded down, without a float."""
    return (instant - EPOCH) // timedelta(seconds=1)


def _instant(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC)
    if isinstance(value, str) and len(value) <= 40 and re.fullmatch(RFC3339, value, re.ASCII):
        try:
            return datetime.fromisoformat(_microseconds(value)).astimezone(UTC)
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("instant", PATTERN_WORDS[RFC3339])


def _microseconds(text: str) -> str:
    """RFC 3339 allows more digits of a second than datetime holds; the surplus is cut."""
    return re.sub(r"(\.[0-9]{6})[0-9]+", r"\1", text)


Instant = Annotated[
    datetime,
    BeforeValidator(_instant),
    WithJsonSchema({"type": "string", "format": "date-time", "pattern": RFC3339, "maxLength": 40}),
]
"""An instant in UTC; written as RFC 3339."""

DnsLabel = Annotated[str, StringConstraints(min_length=1, max_length=63, pattern=DNS_LABEL)]
DnsName = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
ModelName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=MODEL_NAME)]
Token = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=TOKEN)]
WorkspaceName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=TOKEN)]
DataKey = Annotated[str, StringConstraints(min_length=1, max_length=253, pattern=DATA_KEY)]
HeaderName = Annotated[str, StringConstraints(min_length=1, max_length=128, pattern=HEADER_NAME)]
HeaderValue = Annotated[str, StringConstraints(max_length=1024, pattern=HEADER_VALUE)]
Language = Annotated[str, StringConstraints(min_length=2, max_length=35, pattern=LANGUAGE)]
TimeZone = Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=TIME_ZONE)]
UpstreamName = Annotated[str, StringConstraints(min_length=1, max_length=512, pattern=NO_SPACES)]
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=128)]
Message = Annotated[str, StringConstraints(max_length=4096)]
ObjectName = Annotated[str, StringConstraints(min_length=1, max_length=512)]

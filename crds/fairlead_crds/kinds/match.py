"""Match: which requests a policy or an experiment is about."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fairlead_crds.kinds.common import Choice, Model, how_many, in_order
from fairlead_crds.kinds.rules import ListMap, ListSet, Rule
from fairlead_crds.kinds.scalars import HeaderName, HeaderValue, Language, ModelName, Token, WorkspaceName


class RequestType(Choice):
    """Which API a request came in by."""

    CHAT = "Chat"
    COMPLETION = "Completion"
    EMBEDDING = "Embedding"
    RESPONSE = "Response"
    MESSAGE = "Message"


class Difficulty(Choice):
    """How hard the classifier finds a request."""

    EASY = "Easy"
    MEDIUM = "Medium"
    HARD = "Hard"


class Certainty(Choice):
    """Whether the classifier could exclude all categories but one, at the error rate that the router is set to."""

    CERTAIN = "Certain"
    AMBIGUOUS = "Ambiguous"


class ContentLength(Model):
    """Bounds on the length of a request's text, both inclusive."""

    min: int | None = Field(None, ge=0, le=100000000, description="Fewest characters over all messages.")
    max: int | None = Field(None, ge=0, le=100000000, description="Most characters over all messages.")

    rules = (
        Rule(
            cel="has(self.min) || has(self.max)",
            message="contentLengthCharacters needs min, max or both: add one or remove the block",
            check=lambda c: how_many(c.min, c.max) > 0,
        ),
        Rule(
            cel="!has(self.min) || !has(self.max) || self.min <= self.max",
            message="min must not exceed max: swap them",
            check=lambda c: in_order(c.min, c.max),
        ),
    )


class HeaderMatch(Model):
    """One condition on a request header."""

    name: HeaderName = Field(description="Name of the header; case does not matter.")
    exact: HeaderValue | None = Field(None, description="The whole value, case included.")
    prefix: HeaderValue | None = Field(None, description="What the value begins with, case included.")
    present: bool | None = Field(None, description="true: the header is there, whatever its value; false: it is not.")

    rules = (
        Rule(
            cel="[has(self.exact), has(self.prefix), has(self.present)].exists_one(given, given)",
            message="a header condition takes exactly one of exact, prefix and present: keep one",
            check=lambda h: how_many(h.exact, h.prefix, h.present) == 1,
        ),
    )


class Match(Model):
    """Conditions on a request.

    Every given one must hold, any of its values will do; without conditions every request matches.
    """

    models: Annotated[tuple[ModelName, ...], ListSet(min=1, max=64)] = Field(
        ("auto",), description="Model names in the request. auto: the client leaves the choice to the router."
    )
    workspaces: Annotated[tuple[WorkspaceName, ...], ListSet(min=1, max=64)] = Field(
        (), description="Workspaces, of those rightfully claimed in the policy's namespace. Absent: all of them."
    )
    agent_types: Annotated[tuple[Token, ...], ListSet(min=1, max=64)] = Field(
        (), description="Agent types of the caller. Absent: any."
    )
    request_types: Annotated[tuple[RequestType, ...], ListSet(min=1, max=8)] = Field(
        (), description="API the request came in by. Absent: any."
    )
    categories: Annotated[tuple[Token, ...], ListSet(min=1, max=64)] = Field(
        (), description="Categories as the classifier names them; needs the classifier. Absent: any."
    )
    difficulties: Annotated[tuple[Difficulty, ...], ListSet(min=1, max=8)] = Field(
        (), description="Difficulties as the classifier finds them; needs the classifier. Absent: any."
    )
    languages: Annotated[tuple[Language, ...], ListSet(min=1, max=64)] = Field(
        (), description="Languages of the text, such as en; needs the classifier. Absent: any."
    )
    certainty: Certainty | None = Field(
        None,
        description="Certain: exactly one category is left that cannot be excluded; Ambiguous: several are. Needs the "
        "classifier. Absent: either.",
    )
    user_tiers: Annotated[tuple[Token, ...], ListSet(min=1, max=32)] = Field(
        (), description="Tiers of the user as the credential states them; never taken from the client. Absent: any."
    )
    content_length_characters: ContentLength | None = Field(
        None, description="Length of the request's text in characters."
    )
    headers: Annotated[tuple[HeaderMatch, ...], ListMap(max=16)] = Field(
        (), description="Conditions on request headers; all must hold."
    )

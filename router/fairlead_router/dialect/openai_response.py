"""Reads OpenAI answers: usage, errors and the end of a stream. Never changes what it lets through."""

from __future__ import annotations

import msgspec

from fairlead_contract.decision import Usage

_NULL = msgspec.Raw(b"null")


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _CompletionDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _PromptDetails | None = None
    completion_tokens_details: _CompletionDetails | None = None


class _Error(msgspec.Struct):
    type: str | None = None
    code: str | int | None = None


class _ErrorBody(msgspec.Struct):
    error: _Error | str


class _Text(msgspec.Struct):
    content: str | list[msgspec.Raw] | None = None
    reasoning_content: str | None = None
    tool_calls: msgspec.Raw = _NULL  # Not ``Raw | None``: msgspec would accept nothing but null there.


class _Choice(msgspec.Struct):
    index: int = 0
    message: _Text | None = None
    delta: _Text | None = None
    text: str | None = None
    """Of a completion, whole or streamed."""
    finish_reason: str | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: _Error | str | None = None


class _Embeddings(msgspec.Struct):
    data: list[msgspec.Raw] | None = None
    usage: _Usage | None = None
    error: _Error | str | None = None


_ANSWER = msgspec.json.Decoder(_Answer)
_EMBEDDINGS = msgspec.json.Decoder(_Embeddings)
_ERROR = msgspec.json.Decoder(_ErrorBody)
_MAX_TOKENS = 2**31 - 1
"""A provider may report any number; money and metrics have bounds."""


class BadAnswer(Exception):
    """A provider's answer that is no answer. ``error`` is a short word of ours for it."""

    def __init__(self, error: str) -> None:
        super().__init__(error)
        self.error = error
        self.before = b""
        """Good events that arrived together with the bad one."""


def error_code(body: bytes) -> str | None:
    """``error.code`` (or else ``error.type``) of an error body, if it has one."""
    try:
        error = _ERROR.decode(body).error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return None
    if isinstance(error, str):
        return None
    return str(error.code) if error.code is not None else error.type


def _characters(choice: _Choice) -> int:
    """Of what the model wrote: a whole message, a piece of it, or the text of a completion."""
    text = choice.delta or choice.message
    if text is None:
        return len(choice.text or "")
    count = len(text.content) if isinstance(text.content, str) else 0
    if isinstance(text.content, list):
        count = sum(len(bytes(part)) for part in text.content)
    calls = bytes(text.tool_calls)
    return count + len(text.reasoning_content or "") + (0 if calls == b"null" else len(calls))


def _billable(usage: _Usage) -> Usage | None:
    if usage.prompt_tokens is None and usage.completion_tokens is None:
        return None
    prompt, completion = usage.prompt_tokens_details, usage.completion_tokens_details
    return Usage(
        input_tokens=_tokens(usage.prompt_tokens),
        output_tokens=_tokens(usage.completion_tokens),
        cached_input_tokens=_tokens(prompt.cached_tokens if prompt else None),
        reasoning_tokens=_tokens(completion.reasoning_tokens if completion else None),
    )


def _tokens(reported: int | None) -> int:
    return min(max(0, reported or 0), _MAX_TOKENS)


def estimate(input_tokens: int, output_characters: int) -> Usage:
    """Usage where the provider reported none: four characters a token."""
    return Usage(input_tokens=input_tokens, output_tokens=(output_characters + 3) // 4, estimated=True)


def read_answer(body: bytes, *, estimated_input_tokens: int) -> Usage:
    """Usage of a whole answer. Raises :class:`BadAnswer` if it is no completion, or an error dressed as success."""
    try:
        answer = _ANSWER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadAnswer("answer_not_understood") from error
    if answer.error is not None:
        raise BadAnswer("error_in_success")
    if answer.choices is None:
        raise BadAnswer("answer_without_choices")
    usage = _billable(answer.usage) if answer.usage is not None else None
    if usage is not None:
        return usage
    return estimate(estimated_input_tokens, sum(_characters(choice) for choice in answer.choices))


def read_embeddings(body: bytes, *, estimated_input_tokens: int) -> Usage:
    """Usage of an answer with embeddings, whose numbers are not read. Raises :class:`BadAnswer` as :func:`read_answer`."""
    try:
        answer = _EMBEDDINGS.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise BadAnswer("answer_not_understood") from error
    if answer.error is not None:
        raise BadAnswer("error_in_success")
    if answer.data is None:
        raise BadAnswer("answer_without_data")
    usage = _billable(answer.usage) if answer.usage is not None else None
    return usage or estimate(estimated_input_tokens, 0)


def _is_plain_delta(data: bytes) -> bool:
    """Whether an event of a single choice can be nothing but a piece of it, told without reading it in full.

    Inside a string these keys would have their quotes escaped, so they cannot be part of a text.
    """
    return (
        b'"finish_reason":null' in data
        and data.startswith(b"{")
        and data.endswith(b"}")
        and b'"error"' not in data
        and (b'"usage"' not in data or b'"usage":null' in data)
    )


class StreamReader:
    """Watches the events of one streamed answer: what was used, whether it ended as it should, what to pass on."""

    __slots__ = (
        "_began",
        "_choices",
        "_envelope_bytes",
        "_estimated_input_tokens",
        "_finished",
        "_output_characters",
        "_strip_usage",
        "_usage",
        "done",
    )

    def __init__(self, *, strip_usage: bool, estimated_input_tokens: int, choices: int = 1) -> None:
        self._strip_usage = strip_usage
        self._estimated_input_tokens = estimated_input_tokens
        self._usage: Usage | None = None
        self._output_characters = 0
        self._choices = choices
        self._finished: set[int] = set()
        self._began = False
        """An event of the answer was seen."""
        self._envelope_bytes = 0
        """Bytes of an event around the text of its delta, from the last event that was read in full."""
        self.done = False
        """``[DONE]`` was seen."""

    @property
    def finished(self) -> bool:
        """Every choice that was asked for has its ``finish_reason``: nothing of the answer is missing."""
        return len(self._finished) >= self._choices

    @property
    def usage(self) -> Usage:
        """As reported, or else estimated from what has passed."""
        if self._usage is not None:
            return self._usage
        return estimate(self._estimated_input_tokens, self._output_characters)

    def passes(self, data: bytes) -> bool:
        """Take note of one event's data; whether the client gets it. Raises :class:`BadAnswer` for an error event."""
        if data == b"[DONE]":
            if not self._began:  # The end of nothing: nobody has answered yet.
                raise BadAnswer("empty_stream")
            self.done = True
            return True
        if self._envelope_bytes and self._choices == 1 and _is_plain_delta(data):
            self._output_characters += max(0, len(data) - self._envelope_bytes)
            return True
        try:
            chunk = _ANSWER.decode(data)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
            raise BadAnswer("event_not_understood") from error
        if chunk.error is not None:
            raise BadAnswer("error_event")
        self._began = True
        choices = chunk.choices
        if choices:
            for choice in choices:
                if choice.finish_reason is not None:
                    self._finished.add(choice.index)
                if characters := _characters(choice):
                    self._output_characters += characters
                    self._envelope_bytes = len(data) - characters
        if chunk.usage is not None and (usage := _billable(chunk.usage)) is not None:
            self._usage = usage
            return bool(choices) or not self._strip_usage
        return True

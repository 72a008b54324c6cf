"""From a text of any kind and length to a bounded list of tokens."""

from __future__ import annotations

from tokenizers import Tokenizer

from fairlead_learning.encoder.parameters import EncoderParameters

_CHARACTERS_PER_TOKEN = 8
"""How much of a long text is tokenised. English has 4 to 5 characters a token, indented code 6; what is cut off is the
middle, which would not be read."""


class Tokens:
    """A tokenizer and the limits of its encoder. May be used by several threads."""

    def __init__(self, tokenizer: str, parameters: EncoderParameters) -> None:
        """``tokenizer`` is the JSON of the tokenizers library; what is wrong with it raises that library's ``Exception``."""
        self._tokenizer = Tokenizer.from_str(tokenizer)
        # Both may be set in the file, and would cut the tail off.
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        # "[SEP]" in a text is five characters that somebody wrote, not the end of the text.
        self._tokenizer.encode_special_tokens = True
        self._parameters = parameters

    def of(self, text: str) -> list[int]:
        """Between ``len(prefix + suffix)`` and ``max_tokens`` tokens."""
        room = self._parameters.room
        excerpt = well_formed(head_and_tail_characters(text, room * _CHARACTERS_PER_TOKEN))
        tokens = self._tokenizer.encode(excerpt, add_special_tokens=False).ids
        return [*self._parameters.prefix, *head_and_tail(tokens, room), *self._parameters.suffix]


def head_and_tail_characters(text: str, most: int) -> str:
    """The text, or three quarters of ``most`` from its beginning and one from its end, with a blank between."""
    if len(text) <= most:
        return text
    tail = most // 4
    return f"{text[: most - tail]} {text[-tail:]}"


def head_and_tail(tokens: list[int], most: int) -> list[int]:
    """The tokens, or three quarters of ``most`` from the beginning and one from the end.

    What is asked for often stands at the end of a long text, after the material it is about.
    """
    if len(tokens) <= most:
        return tokens
    tail = most // 4
    return tokens[: most - tail] + tokens[len(tokens) - tail :]


def well_formed(text: str) -> str:
    """The text with lone surrogates replaced, which JSON can carry and UTF-8 cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text

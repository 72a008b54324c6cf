"""Texts of any kind and length become a bounded list of tokens."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fairlead_learning.bundles.bundle import Bundle
from fairlead_learning.encoder.default import DEFAULT_ENCODER
from fairlead_learning.encoder.parameters import EncoderParameters, parameters_of
from fairlead_learning.encoder.tokens import Tokens, head_and_tail, head_and_tail_characters, well_formed

_BUNDLE = Bundle.open(DEFAULT_ENCODER)
_PARAMETERS = parameters_of(_BUNDLE)
_TOKENIZER = _BUNDLE.read(_PARAMETERS.tokenizer).decode()
TOKENS = Tokens(_TOKENIZER, _PARAMETERS)
CLS, SEP = 101, 102

any_text = st.text(st.characters(), max_size=3000)  # lone surrogates and NUL included


@given(any_text)
def test_no_text_gives_more_tokens_than_the_graph_takes(text: str) -> None:
    tokens = TOKENS.of(text)
    assert tokens[0] == CLS
    assert tokens[-1] == SEP
    assert 2 <= len(tokens) <= 128


@given(st.lists(st.integers(), max_size=50), st.integers(1, 60))
def test_head_and_tail_keep_the_ends_and_the_order(tokens: list[int], most: int) -> None:
    kept = head_and_tail(tokens, most)
    assert len(kept) == min(len(tokens), most)
    if len(tokens) > most:
        tail = most // 4
        assert kept == tokens[: most - tail] + tokens[len(tokens) - tail :]
    else:
        assert kept == tokens


@given(any_text, st.integers(4, 100))
def test_a_long_text_is_cut_before_it_is_tokenised(text: str, most: int) -> None:
    kept = head_and_tail_characters(text, most)
    assert len(kept) <= most + 1
    if len(text) <= most:
        assert kept == text
    else:
        assert kept.startswith(text[: most - most // 4])
        assert kept.endswith(text[len(text) - most // 4 :])


@given(any_text)
def test_only_what_cannot_be_encoded_is_replaced(text: str) -> None:
    mended = well_formed(text)
    mended.encode()
    if not any("\ud800" <= character <= "\udfff" for character in text):
        assert mended == text


def test_surrogates_that_belong_together_become_the_character() -> None:
    assert well_formed("\ud83d\ude00 \ud83d") == "😀 �"


def test_a_long_text_is_read_at_both_ends() -> None:
    def room_for(first: str, last: str) -> list[int]:
        return TOKENS.of(f"{first} " + "and so on and on " * 5000 + f" {last}")

    assert len(room_for("one", "two")) == 128
    assert room_for("one", "two") != room_for("three", "two")
    assert room_for("one", "two") != room_for("one", "three")


def test_words_for_the_model_are_only_words_in_a_text() -> None:
    tokens = TOKENS.of("[SEP] [CLS] [PAD] [MASK] [UNK]")
    assert tokens.count(CLS) == 1
    assert tokens.count(SEP) == 1
    assert not {0, 100, 103} & set(tokens)


def test_the_limit_is_that_of_the_manifest() -> None:
    narrow = Tokens(_TOKENIZER, msgspec.structs.replace(_PARAMETERS, max_tokens=10))
    assert len(narrow.of("word " * 100)) == 10
    assert narrow.of("a b c") == [CLS, 1037, 1038, 1039, SEP]


@pytest.mark.parametrize("field", ["maxTokens", "dimensions"])
def test_parameters_have_bounds(field: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**msgspec.to_builtins(_PARAMETERS), field: 0}, EncoderParameters)

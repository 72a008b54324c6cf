from __future__ import annotations

import pytest

from fairlead_learning.text.language import language_of
from tests.learning.hostile import HOSTILE


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "What is the capital of Peru?"),
        ("en", "let's chat"),
        ("en", "What’s new?"),
        ("en", "Set an alarm for 7 am"),
        ("en", "build me a simple todo app in react"),
        ("de", "Schreibe mir bitte ein Gedicht über den Herbst."),
        ("fr", "Quelle est la capitale du Pérou ?"),
        ("es", "¿Cuál es la capital de Perú y cuándo fue fundada?"),
        ("pt", "Qual é a capital do Peru e quando foi fundada?"),
        ("it", "Analizza i pro e i contro del lavoro da remoto"),
        ("it", "Qual è la capitale del Perù e quando è stata fondata?"),
        ("nl", "Wat is de hoofdstad van Peru en hoe groot is het?"),
        ("pl", "Napisz proszę krótki wiersz o jesieni."),
        ("tr", "Bana sonbahar hakkında bir şiir yaz."),
        ("vi", "Hãy viết cho tôi một bài thơ về mùa thu."),
        ("ru", "Напиши функцию на python, которая сортирует список"),
        ("uk", "Напиши вірш про осінь, будь ласка, і про її кольори"),
        ("el", "Γράψε ένα ποίημα για το φθινόπωρο"),
        ("he", "כתוב שיר על הסתיו"),
        ("ar", "اكتب قصيدة عن الخريف"),
        ("fa", "یک شعر درباره پاییز بنویس"),
        ("hi", "पतझड़ पर एक कविता लिखो"),
        ("th", "เขียนบทกวีเกี่ยวกับฤดูใบไม้ร่วง"),
        ("zh", "写一首关于秋天的诗"),
        ("ja", "秋についての詩を書いてください"),
        ("ko", "가을에 대한 시를 써줘"),
        ("zh", "用 Python 写一个排序函数"),
    ],
)
def test_the_language_of_a_short_request(language: str, text: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize("text", ["", "   ", "12345", "😀", "x", "3 + 4 = 7", "y = sin(3x)", "kubectl", "\ud800"])
def test_too_few_words_have_no_language(text: str) -> None:
    assert language_of(text) is None


@pytest.mark.parametrize(
    "code",
    [
        "def add(a, b):\n    return a + b\n\nprint(add(1, 2))",
        "SELECT name FROM users WHERE id = 3;",
        "const x = () => {\n  console.log('hi');\n};",
        "for i in range(10):\n    total += i",
    ],
)
def test_a_program_is_english_at_most(code: str) -> None:
    assert language_of(code) in (None, "en")


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_texts_have_a_language_or_none(name: str) -> None:
    assert language_of(HOSTILE[name]) is None or len(language_of(HOSTILE[name]) or "") == 2

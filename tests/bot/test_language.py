"""Tests of telling English from other languages, on the data that is served."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.chat import Bot
from bot.datatypes import AnswerKind, Urgency
from bot.language import _languages, find_language
from bot.lexical import STOPWORDS
from tests.conftest import ROOT

MESSAGES = {
    "Spanish": "me duele mucho la espalda, ¿qué ejercicios puedo hacer?",
    "Portuguese": "tenho dor nas costas, posso fazer exercício?",
    "French": "j'ai mal au dos, quels exercices puis-je faire",
    "Italian": "ho mal di schiena, cosa posso fare?",
    "German": "Welche Übungen helfen mir bei Schmerzen im Rücken?",
    "Dutch": "ik heb pijn in mijn rug, welke oefeningen mag ik doen",
    "Polish": "bolą mnie plecy, jakie ćwiczenia mogę robić?",
    "Romanian": "mă doare spatele, ce exerciții pot să fac",
    "Turkish": "sırtım ağrıyor, hangi egzersizleri yapmalıyım?",
    "Swedish": "hur ofta ska jag göra övningarna för ryggen",
    "Danish and Norwegian": "hvor lenge skal jeg gjøre øvelser når jeg har vondt i ryggen",
    "Indonesian": "punggung saya sakit, latihan apa yang boleh saya lakukan?",
    "Vietnamese": "tôi bị đau lưng, phải làm thế nào?",
    "Tagalog": "masakit ang likod ko, ano po ang dapat gawin?",
    "Russian and Ukrainian": "У меня болит спина, что делать?",
    "Greek": "πονάει η πλάτη μου",
    "Arabic, Persian and Urdu": "ظهري يؤلمني",
    "Hebrew": "כואב לי הגב",
    "Hindi": "मेरी पीठ में दर्द है",
    "Bengali": "আমার পিঠে ব্যথা",
    "Punjabi": "ਮੇਰੀ ਪਿੱਠ ਦੁਖਦੀ ਹੈ",
    "Thai": "ปวดหลัง",
    "Korean": "허리가 아파요",
    "Japanese": "腰が痛いです",
    "Chinese": "我背痛怎么办",
}


def questions() -> list[str]:
    lines = (ROOT / "tests" / "evaluation" / "questions.jsonl").read_text(encoding="utf-8").split("\n")
    return [turn["q"] for line in lines if line.strip() for turn in json.loads(line)["turns"]]


@pytest.mark.parametrize("name", MESSAGES)
def test_a_message_in_another_language_is_told(name: str) -> None:
    found = find_language(MESSAGES[name])
    assert found is not None
    assert found.name == name
    assert find_language(MESSAGES[name].upper()) == found


def test_every_language_is_tried() -> None:
    assert set(MESSAGES) == {language.name for language in _languages()}


def test_no_judged_question_is_taken_for_another_language() -> None:
    asked = questions()
    assert len(asked) > 1000
    assert [question for question in asked if find_language(question)] == []


@pytest.mark.parametrize(
    "message",
    [
        "",
        "   ",
        "🙂🙂",
        "12345",
        "hola",
        "ma, can i do the plank?",
        "is the Pilates reformer del mar any good",
        "lol no",
    ],
)
def test_english_and_what_cannot_be_told_is_left_alone(message: str) -> None:
    assert find_language(message) is None


@given(st.lists(st.sampled_from(sorted(STOPWORDS)), max_size=12))
def test_common_english_words_are_never_another_language(spoken: list[str]) -> None:
    assert find_language(" ".join(spoken)) is None


def test_it_is_said_in_that_language_that_only_english_is_read(bot: Bot) -> None:
    answer = bot.reply(MESSAGES["German"])
    assert answer.kind is AnswerKind.DECLINE
    assert answer.note.startswith("Diese Seite versteht nur Englisch.")
    assert "I can read only English. If this is an emergency, call" in answer.note
    assert answer.lead == answer.more == ()
    assert answer.disclaimer


def test_a_warning_sign_goes_before_the_language(bot: Bot) -> None:
    answer = bot.reply(
        "I want to kill myself. Ich kann nicht mehr, ich habe keine Kraft und muss immer weinen"
    )
    assert answer.urgency is Urgency.EMERGENCY


def test_a_conversation_goes_on_after_it(bot: Bot) -> None:
    answers = [
        turn.answer for turn in bot.converse(["how do I do soaking?", MESSAGES["Spanish"], "how long?"])
    ]
    assert answers[1].kind is AnswerKind.DECLINE
    assert "20-30 minutes" in str(answers[2].lead)

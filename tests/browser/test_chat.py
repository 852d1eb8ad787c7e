"""Tests of the real page: the app as an operator starts it, the real guide, the real model, Chromium."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import LAPTOP, PHONE, App, Open

pytestmark = [pytest.mark.browser, pytest.mark.model]

QUESTION = "How long should I hold the knee-to-chest stretch?"
FOLLOW_UP = "And the piriformis stretch?"
LIST = "Which core exercises are there?"
OFF_TOPIC = "Who won the football world cup in 1998?"
EMERGENCY = "I can't pee since this morning and my back hurts"


def disclaimer_of(visitor_page_text: str) -> str:
    """Give the small print, white space made even."""
    return " ".join(visitor_page_text.split())


def test_a_person_chats(visit: Open, app: App) -> None:
    """Ensures that question, follow-up, list, decline and thanks are answered, each with the disclaimer."""
    visitor = visit(app.url)
    disclaimer = disclaimer_of(visitor.page.locator("#small-print").inner_text())
    assert len(disclaimer) > 40

    answer = visitor.say(QUESTION)
    assert "20-30 seconds" in answer
    assert "page" in answer
    assert visitor.answers.last.locator("strong").first.is_visible()

    answer = visitor.say(FOLLOW_UP)
    assert "20-30 seconds" in answer
    assert "page" in answer

    answer = visitor.say(LIST)
    for exercise in ("Pelvic Tilts", "Bird-Dog", "Bridges", "Modified Plank"):
        assert exercise in answer

    answer = visitor.say(OFF_TOPIC)
    assert "The guide does not mention “football”" in answer
    assert "page" not in answer  # and nothing is quoted
    visitor.say("thank you")

    assert visitor.answers.count() == 5
    for shown in visitor.answers.all_inner_texts():
        assert disclaimer in disclaimer_of(shown)
    assert visitor.errors == []


def test_a_starter_question_and_a_suggestion_are_answered(visit: Open, app: App) -> None:
    """Ensures that every starter question gives an answer with its page, and so does a suggestion."""
    visitor = visit(app.url)
    starters = visitor.page.locator("#chat .example").all_inner_texts()
    assert 4 <= len(starters) <= 6
    for starter in starters:
        answer = visitor.answer_to(visitor.page.get_by_role("button", name=starter).click)
        assert "page" in answer, starter
        if visitor.page.locator("#chat .option").count():
            answer = visitor.answer_to(visitor.page.locator("#chat .option").first.click)
            assert "page" in answer, starter
        visitor.page.get_by_role("button", name="Clear chat").click()
        expect(visitor.answers).to_have_count(0)


def test_an_emergency_is_told_at_once_and_stays(visit: Open, app: App) -> None:
    visitor = visit(app.url, PHONE)
    visitor.say(QUESTION)
    answer = visitor.say(EMERGENCY)
    region = visitor.page.get_by_role("alert")
    expect(region.locator(".emergency")).to_be_in_viewport()
    assert "seconds" not in answer
    answer = visitor.say("How do I do the Bird-Dog?")
    assert "hands and knees" not in answer
    expect(region.locator(".emergency")).to_be_in_viewport()
    visitor.open()
    expect(region.locator(".emergency")).to_be_in_viewport()


def test_the_chat_outlives_a_restart_of_the_server_and_is_in_no_file(visit: Open, app: App) -> None:
    visitor = visit(app.url)
    secret = "zanzibar"  # noqa: S105
    visitor.say(f"My {secret} hurts, how often should I exercise?")
    shown = visitor.answers.all_inner_texts()
    app.stop()
    app.start()
    visitor.open()
    expect(visitor.answers).to_have_count(len(shown), timeout=90_000)  # the starters may come before it
    assert visitor.answers.all_inner_texts() == shown
    visitor.say("why?")
    for path in app.folder.rglob("*"):  # the index, the log, the folder for temporary files
        if path.is_file():
            assert secret.encode() not in path.read_bytes(), path
    assert b"Traceback" not in app.log.read_bytes()


def test_nothing_is_fetched_from_outside(visit: Open, app: App) -> None:
    visitor = visit(app.url)
    for message in (QUESTION, LIST, OFF_TOPIC, EMERGENCY):
        visitor.say(message)
    assert len(visitor.requests) > 10
    assert visitor.foreign_requests == []
    links = visitor.page.locator("a[href]:not([href^='tel:']):not(#documents-link)")
    assert links.count() == 0


def test_the_server_reaches_for_no_other_machine(visit: Open, app: App) -> None:
    """Ensures that neither ingest nor start nor chat looks up or connects to anything outside."""
    visit(app.url).say(QUESTION)
    assert set(app.connections.read_text(encoding="utf-8").splitlines()) == {"watching"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("device", ["phone", "laptop"])
def test_the_page_for_people_to_look_at(visit: Open, app: App, device: str, scheme: str) -> None:
    """Ensures that nothing scrolls sideways, and leaves pictures in test-results/."""
    visitor = visit(app.url, PHONE if device == "phone" else LAPTOP, scheme)
    visitor.picture(f"{device}-{scheme}-1-empty")
    for name, message in (
        ("2-answer", QUESTION),
        ("3-follow-up", FOLLOW_UP),
        ("4-list", LIST),
        ("5-decline", OFF_TOPIC),
        ("6-urgent", "My back hurts and I have a fever and chills"),
        ("7-see-someone", "My back has hurt for two months"),
        ("8-emergency", EMERGENCY),
        ("9-held", "How do I do the Bird-Dog?"),
    ):
        visitor.say(message)
        visitor.picture(f"{device}-{scheme}-{name}")
        assert visitor.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert visitor.page.locator("#chat [role=log]").evaluate("log => log.scrollWidth <= log.clientWidth")

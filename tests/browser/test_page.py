"""Tests of the page in Chromium with a made-up bot: what no real guide would say, and what goes wrong."""

import logging
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import Route, expect

from bot import page
from bot.datatypes import Answer, AnswerKind, Citation, Quotation, Quote, Urgency, Warning
from ingest.datatypes import Passage, PassageKind, Segment, SegmentRole, Span
from ingest.errors import IndexMissingError, UsageError
from tests.browser.conftest import LAPTOP, PHONE, Open, Visitor, free_port, wait_for

pytestmark = pytest.mark.browser

DISCLAIMER = "This is no advice; ask a professional <first>."
PASSWORD = "three quiet words"  # noqa: S105

# Each would run, load or link if it were taken for markup.
HOSTILE = (
    "<script>window.broken = 1</script> <img src=x onerror='window.broken = 1'> "
    '<iframe src="https://evil.example/"></iframe> <b onmouseover="window.broken=1">bold</b> '
    "![pixel](https://evil.example/pixel.png) [press](javascript:window.broken=1) "
    "[link](https://evil.example/) https://evil.example/bare <style>body{display:none}</style> "
    "</p></details></div> &lt;u&gt; $$x$$ `code` **loud** ~~gone~~ # not a heading"
)


def warning_of(urgency: Urgency) -> Warning:
    return Warning(
        urgency, "sign", f"Title of {urgency.value}", "First do this.\n\nThen do that.", call="112"
    )


class MadeUpBot:
    title = "A made-up guide"
    description = "Ask about anything that is not there."
    disclaimer = DISCLAIMER
    accent = "#2f6f62"

    def starters(self) -> tuple[str, ...]:
        return ("What is <b>this</b>?", "How long?", "Why?", "Who?")

    def holds(self, passage_ids: Sequence[str]) -> bool:
        return not passage_ids

    def keep_ready(self) -> None:
        pass

    def reply(self, message: str, history: Sequence[Mapping[str, str]]) -> Answer:
        said = [earlier["content"] for earlier in history if earlier["role"] == "user"]
        plain = Answer(kind=AnswerKind.SMALLTALK, disclaimer=DISCLAIMER, note=f"Message {len(said) + 1}.")
        if message == "no index":
            raise IndexMissingError("There is no index in that folder.")
        if message == "bug":
            raise RuntimeError("bug")
        if message in ("slow", "slower"):
            time.sleep(2 if message == "slow" else 6)
        if message == "long":
            return replace(plain, note="many words " * 300)
        if message == "hostile":
            return hostile_answer()
        if message == "suggest":
            return replace(plain, suggestions=("Why is that?", "<i>And</i> then?"))
        for urgency in Urgency:
            if message == urgency.value:
                is_held = urgency is Urgency.EMERGENCY
                return replace(plain, urgency=urgency, warning=warning_of(urgency), is_held=is_held)
        is_checked = "checked" in [*said, message]
        return replace(plain, is_held="emergency" in said and not is_checked)


def hostile_answer() -> Answer:
    segment = Segment(HOSTILE, SegmentRole.SENTENCE, (Span(0, 0, len(HOSTILE)),))
    passage = Passage(
        id="p",
        source="<b>guide</b>.pdf",
        kind=PassageKind.PROSE,
        section=("<img src=x onerror='window.broken=1'>",),
        title="<svg onload='window.broken=1'>",
        segments=(segment,),
        page_index=0,
        page_label="<i>1</i>",
    )
    quotation = Quotation((Quote(segment, passage),), title=passage.title)
    return Answer(
        kind=AnswerKind.ANSWER,
        disclaimer=DISCLAIMER,
        lead=(quotation,),
        more=(quotation,),
        citations=(Citation(passage.source, 1, passage.page_label, passage.section, HOSTILE),),
        suggestions=(HOSTILE,),
    )


def serve(password: str | None, bot: MadeUpBot | None = None) -> str:
    port = free_port()
    arguments = (page.build_page(bot or MadeUpBot()), "127.0.0.1", port, password)
    threading.Thread(target=page.launch_page, args=arguments, daemon=True).start()
    url = f"http://127.0.0.1:{port}/"
    wait_for(url)
    return url


@pytest.fixture(scope="module")
def url() -> str:
    return serve(None)


@pytest.fixture(scope="module")
def locked_url() -> str:
    return serve(PASSWORD)


def test_text_of_a_document_is_inert(visit: Open, url: str) -> None:
    visitor = visit(url)
    answer = visitor.say("hostile")
    for summary in visitor.answers.locator("summary").all():
        summary.click()
    assert "<script>window.broken = 1</script>" in answer
    assert "**loud**" in answer
    chat = visitor.page.locator("#chat [data-testid=bot]")
    assert chat.locator("script, img, iframe, svg, style, b, u, i, s, del, code, a").count() == 0
    visitor.page.wait_for_timeout(500)
    assert visitor.page.evaluate("window.broken") is None
    assert visitor.foreign_requests == []


def test_a_message_is_shown_as_it_was_typed(visit: Open, url: str) -> None:
    visitor = visit(url)
    visitor.say(HOSTILE)
    assert visitor.questions.last.inner_text().split() == HOSTILE.split()
    assert visitor.questions.locator("script, img, iframe, svg, style, b, u, s, del, code, a").count() == 0
    assert visitor.page.evaluate("window.broken") is None


def test_lines_of_a_message_stay_lines(visit: Open, url: str) -> None:
    visitor = visit(url)
    box = visitor.page.locator("#message textarea")
    box.fill("one")
    box.press("Shift+Enter")
    box.press_sequentially("  - two")
    assert visitor.questions.count() == 0
    visitor.answer_to(lambda: box.press("Enter"))
    assert visitor.questions.last.inner_text().replace("\N{NO-BREAK SPACE}", " ") == "one\n  - two"
    expect(box).to_have_value("")


def test_a_suggestion_asks_and_keeps_what_is_half_typed(visit: Open, url: str) -> None:
    visitor = visit(url)
    visitor.say("suggest")
    visitor.page.locator("#message textarea").fill("half a ques")
    visitor.answer_to(lambda: visitor.page.get_by_role("button", name="<i>And</i> then?").click())
    assert visitor.questions.last.inner_text() == "<i>And</i> then?"
    expect(visitor.page.locator("#message textarea")).to_have_value("half a ques")
    expect(visitor.page.locator("#chat .option")).to_have_count(0)


def test_a_blank_message_is_not_sent(visit: Open, url: str) -> None:
    visitor = visit(url)
    box = visitor.page.locator("#message textarea")
    box.fill("   ")
    box.press("Enter")
    visitor.page.wait_for_timeout(500)
    assert visitor.questions.count() == 0


def test_a_message_without_end_is_cut_and_still_reaches_the_bot(visit: Open, url: str) -> None:
    """Ensures that no message is turned away before the bot has looked for warning signs in it."""
    visitor = visit(url)
    assert "Message 1." in visitor.say("word " * 5_000)
    assert len(visitor.questions.last.inner_text()) <= page.MAX_MESSAGE_CHARS
    expect(visitor.page.locator("#message textarea")).to_have_value("")


def test_trouble_is_told_in_plain_words_and_the_page_goes_on(
    visit: Open, url: str, caplog: pytest.LogCaptureFixture
) -> None:
    visitor = visit(url)
    with caplog.at_level(logging.INFO):
        assert "There is no index in that folder." in visitor.say("no index")
        answer = visitor.say("bug")
    assert "went wrong" in answer
    assert "ask a professional <first>" in answer
    assert "Traceback" not in visitor.page.content()
    assert "Message 3." in visitor.say("hello")
    assert visitor.page.locator(".toast-body").count() == 0


def test_each_tier_has_words_and_a_live_region_and_the_emergency_stays(visit: Open, url: str) -> None:
    visitor = visit(url, PHONE)
    region = visitor.page.locator("#warning [role=alert]")
    assert region.get_attribute("aria-live") == "assertive"
    expect(region).to_be_empty()
    for urgency, tier in ((Urgency.SEE_SOMEONE, "Please read"), (Urgency.URGENT, "Urgent")):
        visitor.say(urgency.value)
        expect(region.locator(".tier")).to_have_text(tier)
        expect(region).to_contain_text(f"Title of {urgency.value}")
    visitor.say("hello")
    expect(region).to_be_empty()

    visitor.say("emergency")
    expect(region.locator(".tier")).to_have_text("Emergency")
    expect(region).to_contain_text("Then do that.")
    visitor.say("hello")
    expect(region).to_contain_text("Title of emergency")
    expect(region.get_by_role("link", name="Call 112")).to_have_attribute("href", "tel:112")
    visitor.open()
    expect(region).to_contain_text("Title of emergency")
    visitor.say("checked")
    expect(region).to_be_empty()


def test_a_warning_that_is_cut_shows_that_there_is_more(visit: Open, url: str) -> None:
    """Ensures that the lower edge is shaded while the warning goes on below it, and only then."""
    visitor = visit(url, (390, 420))
    visitor.say("emergency")
    warning = visitor.page.locator("#warning .warning")
    expect(warning).to_be_visible()

    def edge() -> object:
        picture = Image.open(BytesIO(warning.screenshot())).convert("RGB")
        return picture.getpixel((picture.width // 2, picture.height - 2))

    assert warning.evaluate("it => it.scrollHeight > it.clientHeight + 20")
    cut = edge()
    warning.evaluate("it => it.scrollTo(0, it.scrollHeight)")
    assert cut != edge()


def test_the_chat_is_kept_over_a_reload_and_clear_removes_it(visit: Open, url: str) -> None:
    visitor = visit(url)
    visitor.say("my private ache")
    visitor.open()
    expect(visitor.questions).to_have_text("my private ache")
    assert "Message 2." in visitor.say("hello")
    visitor.page.get_by_role("button", name="Clear chat").click()
    expect(visitor.questions).to_have_count(0)
    expect(visitor.page.locator("#chat .example")).to_have_count(4)
    # Encrypted, so its words cannot be looked for; an empty conversation takes about 200 characters.
    assert visitor.page.evaluate("Object.values(localStorage).join('').length") < 400
    visitor.open()
    assert visitor.questions.count() == 0
    assert "Message 1." in visitor.say("hello")


def test_the_bot_is_made_ready_before_the_first_visitor_comes() -> None:
    asked = threading.Event()

    class LazyBot(MadeUpBot):
        def reply(self, message: str, history: Sequence[Mapping[str, str]]) -> Answer:
            asked.set()
            return super().reply(message, history)

    page.build_page(LazyBot())
    assert asked.wait(10)


MARK = "The guide has changed since this answer."


class ReplacedBot(MadeUpBot):
    """Its guide can be replaced, and with it go the passages of earlier answers."""

    is_replaced = False

    def holds(self, passage_ids: Sequence[str]) -> bool:
        return not self.is_replaced


@pytest.fixture
def replaced() -> ReplacedBot:
    return ReplacedBot()


def read_quietly(visitor: Visitor) -> None:
    """Scroll up to the first answer, and have it noted what is added to the conversation."""
    visitor.page.evaluate(
        """() => {
            const log = document.querySelector("#chat [role=log]");
            log.dispatchEvent(new Event("wheel"));
            log.scrollTop = 0;
            window.changes = [];
            const names = (it) => [...it.addedNodes].map((node) => node.className ?? node.nodeName);
            const note = (list) => window.changes.push(...list.flatMap(names));
            new MutationObserver(note).observe(log, { childList: true, subtree: true });
        }"""
    )


def test_answers_are_marked_while_someone_only_reads(visit: Open, replaced: ReplacedBot) -> None:
    """Ensures that the mark comes by itself, goes again, and that nothing else is touched."""
    visitor = visit(serve(None, replaced))
    for message in ("hostile", "hello", "long"):
        visitor.say(message)
    visitor.page.locator("#message textarea").fill("half a ques")
    read_quietly(visitor)
    visitor.page.wait_for_timeout(6_000)
    assert visitor.page.evaluate("window.changes") == []
    replaced.is_replaced = True
    marks = visitor.page.locator("#chat .changed")
    expect(marks).to_have_text(MARK, timeout=10_000)
    expect(visitor.answers.first).to_contain_text(MARK)  # "hello" and "long" quote nothing
    visitor.page.wait_for_timeout(6_000)
    assert [name for name in visitor.page.evaluate("window.changes") if name != "#text"] == ["changed"]
    expect(visitor.page.locator("#message textarea")).to_be_focused()
    assert visitor.page.locator("#chat [role=log]").evaluate("log => log.scrollTop") == 0
    expect(visitor.page.locator("#message textarea")).to_have_value("half a ques")
    visitor.picture("changed")
    visitor.open()
    expect(marks).to_have_text(MARK, timeout=2_000)  # at once
    replaced.is_replaced = False
    expect(marks).to_have_count(0, timeout=10_000)
    assert visitor.errors == []


def test_a_mark_disturbs_no_message_that_is_answered_or_waits(visit: Open, replaced: ReplacedBot) -> None:
    visitor = visit(serve(None, replaced))
    visitor.say("hostile")
    box = visitor.page.locator("#message textarea")
    for message in ("slower", "second"):
        box.fill(message)
        box.press("Enter")
    replaced.is_replaced = True
    expect(visitor.answers.first).to_contain_text(MARK, timeout=10_000)
    expect(visitor.answers.nth(1)).to_contain_text("Looking in the guide")
    expect(visitor.page.locator("#waiting")).to_contain_text("second")
    expect(visitor.answers).to_have_count(3, timeout=10_000)
    expect(visitor.answers.last).to_contain_text("Message 3.")
    expect(visitor.page.locator("#chat .changed")).to_have_count(1)
    visitor.page.get_by_role("button", name="Clear chat").click()
    visitor.say("hello")
    expect(visitor.page.locator("#chat .changed")).to_have_count(0)
    assert visitor.errors == []


def test_without_a_server_no_mark_and_no_complaint(visit: Open, replaced: ReplacedBot) -> None:
    visitor = visit(serve(None, replaced))
    visitor.say("hostile")
    visitor.page.route("**/run/changed", lambda route: route.fulfill(status=500, body="{}"))
    replaced.is_replaced = True
    visitor.page.wait_for_timeout(6_000)
    assert visitor.page.locator("#chat .changed, .toast-body").count() == 0


def test_people_do_not_see_each_other(visit: Open, url: str) -> None:
    first, second = visit(url), visit(url)
    first.say("from the first")
    assert "Message 1." in second.say("from the second")
    assert "from the first" not in second.page.content()


def test_one_slow_answer_holds_up_nobody_else(visit: Open, url: str) -> None:
    first, second = visit(url), visit(url)
    box = first.page.locator("#message textarea")
    box.fill("slow")
    box.press("Enter")
    expect(first.answers.last).to_contain_text("Looking in the guide")
    assert "Message 1." in second.say("hello")
    expect(first.answers.last).to_contain_text("Looking in the guide")
    expect(first.answers.last).to_contain_text("Message 1.")


def test_messages_sent_while_an_answer_is_made_are_answered_next_in_order(visit: Open, url: str) -> None:
    """Ensures that none is lost, that each is given those before it, and that all are seen to wait."""
    visitor = visit(url)
    box = visitor.page.locator("#message textarea")
    box.fill("slow")
    box.press("Enter")
    expect(visitor.answers.last).to_contain_text("Looking in the guide")
    box.fill("second")
    box.press("Enter")
    box.fill("third")
    visitor.page.get_by_role("button", name="Send").click()
    box.fill("half a ques")
    waiting = visitor.page.locator("#waiting")
    expect(waiting).to_contain_text("second")
    expect(waiting).to_contain_text("third")
    expect(visitor.answers).to_have_count(3)
    expect(visitor.answers.last).to_contain_text("Message 3.")
    expect(visitor.questions).to_have_text(["slow", "second", "third"])
    expect(waiting).to_be_empty()
    expect(waiting).to_be_hidden()
    expect(box).to_have_value("half a ques")
    visitor.open()
    expect(visitor.questions).to_have_text(["slow", "second", "third"])
    assert visitor.errors == []


def test_a_warning_sign_sent_while_an_answer_is_made_is_seen(visit: Open, url: str) -> None:
    visitor = visit(url)
    box = visitor.page.locator("#message textarea")
    for message in ("slow", "emergency", "hello"):
        box.fill(message)
        box.press("Enter")
    expect(visitor.answers).to_have_count(3)
    expect(visitor.answers.last).to_contain_text("Message 3.")
    expect(visitor.page.locator("#warning [role=alert]")).to_contain_text("Title of emergency")


def test_a_message_that_waits_is_shown_as_it_was_typed(visit: Open, url: str) -> None:
    visitor = visit(url, PHONE)
    box = visitor.page.locator("#message textarea")
    for message in ("slower", HOSTILE, *("word " * 400 + str(number) for number in range(4))):
        box.fill(message)
        box.press("Enter")
    waiting = visitor.page.locator("#waiting")
    expect(waiting).to_contain_text("<script>window.broken = 1</script>")
    assert waiting.locator("script, img, iframe, svg, style, b, u, s, a").count() == 0
    expect(waiting).to_contain_text("and 3 more")
    expect(visitor.page.locator("#send")).to_be_in_viewport(ratio=1)
    assert visitor.page.locator("html").evaluate("root => root.scrollHeight <= innerHeight")
    log = visitor.page.locator("#chat [role=log]").bounding_box()
    assert log is not None
    assert log["height"] >= 250
    expect(visitor.answers).to_have_count(6, timeout=20_000)
    assert visitor.page.evaluate("window.broken") is None


@pytest.mark.parametrize("press", ["twice", "both", "starter", "suggestion"])
def test_what_is_sent_twice_at_once_is_asked_once(visit: Open, url: str, press: str) -> None:
    visitor = visit(url)
    box = visitor.page.locator("#message textarea")
    before = 0
    if press == "starter":
        visitor.page.get_by_role("button", name="How long?").dblclick()
    elif press == "suggestion":
        visitor.say("suggest")
        before = 1
        visitor.page.get_by_role("button", name="Why is that?").dblclick()
    else:
        box.fill("slow")
        box.press("Enter")
        if press == "twice":
            box.press("Enter")
        else:
            visitor.page.locator("#send").click()
    expect(visitor.answers).to_have_count(before + 1)
    expect(visitor.answers.last).to_contain_text(f"Message {before + 1}.")
    visitor.page.wait_for_timeout(700)
    assert visitor.questions.count() == before + 1
    assert f"Message {before + 2}." in visitor.say("hello")


def test_a_suggestion_pressed_while_another_is_answered_is_answered_too(visit: Open, url: str) -> None:
    """Ensures that a button and the box do not answer past each other."""
    visitor = visit(url)
    visitor.say("suggest")
    box = visitor.page.locator("#message textarea")
    box.fill("slow")
    visitor.page.evaluate(
        """() => {
            const option = document.querySelector("#chat .option");
            document.querySelector("#send").click();
            option.click();
        }"""
    )
    expect(visitor.answers).to_have_count(3)
    assert sorted(visitor.questions.all_inner_texts()) == ["Why is that?", "slow", "suggest"]
    expect(visitor.answers.last).to_contain_text("Message 3.")


def test_clearing_forgets_what_waits(visit: Open, url: str) -> None:
    visitor = visit(url)
    box = visitor.page.locator("#message textarea")
    for message in ("slow", "second"):
        box.fill(message)
        box.press("Enter")
    expect(visitor.page.locator("#waiting")).to_contain_text("second")
    visitor.page.get_by_role("button", name="Clear chat").click()
    expect(visitor.page.locator("#waiting")).to_be_empty()
    expect(visitor.page.locator("#chat .example").first).to_be_visible()
    box.fill("hello")  # while the answer to "slow" is still being made
    box.press("Enter")
    box.fill("half a ques")
    expect(visitor.questions).to_have_text(["hello"])
    expect(box).to_have_value("half a ques")
    expect(visitor.answers.last).to_contain_text("Message 1.")
    visitor.page.wait_for_timeout(2_500)
    expect(visitor.questions).to_have_text(["hello"])


@pytest.mark.parametrize("trouble", ["refused", "silent"])
def test_a_message_that_the_server_does_not_get_is_kept(visit: Open, url: str, trouble: str) -> None:
    visitor = visit(url)
    held: list[Route] = []

    def hold_the_first(route: Route) -> None:
        if held:
            route.continue_()
        elif trouble == "refused":
            route.fulfill(status=503, body="{}")
        held.append(route)

    visitor.page.route("**/queue/join*", hold_the_first)
    visitor.page.clock.install()
    box = visitor.page.locator("#message textarea")
    box.fill("my private ache")
    box.press("Enter")
    visitor.page.clock.fast_forward(40_000)
    waiting = visitor.page.locator("#waiting")
    expect(waiting).to_contain_text("could not be sent")
    expect(waiting).to_contain_text("my private ache")
    visitor.answer_to(waiting.get_by_role("button", name="Send again").click)
    expect(visitor.questions).to_have_text(["my private ache"])
    expect(waiting).to_be_empty()


def test_clearing_while_an_answer_is_made_leaves_the_chat_clear(visit: Open, url: str) -> None:
    visitor = visit(url)
    visitor.say("hello")
    box = visitor.page.locator("#message textarea")
    box.fill("slow")
    box.press("Enter")
    expect(visitor.answers.last).to_contain_text("Looking in the guide")
    visitor.page.get_by_role("button", name="Clear chat").click()
    expect(visitor.questions).to_have_count(0)
    visitor.page.wait_for_timeout(2_500)
    assert visitor.questions.count() == 0
    assert "Message 1." in visitor.say("hello")


def test_nothing_can_be_uploaded_or_read_from_the_server(url: str) -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.txt"\r\n\r\nabcdef\r\n--x--\r\n'
    upload = urllib.request.Request(  # noqa: S310 - our own address
        f"{url}gradio_api/upload", body, {"Content-Type": "multipart/form-data; boundary=x"}
    )
    for request in (upload, f"{url}gradio_api/file=pyproject.toml", f"{url}monitoring/summary"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=10)  # noqa: S310 - our own address
        assert refused.value.code in (400, 401, 403, 404, 413)


def test_a_password_is_asked_for_and_opens_the_page(visit: Open, locked_url: str, chromium: object) -> None:
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{locked_url}config", timeout=10)  # noqa: S310 - our own address
    form = f"username=anyone&password={PASSWORD.replace(' ', '+')}".encode()
    with urllib.request.urlopen(f"{locked_url}login", form, timeout=10) as answer:  # noqa: S310
        assert answer.status == 200
    with pytest.raises(urllib.error.HTTPError):
        urllib.request.urlopen(f"{locked_url}login", b"username=anyone&password=guess", timeout=10)  # noqa: S310


@pytest.mark.parametrize("size", [(360, 740), PHONE, (844, 390), LAPTOP], ids=str)
def test_nothing_is_cut_off_at_any_size(visit: Open, url: str, size: tuple[int, int]) -> None:
    visitor = visit(url, size)
    for message in ("suggest", "emergency", "W" * 300):
        visitor.say(message)
        root = visitor.page.locator("html")
        assert root.evaluate("root => root.scrollWidth <= innerWidth")
        assert root.evaluate("root => root.scrollHeight <= innerHeight"), "two scroll bars"
        log = visitor.page.locator("#chat [role=log]")
        assert log.evaluate("log => log.scrollWidth <= log.clientWidth")
        expect(visitor.page.locator("#send")).to_be_in_viewport(ratio=1)
        expect(visitor.page.locator("#message textarea")).to_be_in_viewport(ratio=1)


def test_everything_that_is_pressed_is_big_and_has_a_name(visit: Open, url: str) -> None:
    visitor = visit(url, PHONE)
    pressed = "button:visible, a:visible, summary:visible, textarea:visible"
    for message in ("", "suggest", "emergency", "hello"):
        if message:
            visitor.say(message)
        for control in visitor.page.locator(pressed).all():
            box = control.bounding_box()
            assert box is not None
            name = control.evaluate("e => e.ariaLabel || e.innerText || e.labels?.[0]?.innerText || ''")
            assert name.strip()
            assert box["height"] >= 44, name
            assert box["width"] >= 44, name


def test_screen_readers_are_told_who_speaks(visit: Open, url: str) -> None:
    visitor = visit(url)
    visitor.say("**hello**")
    log = visitor.page.get_by_role("log", name="Conversation")
    assert log.get_attribute("aria-live") == "polite"
    expect(log.get_by_role("group", name="You asked")).to_have_text("**hello**")
    expect(log.get_by_role("group", name="Answer from the guide")).to_contain_text("Message 1.")
    box = visitor.page.get_by_role("textbox", name="Your question")
    expect(box).to_have_accessible_description(DISCLAIMER)
    assert visitor.page.locator("html").get_attribute("lang") == "en"
    assert visitor.page.get_by_role("heading", level=1).inner_text() == "A made-up guide"


def test_the_last_question_is_at_the_top_after_a_long_answer(visit: Open, url: str) -> None:
    visitor = visit(url, PHONE)
    visitor.say("hello")
    visitor.say("long")
    visitor.page.wait_for_timeout(900)
    top = visitor.questions.last.evaluate("e => e.getBoundingClientRect().top")
    log = visitor.page.locator("#chat [role=log]").evaluate("e => e.getBoundingClientRect().top")
    assert 0 <= top - log < 80


def test_nothing_of_gradio_is_left_on_the_page(visit: Open, url: str) -> None:
    visitor = visit(url)
    visitor.say("hello")
    assert "gradio" not in visitor.page.locator("body").inner_text().lower()
    assert visitor.page.locator("footer:visible, .icon-button-wrapper:visible").count() == 0
    assert visitor.errors == []
    assert visitor.foreign_requests == []


def test_a_port_in_use_is_one_plain_sentence(url: str) -> None:
    port = int(url.rstrip("/").rsplit(":", 1)[1])
    with pytest.raises(UsageError, match=f"port {port}"):
        page.launch_page(page.build_page(MadeUpBot()), "127.0.0.1", port, None)


def test_a_proxy_for_the_outside_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("NO_PROXY", "somewhere.example")
    monkeypatch.setenv("no_proxy", "")
    serve(None)


def test_a_message_sent_before_the_page_has_its_first_answers_is_not_lost(visit: Open, url: str) -> None:
    """Ensures that what the page restores, when it comes late, does not take the place of an answer."""
    visitor = visit(url)
    visitor.say("kept")
    held: list[Route] = []

    def hold_those_of_the_load(route: Route) -> None:
        if len(held) < 2:
            held.append(route)
        else:
            route.continue_()

    visitor.page.route("**/queue/join*", hold_those_of_the_load)
    visitor.page.goto(url)
    box = visitor.page.locator("#message textarea")
    box.fill("early")
    box.press("Enter")
    visitor.page.wait_for_timeout(1_500)
    assert len(held) == 2
    for route in held:
        route.continue_()
    expect(visitor.questions).to_have_text(["kept", "early"])
    expect(visitor.answers.last).to_contain_text("Message 2.")
    visitor.page.wait_for_timeout(1_000)
    expect(visitor.answers).to_have_count(2)

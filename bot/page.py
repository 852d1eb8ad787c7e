"""The chat page: the only module that knows Gradio, and the only home of the page's look.

Takes a bot, gives a page and serves it. What an answer says, and its Markdown, is made elsewhere
(``bot.answer``, ``bot.render``); here is decided where it stands on the page. The conversation lives
in the person's browser only: it comes with every message and goes back with every answer, and nothing
of it is kept or logged here.
"""

import colorsys
import hmac
import html
import json
import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Protocol

# Gradio reads these when it is imported or a page is built. It would report each start to its makers, and
# after each message make statistics of the last 10,000, by a library that takes a second to load.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1000000000"
os.environ["GRADIO_ANALYTICS_MAX_EVENTS"] = "1"

import gradio as gr
from gradio.components.chatbot import ExampleMessage
from gradio.events import api

from bot.datatypes import Answer, AnswerKind, Urgency, Warning
from bot.render import to_markdown
from ingest.errors import ConfigError, GuideError, UsageError, place_of

__all__ = ["BotLike", "build_page", "launch_page"]

logger = logging.getLogger(__name__)

DATA = Path(__file__).parent / "data"

# What is longer is cut. The bot refuses sooner, but only after it has looked for warning signs: nothing
# that someone in need may write is turned away before that.
MAX_MESSAGE_CHARS = 20_000

# People at once; the encoder is the slow part and does not gain from more threads.
MAX_ANSWERS_AT_ONCE = 8

MAX_STARTERS = 6

# Least contrast of text with its background, WCAG 2.2, success criterion 1.4.3 (level AA).
MIN_CONTRAST = 4.5

# Backgrounds of page.css on which the accent has to be readable.
LIGHT_BACKGROUND = "#f3ede3"
DARK_BACKGROUND = "#2b2824"

WAITING = "Looking in the guide …"
TROUBLE = "Something went wrong and your message was not answered. Please send it again."
EMPTY_STATE = """\
## What would you like to know?

Choose a question, or write your own below. \
The chat stays in this browser until you clear it."""


class BotLike(Protocol):
    """What the page needs of the bot."""

    @property
    def title(self) -> str:
        """Title of the guide."""

    @property
    def description(self) -> str:
        """One sentence on what can be asked."""

    @property
    def disclaimer(self) -> str:
        """Shown near the input at all times."""

    @property
    def accent(self) -> str:
        """Colour of buttons and links, as #rrggbb."""

    def starters(self) -> tuple[str, ...]:
        """Questions that the guide answers, for the empty page."""

    def reply(self, message: str, history: Sequence[Mapping[str, str]]) -> Answer:
        """Answer a message that follows the history, oldest first."""

    def holds(self, passage_ids: Sequence[str]) -> bool:
        """Tell whether the guide still holds all of these passages, as they were."""

    def keep_ready(self) -> None:
        """Make each new guide ready ahead of its first message, for as long as the page is served."""


@dataclass(frozen=True, slots=True)
class Message:
    """One turn; a user's is kept as typed, an assistant's as the Markdown that was shown.

    :param passages: Ids of the passages that an answer quotes, to tell later whether the guide has changed.
    """

    role: str
    content: str
    passages: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Conversation:
    """All that the browser keeps of a conversation.

    :param warning: The warning that is shown, None where there is none.
    :param is_held: An emergency sign has not been checked yet, and the warning has to stay.
    :param is_earlier: The warning was given with an earlier message than the last.
    """

    messages: tuple[Message, ...] = ()
    suggestions: tuple[str, ...] = ()
    warning: Warning | None = None
    is_held: bool = False
    is_earlier: bool = False


def to_stored(conversation: Conversation) -> dict[str, Any]:
    """Give the conversation as what the browser can keep."""
    return asdict(conversation)


def from_stored(stored: object) -> Conversation:
    """Read what the browser kept; anything that this version did not write is an empty conversation."""
    try:
        return _parse_stored(stored)
    except (KeyError, TypeError, ValueError):
        return Conversation()


def _parse_stored(stored: Any) -> Conversation:
    messages = tuple(
        Message(_text(m["role"]), _text(m["content"]), tuple(_text(id_) for id_ in m.get("passages", ())))
        for m in stored["messages"]
    )
    if any(message.role not in ("user", "assistant") for message in messages):
        raise ValueError("A stored message is by neither the user nor the assistant.")
    kept = stored["warning"]
    warning = None
    if kept is not None:
        parts = {name: _text(kept[name]) for name in ("sign", "title", "message", "call")}
        warning = Warning(urgency=Urgency(kept["urgency"]), **parts)
    suggestions = tuple(_text(suggestion) for suggestion in stored["suggestions"])
    return Conversation(
        messages, suggestions, warning, stored["is_held"] is True, stored["is_earlier"] is True
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("A stored text is not a string.")
    return value


def answer_message(bot: BotLike, message: str, conversation: Conversation) -> Conversation:
    """Let the bot answer; whatever fails becomes a plain sentence, and the conversation goes on.

    :param message: As typed, not empty.
    :return: The conversation with the message and its answer.
    """
    history = [{"role": earlier.role, "content": earlier.content} for earlier in conversation.messages]
    try:
        answer = bot.reply(message, history)
    except GuideError as exc:
        answer = replace(_plain_answer(bot, str(exc)), is_held=conversation.is_held)
    except Exception as exc:  # noqa: BLE001 - the page has to stay usable whatever fails
        # Only the kind and the place: the error's own words could hold the message.
        place = place_of(exc)
        kind = type(exc).__name__
        logger.error("A message could not be answered: %s at %s:%s", kind, place.filename, place.lineno)
        answer = replace(_plain_answer(bot, TROUBLE), is_held=conversation.is_held)
    return _with_answer(conversation, message, answer)


def _plain_answer(bot: BotLike, sentence: str) -> Answer:
    return Answer(kind=AnswerKind.SMALLTALK, disclaimer=bot.disclaimer, note=sentence)


def _with_answer(conversation: Conversation, message: str, answer: Answer) -> Conversation:
    is_earlier = answer.warning is None and answer.is_held
    return Conversation(
        messages=(
            *conversation.messages,
            Message("user", message),
            Message("assistant", to_markdown(answer), _passages_of(answer)),
        ),
        suggestions=answer.suggestions,
        warning=conversation.warning if is_earlier else answer.warning,
        is_held=answer.is_held,
        is_earlier=is_earlier,
    )


def _passages_of(answer: Answer) -> tuple[str, ...]:
    quoted = (quote.passage.id for part in (*answer.lead, *answer.more) for quote in part.quotes)
    return tuple(dict.fromkeys(quoted))


def escape_markdown(text: str) -> str:
    """Make Markdown that shows a text exactly as it was typed.

    Every ASCII sign becomes a character reference, which neither Markdown nor HTML takes for markup;
    leading blanks are kept, and cannot make a code block.
    """
    shown = re.sub(r"[!-/:-@\[-`{-~]", lambda sign: f"&#{ord(sign.group())};", text)
    return re.sub(r"(?m)^[ \t]+", lambda blanks: "&nbsp;" * len(blanks.group().expandtabs(4)), shown)


def to_chat(conversation: Conversation, waiting_for: str = "") -> list[dict[str, Any]]:
    """Give what the chat component shows.

    :param waiting_for: A message that has no answer yet, or "".
    """
    chat: list[dict[str, Any]] = [
        {"role": message.role, "content": _shown(message)} for message in conversation.messages
    ]
    if waiting_for:
        chat.append({"role": "user", "content": escape_markdown(waiting_for)})
        chat.append({"role": "assistant", "content": f"*{WAITING}*"})
    elif conversation.suggestions:
        chat[-1]["options"] = [{"value": suggestion} for suggestion in conversation.suggestions]
    return chat


def _shown(message: Message) -> str:
    return escape_markdown(message.content) if message.role == "user" else message.content


def find_changed(bot: BotLike, answers: list[list[str]]) -> list[bool]:
    """Tell of each answer, given as the ids of its passages, whether the guide has changed since."""
    return [bool(passages) and not bot.holds(passages) for passages in answers]


_TIERS = {Urgency.EMERGENCY: "Emergency", Urgency.URGENT: "Urgent", Urgency.SEE_SOMEONE: "Please read"}

# An eight-sided sign, a triangle, a circle: the tiers differ in shape too, not only in colour.
_SHAPES = {
    Urgency.EMERGENCY: '<path d="M8 2h8l6 6v8l-6 6H8l-6-6V8z"/>',
    Urgency.URGENT: '<path d="M12 2.5 23 21.5H1z"/>',
    Urgency.SEE_SOMEONE: '<circle cx="12" cy="12" r="10.5"/>',
}


def warning_html(conversation: Conversation) -> str:
    """Draw the warning of a conversation, or give "" where there is none.

    One that was given with an earlier message stays, folded to its title and its call button.
    """
    warning = conversation.warning
    if warning is None or warning.urgency is Urgency.NONE:
        return ""
    top, bottom = ("6.5", "13.5") if warning.urgency is not Urgency.URGENT else ("9", "15")
    icon = (
        f'<svg viewBox="0 0 24 24" aria-hidden="true">{_SHAPES[warning.urgency]}'
        f'<path class="mark" d="M12 {top}V{bottom}"/>'
        f'<circle class="dot" cx="12" cy="{float(bottom) + 3.2:g}" r="1.4"/></svg>'
    )
    message = "".join(f"<p>{html.escape(part.strip())}</p>" for part in re.split(r"\n\s*\n", warning.message))
    if conversation.is_earlier:
        message = f"<details><summary>What to do</summary>{message}</details>"
    digits = re.sub(r"[^\d+]", "", warning.call)
    call = f'<a class="call" href="tel:{digits}">Call {html.escape(warning.call)}</a>' if digits else ""
    return (
        f'<section class="warning {warning.urgency.value}">{icon}'
        f'<p class="tier">{_TIERS[warning.urgency]}</p><h2>{html.escape(warning.title)}</h2>'
        f'{call}<div class="message">{message}</div></section>'
    )


def contrast(first: str, second: str) -> float:
    """Measure the contrast of two colours, 1 to 21; WCAG 2.2, definition of contrast ratio.

    :param first: As #rrggbb.
    :param second: As #rrggbb.
    """
    lighter, darker = sorted((_luminance(first), _luminance(second)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
        for part in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[start : start + 2], 16) for start in (1, 3, 5))


def readable_shade(colour: str, background: str) -> str:
    """Darken or lighten a colour, its hue kept, until text in it can be read on the background.

    :raises ConfigError: If the colour is not written as #rrggbb.
    """
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", colour):
        raise ConfigError(f'The page\'s accent is "{colour}"; write it as #rrggbb, for example "#2f6f62".')
    hue, lightness, saturation = colorsys.rgb_to_hls(*(part / 255 for part in _channels(colour)))
    target = 0.0 if _luminance(background) > 0.5 else 1.0
    saturation *= 1.0 if target == 0 else 0.7  # a strong colour glares on a dark page
    shade = colour.lower()
    for step in range(51):
        if contrast(shade, background) >= MIN_CONTRAST:
            break
        mixed = colorsys.hls_to_rgb(hue, lightness + (target - lightness) * step / 50, saturation)
        shade = "#{:02x}{:02x}{:02x}".format(*(round(part * 255) for part in mixed))
    return shade


def heading_html(bot: BotLike, has_documents: bool = False) -> str:
    """Draw the head of the page, with the accent in two shades for page.css.

    :raises ConfigError: If the bot's accent is not written as #rrggbb.
    """
    link = ' <a id="documents-link" href="documents">Documents</a>' if has_documents else ""
    light, dark = (readable_shade(bot.accent, back) for back in (LIGHT_BACKGROUND, DARK_BACKGROUND))
    return (
        f"<style>:root{{--accent-on-light:{light};--accent-on-dark:{dark}}}</style>"
        f"<h1>{html.escape(bot.title)}</h1><p>{html.escape(bot.description)}{link}</p>"
    )


def small_print_html(bot: BotLike) -> str:
    """Draw what stands below the input at all times."""
    return f'<p id="small-print">{html.escape(bot.disclaimer)}</p>'


# page.js hands over one message at a time and keeps the others until it is answered: Gradio would drop what
# is sent meanwhile, or answer it without knowing of the message before. A ticket goes with a message and
# comes back with its answer.
_POST = """
    document.addEventListener("guide:post", (event) => trigger("submit", event.detail));
    document.addEventListener("guide:clear", () => trigger("clear"));
"""
_ANSWERED = '(ticket) => { document.dispatchEvent(new CustomEvent("guide:answered", { detail: ticket })); }'
_FAILED = '() => { document.dispatchEvent(new CustomEvent("guide:failed")); }'
# Of what the browser keeps, page.js is told the passages of each answer: it asks from time to time which of
# them the guide has no more, and marks their answers. Were that an event of Gradio's, it would draw the
# chat anew under the reader's eyes, and with it what was meanwhile asked.
_KEPT = """(kept) => {
    const answers = kept.messages.filter((message) => message.role === "assistant");
    const passages = answers.map((message) => message.passages ?? []);
    document.dispatchEvent(new CustomEvent("guide:kept", { detail: passages }));
}"""
_CLEARED = '() => { document.dispatchEvent(new CustomEvent("guide:cleared")); }'

# The role goes on the element that stays; a region that appears together with its text is not read out.
_ALERT = "element.setAttribute('role', 'alert'); element.setAttribute('aria-live', 'assertive');"


def build_page(bot: BotLike, has_documents: bool = False) -> gr.Blocks:
    """Build the page of a bot, and make the bot ready for its first visitor meanwhile.

    :param has_documents: Show the way to the operator's page.

    :raises ConfigError: If the bot's accent is not written as #rrggbb.
    """
    key = f"guide-chat: {bot.title}"  # two guides on one address keep two conversations
    page = gr.Blocks(title=bot.title, analytics_enabled=False, fill_height=True, fill_width=True)
    with page:
        # Gradio encrypts with the secret, which it also sends to the browser: no protection, but it must
        # not change, or a restart of the server would lose every conversation.
        kept = gr.BrowserState(to_stored(Conversation()), storage_key=key, secret=key)
        with gr.Row(elem_id="top", equal_height=False):
            gr.HTML(heading_html(bot, has_documents), elem_id="heading", padding=False)
            clear = gr.Button("Clear chat", elem_id="clear", size="sm", scale=0, min_width=0)
        warning = gr.HTML("", elem_id="warning", padding=False, js_on_load=_ALERT)
        chat = gr.Chatbot(
            elem_id="chat",
            label="Conversation",
            show_label=False,
            container=False,
            height="100%",
            layout="panel",
            buttons=[],
            feedback_options=None,
            autoscroll=False,  # page.js shows the start of an answer; Gradio would show its end
            latex_delimiters=[],
            allow_tags=False,
            allow_file_downloads=False,
            placeholder=EMPTY_STATE,
            examples=_examples(bot),
        )
        with gr.Row(elem_id="composer", equal_height=False):
            gr.Textbox(
                elem_id="message",
                label="Your question",
                show_label=False,
                container=False,
                placeholder="Ask about this guide",
                lines=1,
                max_lines=5,
                autofocus=False,  # on a phone it would open the keyboard over the starter questions
                interactive=True,  # no event of Gradio's reads it; page.js does
                scale=1,
            )
            gr.Button("Send", elem_id="send", variant="primary", scale=0, min_width=0)
        gr.HTML(small_print_html(bot), elem_id="foot", padding=False)

        post = gr.HTML("", elem_id="post", visible="hidden", js_on_load=_POST)
        shown = [kept, chat, warning, post]

        def ask(stored: object, event: gr.EventData) -> Iterator[tuple[Any, ...]]:
            """Answer the message that the page's script sends."""
            message = _text(event.text)[:MAX_MESSAGE_CHARS]
            conversation = from_stored(stored)
            yield gr.skip(), to_chat(conversation, waiting_for=message), gr.skip(), gr.skip()
            conversation = answer_message(bot, message, conversation)
            kept_now, chat_now = to_stored(conversation), to_chat(conversation)
            yield kept_now, chat_now, warning_html(conversation), _text(event.ticket)

        def restore(stored: object) -> tuple[Any, ...]:
            """Show again what the browser kept."""
            conversation = from_stored(stored)
            return to_chat(conversation), warning_html(conversation)

        def changed(answers: list[list[str]]) -> list[bool]:  # Gradio goes by these types
            return find_changed(bot, answers)

        quiet: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "undocumented"}
        here: dict[str, Any] = {"fn": None, "queue": False, "trigger_mode": "multiple", **quiet}
        asking = post.submit(ask, inputs=kept, outputs=shown, trigger_mode="multiple", **quiet)
        asking.then(inputs=post, js=_ANSWERED, **here)
        asking.failure(js=_FAILED, **here)
        nothing = json.dumps([to_stored(Conversation()), [], ""])
        clearing = gr.on(
            [clear.click, post.clear], js=f"() => {nothing}", outputs=[kept, chat, warning], **here
        )
        clearing.then(js=_CLEARED, **here)
        api(changed, api_name="changed", queue=False, api_visibility="undocumented")
        restoring = page.load(restore, inputs=kept, outputs=[chat, warning], **quiet)
        for told in (restoring.then, kept.change):  # a change does not tell of what was kept before
            told(inputs=kept, js=_KEPT, **here)
        # Made anew on each visit: the guide may have changed since the page was built.
        page.load(lambda: gr.update(examples=_examples(bot)), outputs=chat, **quiet)
    _warm(bot)
    return page


def _warm(bot: BotLike) -> None:
    """Answer a starter question in the background, for much of the bot is made at its first answer.

    The same thread keeps the bot ready when the guide is replaced.
    """

    def ask_first() -> None:
        for question in bot.starters()[:1]:
            answer_message(bot, question, Conversation())
        bot.keep_ready()

    threading.Thread(target=ask_first, daemon=True, name="warm").start()


def _examples(bot: BotLike) -> list[ExampleMessage]:
    return [ExampleMessage(text=question) for question in bot.starters()[:MAX_STARTERS]]


# A phone draws its own bars in the colour of the page: --paper in page.css.
_BAR_COLOURS = (
    '<meta name="theme-color" content="#faf7f2" media="(prefers-color-scheme: light)">'
    '<meta name="theme-color" content="#1d1b18" media="(prefers-color-scheme: dark)">'
)

# What a browser may load for this page: only what this server gives. Whatever a document, a message or
# Gradio itself may contain, nothing is fetched from, or sent to, anyone else. Gradio's own scripts and
# styles stand inside the page, and it compiles event code, hence the two "unsafe" words.
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
_HEADERS = [
    (b"content-security-policy", _POLICY.encode()),
    (b"referrer-policy", b"no-referrer"),
    (b"x-content-type-options", b"nosniff"),
]


class _SafeHeaders:
    """Adds to each answer of the web server what the browser must not do with it (ASGI middleware)."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def send_with_headers(event: Any) -> None:
            if event["type"] == "http.response.start":
                event = {**event, "headers": [*event.get("headers", []), *_HEADERS]}
            await send(event)

        await self.app(scope, receive, send_with_headers)


Middleware = tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]  # class, arguments, options


def launch_page(
    page: gr.Blocks, host: str, port: int, password: str | None, before: Sequence[Middleware] = ()
) -> None:
    """Serve the page until it is interrupted.

    :param password: Asked of everyone who opens the page, with any name; None asks for none.
    :param before: ASGI middleware that answers before the page does (the operator's page).
    :raises UsageError: If the address or the port cannot be had.
    """

    def is_admitted(name: str, given: str) -> bool:
        return hmac.compare_digest(given.encode(), (password or "").encode())

    # Gradio calls its own address once at the start; a proxy for the outside must not get that call.
    for variable in ("NO_PROXY", "no_proxy"):
        others = os.environ.get(variable)
        os.environ[variable] = ",".join(
            [*([others] if others else []), "localhost", "127.0.0.1", "::1", host]
        )
    page.queue(default_concurrency_limit=MAX_ANSWERS_AT_ONCE)
    try:
        _launch(page, host, port, None if password is None else is_admitted, before)
    except OSError as exc:
        raise UsageError(
            f"The page cannot be served on {host}, port {port}: {exc}. Is it in use? Choose another port."
        ) from exc


def _launch(
    page: gr.Blocks,
    host: str,
    port: int,
    auth: Callable[[str, str], bool] | None,
    before: Sequence[Middleware],
) -> None:
    style = (DATA / "page.css").read_text(encoding="utf-8")
    page.launch(
        server_name=host,
        server_port=port,
        auth=auth,
        auth_message="Any name will do; the password comes from whoever runs this page.",
        theme=gr.themes.Base(
            # Names of fonts that are on the machine: Gradio's own choice would be looked up elsewhere.
            font=[
                "system-ui",
                "-apple-system",
                "Segoe UI",
                "Roboto",
                "Helvetica Neue",
                "Arial",
                "sans-serif",
            ],
            font_mono=["ui-monospace", "Consolas", "monospace"],
        ),
        # Not as css=: Gradio repeats each of those rules with a prefix, which breaks media rules.
        head=f"<style>\n{style}</style>{_BAR_COLOURS}",
        js=(DATA / "page.js").read_text(encoding="utf-8"),
        favicon_path=DATA / "icon.svg",
        app_kwargs={"middleware": [(_SafeHeaders, (), {}), *before]},
        footer_links=[],
        run_history=False,  # would keep every message in a second place
        enable_monitoring=False,
        share=False,
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
        max_file_size=1,  # bytes: nothing can be uploaded
        show_error=False,
        quiet=True,
        inbrowser=False,
    )

// Runs once in the browser, after Gradio has built the page. Takes the page as Gradio made it; gives it
// readable names for screen readers, keeps the input above a phone's keyboard, shows the start of a new
// answer instead of its end, hands over one message at a time, and marks answers from which the guide has
// moved on. It sends nothing anywhere but to its own server.
() => {
  const NAMES = { user: "You asked", bot: "Answer from the guide" };
  const root = document.documentElement;

  // Phones: the page is as high as what is left above the keyboard. Chrome resizes the page itself when
  // asked to in the viewport tag; Safari tells only visualViewport.
  const viewport = document.querySelector('meta[name="viewport"]');
  if (viewport) {
    viewport.content = "width=device-width, initial-scale=1, interactive-widget=resizes-content";
  }
  const fit = () => {
    const isZoomed = window.visualViewport.scale > 1.01; // a reader who zooms in keeps the full page
    root.style.setProperty("--page-height", isZoomed ? "100dvh" : `${window.visualViewport.height}px`);
    if (!isZoomed) window.scrollTo(0, 0);
  };
  if (window.visualViewport) {
    window.visualViewport.addEventListener("resize", fit);
    fit();
  }

  const box = document.querySelector("#message textarea");
  const log = document.querySelector('#chat [role="log"]');
  if (!box || !log) return;
  box.setAttribute("aria-describedby", "small-print");
  box.setAttribute("enterkeyhint", "send");

  // Messages: one is being answered, the others wait for their turn. What was pressed twice is asked once.
  // Gradio reads the box some time after the press, when other words may stand in it; here it is read at once.
  const SHOWN = 2; // of those that wait; the conversation needs the room
  const TWICE_MS = 1000;
  const PATIENCE_MS = 30_000; // an answer takes a second or two; after this it is taken for lost on its way
  let waiting = [];
  let asked = null; // the message that is being answered; void once the conversation is cleared
  let latest = { text: "", at: 0 };
  let tickets = 0;
  let timer = 0;
  let isStuck = false; // the server did not get the message
  let isRestored = false; // what is restored later than a message would take the place of its answer
  const place = document.createElement("div");
  place.id = "waiting";
  place.setAttribute("role", "status");
  document.querySelector("#composer").before(place);

  const tell = (name, detail) => document.dispatchEvent(new CustomEvent(name, { detail }));
  const add = (kind, text, parent = place) => {
    const made = document.createElement(kind);
    made.textContent = text; // never as markup
    return parent.appendChild(made);
  };
  const draw = () => {
    place.replaceChildren();
    if (isStuck) {
      add("p", "Your message could not be sent.");
      add("button", "Send again").onclick = () => {
        isStuck = false;
        next();
      };
    }
    waiting.slice(0, SHOWN).forEach((text, at) => {
      const line = add("p", "");
      add("span", isStuck ? "Not sent" : at === 0 ? "Answered next" : "Then", line);
      line.append(" ", text);
    });
    if (waiting.length > SHOWN) add("p", `and ${waiting.length - SHOWN} more`);
  };
  const next = () => {
    if (isRestored && !asked && !isStuck && waiting.length > 0) {
      tickets += 1;
      asked = { text: waiting.shift(), ticket: String(tickets), isVoid: false, isOver: false };
      tell("guide:post", { text: asked.text, ticket: asked.ticket });
      clearTimeout(timer);
      timer = setTimeout(() => tell("guide:failed"), PATIENCE_MS);
    }
    draw();
  };
  const ask = (words) => {
    const text = words.trim();
    const now = performance.now();
    const isTwice = (asked || waiting.length > 0) && text === latest.text && now - latest.at < TWICE_MS;
    if (!text || isTwice) return;
    latest = { text, at: now };
    waiting.push(text);
    isStuck = false;
    next();
  };
  const empty = () => {
    box.value = "";
    box.dispatchEvent(new Event("input", { bubbles: true }));
  };
  const askTyped = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    const typed = box.value;
    empty(); // at once, so that a second press finds nothing
    ask(typed);
  };
  box.addEventListener(
    "keydown",
    (event) => {
      // A half-composed word (Japanese, Chinese, Korean) is finished by Enter; that Enter must not send.
      if (event.isComposing) event.stopImmediatePropagation();
      else if (event.key === "Enter" && !event.shiftKey) askTyped(event);
    },
    true
  );
  document.querySelector("#send").addEventListener("click", askTyped, true);
  const settle = (isAnswered) => {
    clearTimeout(timer);
    if (asked.isVoid) {
      asked.isOver = true;
      tell("guide:clear"); // once more, for its answer has come since
      return;
    }
    if (!isAnswered) waiting.unshift(asked.text);
    isStuck = !isAnswered;
    asked = null;
    next();
  };
  document.addEventListener("guide:answered", (event) => event.detail === asked?.ticket && settle(true));
  document.addEventListener("guide:failed", () => asked && settle(false));
  log.addEventListener("click", (event) => {
    const button = event.target.closest(".option, .example");
    if (button) ask(button.textContent);
  });

  // A cleared conversation is gone at once. An answer to it that is still to come is never seen: the next
  // message waits for it, and then all is cleared again.
  document.querySelector("#clear").addEventListener(
    "click",
    () => {
      empty();
      waiting = [];
      isStuck = false;
      if (asked) asked.isVoid = true;
      root.classList.toggle("is-clearing", Boolean(asked));
      draw();
    },
    true
  );
  document.addEventListener("guide:cleared", () => {
    if (!asked?.isOver) return;
    asked = null;
    root.classList.remove("is-clearing");
    next();
  });

  // Answers whose passages the guide has no more say so, also to someone who only reads. The mark is added
  // below the answer and nothing else is touched; it is there to be read, not read out.
  const LOOK_MS = 5_000;
  const CHANGED = "The guide has changed since this answer.";
  let passages = []; // of each answer
  const mark = async () => {
    const seen = passages;
    if (document.hidden || !seen.some((ids) => ids.length > 0)) return;
    let isChanged;
    try {
      const body = JSON.stringify({ data: [seen] });
      const headers = { "Content-Type": "application/json" };
      const answer = await fetch("gradio_api/run/changed", { method: "POST", headers, body });
      [isChanged] = (await answer.json()).data;
    } catch {
      return; // the server is away; a message would tell
    }
    if (seen !== passages) return; // the conversation went on meanwhile
    log.querySelectorAll("[data-testid=bot]").forEach((answer, at) => {
      const shown = answer.querySelector(".changed");
      if (!isChanged[at]) shown?.remove();
      else if (!shown) {
        const note = add("p", CHANGED, answer);
        note.className = "changed";
        note.setAttribute("aria-live", "off");
      }
    });
  };
  const start = () => {
    isRestored = true;
    next();
  };
  setTimeout(start, PATIENCE_MS); // nothing came; a message will tell why
  document.addEventListener("guide:kept", (event) => {
    passages = event.detail;
    mark();
    if (!isRestored) start();
  });
  document.addEventListener("visibilitychange", mark);
  setInterval(mark, LOOK_MS);

  log.setAttribute("aria-label", "Conversation");
  log.setAttribute("tabindex", "0"); // scrolling by keyboard

  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");
  let count = 0; // questions shown
  let isFollowing = false; // until the reader scrolls, the last question stays at the top
  const follow = (behavior) => {
    const questions = log.querySelectorAll("[data-testid=user]");
    if (!isFollowing || questions.length === 0) return;
    const row = questions[questions.length - 1].closest(".message-row");
    const top = row.getBoundingClientRect().top - log.getBoundingClientRect().top + log.scrollTop - 14;
    log.scrollTo({ top, behavior });
  };
  for (const sign of ["wheel", "touchmove", "pointerdown", "keydown"]) {
    log.addEventListener(sign, () => (isFollowing = false), { passive: true });
  }

  const tidy = () => {
    for (const message of log.querySelectorAll("[data-testid=user], [data-testid=bot]")) {
      const name = NAMES[message.dataset.testid];
      if (message.getAttribute("aria-label") !== name) {
        // Gradio's own label reads the whole message out once more, with its Markdown signs.
        message.setAttribute("aria-label", name);
        message.setAttribute("role", "group");
      }
    }
    for (const starter of log.querySelectorAll(".example[aria-label]")) {
      starter.removeAttribute("aria-label"); // "Select example 1: ..."
    }
    log.querySelector(".examples[role]")?.removeAttribute("role"); // a list without list items
    const before = count;
    count = log.querySelectorAll("[data-testid=user]").length;
    if (count > before) isFollowing = true;
    const isReloaded = before === 0 && count > 1;
    follow(calm.matches || isReloaded ? "instant" : "smooth");
  };
  new ResizeObserver(() => follow("instant")).observe(log); // a warning above takes room
  new MutationObserver(tidy).observe(log, {
    childList: true,
    subtree: true,
    attributes: true,
    attributeFilter: ["aria-label"],
  });
  tidy();
}

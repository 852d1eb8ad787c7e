// Runs once in the browser, after Gradio has built the page. Takes the page as Gradio made it; gives it
// readable names for screen readers, keeps the input above a phone's keyboard, and shows the start of a
// new answer instead of its end. It sends nothing anywhere.
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
  if (box) {
    box.setAttribute("aria-describedby", "small-print");
    box.setAttribute("enterkeyhint", "send");
    // A half-composed word (Japanese, Chinese, Korean) is finished by Enter; that Enter must not send.
    box.addEventListener("keydown", (event) => event.isComposing && event.stopImmediatePropagation(), true);
  }

  const log = document.querySelector('#chat [role="log"]');
  if (!log) return;
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
    const isRestored = before === 0 && count > 1;
    follow(calm.matches || isRestored ? "instant" : "smooth");
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

"use strict";
const $ = (id) => document.getElementById(id);
let waiting = null;

// Names and texts of documents are shown as text, never as markup.
function cell(row, text, label, kind) {
  const td = row.insertCell();
  td.textContent = text;
  if (label) td.dataset.label = label;
  if (kind) td.className = kind;
  return td;
}

function say(problem) {
  $("problem").textContent = problem || "";
  $("problem").hidden = !problem;
}

function button(text, label, act) {
  const made = document.createElement("button");
  made.textContent = text;
  made.setAttribute("aria-label", label);
  made.onclick = act;
  return made;
}

async function change(method, path, body) {
  say("");
  try {
    const answer = await fetch("documents" + path, { method, body, headers: { "X-Guide-Chat": "1" } });
    if (!answer.ok) say((await answer.json()).problem);
  } catch (error) {
    say("The server cannot be reached; is the page still running?");
  }
  await refresh();
}

const many = (number, what) => number + " " + what + (number === 1 ? "" : "s");
const day = (iso) => (iso ? new Date(iso).toLocaleString([], { dateStyle: "medium", timeStyle: "short" }) : "");
const states = {
  live: "live", new: "new: re-ingest", changed: "changed: re-ingest", removed: "removed: re-ingest",
  failed: "failed", duplicate: "left out",
};

function soften(place, text) {
  const note = document.createElement("div");
  note.className = "soft";
  note.textContent = text;
  place.append(note);
}

function showDocuments(overview, outside) {
  const body = $("documents").tBodies[0];
  body.replaceChildren();
  for (const item of overview.documents) {
    const row = body.insertRow();
    const name = cell(row, item.source);
    for (const notice of item.notices) soften(name, notice);
    cell(row, item.pages || "–", "Pages", "n");
    cell(row, item.passages || "–", "Passages", "n");
    cell(row, day(item.date), "Date");
    cell(row, states[item.state] + (item.why ? ": " + item.why : ""), "State", item.state === "failed" ? "bad" : "");
    const last = cell(row, "");
    if (item.state !== "removed") {
      last.append(button("Remove", "Remove " + item.source, () => {
        if (confirm("Remove " + item.source + "? It is answered from until the next ingest."))
          change("DELETE", "/files/" + encodeURIComponent(item.source));
      }));
    }
  }
  for (const item of outside) {
    const row = body.insertRow();
    soften(cell(row, item.source), item.why);
    cell(row, "–", "Pages", "n");
    cell(row, "–", "Passages", "n");
    cell(row, "", "Date");
    cell(row, "kept, not part of the guide", "State");
    cell(row, "");
  }
  $("kinds").textContent = overview.suffixes.join(" ") + ", up to " + overview.max_document_mib + " MiB each.";
  $("file").accept = overview.suffixes.join(",");
}

function showGenerations(overview) {
  const body = $("generations").tBodies[0];
  body.replaceChildren();
  for (const item of overview.generations) {
    const row = body.insertRow();
    cell(row, item.name);
    cell(row, day(item.created), "Made");
    cell(row, item.documents, "Documents", "n");
    cell(row, item.passages, "Passages", "n");
    const last = cell(row, item.is_live ? "live" : "");
    if (!item.is_live)
      last.append(button("Go back", "Go back to " + item.name, () => change("POST", "/live/" + item.name)));
  }
}

function line(list, text, kind) {
  const item = document.createElement("li");
  item.textContent = text;
  item.className = kind || "";
  list.append(item);
}

function showReport(job) {
  const place = $("report");
  const shown = JSON.stringify([job.report, job.problem]);
  if (place.dataset.shown === shown) return;
  place.dataset.shown = shown;
  place.replaceChildren();
  if (job.problem) {
    const words = document.createElement("p");
    words.className = "bad";
    words.textContent = job.problem;
    place.append(words);
  }
  const report = job.report;
  if (!report) return;
  const head = document.createElement("h3");
  const isTroubled = report.documents.some((item) => item.problem);
  head.textContent = report.is_held_back ? "The new version is NOT live: it answers worse"
    : report.is_changed ? "The new version is live" + (isTroubled ? ", but a document needs attention" : "")
    : isTroubled ? "A document needs attention" : "Everything was up to date";
  const list = document.createElement("ul");
  for (const loss of report.losses) line(list, "Lost: " + loss, "bad");
  for (const item of report.documents) {
    const counts = item.added + " added, " + item.changed + " changed, " + item.kept + " kept, " + item.removed +
      " removed";
    const other = item.other ? (item.state === "duplicate" ? " of " : " from ") + item.other : "";
    line(list, item.source + ": " + item.state + other + ", " + many(item.pages, "page") + ", " +
      many(item.passages, "passage") + " (" + counts + ")");
    if (item.problem) line(list, item.problem, "bad");
    for (const notice of item.notices) line(list, notice, "soft");
    const reasons = new Map();
    for (const left of item.omissions) reasons.set(left.reason, [...(reasons.get(left.reason) || []), left.text]);
    for (const [reason, texts] of reasons)
      line(list, "Left out: " + reason + ", " + many(texts.length, "place") + ", first: " + texts[0].slice(0, 60), "soft");
  }
  const sum = document.createElement("p");
  sum.className = "soft";
  sum.textContent = many(report.passages, "passage") + ", " + many(report.read, "document") + " read, " +
    many(report.encoded, "text") + " encoded, " + report.seconds.toFixed(1) + " s.";
  place.append(head, list, sum);
  if (report.is_held_back) {
    place.append(button("Put it live all the same", "Put it live all the same", () =>
      change("POST", "/ingest/force")));
  }
}

function showJob(job) {
  $("ingest").disabled = job.is_running;
  $("running").hidden = !job.is_running;
  $("stage").textContent = job.total ? job.what + " " + job.done + " of " + job.total : "starting";
  if (job.total) { $("bar").max = job.total; $("bar").value = job.done; } else $("bar").removeAttribute("value");
  if (!job.is_running) showReport(job);
}

async function refresh() {
  clearTimeout(waiting);
  try {
    const state = await (await fetch("documents/overview")).json();
    if (state.overview.problem) say(state.overview.problem);
    showDocuments(state.overview, state.outside);
    showGenerations(state.overview);
    showJob(state.job);
    if (state.job.is_running) waiting = setTimeout(refresh, 500);
  } catch (error) {
    say("The server cannot be reached; is the page still running?");
    waiting = setTimeout(refresh, 3000);
  }
}

$("ingest").onclick = () => change("POST", "/ingest");
$("file").onchange = async () => {
  for (const file of $("file").files) await change("PUT", "/files/" + encodeURIComponent(file.name), file);
  $("file").value = "";
};
refresh();

// What the pages do beyond reading and posting forms: they keep themselves up to
// date, and they take a few keys. Every page works without this file. It stands
// behind htmx in one bundle.
/* global htmx */

// Nothing of a page is kept in the browser, and nothing in a page is run.
Object.assign(htmx.config, {
  includeIndicatorStyles: false,
  allowEval: false,
  allowScriptTags: false,
  selfRequestsOnly: true,
  historyEnabled: false,
  historyCacheSize: 0,
  scrollIntoViewOnBoost: false,
});

const settleAfter = 700; // ms of silence before a burst of events is shown
const atMostEvery = 2000; // ms between two refreshes
const atLeastEvery = 20000; // ms: relative times grow old without any event

const byId = (id) => document.getElementById(id);

function paused() {
  return sessionStorage.getItem("paused") === "yes";
}

// Whoever picks rows or edits a form keeps what is under the pointer.
function busy() {
  const at = document.activeElement;
  if (at && at.closest("main form") && at.matches("input:not([type=checkbox]), select, textarea")) return true;
  if (document.querySelector("main input[type=checkbox][name=id]:checked")) return true;
  if ([...document.querySelectorAll("main form[method=post] input[type=text]")].some((e) => e.value !== e.defaultValue)) return true;
  const selection = document.getSelection();
  return Boolean(selection && !selection.isCollapsed);
}

function live() {
  const source = byId("live");
  const button = byId("pause");
  const status = byId("live-status");
  if (!source || !button || !window.EventSource) return;

  let timer = 0;
  let last = Date.now();
  let behind = false;
  let stream = null;
  let lost = false;

  const show = () => {
    button.hidden = false;
    button.setAttribute("aria-pressed", String(paused()));
    button.querySelector(".word").textContent = paused() ? "Resume" : "Pause";
    status.textContent = paused() ? (behind ? "paused, newer data waits" : "paused") : lost ? "connection lost" : behind ? "newer data waits" : "live";
    document.documentElement.toggleAttribute("data-lost", lost);
    document.documentElement.toggleAttribute("data-paused", paused());
  };

  const refresh = () => {
    timer = 0;
    if (document.hidden || paused() || busy()) {
      behind = true;
      show();
      return;
    }
    last = Date.now();
    behind = false;
    show();
    htmx.trigger(source, "refresh");
  };
  const soon = () => {
    if (timer) return;
    timer = setTimeout(refresh, Math.max(settleAfter, atMostEvery - (Date.now() - last)));
  };

  const listen = () => {
    if (stream || document.hidden) return;
    stream = new EventSource("/api/v1/events");
    stream.addEventListener("open", () => {
      if (lost) behind = true; // whatever happened meanwhile was not told
      lost = false;
      show();
    });
    stream.addEventListener("error", () => {
      lost = true;
      show();
      if (stream.readyState !== EventSource.CLOSED) return;
      deafen(); // refused for good by this connection: ask again later
      setTimeout(listen, atMostEvery * 5);
    });
    // Segments move all the time; only the pages that show them follow.
    const follows = /^\/runs\/./.test(location.pathname);
    stream.addEventListener("message", (event) => {
      if (follows || JSON.parse(event.data).topic !== "segment") soon();
    });
  };
  const deafen = () => {
    if (stream) stream.close();
    stream = null;
  };

  button.addEventListener("click", () => {
    sessionStorage.setItem("paused", paused() ? "no" : "yes");
    show();
    if (!paused() && behind) refresh();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return deafen();
    listen();
    if (behind) refresh();
  });
  addEventListener("pagehide", deafen);
  setInterval(() => {
    if (behind || Date.now() - last > atLeastEvery) refresh();
  }, 4000);

  // What was unfolded, and how far a box was scrolled, outlives a swap.
  let open = [];
  let scrolled = [];
  document.body.addEventListener("htmx:beforeSwap", () => {
    open = [...document.querySelectorAll("details[id]")].filter((d) => d.open).map((d) => d.id);
    scrolled = [...document.querySelectorAll(".scroll[id]")].map((e) => [e.id, e.scrollLeft]);
  });
  document.body.addEventListener("htmx:afterSettle", () => {
    for (const id of open) if (byId(id)) byId(id).open = true;
    for (const [id, left] of scrolled) if (byId(id)) byId(id).scrollLeft = left;
  });

  show();
  listen();
}

function keys() {
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target.closest("input, select, textarea")) return;
    const search = byId("search");
    if (!search) return;
    event.preventDefault();
    search.focus();
    search.select();
  });
}

function clicks() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const text = button.dataset.copy === "url" ? location.href : button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
      button.setAttribute("data-done", "");
      byId("said").textContent = "copied";
      setTimeout(() => button.removeAttribute("data-done"), 1500);
    } catch {
      byId("said").textContent = "the browser does not let this page copy";
    }
  });
  document.addEventListener("change", (event) => {
    const form = event.target.form;
    if (event.target.matches("[data-all]")) {
      for (const box of form.querySelectorAll("input[name=id]")) box.checked = event.target.checked;
    }
    if (event.target.matches("[data-all], input[name=id]")) {
      const n = form.querySelectorAll("input[name=id]:checked").length;
      for (const out of form.querySelectorAll("[data-picked]")) out.textContent = n === 0 ? "none picked" : `${n} picked`;
    }
    if (event.target.matches("select[data-submit]")) form.requestSubmit();
  });
  for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
  document.body.addEventListener("htmx:afterSettle", () => {
    for (const button of document.querySelectorAll("button[data-copy]")) button.hidden = false;
  });
}

live();
keys();
clicks();

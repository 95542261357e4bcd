// What makes the pages quicker: keys, the flag without a reload, a list that keeps itself fresh.
// Nothing here is needed to read; every act is a link or a form of the page.
"use strict";

(() => {
  const POLL_MS = 3000;
  const POLL_MS_MAX = 60000;
  const AT_TOP_PIXELS = 60;

  const find = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  // A link that signs in once: pressed for people, not for programs that only look at the page beforehand.
  const auto = find("form[data-auto]");
  if (auto) {
    const press = () => auto.requestSubmit();
    if (document.prerendering) document.addEventListener("prerenderingchange", press, { once: true });
    else press();
    return;
  }

  // ---- the flag

  const rows = () => all("#rows > .row");
  const chosen = () => find("#rows > .row.chosen");
  const flagOf = (row) => find(".flag", row);

  function show(row, reviewed) {
    row.classList.toggle("bold", !reviewed);
    const flag = flagOf(row);
    flag.classList.toggle("on", reviewed);
    flag.value = reviewed ? "0" : "1";
  }

  async function mark(row, reviewed) {
    const flag = flagOf(row);
    if (!flag || (flag.value === "0") === reviewed) return;
    const address = flag.getAttribute("formaction");
    show(row, reviewed);
    try {
      const answer = await fetch(address, { method: "POST", body: new URLSearchParams({ reviewed: reviewed ? "1" : "0" }) });
      if (!answer.ok) throw new Error(answer.status);
      refreshSoon();
    } catch {
      show(row, !reviewed);
    }
  }

  document.addEventListener("click", (event) => {
    const flag = event.target.closest("#rows .flag");
    if (!flag) return;
    event.preventDefault();
    mark(flag.closest(".row"), flag.value === "1");
  });

  // ---- keys

  function choose(row) {
    chosen()?.classList.remove("chosen");
    if (!row) return;
    row.classList.add("chosen");
    row.scrollIntoView({ block: "nearest" });
    find(".open", row).focus({ preventScroll: true });
  }

  function step(by) {
    const known = rows();
    const at = known.indexOf(chosen());
    choose(known[at < 0 ? 0 : Math.min(Math.max(at + by, 0), known.length - 1)]);
  }

  function markChosen(reviewed) {
    const row = chosen();
    if (row) mark(row, reviewed);
    else find(reviewed ? "#reviewed" : "#unreview")?.click();
  }

  const KEYS = {
    j: () => step(1),
    k: () => step(-1),
    r: () => markChosen(true),
    u: () => markChosen(false),
    b: () => { const later = find("#later"); if (later) { later.open = true; find("button", later).focus(); } },
    "/": () => { find("#q")?.focus(); find("#q")?.select(); },
    "?": () => find("#keys")?.showModal(),
    Enter: () => { const row = chosen(); if (row) location.assign(find(".open", row).href); },
    Escape: () => { if (find("#back")) goBack(); },
  };
  // The same keys on a Russian keyboard.
  const RUSSIAN = { "о": "j", "л": "k", "к": "r", "г": "u", "и": "b", ".": "/", ",": "?" };

  document.addEventListener("keydown", (event) => {
    const within = event.target;
    if (event.ctrlKey || event.metaKey || event.altKey || find("dialog[open]")) return;
    if (within.closest("input, select, textarea")) {
      if (event.key === "Escape") within.blur();
      return;
    }
    if (event.key === "Enter" && within.closest("a, button, summary")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const act = KEYS[key] || KEYS[RUSSIAN[key]];
    if (!act) return;
    event.preventDefault();
    act();
  });

  function goBack() {
    const from = document.referrer && new URL(document.referrer);
    if (from && from.origin === location.origin && /^\/(interactions)?$/.test(from.pathname)) history.back();
    else location.assign("/interactions");
  }
  find("#back")?.addEventListener("click", (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    goBack();
  });

  // ---- keeping a list fresh

  const main = find("main[data-live='1']");
  for (const here of all(".views [aria-current], .kinds [aria-current]")) { // on a narrow screen they scroll sideways
    const bar = here.closest(".views, .kinds");
    bar.scrollLeft = here.offsetLeft - bar.offsetLeft - (bar.clientWidth - here.offsetWidth) / 2;
  }
  const pill = find("#pill");
  let tag = "";
  let waiting = null;
  let pause = POLL_MS;
  let timer = 0;

  const atTop = () => window.scrollY < AT_TOP_PIXELS;

  function address() {
    const wanted = new URL("/interactions/rows", location.origin);
    wanted.search = location.search;
    wanted.searchParams.delete("lang");
    const top = rows()[0];
    if (top) wanted.searchParams.set("top", top.dataset.id);
    return wanted;
  }

  async function refresh() {
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        const answer = await fetch(address(), { headers: tag ? { "If-None-Match": tag } : {} });
        if (answer.status === 401) { location.reload(); return; }
        if (answer.status === 200) {
          tag = answer.headers.get("ETag") || "";
          take(new DOMParser().parseFromString(await answer.text(), "text/html"));
        }
        pause = answer.ok || answer.status === 304 ? POLL_MS : Math.min(pause * 2, POLL_MS_MAX);
      } catch {
        pause = Math.min(pause * 2, POLL_MS_MAX);
      }
    }
    timer = setTimeout(refresh, pause);
  }

  function refreshSoon() {
    if (main) { tag = ""; clearTimeout(timer); timer = setTimeout(refresh, 300); }
  }

  function take(page) {
    renewSide(find("#side"), find("#side", page));
    const list = find("#list", page);
    const fresh = new Map(all(".row", list).map((row) => [row.dataset.id, row]));
    for (const row of rows()) { // what changed in place: a call ended, a colleague reviewed
      const next = fresh.get(row.dataset.id);
      if (next) renew(row, next);
    }
    const newer = Number(list.dataset.newer);
    if (atTop() && !(newer && rows().indexOf(chosen()) > 0)) {
      settle(list);
    } else if (newer) {
      waiting = list;
      pill.textContent = list.dataset.pill;
      pill.hidden = false;
    }
  }

  function renewSide(side, next) {
    const open = find(".sources", side)?.open;
    const scrolled = find(".views", side).scrollLeft;
    if (find(".sources", next) && open !== undefined) find(".sources", next).open = open;
    if (side.innerHTML === next.innerHTML || side.contains(document.activeElement)) return;
    side.replaceChildren(...next.childNodes);
    find(".views", side).scrollLeft = scrolled;
  }

  function renew(row, next) {
    if (row.outerHTML.replace(/ (chosen|fresh)/g, "") === next.outerHTML) return;
    const hadFocus = row.contains(document.activeElement);
    const copy = next.cloneNode(true);
    if (row.classList.contains("chosen")) copy.classList.add("chosen");
    row.replaceWith(copy);
    if (hadFocus) find(".open", copy).focus({ preventScroll: true });
  }

  // The list as it is now. The chosen line stays chosen; one that fits the filter no longer goes when it is left.
  function settle(list) {
    const known = new Map(rows().map((row) => [row.dataset.id, row]));
    const mine = chosen();
    const next = all(".row", list).map((row) => {
      const old = known.get(row.dataset.id);
      if (old) return old;
      if (known.size) row.classList.add("fresh");
      return row;
    });
    if (mine && !next.includes(mine)) next.splice(Math.max(rows().indexOf(mine), 0), 0, mine);
    const before = rows();
    if (next.length !== before.length || next.some((row, n) => row !== before[n])) {
      const focused = document.activeElement;
      find("#rows").replaceChildren(...next);
      if (focused && focused !== document.body && focused.isConnected) focused.focus({ preventScroll: true });
    }
    if (next.length) find("#empty")?.remove();
    pill.hidden = true;
    waiting = null;
  }

  pill?.addEventListener("click", () => {
    window.scrollTo({ top: 0 });
    if (waiting) settle(waiting);
  });

  if (main) {
    document.addEventListener("visibilitychange", () => { if (!document.hidden) refreshSoon(); });
    timer = setTimeout(refresh, POLL_MS);
  }
})();

// What a page does by itself: follow the desk's events, draw its changing part again, keep what is being typed.
// Everything works without it: forms post, pages reload.
"use strict";
(() => {
  const source = document.body.dataset.live;
  if (!source) return;
  const main = document.getElementById("main");
  const clock = document.getElementById("clock");
  const clockText = document.getElementById("clock-text");
  const sound = document.getElementById("sound");
  const title = document.title.replace(/^\(\d+\) /, "");
  let red = null; // ids of red alerts nobody has acknowledged, as last said
  let drawing = false;
  let again = false;

  // ---- the header

  function show(state) {
    const minutes = Math.floor((state.age || 0) / 60);
    const words = clock.dataset;
    let said = words.log + " ";
    if (!state.broker) said = words.broker + " · ";
    else if (!state.gateway) said = words.gateway + " · ";
    else if (state.stale) said = words.stale + " " + minutes + " min · ";
    else if (state.reading) said = words.reading + " · ";
    clockText.textContent = said + (state.now || "—");
    clock.classList.toggle("bad", state.bad);
    document.title = (state.open ? "(" + state.open + ") " : "") + title;
    const count = document.getElementById("nav-open");
    count.textContent = state.open;
    count.hidden = !state.open;
    if (red !== null && state.red.some((id) => !red.has(id))) alarm(state.red.length);
    red = new Set(state.red);
  }

  // ---- sound and notification, when somebody asked for them

  let audio = null;
  const wanted = () => {
    try { return localStorage.getItem("desk-sound") === "on"; } catch { return false; }
  };
  function label() {
    sound.textContent = wanted() ? sound.dataset.on : sound.dataset.off;
    sound.setAttribute("aria-pressed", wanted() ? "true" : "false");
  }
  sound.hidden = false;
  label();
  sound.addEventListener("click", () => {
    try { localStorage.setItem("desk-sound", wanted() ? "off" : "on"); } catch { return; }
    label();
    if (wanted()) {
      beep();
      if ("Notification" in window && Notification.permission === "default") Notification.requestPermission();
    }
  });
  function beep() {
    audio = audio || new AudioContext();
    [0, 0.3, 0.6].forEach((after) => {
      const tone = audio.createOscillator();
      const volume = audio.createGain();
      tone.frequency.value = 880;
      volume.gain.value = 0.15;
      tone.connect(volume).connect(audio.destination);
      tone.start(audio.currentTime + after);
      tone.stop(audio.currentTime + after + 0.18);
    });
  }
  function alarm(count) {
    if (!wanted()) return;
    beep();
    if ("Notification" in window && Notification.permission === "granted") {
      new Notification("(" + count + ") " + title, { tag: "desk-red", icon: "/static/icon.svg" });
    }
  }

  // ---- the changing part

  const fields = () => [...main.querySelectorAll("input[id], textarea[id], select[id]")];
  function typed(field) {
    if (field instanceof HTMLSelectElement) return ![...field.options].every((o) => o.selected === o.defaultSelected || (!field.querySelector("[selected]") && o.index === 0));
    return field.value !== field.defaultValue;
  }
  async function draw() {
    if (drawing) { again = true; return; }
    drawing = true;
    try {
      const answer = await fetch(location.href, { headers: { "X-Desk-Fragment": "1" }, credentials: "same-origin", cache: "no-store" });
      if (answer.status === 401) { location.reload(); return; }
      if (answer.ok) put(await answer.text());
    } catch { /* the line is down: the event source says so and comes again */ }
    drawing = false;
    if (again) { again = false; setTimeout(draw, 300); }
  }
  function put(html) {
    const kept = new Map(fields().filter(typed).map((f) => [f.id, f.value]));
    const stamps = new Map([...main.querySelectorAll("form[id]")].filter((f) => fields().some((x) => x.form === f && kept.has(x.id)) && f.elements.at).map((f) => [f.id, f.elements.at.value]));
    const open = new Set([...main.querySelectorAll("details[open]")].map((d, n) => d.id || n));
    const before = new Set([...main.querySelectorAll("article[id]")].map((a) => a.id));
    const active = document.activeElement;
    const focus = active && main.contains(active) ? { id: active.id, href: active.getAttribute("href"), value: active.value, article: active.closest("article") && active.closest("article").id, from: active.selectionStart, to: active.selectionEnd } : null;
    const banners = [...main.querySelectorAll(":scope > .banner, :scope > .errors")];
    const next = new DOMParser().parseFromString(html, "text/html");
    main.replaceChildren(...next.body.childNodes);
    if (!main.querySelector(":scope > .banner, :scope > .errors")) main.prepend(...banners);
    for (const field of fields()) if (kept.has(field.id)) field.value = kept.get(field.id);
    for (const [id, at] of stamps) {
      const form = document.getElementById(id);
      if (form && form.elements.at) form.elements.at.value = at;
    }
    [...main.querySelectorAll("details")].forEach((d, n) => { if (open.has(d.id || n)) d.open = true; });
    for (const article of main.querySelectorAll("article[id]")) if (!before.has(article.id)) article.classList.add("fresh");
    if (focus) {
      const scope = (focus.article && document.getElementById(focus.article)) || main;
      const target = (focus.id && document.getElementById(focus.id)) || (focus.href && [...scope.querySelectorAll("a[href]")].find((a) => a.getAttribute("href") === focus.href)) || (focus.value && [...scope.querySelectorAll("button")].find((b) => b.value === focus.value));
      if (target) {
        target.focus({ preventScroll: true });
        if (typeof focus.from === "number" && target.setSelectionRange) try { target.setSelectionRange(focus.from, focus.to); } catch { /* not a text */ }
      }
    }
  }

  // ---- the line

  let lost = null;
  const line = new EventSource(source);
  let opened = 0;
  line.onopen = () => {
    clearTimeout(lost);
    lost = null;
    if (opened++) draw(); // what was missed meanwhile
  };
  line.onmessage = (event) => {
    const state = JSON.parse(event.data);
    show(state);
    const mine = (main.dataset.changes || "").split(" ");
    if (state.changed.some((name) => mine.includes(name))) draw();
  };
  line.onerror = () => {
    if (line.readyState === EventSource.CLOSED) { location.reload(); return; } // refused: signed out, or the desk is new
    lost = lost || setTimeout(() => {
      clock.classList.add("bad");
      clockText.textContent = clock.dataset.lost;
    }, 4000);
  };
  // the age of what is listed grows, also when nothing happens
  setInterval(() => { if (main.dataset.changes && document.visibilityState === "visible") draw(); }, 60000);

  const errors = document.getElementById("errors");
  if (errors) errors.focus();
})();

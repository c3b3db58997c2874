// Keeps a page current: swaps the sections that the server says have changed, and says in plain words
// whether it is connected. Without it the pages are complete, only not live.
"use strict";

// A button that prints the page; without this script the browser's own menu does.
for (const button of document.querySelectorAll("[data-print]")) button.addEventListener("click", () => print());

(() => {
  const address = document.body.dataset.events;
  const words = document.body.dataset;
  const live = document.getElementById("live");

  if (!address || !live || !window.EventSource) return;

  const url = new URL(address, location.href);
  let source = null;
  let timer = 0;

  // What is read aloud changes every 15 seconds at most; then it is the newest that is read.
  let spoken = -Infinity;
  let speaking = 0;
  let newest = "";
  const speak = (place, text) => {
    newest = text;
    if (speaking) return;
    const pause = spoken + Number(place.dataset.pause) - Date.now();
    speaking = setTimeout(() => {
      speaking = 0;
      spoken = Date.now();
      place.textContent = newest;
    }, Math.max(0, pause));
  };

  const tell = (state, text) => {
    if (live.dataset.state === state) return;
    live.dataset.state = state;
    live.textContent = text;
  };

  // What has the focus keeps it when the section around it is replaced.
  const swap = (id, html) => {
    const place = document.getElementById(id);
    if (!place) return;
    if (id === "status") return speak(place, html);
    const focus = place.contains(document.activeElement) ? document.activeElement : null;
    // A date that is being chosen must not be taken away.
    if (focus && focus.closest("form")) return;
    const href = focus && focus.getAttribute("href");
    place.innerHTML = html;
    if (href) {
      const again = [...place.querySelectorAll("a")].find((a) => a.getAttribute("href") === href);
      if (again) again.focus({ preventScroll: true });
    }
  };

  const connect = () => {
    clearTimeout(timer);
    if (source) source.close();
    source = new EventSource(url);
    source.addEventListener("open", () => tell("on", words.on));
    source.addEventListener("sections", (event) => {
      url.searchParams.set("since", event.lastEventId);
      const { sections } = JSON.parse(event.data);
      for (const [id, html] of Object.entries(sections)) swap(id, html);
    });
    source.addEventListener("error", () => {
      tell("lost", words.lost);
      // Browsers come back by themselves unless the server answered with an error.
      if (source.readyState !== EventSource.CLOSED) return;
      timer = setTimeout(connect, 3000);
      // Whoever is not signed in any more is led to the sign-in, and back here from there.
      fetch(location.href, { redirect: "manual" })
        .then((answer) => answer.type === "opaqueredirect" && location.reload())
        .catch(() => {});
    });
  };

  // A page that nobody sees holds no stream: browsers allow few of them.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      clearTimeout(timer);
      if (source) source.close();
      source = null;
    } else if (!source) {
      connect();
    }
  });
  window.addEventListener("pagehide", () => source && source.close());
  window.addEventListener("pageshow", (event) => event.persisted && connect());

  tell("connecting", words.connecting);
  if (!document.hidden) connect();
})();

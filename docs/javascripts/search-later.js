/* The search index and its worker weigh half as much as a page. Three hundred
   people on one weak network shall not fetch them with every page: they are
   asked for when somebody is about to search. Read before the theme's own
   script, which would ask at once; opened as a file, nothing is different. */
(() => {
  "use strict";
  if (location.protocol === "file:") return;

  const begun = new Promise((resolve) => {
    // A page that was found marks what was searched for, by the index, too.
    const asked = new URLSearchParams(location.search);
    if (asked.has("q") || asked.has("h")) resolve();
    const perhaps = (event) => {
      if (event.target?.closest?.(".md-search, [for=__search], #__search")) resolve();
    };
    for (const kind of ["focusin", "pointerover", "pointerdown", "change"]) {
      document.addEventListener(kind, perhaps, { passive: true });
    }
  });

  const { open, send } = XMLHttpRequest.prototype;
  const late = new WeakSet();
  XMLHttpRequest.prototype.open = function (method, address, ...more) {
    if (String(address).endsWith("/search/search_index.json")) late.add(this);
    return open.call(this, method, address, ...more);
  };
  XMLHttpRequest.prototype.send = function (body) {
    if (!late.has(this)) return send.call(this, body);
    begun.then(() => send.call(this, body));
  };

  /* Its first message is the index; until then it has nothing to do. */
  const Started = window.Worker;
  window.Worker = class extends EventTarget {
    constructor(address, options) {
      super();
      if (!/\/workers\/search\b/.test(String(address))) return new Started(address, options);
      this.start = () => {
        const worker = new Started(address, options);
        for (const kind of ["message", "error"]) {
          worker.addEventListener(kind, (event) => {
            this.dispatchEvent(new event.constructor(kind, event));
          });
        }
        return worker;
      };
    }

    postMessage(...message) {
      this.worker ??= this.start();
      this.worker.postMessage(...message);
    }
  };
})();

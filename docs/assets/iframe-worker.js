// Search in pages that are opened from the disk, where browsers start no worker: its script runs in a hidden frame
// instead. The interface of Worker, as far as the search needs it; the search looks for this name.
if (location.protocol === "file:") {
  const INSIDE = `
    var postMessage = (data) => parent.postMessage(data, "*");
    var importScripts = (...sources) => sources.reduce((before, source) => before.then(() => new Promise((done) => {
      const script = document.createElement("script");
      Object.assign(script, { src: source, onload: done });
      document.body.appendChild(script);
    })), Promise.resolve());`;
  window.IFrameWorker = class extends EventTarget {
    constructor(url) {
      super();
      this.frame = document.createElement("iframe");
      this.frame.hidden = true;
      document.body.appendChild(this.frame);
      const inside = this.frame.contentWindow;
      window.addEventListener("message", (event) => {
        if (event.source === inside) this.dispatchEvent(new MessageEvent("message", { data: event.data }));
      });
      this.ready = new Promise((done) => this.frame.addEventListener("load", done, { once: true }));
      inside.document.open();
      inside.document.write(`<body><script>${INSIDE}<` + `/script><script src="${url}"><` + `/script></body>`);
      inside.document.close();
    }
    postMessage(data) {
      this.ready.then(() => this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data })));
    }
    terminate() {
      this.frame.remove();
    }
  };
  window.Worker = window.IFrameWorker;
}

// What happens on the server, as it happens: server-sent events, or questions where these fail.

import {api} from './api.js';

const POLL_MS = 5000;
const AGAIN_MS = 30000;

/**
 * Events: `hello`, `item`, `study` (detail: their data), `poll` (nothing is told: ask),
 * `state` (another way).
 */
export class Live extends EventTarget {
  /** @type {EventSource | null} */
  #source = null;
  /** @type {ReturnType<typeof setInterval> | undefined} */
  #polling;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  #failures = 0;
  #version = '';
  #on = false;
  live = false;

  constructor() {
    super();
    // A browser has six connections to a server for all its tabs: one that nobody sees keeps none.
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) {
        this.#close();
      } else if (this.#on) {
        this.start();
        this.dispatchEvent(new Event('poll'));
      }
    });
  }

  start() {
    this.#close();
    this.#on = true;
    if (document.hidden) {
      return;
    }
    if (!('EventSource' in window)) {
      this.#poll();
      return;
    }
    const source = new EventSource(api.eventsUrl());
    this.#source = source;
    source.addEventListener('open', () => {
      this.#failures = 0;
      clearInterval(this.#polling);
      this.#polling = undefined;
      this.#is(true);
    });
    source.addEventListener('error', () => {
      this.#is(false);
      if (source.readyState === EventSource.CLOSED || ++this.#failures >= 3) {
        source.close();
        this.#poll();
      }
    });
    for (const name of ['hello', 'item', 'study']) {
      source.addEventListener(name, event =>
        this.#tell(name, /** @type {MessageEvent} */ (event).data),
      );
    }
  }

  stop() {
    this.#on = false;
    this.#close();
  }

  #close() {
    this.#source?.close();
    this.#source = null;
    clearInterval(this.#polling);
    clearTimeout(this.#again);
    this.#polling = undefined;
  }

  /** @param {string} name @param {string} text */
  #tell(name, text) {
    let detail;
    try {
      detail = JSON.parse(text);
    } catch {
      return; // not of this server
    }
    if (name === 'hello') {
      if (this.#version && this.#version !== detail.version) {
        this.dispatchEvent(new Event('newer'));
      }
      this.#version = detail.version;
    }
    this.dispatchEvent(new CustomEvent(name, {detail}));
  }

  #poll() {
    this.#polling ??= setInterval(() => {
      if (!document.hidden) {
        this.dispatchEvent(new Event('poll'));
      }
    }, POLL_MS);
    clearTimeout(this.#again);
    this.#again = setTimeout(() => this.start(), AGAIN_MS);
  }

  /** @param {boolean} live */
  #is(live) {
    if (live !== this.live) {
      this.live = live;
      this.dispatchEvent(new Event('state'));
    }
  }
}

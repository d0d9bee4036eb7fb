// The items to answer: the one on screen and those that are made ready behind it.

import {api, isPassing, Refusal} from './api.js';
import {FrameIndex, loadFrames} from './frames.js';
import {isLong, isPlayable, Pieces} from './pieces.js';

/** @typedef {import('./types.d.ts').Item} Item */
/** @typedef {import('./types.d.ts').Why} Why */
/** @typedef {import('./types.d.ts').Draft} Draft */
/** @typedef {import('./journal.js').Journal} Journal */

const AHEAD = 2;
const MOST_AWAY = 900; // ids that a request may name
const RENEW_MS = 30000;
const IDLE_MS = 600000; // without a key or a pointer leases are left to end
const AROUND_S = 30; // of the index around a clip
export const STRIP = 16; // pictures of a film strip

/** An item with its video, frames and pictures, loaded before it is shown. */
export class Deck extends EventTarget {
  /** @type {FrameIndex | null} */
  frames = null;
  /** @type {Why | null} */
  why = null;
  /** @type {Draft | null} */
  draft = null;
  /** @type {'loading' | 'preparing' | 'ready' | 'failed'} */
  state = 'loading';
  problem = '';
  /** @type {Pieces | null} */
  #pieces = null;
  #closed = false;

  /** @param {Item} item */
  constructor(item) {
    super();
    this.item = item;
    this.around = around(item);
    this.video = document.createElement('video');
    this.video.muted = true;
    this.video.playsInline = true;
    this.video.preload = 'auto';
    this.video.disablePictureInPicture = true;
    this.video.tabIndex = -1;
    this.video.addEventListener('loadeddata', () => this.#is('ready'));
    this.video.addEventListener('error', () => void this.#broken());
    this.strip = new Image();
    this.strip.alt = '';
    this.strip.draggable = false;
    void this.#open();
    if (item.kind === 'clip') {
      this.strip.src = api.stripUrl(item.video.id, this.around.start, this.around.end, STRIP, 72);
    }
    this.#load();
  }

  /** @param {Journal} journal */
  async recall(journal) {
    this.draft = (await journal.draft(this.item.id).catch(() => undefined)) ?? null;
    this.dispatchEvent(new Event('draft'));
  }

  close() {
    this.#closed = true;
    this.#pieces?.close();
    this.video.pause();
    this.video.removeAttribute('src');
    this.video.load();
    this.video.remove();
  }

  async #open() {
    const {item, video} = this;
    try {
      const index = isLong(item.video) ? await api.pieces(item.video.id) : null;
      if (this.#closed) {
        return;
      }
      if (index && isPlayable(index)) {
        this.#pieces = new Pieces(video, item.video.id, index);
        this.#pieces.addEventListener('failed', event => {
          this.problem = /** @type {CustomEvent<string>} */ (event).detail;
          this.#is('failed');
        });
      } else {
        video.src = new URL(item.video.proxy, document.baseURI).href;
      }
      video.currentTime = (item.kind === 'clip' ? item.start_s : 0) + 0.001;
    } catch (error) {
      this.#later(error);
    }
  }

  async #load() {
    const {item} = this;
    const part =
      item.kind === 'clip'
        ? {start: Math.max(0, item.start_s - AROUND_S), end: item.end_s + AROUND_S}
        : {};
    void api
      .why(item.id)
      .then(why => {
        this.why = why;
        for (const {picture} of why.neighbours) {
          new Image().src = new URL(picture, document.baseURI).href;
        }
        this.dispatchEvent(new Event('why'));
      })
      .catch(() => undefined);
    for (let wait = 500; !this.#closed && !this.frames; wait = Math.min(2 * wait, 8000)) {
      try {
        this.frames = await loadFrames(item.video, part);
        this.dispatchEvent(new Event('frames'));
      } catch (error) {
        if (error instanceof Refusal && !isPassing(error)) {
          return; // the mark on the frame says that nothing is proved
        }
        await new Promise(done => {
          setTimeout(done, wait);
        });
      }
    }
  }

  /** A proxy may not be made yet: ask, and try again. */
  async #broken() {
    if (this.#closed) {
      return;
    }
    if (this.#pieces) {
      this.problem = this.video.error?.message ?? '';
      this.#is('failed');
      return;
    }
    try {
      await api.ready(this.item.video.proxy);
      if (this.state === 'preparing' || this.state === 'loading') {
        this.state = 'failed';
        this.problem = this.video.error?.message ?? '';
        this.dispatchEvent(new Event('state'));
      }
    } catch (error) {
      this.#later(error);
    }
  }

  /** What cannot be had yet is asked for again. @param {unknown} error */
  #later(error) {
    const refusal = error instanceof Refusal ? error : null;
    const wait = refusal !== null && isPassing(refusal);
    this.problem = refusal?.message ?? '';
    this.#is(wait ? 'preparing' : 'failed');
    if (wait) {
      setTimeout(
        () => {
          if (!this.#closed) {
            void this.#open();
          }
        },
        1000 * Math.max(2, refusal?.retry ?? 0),
      );
    }
  }

  /** @param {'preparing' | 'ready' | 'failed'} state */
  #is(state) {
    this.state = state;
    this.dispatchEvent(new Event('state'));
  }
}

/** What the film strip shows. @param {Item} item */
function around(item) {
  if (item.kind === 'ranges') {
    return {start: 0, end: item.video.duration_s};
  }
  const length = item.end_s - item.start_s;
  const margin = Math.min(AROUND_S - 1, Math.max(length * 0.75, 1));
  return {
    start: Math.max(0, item.start_s - margin),
    end: Math.min(Math.max(item.end_s, item.video.duration_s), item.end_s + margin),
  };
}

/** Events: `current` (another item, or none), `change` (state or number left). */
export class Queue extends EventTarget {
  /** @type {Deck | null} */
  current = null;
  /** @type {Deck[]} Brought back by undo or by a conflict: shown first. */
  #front = [];
  /** @type {Deck[]} */
  #held = [];
  /** @type {Set<number>} Given back, until the server knows. */
  #leaving = new Set();
  /** @type {Set<number>} Given back; they come again after all others. */
  #passed = new Set();
  #fetching = false;
  #wait = 1000;
  #active = Date.now();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;
  left = 0;
  /** @type {'loading' | 'ready' | 'empty' | 'offline'} */
  state = 'loading';
  #on = false;
  #resting = true;

  /** @param {Journal} journal */
  constructor(journal) {
    super();
    this.journal = journal;
    for (const event of ['keydown', 'pointerdown', 'pointermove']) {
      document.addEventListener(
        event,
        () => {
          this.#active = Date.now();
        },
        {passive: true},
      );
    }
    setInterval(() => this.#renew(), RENEW_MS);
    window.addEventListener('online', () => this.fill());
    journal.addEventListener('acknowledged', () => this.fill());
  }

  /** How many items behind the current one can be shown at once. */
  get ahead() {
    return [...this.#front, ...this.#held].filter(deck => deck.state === 'ready' && deck.frames)
      .length;
  }

  /** Begins, or begins again after a log-in. */
  start() {
    this.#on = true;
    this.fill();
  }

  /** Gives everything back, for another user. */
  stop() {
    this.#on = false;
    clearTimeout(this.#retry);
    for (const deck of [this.current, ...this.#front, ...this.#held]) {
      deck?.close();
    }
    this.current = null;
    this.#front = [];
    this.#held = [];
    this.#passed.clear();
  }

  /** Somebody looks at the queue. */
  wake() {
    this.#resting = false;
    this.#take();
    this.#renew(); // leases of what waits in front may have ended meanwhile
    this.fill();
  }

  /** Where none is shown, the next one is: first what waits in front. */
  #take() {
    if (this.current) {
      return;
    }
    this.current = this.#front.shift() ?? this.#held.shift() ?? null;
    if (this.current) {
      this.state = 'ready';
      this.dispatchEvent(new Event('current'));
    }
  }

  /**
   * Nobody looks at the queue: what lies ready is given back for others.
   * @param {boolean} keep whether the current item stays, because an answer of it was begun
   */
  rest(keep) {
    this.#resting = true;
    const back = this.#held;
    this.#held = [];
    if (this.current && !keep) {
      back.push(this.current);
      this.current = null;
      this.state = 'loading';
      this.dispatchEvent(new Event('current'));
    }
    for (const deck of back) {
      deck.close();
      void this.#giveBack(deck.item.id);
    }
  }

  /** @param {number} id */
  async #giveBack(id) {
    this.#leaving.add(id);
    await api.release(id).catch(() => undefined);
    this.#leaving.delete(id);
    this.fill();
  }

  /** Shows the next item; the last one was answered, or is given back. */
  next() {
    this.current?.close();
    this.current = this.#front.shift() ?? this.#held.shift() ?? null;
    this.state = this.current ? 'ready' : 'loading';
    this.left = Math.max(0, this.left - 1);
    this.dispatchEvent(new Event('current'));
    this.fill();
  }

  /** Gives the current item back without an answer. */
  release() {
    const deck = this.current;
    if (!deck) {
      return;
    }
    this.#passed.add(deck.item.id);
    void this.#giveBack(deck.item.id);
    this.next();
    ++this.left;
  }

  /**
   * Shows an item now; the current one waits behind it.
   * @param {Item} item
   * @param {Draft | null} draft
   */
  show(item, draft) {
    const same = [...this.#front, ...this.#held].find(deck => deck.item.id === item.id);
    this.#front = this.#front.filter(deck => deck !== same);
    this.#held = this.#held.filter(deck => deck !== same);
    const deck = same ?? new Deck(item);
    deck.draft = draft;
    if (this.current && this.current.item.id !== item.id) {
      this.#front.unshift(this.current);
    } else {
      this.current?.close();
    }
    this.current = deck;
    this.state = 'ready';
    ++this.left;
    this.dispatchEvent(new Event('current'));
  }

  /** Asks for more items where fewer than two are ready behind the current one. */
  fill() {
    const missing = AHEAD + 1 - (this.current ? 1 : 0) - this.#held.length - this.#front.length;
    if (!this.#on || this.#resting || this.#fetching || missing <= 0) {
      return;
    }
    this.#fetching = true;
    clearTimeout(this.#retry);
    void this.#fetch(missing).finally(() => {
      this.#fetching = false;
    });
  }

  /** @param {number} missing */
  async #fetch(missing) {
    const mine = [this.current, ...this.#front, ...this.#held].flatMap(deck => deck?.item.id ?? []);
    const away = new Set([...mine, ...this.journal.items, ...this.#leaving, ...this.#passed]);
    try {
      const {items, left} = await api.next(missing, [...away].slice(0, MOST_AWAY));
      this.#wait = 1000;
      if (this.#resting) {
        items.forEach(({id}) => void this.#giveBack(id)); // they came too late
        return;
      }
      const fresh = items.filter(item => !away.has(item.id) && !this.journal.items.has(item.id));
      for (const item of fresh) {
        const deck = new Deck(item);
        void deck.recall(this.journal);
        for (const event of ['state', 'frames']) {
          deck.addEventListener(event, () => this.dispatchEvent(new Event('change')));
        }
        this.#held.push(deck);
      }
      this.left = Math.max(left, mine.length + fresh.length);
      this.#take();
      const again = items.length === 0 && this.#passed.size > 0;
      if (again) {
        this.#passed.clear();
      }
      if (!this.current) {
        this.state = again ? 'loading' : 'empty';
      }
      this.#later(again ? 1 : this.current ? 0 : 10000);
    } catch (error) {
      if (error instanceof Refusal && error.status === 401) {
        this.journal.dispatchEvent(new Event('login'));
        return;
      }
      if (!this.current) {
        this.state = 'offline';
      }
      this.#later(this.#wait);
      this.#wait = Math.min(2 * this.#wait, 15000);
    }
    this.dispatchEvent(new Event('change'));
  }

  /** @param {number} ms 0: not by itself */
  #later(ms) {
    clearTimeout(this.#retry);
    if (ms > 0) {
      this.#retry = setTimeout(() => this.fill(), ms);
    }
  }

  /** Keeps the leases of what is held while somebody is there. */
  #renew() {
    const watching =
      this.current !== null && !this.current.video.paused && this.current.item.kind === 'ranges';
    const idle = Date.now() - this.#active > IDLE_MS && !watching;
    if (!this.#on || this.#resting || idle) {
      return;
    }
    for (const deck of [this.current, ...this.#front, ...this.#held]) {
      if (deck) {
        void this.#renewOne(deck);
      }
    }
  }

  /** @param {Deck} deck */
  async #renewOne(deck) {
    try {
      deck.item.lease_until_ms = (await api.renew(deck.item.id)).lease_until_ms;
    } catch (error) {
      const lost = error instanceof Refusal && (error.status === 409 || error.status === 404);
      if (lost && deck !== this.current) {
        this.#held = this.#held.filter(other => other !== deck);
        this.#front = this.#front.filter(other => other !== deck);
        deck.close();
        this.fill();
      } else if (lost) {
        deck.dispatchEvent(new Event('lost'));
      }
    }
  }
}

// Plays a long video by pieces: a MediaSource that is fed around the play head, so that a recording
// of hours opens at once and the browser keeps little of it.

import {api, isPassing, Refusal} from './api.js';

/** @typedef {import('./types.d.ts').Pieces} Index */

const LONG_S = 120; // of what is longer pieces are asked for
const AHEAD_S = 12;
const BEHIND_S = 4;
const FAR_S = 90; // what lies further from the play head is given up
const PATIENCE_MS = 8000;
const MOST_ABSENT = 4; // times in a row: a piece may be cleared away between its making and its sending

/** Whether pieces are worth asking for. @param {import('./types.d.ts').Video} video */
export function isLong(video) {
  return video.duration_s > LONG_S && 'MediaSource' in window;
}

/** Whether this browser plays them. @param {Index} index */
export function isPlayable(index) {
  return !index.itself && MediaSource.isTypeSupported(index.type);
}

/** Events: `failed` (detail: what went wrong). */
export class Pieces extends EventTarget {
  #media = new MediaSource();
  #stop = new AbortController();
  /** @type {SourceBuffer | null} */
  #buffer = null;
  /** @type {Set<number>} Numbers of pieces in the buffer. */
  #held = new Set();
  /** @type {{number: number, stop: AbortController} | null} */
  #asked = null;
  #busy = false;

  /**
   * @param {HTMLVideoElement} element
   * @param {string} video id
   * @param {Index} index
   */
  constructor(element, video, index) {
    super();
    this.element = element;
    this.video = video;
    this.index = index;
    this.#media.addEventListener('sourceopen', () => this.#open(), {once: true});
    this.url = URL.createObjectURL(this.#media);
    element.src = this.url;
    const {signal} = this.#stop;
    element.addEventListener('seeking', () => this.#turn(), {signal});
    element.addEventListener('timeupdate', () => this.#feed(), {signal});
  }

  close() {
    this.#stop.abort();
    this.#asked?.stop.abort();
    URL.revokeObjectURL(this.url);
  }

  get #closed() {
    return this.#stop.signal.aborted;
  }

  /** The piece that shows a second. @param {number} seconds */
  #at(seconds) {
    const {starts} = this.index;
    let low = 0;
    let high = starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (starts[middle] <= seconds + 1e-6) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return Math.max(0, low - 1);
  }

  /** What is missing near the play head, the most urgent first; nothing: null. */
  get #missing() {
    const here = this.element.currentTime;
    const first = this.#at(here);
    const last = this.#at(here + AHEAD_S);
    for (let i = first; i <= last; ++i) {
      if (!this.#held.has(i)) {
        return i;
      }
    }
    for (let i = first - 1; i >= this.#at(Math.max(0, here - BEHIND_S)); --i) {
      if (!this.#held.has(i)) {
        return i;
      }
    }
    return null;
  }

  #open() {
    if (this.#closed) {
      return;
    }
    this.#media.duration = this.index.duration_s;
    this.#buffer = this.#media.addSourceBuffer(this.index.type);
    this.#feed();
  }

  /** The play head went elsewhere: what is on its way may not be wanted any more. */
  #turn() {
    const number = this.#missing;
    if (this.#asked && number !== null && number !== this.#asked.number) {
      this.#asked.stop.abort();
    }
    this.#feed();
  }

  #feed() {
    if (!this.#busy && this.#buffer && !this.#closed) {
      this.#busy = true;
      void this.#fill().finally(() => {
        this.#busy = false;
      });
    }
  }

  /** Asks for pieces, one after the other, until all are there that are wanted. */
  async #fill() {
    let wait = 250;
    let absent = 0;
    for (let number = this.#missing; number !== null; number = this.#missing) {
      try {
        await this.#take(number);
        wait = 250;
        absent = 0;
      } catch (error) {
        if (this.#closed) {
          return;
        }
        const refusal = error instanceof Refusal ? error : null;
        absent += refusal?.status === 404 ? 1 : 0;
        const again = refusal?.status === 404 && absent < MOST_ABSENT;
        if (!refusal || !(again || isPassing(refusal))) {
          const detail = error instanceof Error ? error.message : String(error);
          this.dispatchEvent(new CustomEvent('failed', {detail}));
          return;
        }
        const turned = this.#asked?.stop.signal.aborted ?? false;
        if (!turned) {
          await new Promise(done => {
            setTimeout(done, wait);
          });
          wait = Math.min(2 * wait, 4000);
        }
      } finally {
        this.#asked = null;
      }
      if (this.#closed) {
        return;
      }
    }
  }

  /** @param {number} number */
  async #take(number) {
    this.#asked = {number, stop: new AbortController()};
    const bytes = await api.piece(this.video, number, this.#asked.stop.signal);
    if (this.#closed) {
      return;
    }
    await this.#forget(FAR_S);
    try {
      await this.#change(buffer => buffer.appendBuffer(bytes));
    } catch {
      // The browser's memory is full: what is not needed now goes.
      await this.#forget(AHEAD_S);
      await this.#change(buffer => buffer.appendBuffer(bytes));
    }
    this.#held.add(number);
    this.#end();
  }

  /** Gives up what lies further from the play head. @param {number} far seconds */
  async #forget(far) {
    const {starts, duration_s} = this.index;
    const here = this.element.currentTime;
    for (const number of [...this.#held]) {
      const start = starts[number];
      const end = number + 1 < starts.length ? starts[number + 1] : duration_s;
      if (end < here - far || start > here + far) {
        await this.#change(buffer => buffer.remove(start, end));
        this.#held.delete(number);
      }
    }
  }

  /** With the last piece the video ends. */
  #end() {
    if (this.#held.has(this.index.starts.length - 1) && this.#media.readyState === 'open') {
      this.#media.endOfStream();
    }
  }

  /** Waits until the buffer has done it. @param {(buffer: SourceBuffer) => void} work */
  #change(work) {
    const buffer = /** @type {SourceBuffer} */ (this.#buffer);
    return new Promise((done, fail) => {
      const stop = new AbortController();
      const {signal} = stop;
      const end = (/** @type {Error | null} */ error) => {
        stop.abort();
        clearTimeout(timer);
        if (error) {
          fail(error);
        } else {
          done(undefined);
        }
      };
      const timer = setTimeout(() => end(new Error('the buffer does not answer')), PATIENCE_MS);
      buffer.addEventListener('updateend', () => end(null), {signal});
      buffer.addEventListener('error', () => end(new Error('the piece cannot be played')), {signal});
      try {
        work(buffer);
      } catch (error) {
        end(error instanceof Error ? error : new Error(String(error)));
      }
    });
  }
}

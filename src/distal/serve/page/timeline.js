// The time line of a recording: pictures, ranges, edges to drag. One canvas, however long it is.

import {clock} from './dom.js';
import {classColour} from './classes.js';
import {rangeAt} from './ranges.js';

/** @typedef {import('./types.d.ts').Range} Range */

const OVERVIEW = 14; // rows of pixels, from the top
const RULER = 20;
const PICTURES = 48;
const BAND = 40;
const GRIP = 7; // pixels on either side of an edge
const SHORTEST = 0.5; // seconds in view
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200];
export const HEIGHT = OVERVIEW + RULER + PICTURES + BAND;

/**
 * @typedef {object} Hooks
 * @property {(seconds: number) => void} seek
 * @property {(i: number) => void} select
 * @property {(i: number, edge: 'start' | 'end', seconds: number, done: boolean) => void} drag
 * @property {(start: number, end: number, count: number) => string|null} strip URL of pictures;
 *   null: there is no video
 */

export class TimeLine {
  /** @type {readonly Range[]} */
  ranges = [];
  selected = -1;
  /** @type {{start_s: number, class: string | null} | null} What is labelled while it plays. */
  open = null;
  /** @type {number | null} */
  mark = null;
  time = 0;
  #duration = 1;
  #from = 0;
  #to = 1;
  #dirty = false;
  /** @type {{image: HTMLImageElement, from: number, to: number} | null} */
  #strip = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {Record<string, string>} */
  #colours = {};

  /** @param {HTMLElement} host @param {Hooks} hooks */
  constructor(host, hooks) {
    this.hooks = hooks;
    this.canvas = document.createElement('canvas');
    this.canvas.className = 'timeline';
    host.append(this.canvas);
    new ResizeObserver(() => this.#fit()).observe(host);
    window.addEventListener('themechange', () => this.#restyle());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.#restyle());
    this.canvas.addEventListener('pointerdown', event => this.#grab(event));
    this.canvas.addEventListener('pointermove', event => this.#hover(event));
    this.canvas.addEventListener('wheel', event => this.#wheel(event), {passive: false});
    this.canvas.addEventListener('dblclick', event => this.#near(event));
  }

  /** @param {number} duration seconds */
  use(duration) {
    this.#duration = Math.max(duration, SHORTEST);
    this.#strip = null;
    this.view(0, this.#duration);
  }

  get from() {
    return this.#from;
  }

  get to() {
    return this.#to;
  }

  get whole() {
    return this.#to - this.#from >= this.#duration - 1e-6;
  }

  /** Sets what is in view. @param {number} from @param {number} to */
  view(from, to) {
    const length = Math.min(Math.max(to - from, SHORTEST), this.#duration);
    this.#from = Math.max(0, Math.min(from, this.#duration - length));
    this.#to = this.#from + length;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#pictures(), 250);
    this.draw();
  }

  /** @param {number} factor below 1: nearer @param {number} [around] seconds that stay in place */
  zoom(factor, around = this.time) {
    const share = (around - this.#from) / (this.#to - this.#from);
    const inside = share >= 0 && share <= 1 ? share : 0.5;
    const length = Math.min(Math.max((this.#to - this.#from) * factor, SHORTEST), this.#duration);
    this.view(around - inside * length, around + (1 - inside) * length);
  }

  /** Keeps the play head in view. @param {number} time */
  follow(time) {
    this.time = time;
    const length = this.#to - this.#from;
    if (time < this.#from || time > this.#to) {
      this.view(time - 0.1 * length, time + 0.9 * length);
    } else {
      this.draw();
    }
  }

  /** Draws at the next picture of the screen. */
  draw() {
    if (!this.#dirty) {
      this.#dirty = true;
      requestAnimationFrame(() => {
        this.#dirty = false;
        this.#paint();
      });
    }
  }

  #restyle() {
    this.#colours = {};
    this.draw();
  }

  #fit() {
    const ratio = devicePixelRatio || 1;
    const width = this.canvas.parentElement?.clientWidth ?? 0;
    this.canvas.width = Math.max(1, Math.round(width * ratio));
    this.canvas.height = Math.round(HEIGHT * ratio);
    this.canvas.style.height = `${HEIGHT}px`;
    this.view(this.#from, this.#to);
  }

  get #width() {
    return this.canvas.clientWidth || 1;
  }

  /** @param {number} seconds */
  #x(seconds) {
    return ((seconds - this.#from) / (this.#to - this.#from)) * this.#width;
  }

  /** @param {number} x */
  #at(x) {
    const seconds = this.#from + (x / this.#width) * (this.#to - this.#from);
    return Math.max(0, Math.min(this.#duration, seconds));
  }

  /** @param {string} name of a custom property */
  #colour(name) {
    this.#colours[name] ??= getComputedStyle(document.documentElement)
      .getPropertyValue(name)
      .trim();
    return this.#colours[name];
  }

  #pictures() {
    const count = Math.max(1, Math.min(40, Math.round(this.#width / 84)));
    const from = this.#from;
    const to = this.#to;
    const address = this.hooks.strip(from, to, count);
    if (address === null) {
      return;
    }
    const image = new Image();
    image.onload = () => {
      this.#strip = {image, from, to};
      this.draw();
    };
    image.src = address;
  }

  #paint() {
    const context = this.canvas.getContext('2d');
    if (!context || this.#width < 2) {
      return;
    }
    const ratio = devicePixelRatio || 1;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.#width, HEIGHT);
    this.#paintOverview(context);
    this.#paintPictures(context);
    this.#paintRuler(context);
    this.#paintBand(context);
    this.#paintHead(context);
  }

  /** @param {CanvasRenderingContext2D} context */
  #paintOverview(context) {
    const scale = this.#width / this.#duration;
    context.fillStyle = this.#colour('--well');
    context.fillRect(0, 0, this.#width, OVERVIEW - 4);
    let right = -1;
    for (const range of this.ranges) {
      const x = range.start_s * scale;
      const end = Math.max(range.end_s * scale, x + 1);
      if (end > right) {
        context.fillStyle = classColour(range.class);
        context.fillRect(Math.max(x, right), 0, end - Math.max(x, right), OVERVIEW - 4);
        right = end;
      }
    }
    context.strokeStyle = this.#colour('--text');
    context.lineWidth = 1.5;
    context.strokeRect(
      this.#from * scale + 0.75,
      0.75,
      Math.max(3, (this.#to - this.#from) * scale - 1.5),
      OVERVIEW - 5.5,
    );
    context.fillStyle = this.#colour('--head');
    context.fillRect(this.time * scale - 1, 0, 2, OVERVIEW - 4);
  }

  /** @param {CanvasRenderingContext2D} context */
  #paintPictures(context) {
    const top = OVERVIEW + RULER;
    context.fillStyle = this.#colour('--well');
    context.fillRect(0, top, this.#width, PICTURES);
    if (this.#strip) {
      const x = this.#x(this.#strip.from);
      context.drawImage(this.#strip.image, x, top, this.#x(this.#strip.to) - x, PICTURES);
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  #paintRuler(context) {
    const wanted = ((this.#to - this.#from) * 84) / this.#width;
    const step = STEPS.find(one => one >= wanted) ?? 14400;
    context.font = '11px system-ui, sans-serif';
    context.textBaseline = 'middle';
    context.fillStyle = this.#colour('--muted');
    for (let at = Math.ceil(this.#from / step) * step; at <= this.#to; at += step) {
      const x = Math.round(this.#x(at)) + 0.5;
      context.fillRect(x, OVERVIEW + RULER - 5, 1, 5);
      context.fillText(clock(at, step < 1 ? 1 : 0), x + 4, OVERVIEW + RULER / 2 - 1);
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  #paintBand(context) {
    const top = OVERVIEW + RULER + PICTURES + 2;
    const tall = BAND - 2;
    context.fillStyle = this.#colour('--well');
    context.fillRect(0, top, this.#width, tall);
    let i = Math.max(0, this.#firstIn());
    for (; i < this.ranges.length && this.ranges[i].start_s < this.#to; ++i) {
      this.#paintRange(context, this.ranges[i], top, tall, i === this.selected);
    }
    if (this.open && this.open.class !== null) {
      const x = this.#x(this.open.start_s);
      context.fillStyle = classColour(this.open.class, 0.75);
      context.fillRect(x, top, Math.max(2, this.#x(this.time) - x), tall);
    }
    if (this.mark !== null) {
      context.fillStyle = this.#colour('--accent');
      context.fillRect(this.#x(this.mark) - 1, top - 4, 2, tall + 4);
    }
  }

  /** Number of the first range that ends in view. */
  #firstIn() {
    const inside = rangeAt(this.ranges, this.#from);
    if (inside >= 0) {
      return inside;
    }
    let low = 0;
    let high = this.ranges.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.ranges[middle].end_s <= this.#from) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return low;
  }

  /**
   * @param {CanvasRenderingContext2D} context @param {Range} range
   * @param {number} top @param {number} tall @param {boolean} selected
   */
  #paintRange(context, range, top, tall, selected) {
    const left = Math.max(-2, this.#x(range.start_s));
    const right = Math.min(this.#width + 2, this.#x(range.end_s));
    const wide = Math.max(1, right - left);
    context.fillStyle = classColour(range.class, selected ? 1 : 0.82);
    context.fillRect(left, top, wide, tall);
    if (wide > 3) {
      context.fillStyle = this.#colour('--surface');
      context.fillRect(right - 1, top, 1, tall);
    }
    if (selected) {
      context.strokeStyle = this.#colour('--text');
      context.lineWidth = 2;
      context.strokeRect(left + 1, top + 1, wide - 2, tall - 2);
      context.fillStyle = this.#colour('--text');
      context.fillRect(left + 3, top + tall / 2 - 7, 3, 14);
      context.fillRect(right - 6, top + tall / 2 - 7, 3, 14);
    }
    if (wide > 34) {
      context.save();
      context.beginPath();
      context.rect(left + 10, top, wide - 20, tall);
      context.clip();
      context.fillStyle = '#0b0e13';
      context.font = '600 12px system-ui, sans-serif';
      context.textBaseline = 'middle';
      context.fillText(range.class, Math.max(left, 0) + 11, top + tall / 2);
      context.restore();
    }
  }

  /** @param {CanvasRenderingContext2D} context */
  #paintHead(context) {
    const x = this.#x(this.time);
    context.fillStyle = this.#colour('--head');
    context.fillRect(x - 1, OVERVIEW, 2, HEIGHT - OVERVIEW);
    context.beginPath();
    context.moveTo(x - 6, OVERVIEW);
    context.lineTo(x + 6, OVERVIEW);
    context.lineTo(x, OVERVIEW + 8);
    context.fill();
  }

  /** The edge under a pointer: of the selected range first.
   * @param {number} x @returns {{i: number, edge: 'start' | 'end'} | null} */
  #edge(x) {
    const order = this.selected >= 0 ? [this.selected] : [];
    for (
      let i = Math.max(0, this.#firstIn() - 1);
      i < this.ranges.length && this.ranges[i].start_s <= this.#to;
      ++i
    ) {
      order.push(i);
    }
    for (const i of order) {
      const range = this.ranges[i];
      if (!range) {
        continue;
      }
      if (Math.abs(this.#x(range.end_s) - x) <= GRIP) {
        return {i, edge: 'end'};
      }
      if (Math.abs(this.#x(range.start_s) - x) <= GRIP) {
        return {i, edge: 'start'};
      }
    }
    return null;
  }

  /** @param {PointerEvent} event */
  #grab(event) {
    if (event.button !== 0) {
      return;
    }
    const {offsetX: x, offsetY: y} = event;
    this.canvas.setPointerCapture(event.pointerId);
    if (y < OVERVIEW) {
      const length = this.#to - this.#from;
      this.#move(event, at => {
        const middle = (at / this.#width) * this.#duration;
        this.view(middle - length / 2, middle + length / 2);
      });
    } else if (y >= OVERVIEW + RULER + PICTURES) {
      const edge = this.#edge(x);
      if (edge) {
        this.hooks.select(edge.i);
        this.#move(
          event,
          (at, done) => this.hooks.drag(edge.i, edge.edge, this.#at(at), done),
          false,
        );
      } else {
        this.hooks.select(rangeAt(this.ranges, this.#at(x)));
        this.#move(event, at => this.hooks.seek(this.#at(at)));
      }
    } else {
      this.#move(event, at => this.hooks.seek(this.#at(at)));
    }
  }

  /**
   * Follows the pointer until it is let go.
   * @param {PointerEvent} event @param {(x: number, done: boolean) => void} to
   * @param {boolean} [now] also where it was pressed
   */
  #move(event, to, now = true) {
    const stop = new AbortController();
    const left = this.canvas.getBoundingClientRect().left;
    if (now) {
      to(event.offsetX, false);
    }
    let moved = false;
    this.canvas.addEventListener(
      'pointermove',
      next => {
        moved = true;
        to(next.clientX - left, false);
      },
      {signal: stop.signal},
    );
    for (const end of ['pointerup', 'pointercancel']) {
      this.canvas.addEventListener(
        end,
        last => {
          stop.abort();
          if (moved) {
            to(/** @type {PointerEvent} */ (last).clientX - left, true);
          }
        },
        {signal: stop.signal},
      );
    }
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    const band = event.offsetY >= OVERVIEW + RULER + PICTURES;
    this.canvas.style.cursor = band && this.#edge(event.offsetX) ? 'ew-resize' : 'default';
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const sideways = event.shiftKey ? event.deltaY : event.deltaX;
    if (Math.abs(sideways) > Math.abs(event.shiftKey ? 0 : event.deltaY)) {
      const by = (sideways / this.#width) * (this.#to - this.#from);
      this.view(this.#from + by, this.#to + by);
    } else {
      this.zoom(Math.exp(event.deltaY * 0.0022), this.#at(event.offsetX));
    }
  }

  /** @param {MouseEvent} event */
  #near(event) {
    const range = this.ranges[rangeAt(this.ranges, this.#at(event.offsetX))];
    if (range && event.offsetY >= OVERVIEW + RULER + PICTURES) {
      const margin = 0.15 * (range.end_s - range.start_s);
      this.view(range.start_s - margin, range.end_s + margin);
    }
  }
}

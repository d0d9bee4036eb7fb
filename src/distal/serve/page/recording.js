// Labels ranges of a recording: the list of ranges, what is selected, and what is being labelled
// while it plays.

import {announce, clock, fill, h, push, say} from './dom.js';
import {api} from './api.js';
import {classColour} from './classes.js';
import {moveEdge, neighbour, paint, rangeAt, removeAt} from './ranges.js';
import {TimeLine} from './timeline.js';
import {t} from './strings.js';

/** @typedef {import('./types.d.ts').Range} Range */
/** @typedef {import('./player.js').Player} Player */
/** @typedef {import('./queue.js').Deck} Deck */

const ROWS = 60; // of the list of ranges at once
const MEMORY = 200; // steps back

/** Events: `change` (the ranges differ), `class` (detail: name or null; what is labelled now). */
export class Recording extends EventTarget {
  /** @type {Range[]} */
  ranges = [];
  /** @type {Range[][]} */
  #before = [];
  /** @type {Range[] | null} The list when a drag began. */
  #dragged = null;
  /** @type {Deck | null} */
  #deck = null;
  selected = -1;
  /** @type {{start_s: number, class: string | null} | null} */
  #open = null;
  /** @type {number | null} */
  #mark = null;
  #last = ''; // class that was used last

  /** @param {Player} player */
  constructor(player) {
    super();
    this.player = player;
    this.host = h('div', {class: 'timeline-host', role: 'slider', tabindex: 0});
    say(this.host, 'time.line', {}, 'aria-label');
    this.line = new TimeLine(this.host, {
      seek: seconds => player.seek(seconds),
      select: i => this.select(i, false),
      drag: (i, edge, seconds, done) => this.#drag(i, edge, seconds, done),
      strip: (start, end, count) => {
        const deck = this.#deck;
        return deck ? api.stripUrl(deck.item.video.id, start, end, count, 48) : null;
      },
    });
    this.list = h('ol', {class: 'range-list'});
    this.status = h('p', {class: 'hint range-status'});
    const tool = (/** @type {string} */ key, /** @type {() => void} */ action) =>
      push({class: 'quiet', t: key}, action);
    this.tools = h(
      'div',
      {class: 'range-tools'},
      tool('range.start', () => this.start()),
      tool('range.end', () => this.end()),
      tool('range.remove', () => this.remove()),
      tool('range.back', () => this.back()),
      tool('range.zoom', () => this.zoom()),
      this.status,
    );
    this.element = h('div', {class: 'recording'}, this.host, this.tools);
  }

  /** @param {Deck} deck @param {Range[]} ranges */
  use(deck, ranges) {
    this.#deck = deck;
    this.ranges = [...ranges];
    this.#before = [];
    this.#dragged = null;
    this.selected = -1;
    this.#open = null;
    this.#mark = null;
    this.line.use(deck.item.video.duration_s);
    this.#show();
  }

  /** Ranges as they are, what is being labelled included. @returns {Range[]} */
  finish() {
    this.#close();
    return this.ranges;
  }

  /** The picture changed. */
  follow() {
    const {time} = this.player;
    if (this.#open && time < this.#open.start_s - 1e-6) {
      this.#open = null; // gone back before its start: nothing was labelled
      this.#show();
    }
    this.line.time = time;
    this.line.follow(time);
    const here = this.ranges[rangeAt(this.ranges, time)];
    this.host.setAttribute('aria-valuemin', '0');
    this.host.setAttribute('aria-valuemax', String(this.#deck?.item.video.duration_s ?? 0));
    this.host.setAttribute('aria-valuenow', time.toFixed(2));
    this.host.setAttribute('aria-valuetext', `${clock(time)} ${here?.class ?? t('range.none')}`);
  }

  /** A class was chosen: of the selected range while it stands, else of what follows.
   * @param {string | null} name */
  choose(name) {
    if (name !== null) {
      this.#last = name;
    }
    const range = this.ranges[this.selected];
    if (range && !this.player.playing && !this.#open) {
      const time = range.start_s;
      this.#change(paint(this.ranges, range.start_s, range.end_s, name));
      this.selected = name === null ? -1 : rangeAt(this.ranges, time);
      this.#show();
      return;
    }
    const same = this.#open !== null && this.#open.class === name;
    this.#close();
    this.selected = -1;
    this.#open = same ? null : {start_s: this.#now(), class: name};
    announce(same || name === null ? t('range.ended') : t('range.runs', {class: name}));
    this.#show();
  }

  /** Here a range starts: the selected one, or a new one. */
  start() {
    const time = this.#now();
    if (this.ranges[this.selected]) {
      this.#change(moveEdge(this.ranges, this.selected, 'start', time));
      this.selected = rangeAt(this.ranges, time);
      this.#mark = null;
    } else {
      this.#close();
      this.#mark = time;
    }
    announce(t('range.startAt', {time: clock(time)}));
    this.#show();
  }

  /** The frame on screen is the last of a range. */
  end() {
    const frames = this.player.frames;
    const time = frames ? frames.end(this.player.shown) : this.player.time;
    const range = this.ranges[this.selected];
    if (this.#mark !== null && time > this.#mark) {
      this.#change(paint(this.ranges, this.#mark, time, this.#last || this.#first()));
      this.selected = rangeAt(this.ranges, this.#mark);
      this.#mark = null;
    } else if (this.#open) {
      this.#close(time);
    } else if (range) {
      this.#change(moveEdge(this.ranges, this.selected, 'end', time));
      this.selected = rangeAt(this.ranges, Math.min(range.start_s, time));
    }
    announce(t('range.endAt', {time: clock(time)}));
    this.#show();
  }

  remove() {
    if (this.ranges[this.selected]) {
      this.#change(removeAt(this.ranges, this.selected));
      this.selected = -1;
      announce(t('range.removed'));
    }
    this.#show();
  }

  /** Takes the last change back. */
  back() {
    const before = this.#before.pop();
    if (before) {
      this.ranges = before;
      this.selected = -1;
      this.#open = null;
      announce(t('range.isBack'));
      this.dispatchEvent(new Event('change'));
    }
    this.#show();
  }

  /** Leaves what is selected or being labelled. */
  cancel() {
    this.#open = null;
    this.#mark = null;
    this.select(-1, false);
  }

  /** @param {1 | -1} way */
  jump(way) {
    const i = neighbour(this.ranges, this.player.time, way);
    if (i !== undefined) {
      this.select(i, true);
    }
  }

  /** Whole, or the selected range, or what is around the play head. */
  zoom() {
    const range = this.ranges[this.selected];
    if (!this.line.whole) {
      this.line.view(0, Infinity);
    } else if (range) {
      const margin = 0.15 * (range.end_s - range.start_s);
      this.line.view(range.start_s - margin, range.end_s + margin);
    } else {
      const around = Math.max(5, 0.02 * (this.line.to - this.line.from));
      this.line.view(this.player.time - around, this.player.time + around);
    }
  }

  /** @param {number} i -1 for none @param {boolean} go */
  select(i, go) {
    this.selected = i;
    const range = this.ranges[i];
    if (range) {
      announce(`${range.class}, ${clock(range.start_s)} – ${clock(range.end_s)}`);
      if (go) {
        this.player.seek(range.start_s);
      }
    }
    this.#show();
  }

  /** Start of the frame on screen. */
  #now() {
    const frames = this.player.frames;
    return frames?.length && !this.player.playing
      ? frames.times[frames.at(this.player.time)]
      : frames?.length
        ? frames.times[this.player.shown]
        : this.player.time;
  }

  #first() {
    return this.#names?.[0] ?? '';
  }

  /** @type {string[]} */
  #names = [];

  /** @param {string[]} names of the classes */
  name(names) {
    this.#names = names;
  }

  /** Ends what is being labelled. @param {number} [at] seconds */
  #close(at = this.#now()) {
    const open = this.#open;
    this.#open = null;
    if (open && at > open.start_s) {
      this.#change(paint(this.ranges, open.start_s, at, open.class));
    }
  }

  /** @param {Range[]} ranges */
  #change(ranges) {
    this.#before.push(this.ranges);
    this.#before.splice(0, this.#before.length - MEMORY);
    this.ranges = ranges;
    this.dispatchEvent(new Event('change'));
  }

  /**
   * @param {number} i
   * @param {'start' | 'end'} edge
   * @param {number} seconds
   * @param {boolean} done
   */
  #drag(i, edge, seconds, done) {
    this.#dragged ??= this.ranges;
    const base = this.#dragged;
    const frames = this.player.frames;
    const to = frames?.length ? frames.snap(seconds) : seconds;
    this.ranges = moveEdge(base, i, edge, to);
    this.selected = rangeAt(
      this.ranges,
      edge === 'start' ? to : Math.max(base[i].start_s, to - 1e-3),
    );
    const shown = frames?.length && edge === 'end' ? frames.times[frames.at(to - 2e-6)] : to;
    this.player.seek(shown);
    if (done) {
      this.#before.push(base);
      this.#dragged = null;
      announce(t(edge === 'start' ? 'range.startAt' : 'range.endAt', {time: clock(to)}));
      this.dispatchEvent(new Event('change'));
    }
    this.#show();
  }

  #show() {
    const {line} = this;
    line.ranges = this.ranges;
    line.selected = this.selected;
    line.open = this.#open;
    line.mark = this.#mark;
    line.draw();
    if (this.#open?.class) {
      say(this.status, 'range.runs', {class: this.#open.class});
    } else if (this.#mark !== null) {
      say(this.status, 'range.startAt', {time: clock(this.#mark)});
    } else {
      say(this.status, 'range.count', {n: this.ranges.length});
    }
    this.#rows();
    this.dispatchEvent(
      new CustomEvent('class', {
        detail: this.#open?.class ?? this.ranges[this.selected]?.class ?? null,
      }),
    );
  }

  /** Rows near the selected range: a recording can have thousands. */
  #rows() {
    const centre =
      this.selected >= 0 ? this.selected : Math.max(0, rangeAt(this.ranges, this.player.time));
    const first = Math.max(0, Math.min(centre - ROWS / 2, this.ranges.length - ROWS));
    const rows = this.ranges.slice(first, first + ROWS).map((range, k) => {
      const i = first + k;
      const swatch = h('i', {class: 'swatch', 'aria-hidden': 'true'});
      swatch.style.backgroundColor = classColour(range.class);
      return h(
        'li',
        {},
        push(
          {class: 'quiet row', 'aria-current': i === this.selected && 'true'},
          () => this.select(i, true),
          swatch,
          h('span', {class: 'name'}, range.class),
          h('span', {class: 'mono'}, `${clock(range.start_s)} – ${clock(range.end_s)}`),
        ),
      );
    });
    this.list.setAttribute('start', String(first + 1));
    fill(this.list, ...rows, rows.length === 0 && h('li', {class: 'hint', t: 'range.hint'}));
    this.list.querySelector('[aria-current]')?.scrollIntoView({block: 'nearest'});
  }
}

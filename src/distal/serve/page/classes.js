// The classes: a list with their hierarchy, keys, and a field that finds by typing.

import {fill, h, say} from './dom.js';
import {classKeys, keycap, spell} from './keys.js';

/** @typedef {import('./types.d.ts').ClassInfo} ClassInfo */

const HUES = [212, 28, 152, 340, 264, 52, 184, 4, 96, 300, 232, 120];

/**
 * Colours of classes, by their place in the list: [hue, shift of lightness].
 * @type {Map<string, number>}
 */
const places = new Map();

/** @param {string} name @param {number} [alpha] */
export function classColour(name, alpha = 1) {
  const place = places.get(name);
  if (place === undefined) {
    return `hsl(220 5% 55% / ${alpha})`;
  }
  const round = Math.floor(place / HUES.length);
  const hue = (HUES[place % HUES.length] + 14 * round) % 360;
  return `hsl(${hue} ${66 - 12 * (round % 3)}% ${52 + 8 * (round % 2)}% / ${alpha})`;
}

/** @param {string} text */
function plain(text) {
  return text.normalize('NFC').toLocaleLowerCase();
}

/** The letters of a query in their order, the earlier and closer the better; 0: not there.
 * @param {string} text @param {string} query */
export function match(text, query) {
  const where = plain(text);
  const wanted = plain(query).trim();
  if (!wanted) {
    return 1;
  }
  const whole = where.indexOf(wanted);
  if (whole >= 0) {
    const begin = whole === 0 || /[^\p{L}\p{N}]/u.test(where[whole - 1]);
    return (begin ? 4 : 3) - whole / (where.length + 1);
  }
  let from = 0;
  let spread = 0;
  for (const letter of wanted) {
    const at = where.indexOf(letter, from);
    if (at < 0) {
      return 0;
    }
    spread += at - from;
    from = at + 1;
  }
  return 1 / (1 + spread);
}

/** Events: `choose` (detail: name). */
export class ClassList extends EventTarget {
  /** @type {ClassInfo[]} */
  #classes = [];
  #name = '';
  #top = 0;

  constructor() {
    super();
    this.find = h('input', {
      type: 'search',
      id: 'find',
      autocomplete: 'off',
      spellcheck: 'false',
      'aria-controls': 'class-list',
      on: {
        input: () => this.#draw(),
        keydown: (/** @type {KeyboardEvent} */ event) => this.#type(event),
      },
    });
    say(this.find, 'class.find', {}, 'placeholder');
    say(this.find, 'class.find', {}, 'aria-label');
    this.list = h('div', {class: 'class-list', id: 'class-list', role: 'radiogroup'});
    say(this.list, 'class.title', {}, 'aria-label');
    this.element = h(
      'section',
      {class: 'classes'},
      h('div', {class: 'find'}, this.find, keycap('find')),
      this.list,
    );
    window.addEventListener('keyschange', () => this.#draw());
  }

  get classes() {
    return this.#classes;
  }

  /** @param {ClassInfo[]} classes */
  use(classes) {
    this.#classes = classes;
    places.clear();
    classes.forEach(({name}, i) => places.set(name, i));
    this.#draw();
  }

  get chosen() {
    return this.#name;
  }

  /** @param {string} name '' for none */
  set chosen(name) {
    this.#name = name;
    for (const row of this.list.querySelectorAll('input')) {
      row.checked = row.value === name;
      if (row.checked) {
        row.closest('label')?.scrollIntoView({block: 'nearest'});
      }
    }
  }

  clear() {
    this.find.value = '';
    this.#draw();
  }

  /** @returns {ClassInfo[]} those that the field leaves, best first */
  #left() {
    const query = this.find.value;
    if (!query.trim()) {
      return this.#classes;
    }
    return this.#classes
      .map(one => ({
        one,
        score: Math.max(match(one.name, query), 0.9 * match(one.path.join(' '), query)),
      }))
      .filter(({score}) => score > 0)
      .sort((a, b) => b.score - a.score)
      .map(({one}) => one);
  }

  /** @param {KeyboardEvent} event */
  #type(event) {
    const left = this.#left();
    if (event.isComposing) {
      return;
    }
    if (event.key === 'Enter' && left.length > 0) {
      const {name} = left[Math.min(this.#top, left.length - 1)];
      this.clear();
      this.find.blur();
      this.dispatchEvent(new CustomEvent('choose', {detail: name}));
    } else if (event.key === 'Escape') {
      this.clear();
      this.find.blur();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      const way = event.key === 'ArrowDown' ? 1 : -1;
      this.#top = Math.max(0, Math.min(left.length - 1, this.#top + way));
      this.#mark();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  }

  #mark() {
    const typing = this.find.value.trim() !== '';
    [...this.list.querySelectorAll('label')].forEach((row, i) => {
      row.classList.toggle('top', typing && i === this.#top);
      if (typing && i === this.#top) {
        row.scrollIntoView({block: 'nearest'});
      }
    });
  }

  #draw() {
    const keys = classKeys(this.#classes);
    const searching = this.find.value.trim() !== '';
    const names = new Set(this.#classes.map(({path}) => path.join('\n')));
    /** @type {HTMLElement[]} */
    const rows = [];
    /** @type {string[]} */
    let above = [];
    for (const one of this.#left()) {
      const parents = one.path.slice(0, -1);
      if (!searching) {
        parents.forEach((parent, depth) => {
          const whole = parents.slice(0, depth + 1).join('\n');
          const before = above.slice(0, depth + 1).join('\n');
          if (whole !== before && !names.has(whole)) {
            rows.push(h('div', {class: `branch depth-${Math.min(depth, 4)}`}, parent));
          }
        });
        above = one.path;
      }
      rows.push(this.#row(one, keys.get(one.name) ?? '', searching));
    }
    if (rows.length === 0) {
      rows.push(h('p', {class: 'hint', t: 'class.none'}));
    }
    fill(this.list, ...rows);
    this.#top = 0;
    this.#mark();
  }

  /** @param {ClassInfo} one @param {string} key @param {boolean} searching */
  #row(one, key, searching) {
    const input = h('input', {
      type: 'radio',
      name: 'class',
      value: one.name,
      on: {
        change: () => this.dispatchEvent(new CustomEvent('choose', {detail: one.name})),
      },
    });
    input.checked = one.name === this.#name;
    const swatch = h('i', {class: 'swatch', 'aria-hidden': 'true'});
    swatch.style.backgroundColor = classColour(one.name);
    const depth = searching ? 0 : Math.min(one.path.length - 1, 4);
    const parents = searching ? one.path.slice(0, -1).join(' › ') : '';
    return h(
      'label',
      {class: `class depth-${depth}`},
      input,
      swatch,
      h(
        'span',
        {class: 'name'},
        one.path[one.path.length - 1] ?? one.name,
        parents && h('small', {}, parents),
      ),
      key && h('kbd', {}, spell(key)),
    );
  }
}

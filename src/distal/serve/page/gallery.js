// What each strategy asked, round by round, as pictures; a click plays the clip.

import {clock, fill, h, openDialog, push, say} from './dom.js';
import {api, Refusal} from './api.js';
import {classColour} from './classes.js';
import {ClipVideo} from './clip_video.js';
import {t} from './strings.js';

/** @typedef {import('./types.d.ts').GalleryItem} GalleryItem */

const PAGE = 50;

export class Gallery {
  #page = 0;
  #total = 0;
  #asked = 0;

  constructor() {
    const again = () => {
      this.#page = 0;
      void this.refresh();
    };
    this.study = h('select', {id: 'gallery-study', on: {change: again}});
    this.round = h('input', {id: 'gallery-round', type: 'number', min: 0, on: {change: again}});
    this.state = h(
      'select',
      {id: 'gallery-state', on: {change: again}},
      h('option', {value: '', t: 'gallery.all'}),
      ...['open', 'settled', 'left_out', 'withdrawn'].map(state =>
        h('option', {value: state, t: `state.${state}`}),
      ),
    );
    this.grid = h('div', {class: 'grid'});
    this.count = h('span', {class: 'hint', role: 'status'});
    this.earlier = push({class: 'act'}, () => this.#turn(-1), h('span', {t: 'page.earlier'}));
    this.later = push({class: 'act'}, () => this.#turn(1), h('span', {t: 'page.later'}));
    const field = (/** @type {string} */ key, /** @type {HTMLElement} */ input) =>
      h('label', {for: input.id}, h('span', {t: key}), input);
    this.element = h(
      'div',
      {class: 'gallery view'},
      h('h1', {t: 'nav.gallery'}),
      h(
        'div',
        {class: 'filters'},
        field('gallery.study', this.study),
        field('gallery.round', this.round),
        field('gallery.state', this.state),
        h('span', {class: 'grow'}),
        this.count,
        this.earlier,
        this.later,
      ),
      this.grid,
    );
  }

  enter() {
    void this.refresh();
  }

  leave() {
    ++this.#asked;
  }

  /** @param {1 | -1} way */
  #turn(way) {
    this.#page = Math.max(0, this.#page + way);
    void this.refresh();
  }

  async refresh() {
    const turn = ++this.#asked;
    try {
      if (this.study.options.length === 0) {
        const studies = await api.studies();
        fill(
          this.study,
          h('option', {value: '', t: 'gallery.all'}),
          ...studies.map(({name}) => h('option', {value: name}, name)),
        );
      }
      const found = await api.gallery({
        study: this.study.value,
        round: this.round.value,
        state: this.state.value,
        page: this.#page,
      });
      if (turn === this.#asked) {
        this.#total = found.total;
        this.#show(found.items);
      }
    } catch (error) {
      this.count.textContent =
        error instanceof Refusal && error.status > 0 ? error.message : t('state.offline');
    }
  }

  /** @param {GalleryItem[]} items */
  #show(items) {
    const first = this.#page * PAGE;
    say(this.count, 'page.range', {
      first: items.length ? first + 1 : 0,
      last: first + items.length,
      total: this.#total,
    });
    this.earlier.disabled = this.#page === 0;
    this.later.disabled = first + items.length >= this.#total;
    /** @type {Map<string, GalleryItem[]>} */
    const groups = new Map();
    for (const item of items) {
      const key = `${item.round ?? ''}\n${item.strategy ?? ''}`;
      groups.set(key, [...(groups.get(key) ?? []), item]);
    }
    fill(
      this.grid,
      ...[...groups.values()].flatMap(group => [
        this.#heading(group[0]),
        h('div', {class: 'tiles'}, ...group.map(item => this.#tile(item))),
      ]),
    );
  }

  /** @param {GalleryItem} item */
  #heading(item) {
    const round = h('span', {});
    if (item.round !== null) {
      say(round, 'item.round', {n: item.round});
    }
    return h('h2', {}, round, item.strategy && ` · ${item.strategy}`);
  }

  /** @param {GalleryItem} item */
  #tile(item) {
    const swatch = h('i', {class: 'swatch', 'aria-hidden': 'true'});
    if (item.class) {
      swatch.style.backgroundColor = classColour(item.class);
    }
    return push(
      {class: 'tile'},
      () => void this.#open(item),
      h('img', {src: new URL(item.picture, document.baseURI).href, alt: '', loading: 'lazy'}),
      h('span', {class: 'name'}, item.clip),
      h(
        'span',
        {class: 'below'},
        item.class && swatch,
        item.class
          ? h('span', {class: 'name'}, item.class)
          : h('span', {class: `tag ${item.state}`, t: `state.${item.state}`}),
        h('span', {class: 'mono'}, item.score === null ? '' : item.score.toPrecision(3)),
      ),
    );
  }

  /** Plays a clip over and over. @param {GalleryItem} item */
  async #open(item) {
    const clip = new ClipVideo();
    clip.element.setAttribute('aria-label', item.clip);
    const dialog = h(
      'dialog',
      {class: 'sheet player', 'aria-label': item.clip},
      h(
        'header',
        {},
        h('h2', {}, item.clip),
        push({label: 'close', class: 'quiet'}, () => dialog.close(), '✕'),
      ),
      clip.element,
      h('p', {class: 'hint'}, `${clock(item.start_s)} – ${clock(item.end_s)} · ${item.study}`),
    );
    openDialog(dialog);
    dialog.addEventListener('close', () => clip.stop());
    clip.play(await api.item(item.id), item.picture);
  }
}

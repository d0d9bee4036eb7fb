// The map of a study: the clips as the student sees them, in two dimensions. A point plays its
// clip.

import {announce, clock, fill, h, icon, push, say} from './dom.js';
import {api, Refusal} from './api.js';
import {classColour} from './classes.js';
import {ClipVideo} from './clip_video.js';
import {Scatter} from './scatter.js';
import {t} from './strings.js';

/** @typedef {import('./types.d.ts').StudyMap} StudyMap */
/** @typedef {import('./types.d.ts').MapPoint} MapPoint */
/** @typedef {import('./types.d.ts').MapClip} MapClip */
/** @typedef {import('./scatter.js').Dot} Dot */

const AGAIN_MS = 2000; // while a map is being computed
const HOVER_MS = 120; // a pointer that passes by plays nothing
const OPEN = 'hsl(220 8% 58%)'; // nobody has answered it
/** @type {Record<string, string>} */
const ROLE_COLOURS = {pool: OPEN, labelled: 'hsl(212 72% 52%)', test: 'hsl(28 82% 52%)'};
/** @type {Record<string, Dot['shape']>} */
const SHAPES = {pool: 'dot', labelled: 'disc', test: 'square'};

export class MapView {
  /** @type {StudyMap | null} */
  #map = null;
  #of = ''; // the study of #map
  #asked = 0;
  #on = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #again;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;
  /** @type {Map<string, MapClip>} What points play, by study and id. */
  #clips = new Map();
  #shown = -1;

  /** @param {import('./live.js').Live} live */
  constructor(live) {
    const again = () => void this.refresh();
    this.study = h('select', {id: 'map-study', on: {change: again}});
    this.method = h(
      'select',
      {id: 'map-method', on: {change: again}},
      h('option', {value: 'auto', t: 'map.auto'}),
      h('option', {value: 'pca'}, 'PCA'),
      h('option', {value: 'umap'}, 'UMAP'),
    );
    this.colour = h(
      'select',
      {id: 'map-colour', on: {change: () => this.#draw()}},
      h('option', {value: 'class', t: 'map.byClass'}),
      h('option', {value: 'role', t: 'map.byRole'}),
    );
    this.status = h('p', {class: 'hint', role: 'status'});
    this.note = h('p', {class: 'hint'});
    this.legend = h('ul', {class: 'legend'});
    this.host = h('div', {
      class: 'plot',
      role: 'application',
      tabindex: 0,
      'aria-describedby': 'map-keys',
    });
    say(this.host, 'map.plot', {}, 'aria-label');
    this.scatter = new Scatter(this.host);
    this.video = new ClipVideo();
    this.side = h('aside', {class: 'map-side card'});
    this.element = this.#build();
    this.#listen(live);
    this.#empty();
  }

  /** @param {import('./live.js').Live} live */
  #listen(live) {
    this.scatter.addEventListener('over', event => {
      const dot = /** @type {CustomEvent<Dot | null>} */ (event).detail;
      clearTimeout(this.#soon);
      if (dot && !this.scatter.chosen) {
        this.#soon = setTimeout(() => void this.#play(dot.id), HOVER_MS);
      }
    });
    this.scatter.addEventListener('choose', event => {
      const dot = /** @type {CustomEvent<Dot | null>} */ (event).detail;
      clearTimeout(this.#soon);
      if (dot) {
        announce(this.#spoken(dot.id));
        void this.#play(dot.id);
      }
    });
    this.scatter.addEventListener('act', () => this.video.toggle());
    live.addEventListener('study', () => this.#later(1000));
  }

  #build() {
    const field = (/** @type {string} */ key, /** @type {HTMLElement} */ input) =>
      h('label', {for: input.id}, h('span', {t: key}), input);
    const tool = (
      /** @type {string} */ label,
      /** @type {'nearer' | 'farther' | 'whole'} */ name,
      /** @type {() => void} */ action,
    ) => push({class: 'round', label}, action, icon(name));
    return h(
      'div',
      {class: 'map view'},
      h('h1', {t: 'nav.map'}),
      h(
        'div',
        {class: 'filters'},
        field('gallery.study', this.study),
        field('map.method', this.method),
        field('map.colour', this.colour),
        h('span', {class: 'grow'}),
        h(
          'span',
          {class: 'tools'},
          tool('map.nearer', 'nearer', () => this.scatter.zoom(1.5)),
          tool('map.farther', 'farther', () => this.scatter.zoom(1 / 1.5)),
          tool('map.whole', 'whole', () => this.scatter.whole()),
        ),
      ),
      this.status,
      h('div', {class: 'map-body'}, this.host, this.side),
      this.legend,
      this.note,
      h('p', {class: 'hint', id: 'map-keys', t: 'map.keys'}),
    );
  }

  enter() {
    this.#on = true;
    void this.refresh();
  }

  leave() {
    this.#on = false;
    ++this.#asked;
    clearTimeout(this.#again);
    clearTimeout(this.#soon);
    this.video.stop();
    this.#shown = -1;
  }

  /** @param {number} ms */
  #later(ms) {
    clearTimeout(this.#again);
    if (this.#on) {
      this.#again = setTimeout(() => void this.refresh(), ms);
    }
  }

  async refresh() {
    const turn = ++this.#asked;
    try {
      await this.#studies();
      if (!this.study.value) {
        say(this.status, 'study.none');
        return;
      }
      await this.#load(turn);
    } catch (error) {
      if (turn === this.#asked) {
        this.status.textContent =
          error instanceof Refusal && error.status > 0 ? error.message : t('state.offline');
      }
    }
  }

  async #studies() {
    const names = (await api.studies()).map(({name}) => name);
    const {value} = this.study;
    if (String(names) !== String([...this.study.options].map(one => one.value))) {
      fill(this.study, ...names.map(name => h('option', {value: name}, name)));
      this.study.value = names.includes(value) ? value : (names[0] ?? '');
    }
  }

  /** PCA at once, UMAP when it is ready. @param {number} turn */
  async #load(turn) {
    const study = this.study.value;
    if (study !== this.#of) {
      this.#of = study;
      this.#map = null;
      this.#draw();
      this.#empty();
    }
    const method = this.method.value;
    if (method !== 'umap') {
      this.#take(turn, await api.map(study, 'pca'));
    }
    if (method === 'pca' || turn !== this.#asked || this.#map?.state === 'absent') {
      return;
    }
    const better = await api.map(study, 'umap');
    if (turn !== this.#asked) {
      return;
    }
    if (better.state === 'ready' || !this.#map) {
      this.#take(turn, better);
    }
    if (better.state === 'computing') {
      say(this.status, 'map.computing');
      this.#later(AGAIN_MS);
    }
  }

  /** @param {number} turn @param {StudyMap} map */
  #take(turn, map) {
    const umap = this.#map?.method === 'umap' && this.#map.round === map.round;
    const better = umap && map.method === 'pca' && this.method.value === 'auto';
    if (turn !== this.#asked || (better && this.#map?.state === 'ready')) {
      return; // what is on screen stays until the better one is there
    }
    const old = this.#map;
    if (old && (old.arm !== map.arm || old.seed !== map.seed || old.round !== map.round)) {
      this.#shown = -1; // points have other numbers now
    }
    this.#map = map;
    if (map.state === 'absent') {
      say(this.status, 'map.absent');
    } else {
      say(this.status, 'map.which', {
        method: map.method.toUpperCase(),
        arm: map.arm ?? '',
        seed: map.seed ?? 0,
        round: map.round ?? 0,
        n: map.points.length,
      });
    }
    this.note.textContent = map.note ?? '';
    this.#draw();
  }

  /** @param {MapPoint} point */
  #paint(point) {
    if (this.colour.value === 'role') {
      return ROLE_COLOURS[point.role] ?? OPEN;
    }
    return point.class === null ? OPEN : classColour(point.class);
  }

  #draw() {
    const points = this.#map?.points ?? [];
    this.scatter.use(
      points.map(point => ({
        id: point.id,
        x: point.x,
        y: point.y,
        colour: this.#paint(point),
        shape: SHAPES[point.role] ?? 'dot',
      })),
    );
    this.#explain(points);
  }

  /** What colours and shapes mean, with numbers. @param {MapPoint[]} points */
  #explain(points) {
    /** @type {Map<string, {count: number, sample: MapPoint}>} */
    const groups = new Map();
    for (const point of points) {
      const key = this.colour.value === 'role' ? point.role : (point.class ?? '');
      groups.set(key, {count: (groups.get(key)?.count ?? 0) + 1, sample: point});
    }
    const rows = [...groups.entries()].sort((a, b) => b[1].count - a[1].count);
    fill(
      this.legend,
      ...Object.entries(this.colour.value === 'role' ? {} : SHAPES).map(([role, shape]) => {
        const sign = h('i', {class: `swatch ${shape}`, 'aria-hidden': 'true'});
        sign.style.backgroundColor = 'currentColor';
        return h('li', {class: 'hint'}, sign, h('span', {t: `map.role.${role}`}));
      }),
      ...rows.slice(0, 30).map(([key, {count, sample}]) => {
        const shape = this.colour.value === 'role' ? SHAPES[sample.role] : 'disc';
        const swatch = h('i', {class: `swatch ${shape}`, 'aria-hidden': 'true'});
        swatch.style.backgroundColor = this.#paint(sample);
        const name =
          this.colour.value === 'role' || key === ''
            ? h('span', {t: key === '' ? 'map.open' : `map.role.${key}`})
            : h('span', {}, key);
        return h('li', {}, swatch, name, h('span', {class: 'mono'}, count));
      }),
    );
  }

  /** @param {number} id */
  #spoken(id) {
    const point = this.#map?.points.find(one => one.id === id);
    return point ? `${point.clip}, ${point.class ?? t('map.open')}` : '';
  }

  #empty() {
    fill(this.side, h('p', {class: 'hint', t: 'map.hint'}));
  }

  /** @param {number} id */
  async #play(id) {
    const study = this.study.value;
    const point = this.#map?.points.find(one => one.id === id);
    if (!point || this.#shown === id) {
      return;
    }
    const key = `${study}/${point.clip}`;
    this.#shown = id;
    try {
      const clip = this.#clips.get(key) ?? (await api.mapClip(study, id));
      if (clip.clip !== point.clip) {
        this.#shown = -1; // the server has a newer map, whose points have other numbers
        void this.refresh();
        return;
      }
      this.#clips.set(key, {...clip, id});
      if (this.#shown === id && this.#on) {
        this.#show({...clip, id});
      }
    } catch (error) {
      this.#shown = -1;
      const refused = error instanceof Refusal && error.status > 0;
      fill(this.side, h('p', {class: 'hint'}, refused ? error.message : t('state.offline')));
    }
  }

  /** @param {MapClip} clip */
  #show(clip) {
    const point = this.#map?.points.find(one => one.id === clip.id);
    const name = clip.class ?? point?.class ?? null;
    const swatch = h('i', {class: 'swatch', 'aria-hidden': 'true'});
    swatch.style.backgroundColor = name === null ? OPEN : classColour(name);
    this.video.element.setAttribute('aria-label', clip.clip);
    fill(
      this.side,
      this.video.element,
      h('h2', {class: 'long'}, clip.clip),
      h('p', {class: 'line'}, swatch, name === null ? h('span', {t: 'map.open'}) : name),
      point && h('p', {}, h('span', {class: 'tag', t: `map.role.${point.role}`})),
      h('p', {class: 'hint mono'}, `${clock(clip.start_s)} – ${clock(clip.end_s)}`),
    );
    this.video.play(clip, clip.picture);
  }
}

// The view of the one who runs: studies, curves, balance, confusion, times, quarantine.

import {fill, h, push, say, scroller, toast} from './dom.js';
import {api, Refusal} from './api.js';
import {branchOf, openBranch} from './branch.js';
import {Chart, lines} from './chart.js';
import {classColour} from './classes.js';
import {t} from './strings.js';

/** @typedef {import('./types.d.ts').Study} Study */
/** @typedef {import('./types.d.ts').StudyDetail} StudyDetail */
/** @typedef {import('./types.d.ts').StudyEvent} StudyEvent */
/** @typedef {import('./types.d.ts').Session} Session */

const SHOWN_CLASSES = 40;

/** A heading with what belongs to it. @param {string} key @param {...any} children */
function card(key, ...children) {
  return h('section', {class: 'card'}, h('h2', {t: key}), ...children);
}

/** @param {string} name @param {number} share @param {string} value @param {string} colour */
function bar(name, share, value, colour) {
  const inside = h('i', {class: 'bar'});
  inside.style.width = `${100 * share}%`;
  inside.style.backgroundColor = colour;
  return h(
    'li',
    {},
    h('span', {class: 'name', title: name}, name),
    h('span', {class: 'track'}, inside),
    h('span', {class: 'mono'}, value),
  );
}

/** @param {number} seconds */
function span(seconds) {
  if (seconds >= 3600) {
    return `${(seconds / 3600).toFixed(1)} h`;
  }
  return seconds >= 60 ? `${(seconds / 60).toFixed(1)} min` : `${seconds.toFixed(1)} s`;
}

export class Dashboard {
  /** @type {Study[]} */
  #studies = [];
  /** @type {StudyDetail | null} */
  #detail = null;
  #chosen = '';
  /** @type {Map<string, string>} What runs now, by study. */
  #stages = new Map();
  #asked = 0;
  #on = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #soon;

  /** @param {import('./live.js').Live} live @param {() => Session | null} session */
  constructor(live, session) {
    this.session = session;
    this.chart = new Chart();
    this.tabs = h('div', {class: 'studies', role: 'group'});
    this.body = h('div', {class: 'cards'});
    this.note = h('p', {class: 'hint'});
    this.stage = h('p', {class: 'hint mono'});
    this.element = h(
      'div',
      {class: 'dashboard view'},
      h('h1', {t: 'nav.dashboard'}),
      this.note,
      this.tabs,
      this.body,
    );
    for (const event of ['study', 'item', 'poll']) {
      live.addEventListener(event, () => this.#later());
    }
    live.addEventListener('study', event => {
      const {study, stage} = /** @type {CustomEvent<StudyEvent>} */ (event).detail;
      if (stage !== undefined) {
        this.#stages.set(study.name, stage);
      }
      this.#tellStage();
    });
  }

  enter() {
    this.#on = true;
    void this.refresh();
  }

  leave() {
    this.#on = false;
    clearTimeout(this.#soon);
  }

  #later() {
    if (this.#on) {
      clearTimeout(this.#soon);
      this.#soon = setTimeout(() => void this.refresh(), 300);
    }
  }

  async refresh() {
    const turn = ++this.#asked;
    try {
      const studies = await api.studies();
      if (!studies.some(({name}) => name === this.#chosen)) {
        this.#chosen = studies[0]?.name ?? '';
      }
      const detail = this.#chosen ? await api.study(this.#chosen) : null;
      if (turn !== this.#asked || !this.#on) {
        return;
      }
      this.#studies = studies;
      this.#detail = detail;
      this.note.textContent = '';
      this.#show();
    } catch (error) {
      this.note.textContent =
        error instanceof Refusal && error.status > 0 ? error.message : t('state.offline');
    }
  }

  #show() {
    const focused = /** @type {HTMLElement | null} */ (document.activeElement)?.dataset.focus;
    fill(this.tabs, ...this.#studies.map(study => this.#tab(study)));
    if (this.#studies.length === 0) {
      fill(this.body, h('p', {class: 'hint', t: 'study.none'}));
    } else if (this.#detail) {
      const detail = this.#detail;
      fill(
        this.body,
        this.#head(detail),
        this.#notes(detail),
        this.#curves(detail),
        this.#balance(detail),
        this.#confusion(detail),
        this.#times(detail),
        this.#quarantine(detail),
      );
      this.chart.use(lines(detail.curves));
      this.#tellStage();
    }
    if (focused) {
      /** @type {HTMLElement | null} */ (
        this.element.querySelector(`[data-focus="${CSS.escape(focused)}"]`)
      )?.focus({preventScroll: true});
    }
  }

  /** What the study on screen does now. */
  #tellStage() {
    this.stage.textContent = this.#stages.get(this.#chosen) ?? '';
  }

  /** @param {Study} study */
  #tab(study) {
    return push(
      {
        class: 'study-tab',
        'aria-pressed': String(study.name === this.#chosen),
        'data-focus': `study ${study.name}`,
      },
      () => {
        this.#chosen = study.name;
        void this.refresh();
      },
      h('b', {}, study.name),
      h('span', {class: `tag ${study.state}`, t: `study.${study.state}`}),
    );
  }

  /** @param {StudyDetail} study */
  #head(study) {
    const whole = Math.max(1, study.answered + study.open_items);
    const held = study.held_out;
    const number = (
      /** @type {string} */ key,
      /** @type {string} */ value,
      /** @type {any} */ below = null,
    ) => h('div', {class: 'number'}, h('b', {}, value), h('span', {t: key}), below);
    const meter = h('i', {class: 'bar'});
    meter.style.width = `${(100 * study.answered) / whole}%`;
    const minutes = study.minutes_left;
    return h(
      'section',
      {class: 'card wide head'},
      h(
        'div',
        {class: 'numbers'},
        number('study.answered', String(study.answered)),
        number('study.open', String(study.open_items)),
        number(
          'study.minutes',
          minutes === null ? '–' : minutes < 10 ? minutes.toFixed(1) : String(Math.round(minutes)),
        ),
        number('study.arms', `${study.arms.length} × ${study.seeds}`),
        held && number('study.heldOut', `${held.answered} / ${held.size}`),
      ),
      h('div', {class: 'track', role: 'img', 'aria-label': `${study.answered} / ${whole}`}, meter),
      held && h('p', {class: 'hint'}, held.shows),
      branchOf(study),
      this.stage,
      this.#steering(study),
    );
  }

  /** @param {StudyDetail} study */
  #steering(study) {
    if (this.session()?.role !== 'owner') {
      return null;
    }
    const idle = ['paused', 'stopped', 'failed'].includes(study.state);
    const done = study.state === 'done';
    const act = (/** @type {'start' | 'pause' | 'stop'} */ what, /** @type {boolean} */ off) =>
      push(
        {class: 'act', disabled: off, 'data-focus': what},
        async () => {
          try {
            await api.steer(study.name, what);
            toast(t(`study.${what}.asked`));
          } catch (error) {
            toast(error instanceof Error ? error.message : String(error), 'warn');
          }
          void this.refresh();
        },
        h('span', {t: `study.${what}`}),
      );
    return h(
      'div',
      {class: 'acts row'},
      act('start', !idle),
      act('pause', idle || done),
      act('stop', done || study.state === 'stopped'),
      push(
        {class: 'act', 'data-focus': 'branch'},
        () => void this.#branch(study.name),
        h('span', {t: 'study.branch'}),
      ),
      h('span', {class: 'grow'}),
      h('span', {class: 'hint', t: 'study.export'}),
      ...['csv', 'label-studio', 'cvat'].map(format =>
        h('a', {class: 'act', href: api.exportUrl(study.name, format), download: true}, format),
      ),
    );
  }

  /** @param {string} study */
  async #branch(study) {
    try {
      const taken = this.#studies.map(({name}) => name);
      await openBranch(study, taken, ({name}) => {
        this.#chosen = name;
        toast(t('branch.made', {study: name}));
        void this.refresh();
      });
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), 'warn');
    }
  }

  /** @param {StudyDetail} study */
  #notes(study) {
    return (
      study.notes.length > 0 &&
      h(
        'section',
        {class: 'card wide notes'},
        h('h2', {t: 'study.notes'}),
        h('ul', {}, ...study.notes.map(note => h('li', {}, note))),
      )
    );
  }

  /** @param {StudyDetail} study */
  #curves(study) {
    const rows = study.curves.flatMap(({arm, seed, points}) =>
      points.map(point =>
        h(
          'tr',
          {},
          h('td', {}, arm),
          h('td', {}, seed),
          h('td', {}, point.round),
          h('td', {}, point.answers),
          h('td', {}, `${(100 * point.accuracy).toFixed(1)} %`),
          h(
            'td',
            {},
            point.low === null || point.high === null
              ? '–'
              : `${(100 * point.low).toFixed(1)} – ${(100 * point.high).toFixed(1)} %`,
          ),
        ),
      ),
    );
    if (rows.length === 0) {
      return card('curve.title', h('p', {class: 'hint', t: 'curve.none'}));
    }
    const open =
      this.element.querySelector('details[data-focus=curves]')?.hasAttribute('open') ?? false;
    const section = card(
      'curve.title',
      h('p', {class: 'hint', t: 'curve.hint'}),
      this.chart.element,
      this.chart.legend,
      h(
        'details',
        {'data-focus': 'curves', open},
        h('summary', {t: 'curve.table'}),
        scroller(
          'curve.title',
          h(
            'table',
            {},
            h(
              'thead',
              {},
              h(
                'tr',
                {},
                ...['arm', 'seed', 'round', 'answers', 'accuracy', 'interval'].map(key =>
                  h('th', {scope: 'col', t: `curve.${key}`}),
                ),
              ),
            ),
            h('tbody', {}, ...rows),
          ),
        ),
      ),
    );
    section.classList.add('curves');
    return section;
  }

  /** @param {StudyDetail} study */
  #balance(study) {
    const most = Math.max(1, ...study.classes.map(({answered}) => answered));
    return card(
      'balance.title',
      h(
        'ul',
        {class: 'bars'},
        ...study.classes.map(({name, answered}) =>
          bar(name, answered / most, String(answered), classColour(name)),
        ),
      ),
    );
  }

  /** @param {StudyDetail} study */
  #confusion(study) {
    const {confusion} = study;
    if (!confusion) {
      return card('confusion.title', h('p', {class: 'hint', t: 'confusion.none'}));
    }
    const {classes, counts} = confusion;
    const which = h('p', {class: 'hint'});
    say(which, 'confusion.which', {
      arm: confusion.arm,
      seed: confusion.seed,
      round: confusion.round,
    });
    if (classes.length > SHOWN_CLASSES) {
      return card('confusion.title', which, this.#mixed(classes, counts));
    }
    const rows = classes.map((name, i) => {
      const sum = Math.max(
        1,
        counts[i].reduce((a, b) => a + b, 0),
      );
      return h(
        'tr',
        {},
        h('th', {scope: 'row', title: name}, name),
        ...counts[i].map((count, j) => {
          const cell = h(
            'td',
            {class: i === j ? 'hit' : 'miss', title: `${name} → ${classes[j]}: ${count}`},
            count || '',
          );
          cell.style.setProperty('--share', String(count / sum));
          return cell;
        }),
      );
    });
    const section = card(
      'confusion.title',
      which,
      scroller(
        'confusion.title',
        h(
          'table',
          {class: 'confusion'},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              h('th', {t: 'confusion.true'}),
              ...classes.map(name => h('th', {scope: 'col', title: name}, h('span', {}, name))),
            ),
          ),
          h('tbody', {}, ...rows),
        ),
      ),
    );
    return section;
  }

  /** The most frequent mistakes, where a table would be too large.
   * @param {string[]} classes @param {number[][]} counts */
  #mixed(classes, counts) {
    const pairs = counts
      .flatMap((row, i) => row.map((count, j) => ({i, j, count})))
      .filter(({i, j, count}) => i !== j && count > 0)
      .sort((a, b) => b.count - a.count)
      .slice(0, 20);
    return h(
      'ol',
      {},
      ...pairs.map(({i, j, count}) => h('li', {}, `${classes[i]} → ${classes[j]}: ${count}`)),
    );
  }

  /** @param {StudyDetail} study */
  #times(study) {
    const most = Math.max(1e-9, ...study.stages.map(({seconds}) => seconds));
    return (
      study.stages.length > 0 &&
      card(
        'stage.title',
        h(
          'ul',
          {class: 'bars'},
          ...study.stages.map(({name, seconds}) =>
            bar(name, seconds / most, span(seconds), 'var(--accent)'),
          ),
        ),
      )
    );
  }

  /** @param {StudyDetail} study */
  #quarantine(study) {
    return (
      study.quarantined.length > 0 &&
      card(
        'quarantine.title',
        h(
          'ul',
          {class: 'quarantine'},
          ...study.quarantined.map(({path, reason}) =>
            h('li', {}, h('b', {}, path), h('p', {class: 'hint'}, reason)),
          ),
        ),
      )
    );
  }
}

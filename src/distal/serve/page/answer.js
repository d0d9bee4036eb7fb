// The view that answers: the video, the classes, why the item is asked.

import {announce, clock, fill, h, icon, openDialog, push, say, toast} from './dom.js';
import {api, Refusal} from './api.js';
import {ClassList, classColour} from './classes.js';
import {keycap} from './keys.js';
import {Player, RATES} from './player.js';
import {Recording} from './recording.js';
import {change, settings} from './settings.js';
import {Strip} from './strip.js';
import {t} from './strings.js';

/** @typedef {import('./types.d.ts').Item} Item */
/** @typedef {import('./types.d.ts').Draft} Draft */
/** @typedef {import('./types.d.ts').NewAnswer} NewAnswer */
/** @typedef {import('./types.d.ts').Answer} Answer */
/** @typedef {import('./queue.js').Deck} Deck */
/** @typedef {import('./queue.js').Queue} Queue */
/** @typedef {import('./journal.js').Journal} Journal */
/** @typedef {import('./keys.js').Keys} Keys */

const IDLE_MS = 120000; // longer without a key is no time of the person's
const DRAFT_MS = 250;

/** Counts the seconds that a person spends on an item. */
class Watch {
  #seconds = 0;
  #since = 0;
  #touched = 0;

  /** @param {() => boolean} busy whether the page works for the person without keys */
  constructor(busy) {
    this.busy = busy;
    for (const event of ['keydown', 'pointerdown', 'pointermove', 'wheel']) {
      document.addEventListener(event, () => this.#touch(), {passive: true});
    }
    document.addEventListener('visibilitychange', () => this.#touch());
  }

  start() {
    this.began = Date.now();
    this.#seconds = 0;
    this.#since = document.hidden ? 0 : performance.now();
    this.#touched = performance.now();
  }

  /** @returns {number} */
  get seconds() {
    this.#touch();
    return Math.round(1000 * this.#seconds) / 1000;
  }

  began = 0;

  #touch() {
    const now = performance.now();
    if (this.#since > 0) {
      const limit = this.busy() ? now : Math.min(now, this.#touched + IDLE_MS);
      this.#seconds += Math.max(0, limit - this.#since) / 1000;
    }
    this.#since = document.hidden ? 0 : now;
    this.#touched = now;
  }
}

/**
 * A button of an action, with its key.
 * @param {string} name @param {string} key @param {() => void} action @param {string} [kind]
 */
function act(name, key, action, kind = '') {
  return push({class: `act ${kind}`, 'data-do': name}, action, h('span', {t: key}), keycap(name));
}

export class AnswerView {
  stage = h('div', {class: 'stage'});
  veil = h('div', {class: 'veil', role: 'status'});
  proof = h('span', {class: 'proof'});
  place = h('span', {class: 'mono place'});
  playButton = push({class: 'round', label: 'do.play'}, () => this.player.toggle(), icon('play'));
  loopButton = push(
    {class: 'round', label: 'do.loop', 'aria-pressed': 'true'},
    () => this.#loop(),
    icon('loop'),
  );
  rates = h(
    'select',
    {
      class: 'rate',
      on: {
        change: () => {
          this.player.speed(Number(this.rates.value));
          change({rate: this.player.rate});
          this.rates.blur();
        },
      },
    },
    ...RATES.map(rate => h('option', {value: rate}, `${rate}×`)),
  );
  below = h('div', {class: 'below'});
  note = h('textarea', {
    id: 'note',
    rows: 1,
    maxlength: 4000,
    on: {
      input: () => this.#keep(),
      keydown: (/** @type {KeyboardEvent} */ event) => {
        if (
          event.key === 'Escape' ||
          (event.key === 'Enter' && !event.shiftKey && !event.isComposing)
        ) {
          event.preventDefault();
          this.note.blur();
        }
      },
    },
  });
  unsureButton = push(
    {class: 'act toggle', 'aria-pressed': 'false', 'data-do': 'unsure'},
    () => this.#setUnsure(!this.#unsure),
    h('span', {t: 'answer.unsure'}),
    keycap('unsure'),
  );
  heading = h('h1', {class: 'item-title'});
  facts = h('div', {class: 'facts'});
  why = h('section', {class: 'why'});
  rangeBox = h('section', {class: 'ranges', hidden: true});
  empty = h('div', {class: 'empty', hidden: true, role: 'status'});
  submitButton = act('submit', 'answer.submit', () => void this.submit(), 'primary');
  work = h('div', {class: 'work'});
  /** @type {HTMLElement | null} */
  guessBox = null;
  /** @type {Deck | null} */
  #deck = null;
  /** @type {AbortController} */
  #listening = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #saving;
  #unsure = false;
  #guess = false;
  /** @type {Answer[]} What others said about an item in conflict. */
  #others = [];

  /**
   * @param {Queue} queue @param {Journal} journal @param {Keys} keys
   */
  constructor(queue, journal, keys) {
    this.queue = queue;
    this.journal = journal;
    this.keys = keys;
    this.player = new Player();
    this.classes = new ClassList();
    this.recording = new Recording(this.player);
    this.strip = new Strip(seconds => this.player.seek(seconds));
    this.watch = new Watch(() => this.#deck?.item.kind === 'ranges' && this.player.playing);
    this.player.speed(settings.rate);
    this.element = this.#build();
    queue.addEventListener('current', () => this.#take());
    queue.addEventListener('change', () => this.#wait());
    this.player.addEventListener('frame', () => this.#frame());
    this.player.addEventListener('state', () => this.#state());
    this.classes.addEventListener('choose', event =>
      this.choose(/** @type {CustomEvent<string>} */ (event).detail),
    );
    journal.addEventListener('refused', event => {
      const {op, item} = /** @type {CustomEvent<import('./types.d.ts').Entry>} */ (event).detail;
      if (op === 'undo' && item && item.id === this.#deck?.item.id) {
        this.queue.next(); // its answer stands after all
      }
    });
    this.recording.addEventListener('change', () => this.#keep());
    this.recording.addEventListener('class', event => {
      if (this.#deck?.item.kind === 'ranges') {
        this.classes.chosen = /** @type {CustomEvent<string | null>} */ (event).detail ?? '';
      }
    });
  }

  /** @param {import('./types.d.ts').ClassInfo[]} classes */
  useClasses(classes) {
    this.classes.use(classes);
    this.recording.name(classes.map(({name}) => name));
    this.keys.bindClasses(classes, name => {
      if (this.element.isConnected) {
        this.choose(name);
      }
    });
  }

  /** The view is on screen: its keys hold. */
  enter() {
    const {player, recording} = this;
    const ranges = (/** @type {() => void} */ action) => () => {
      if (this.#deck?.item.kind === 'ranges') {
        action();
      }
    };
    this.keys.bind({
      submit: () => void this.submit(),
      undo: () => void this.undo(),
      skip: () => void this.skip(),
      next: () => this.next(),
      find: () => this.classes.find.focus(),
      unsure: () => this.#setUnsure(!this.#unsure),
      note: () => this.note.focus(),
      guess: () => this.#setGuess(!this.#guess),
      play: () => player.toggle(),
      frameBack: () => player.step(-1),
      frameForward: () => player.step(1),
      manyBack: () => player.step(-settings.stride),
      manyForward: () => player.step(settings.stride),
      shuttleBack: () => player.shuttleBack(),
      shuttleStop: () => player.pause(),
      shuttleForward: () => player.shuttleForward(),
      slower: () => this.#rate(-1),
      faster: () => this.#rate(1),
      toStart: () => player.seek(player.loop?.start ?? 0),
      toEnd: () => this.#toEnd(),
      loop: () => this.#loop(),
      help: () => this.keys.help(),
      cancel: () => recording.cancel(),
      rangeStart: ranges(() => recording.start()),
      rangeEnd: ranges(() => recording.end()),
      rangePrevious: ranges(() => recording.jump(-1)),
      rangeNext: ranges(() => recording.jump(1)),
      rangeNone: ranges(() => recording.choose(null)),
      rangeRemove: ranges(() => recording.remove()),
      rangeBack: ranges(() => recording.back()),
      zoom: ranges(() => recording.zoom()),
      zoomIn: ranges(() => recording.line.zoom(0.5)),
      zoomOut: ranges(() => recording.line.zoom(2)),
    });
    this.queue.wake();
    this.#begin();
  }

  /** A clip plays by itself, unless the person asked the system for less motion. */
  #begin() {
    const still = matchMedia('(prefers-reduced-motion: reduce)').matches;
    if (this.#deck?.item.kind === 'clip' && this.element.isConnected && !still) {
      this.player.play();
    } else {
      this.player.step(0); // proves the frame that stands
    }
  }

  leave() {
    const {class: chosen, unsure, note, ranges} = this.#draft();
    this.player.pause();
    this.queue.rest(chosen !== null || unsure || note !== '' || ranges.length > 0);
    this.keys.bind({help: () => this.keys.help()});
  }

  /** @param {string} name */
  choose(name) {
    if (!this.#deck) {
      return;
    }
    if (this.#deck.item.kind === 'ranges') {
      this.recording.choose(name);
      return;
    }
    this.classes.chosen = name;
    announce(t('class.chosen', {class: name}));
    this.#keep();
    this.#ready();
    if (settings.submitByKey) {
      void this.submit();
    }
  }

  async submit() {
    const deck = this.#deck;
    if (!deck) {
      return;
    }
    if (deck.item.kind === 'clip') {
      if (!this.classes.chosen) {
        toast(t('answer.choose'), 'warn');
        return;
      }
      await this.#send(deck, {class: this.classes.chosen});
    } else {
      const ranges = this.recording.finish();
      if (ranges.length === 0) {
        toast(t('range.needed'), 'warn');
        return;
      }
      await this.#send(deck, {ranges});
    }
  }

  async skip() {
    if (this.#deck) {
      await this.#send(this.#deck, {skipped: true});
    }
  }

  next() {
    if (this.#deck) {
      announce(t('answer.released'));
      this.queue.release();
    }
  }

  async undo() {
    const local = await this.journal.newest();
    if (local?.item && local.state === 'pending') {
      await this.#takeBack(local.uuid, local.item, draftOf(local.body));
      return;
    }
    try {
      const undoing = await this.journal.undoing();
      const newest = (await api.mine(20)).find(({uuid, undone}) => !undone && !undoing.has(uuid));
      if (!newest) {
        toast(t('undo.nothing'));
      } else if (newest.used) {
        toast(t('undo.used'), 'warn');
      } else {
        await this.#takeBack(newest.uuid, await api.item(newest.item), draftOf(newest));
      }
    } catch (error) {
      if (error instanceof Refusal && error.status > 0) {
        toast(error.message, 'warn');
      } else if (local?.item) {
        await this.#takeBack(local.uuid, local.item, draftOf(local.body));
      } else {
        toast(t('undo.offline'), 'warn');
      }
    }
  }

  /** An item in conflict, for an adjudicator. @param {Item} item @param {Answer[]} answers */
  decide(item, answers) {
    this.#others = answers;
    this.queue.show(item, null);
  }

  /** @param {string} uuid @param {Item} item @param {Draft} draft */
  async #takeBack(uuid, item, draft) {
    await this.journal.undo(uuid, item);
    await this.journal.keepDraft(item.id, draft);
    this.queue.show(item, draft);
    toast(t('undo.done'));
  }

  /** @param {Deck} deck @param {Pick<NewAnswer, 'class' | 'ranges' | 'skipped'>} what */
  async #send(deck, what) {
    const body = {
      item: deck.item.id,
      ...what,
      unsure: this.#unsure,
      note: this.note.value.trim(),
      began_ms: this.watch.began,
      seconds: this.watch.seconds,
    };
    const draft = this.#draft();
    clearTimeout(this.#saving);
    const written = this.journal.put(deck.item, body);
    this.queue.next();
    announce(t(what.skipped ? 'answer.skipped' : 'answer.sent'));
    try {
      await written;
      await this.journal.keepDraft(deck.item.id, null);
    } catch (error) {
      // The browser could not write it: it is not lost, it is on screen again.
      toast(
        t('journal.failed', {why: error instanceof Error ? error.message : String(error)}),
        'warn',
      );
      this.queue.show(deck.item, draft);
    }
  }

  /** @returns {Draft} */
  #draft() {
    return {
      class: this.#deck?.item.kind === 'clip' ? this.classes.chosen || null : null,
      unsure: this.#unsure,
      note: this.note.value,
      ranges: this.recording.ranges,
    };
  }

  /** Keeps what is not yet submitted. */
  #keep() {
    const deck = this.#deck;
    clearTimeout(this.#saving);
    if (deck) {
      const draft = this.#draft();
      this.#saving = setTimeout(() => {
        void this.journal.keepDraft(deck.item.id, draft).catch(() => undefined);
      }, DRAFT_MS);
    }
  }

  #build() {
    say(this.rates, 'player.speed', {}, 'aria-label');
    say(this.note, 'answer.note', {}, 'placeholder');
    say(this.note, 'answer.note', {}, 'aria-label');
    const transport = h(
      'div',
      {class: 'transport', role: 'group'},
      push({class: 'round', label: 'do.frameBack'}, () => this.player.step(-1), icon('back')),
      this.playButton,
      push({class: 'round', label: 'do.frameForward'}, () => this.player.step(1), icon('forward')),
      this.loopButton,
      this.rates,
      h('span', {class: 'grow'}),
      this.place,
      this.proof,
    );
    fill(this.rangeBox, h('h2', {t: 'range.title'}), this.recording.list);
    fill(
      this.work,
      h(
        'div',
        {class: 'hero'},
        h('div', {class: 'screen'}, this.stage, this.veil),
        transport,
        this.below,
      ),
      h(
        'aside',
        {class: 'side'},
        h('header', {class: 'item-head'}, this.heading, this.facts),
        this.classes.element,
        h(
          'div',
          {class: 'doubt'},
          this.unsureButton,
          h('div', {class: 'note'}, this.note, keycap('note')),
        ),
        h(
          'div',
          {class: 'acts'},
          this.submitButton,
          act('skip', 'answer.skip', () => void this.skip()),
          act('next', 'answer.next', () => this.next()),
          act('undo', 'answer.undo', () => void this.undo()),
        ),
        this.rangeBox,
        this.why,
      ),
    );
    return h('div', {class: 'answer view'}, this.work, this.empty);
  }

  /** Another item is current. */
  #take() {
    const deck = this.queue.current;
    this.#listening.abort();
    this.#listening = new AbortController();
    clearTimeout(this.#saving);
    if (this.#deck && this.#deck !== deck) {
      this.#deck.draft = this.#draft(); // it may come back
    }
    this.#deck = deck;
    if (!deck) {
      this.player.drop();
      fill(this.stage);
      this.#wait();
      return;
    }
    const {signal} = this.#listening;
    const ranges = deck.item.kind === 'ranges';
    fill(this.stage, deck.video);
    this.player.use(
      deck.video,
      deck.frames,
      ranges ? null : {start: deck.item.start_s, end: deck.item.end_s},
    );
    this.player.looping = true;
    this.loopButton.setAttribute('aria-pressed', String(!ranges));
    fill(this.below, ranges ? this.recording.element : this.strip.element);
    this.rangeBox.hidden = !ranges;
    this.strip.use(deck);
    this.classes.clear();
    this.#restore(deck);
    deck.addEventListener('frames', () => this.#index(deck), {signal});
    deck.addEventListener('why', () => this.#because(deck), {signal});
    deck.addEventListener('state', () => this.#veil(), {signal});
    deck.addEventListener('lost', () => toast(t('answer.lost'), 'warn'), {signal});
    deck.addEventListener('draft', () => deck.draft && this.#restore(deck), {signal});
    this.#head(deck.item);
    this.#guess = false;
    this.#because(deck);
    this.#veil();
    this.#wait();
    this.watch.start();
    this.#begin();
    announce(t('item.read', {n: deck.item.id, left: this.queue.left}));
  }

  /** @param {Deck} deck */
  #index(deck) {
    if (deck.frames) {
      this.player.index(deck.frames);
      if (!this.player.playing) {
        this.player.step(0);
      }
    }
  }

  /** What was begun earlier. @param {Deck} deck */
  #restore(deck) {
    const {draft} = deck;
    this.classes.chosen = draft?.class ?? '';
    this.note.value = draft?.note ?? '';
    this.#setUnsure(draft?.unsure ?? false, false);
    if (deck.item.kind === 'ranges') {
      this.recording.use(deck, draft?.ranges ?? []);
    } else {
      this.recording.ranges = [];
    }
    this.#ready();
  }

  /** @param {Item} item */
  #head(item) {
    fill(this.heading, item.clip);
    this.heading.title = item.clip;
    const tag = (/** @type {string} */ key, kind = '') => h('span', {class: `tag ${kind}`, t: key});
    const round = h('span', {});
    if (item.round !== null) {
      say(round, 'item.round', {n: item.round});
    }
    fill(
      this.facts,
      tag(`purpose.${item.purpose}`, item.purpose),
      item.state !== 'open' && tag(`state.${item.state}`),
      h('span', {}, item.study),
      item.round !== null && round,
      h('span', {class: 'mono'}, `${clock(item.start_s)} – ${clock(item.end_s)}`),
    );
  }

  /** @param {Deck} deck */
  #because(deck) {
    const {why, item} = deck;
    const strategy = why?.strategy ?? item.strategy;
    const score = why?.score ?? item.score;
    const guess = h('div', {class: 'guess'});
    this.guessBox = guess;
    const near = (why?.neighbours ?? []).map(({clip, class: name, picture}) => {
      const swatch = h('i', {class: 'swatch', 'aria-hidden': 'true'});
      swatch.style.backgroundColor = classColour(name);
      return h(
        'figure',
        {},
        h('img', {
          src: new URL(picture, document.baseURI).href,
          alt: clip,
          title: clip,
          loading: 'lazy',
        }),
        h('figcaption', {hidden: true}, swatch, h('span', {class: 'name'}, name)),
      );
    });
    const others = this.#others.filter(answer => answer.item === item.id);
    fill(
      this.why,
      others.length > 0 &&
        h(
          'div',
          {class: 'others'},
          h('h2', {t: 'conflict.said'}),
          ...others.map(answer =>
            h(
              'p',
              {},
              h('b', {}, answer.person),
              ' ',
              answer.skipped ? t('answer.wasSkipped') : (answer.class ?? ''),
              answer.unsure && h('span', {class: 'tag', t: 'answer.unsure'}),
              ' ',
              answer.note,
            ),
          ),
        ),
      h('h2', {t: 'why.title'}),
      h(
        'dl',
        {class: 'pairs'},
        h('dt', {t: 'why.strategy'}),
        h('dd', {}, strategy ?? '–'),
        h('dt', {t: 'why.score'}),
        h('dd', {class: 'mono'}, score === null ? '–' : score.toPrecision(4)),
      ),
      near.length > 0 && h('h3', {t: 'why.near'}),
      near.length > 0 && h('div', {class: 'near'}, ...near),
      guess,
    );
    this.#showGuess();
  }

  #showGuess() {
    const guess = this.#deck?.why?.guess ?? [];
    const place = this.guessBox;
    if (!place) {
      return;
    }
    const open = push(
      {class: 'quiet guess-key', 'aria-expanded': String(this.#guess)},
      () => this.#setGuess(!this.#guess),
      h('span', {t: 'why.guess'}),
      keycap('guess'),
    );
    // What is near says as much as the guess does.
    for (const caption of this.why.querySelectorAll('.near figcaption')) {
      caption.toggleAttribute('hidden', !this.#guess);
    }
    const first = this.#deck?.why?.first ?? [];
    fill(
      place,
      open,
      this.#guess &&
        (guess.length > 0 ? bars(guess) : h('p', {class: 'hint', t: 'why.noGuess'})),
      this.#guess && first.length > 0 && h('h3', {t: 'why.first'}),
      this.#guess && first.length > 0 && bars(first),
    );
  }

  /** @param {boolean} on */
  #setGuess(on) {
    this.#guess = on;
    this.#showGuess();
    const best = this.#deck?.why?.guess[0];
    if (on) {
      announce(best ? `${best.class} ${Math.round(100 * best.p)} %` : t('why.noGuess'));
    }
  }

  /** @param {boolean} on @param {boolean} [keep] */
  #setUnsure(on, keep = true) {
    this.#unsure = on;
    this.unsureButton.setAttribute('aria-pressed', String(on));
    if (keep) {
      announce(t(on ? 'answer.unsure' : 'answer.sure'));
      this.#keep();
    }
  }

  #ready() {
    const clip = this.#deck?.item.kind === 'clip';
    this.submitButton.classList.toggle('dim', clip && !this.classes.chosen);
  }

  /** @param {1 | -1} way */
  #rate(way) {
    this.player.shift(way);
    change({rate: this.player.rate});
    announce(`${this.player.rate}×`);
  }

  #toEnd() {
    const {frames, loop} = this.player;
    const end = loop?.end ?? this.#deck?.item.video.duration_s ?? 0;
    this.player.seek(frames ? frames.times[frames.at(end - 2e-6)] : end);
  }

  /** Loops the clip, or the selected range of a recording. */
  #loop() {
    const {player} = this;
    const range = this.recording.ranges[this.recording.selected];
    if (this.#deck?.item.kind === 'ranges') {
      player.loop = player.loop || !range ? null : {start: range.start_s, end: range.end_s};
      player.looping = true;
      if (player.loop) {
        player.play();
      }
    } else {
      player.looping = !player.looping;
    }
    const on = player.looping && player.loop !== null;
    this.loopButton.setAttribute('aria-pressed', String(on));
    announce(t(on ? 'loop.on' : 'loop.off'));
  }

  #frame() {
    const {player} = this;
    const {frames} = player;
    const deck = this.#deck;
    if (!deck) {
      return;
    }
    const time = player.time;
    if (deck.item.kind === 'ranges') {
      this.recording.follow();
    } else {
      this.strip.show(time);
    }
    const shown = frames?.length
      ? frames.first + (player.playing ? player.shown : frames.at(time))
      : null;
    this.place.textContent = `${clock(time, 3)}${shown === null ? '' : ` · ${shown}`}`;
    this.stage.dataset.frame = String(shown ?? '');
    this.stage.dataset.proof = player.playing ? 'moving' : player.proof;
    const state = player.playing || player.proof === 'moving' ? 'moving' : player.proof;
    if (this.proof.dataset.state !== state) {
      this.proof.dataset.state = state;
      const marks = {proved: '✓ ', unproved: '⚠ ', moving: ''};
      fill(this.proof, marks[state], h('span', {t: `proof.${state}`}));
      say(this.proof, `proof.${state}.why`, {}, 'title');
    }
  }

  #state() {
    const {player} = this;
    fill(this.playButton, icon(player.playing ? 'pause' : 'play'));
    say(this.playButton, player.playing ? 'player.pause' : 'do.play', {}, 'aria-label');
    const rate = Math.abs(player.rate);
    this.rates.value = String(rate);
    this.stage.dataset.rate = String(player.rate);
    this.#veil();
  }

  /** What covers the video while there is no picture. */
  #veil() {
    const deck = this.#deck;
    const key = !deck || deck.state === 'ready' ? '' : `video.${deck.state}`;
    this.veil.hidden = key === '';
    if (key) {
      fill(this.veil, h('p', {t: key}), deck?.problem && h('p', {class: 'hint'}, deck.problem));
    }
  }

  /** Nothing to answer: says why. */
  #wait() {
    const none = !this.#deck;
    this.element.dataset.ahead = String(this.queue.ahead);
    this.work.hidden = none;
    this.empty.hidden = !none;
    document.dispatchEvent(new Event('leftchange'));
    const {state} = this.queue;
    if (none && this.empty.dataset.state !== state) {
      this.empty.dataset.state = state;
      fill(
        this.empty,
        h('h1', {t: `queue.${state}`}),
        h('p', {class: 'hint', t: `queue.${state}.why`}),
        push(
          {class: 'act'},
          () => void this.undo(),
          icon('undo'),
          h('span', {t: 'answer.undo'}),
          keycap('undo'),
        ),
      );
    }
  }
}

/** @param {NewAnswer | Answer | null} body @returns {Draft} */
function draftOf(body) {
  return {
    class: body?.class ?? null,
    unsure: body?.unsure ?? false,
    note: body?.note ?? '',
    ranges: body?.ranges ?? [],
  };
}

/** The refused answers, with reasons: to read, to keep as a file, to put aside.
 * @param {Journal} journal */
export async function showRefused(journal) {
  const entries = await journal.refusals();
  const dialog = h(
    'dialog',
    {class: 'sheet', 'aria-labelledby': 'refused-title'},
    h(
      'header',
      {},
      h('h2', {id: 'refused-title', t: 'refused.title'}),
      push({label: 'close', class: 'quiet'}, () => dialog.close(), '✕'),
    ),
    h('p', {class: 'hint', t: 'refused.hint'}),
    h(
      'ul',
      {class: 'refused'},
      ...entries.map(entry =>
        h(
          'li',
          {},
          h('b', {}, entry.item?.clip ?? entry.uuid),
          ' ',
          entry.body?.class ?? '',
          h('p', {class: 'hint'}, entry.error),
        ),
      ),
    ),
    h(
      'footer',
      {},
      push({t: 'refused.keep'}, () => save('refused.json', JSON.stringify(entries, null, 1))),
      push({t: 'refused.drop'}, () => {
        void journal.dismiss();
        dialog.close();
      }),
    ),
  );
  openDialog(dialog);
}

/** @param {string} name @param {string} text */
function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], {type: 'application/json'}));
  h('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
}

/** The most probable classes. @param {{class: string, p: number}[]} guess */
function bars(guess) {
  const rows = guess.slice(0, 5).map(({class: name, p}) => {
    const bar = h('i', {class: 'bar'});
    bar.style.width = `${100 * p}%`;
    bar.style.backgroundColor = classColour(name);
    return h(
      'li',
      {},
      h('span', {class: 'name'}, name),
      h('span', {class: 'track'}, bar),
      h('span', {class: 'mono'}, `${Math.round(100 * p)} %`),
    );
  });
  return h('ul', {class: 'bars'}, ...rows);
}

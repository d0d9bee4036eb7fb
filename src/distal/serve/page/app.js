// Begins the page: language, theme, log-in, views.

import {announce, fill, h, icon, push, say, sayAgain, toast} from './dom.js';
import {api, Refusal} from './api.js';
import {AnswerView, showRefused} from './answer.js';
import {Dashboard} from './dashboard.js';
import {Gallery} from './gallery.js';
import {Journal} from './journal.js';
import {Keys} from './keys.js';
import {Live} from './live.js';
import {MapView} from './map.js';
import {People} from './people.js';
import {Queue} from './queue.js';
import {applyTheme, change, settings} from './settings.js';
import {language, setLanguage, t} from './strings.js';

/** @typedef {import('./types.d.ts').Session} Session */
/** @typedef {{element: HTMLElement, enter: () => void, leave: () => void}} View */

/** @param {string} id */
function place(id) {
  return /** @type {HTMLElement} */ (document.getElementById(id));
}

/** The token of a one-time link. It leaves the address before anything is asked. */
function takeLink() {
  const token = /^#link=([\w.~-]+)$/.exec(location.hash)?.[1] ?? '';
  if (token) {
    history.replaceState(null, '', location.pathname + location.search);
  }
  return token;
}

class App {
  /** @type {Session | null} */
  session = null;
  #user = '';
  /** @type {string} */
  #at = '';
  #asking = false;

  constructor() {
    this.journal = new Journal();
    this.keys = new Keys();
    this.queue = new Queue(this.journal);
    this.live = new Live();
    const session = () => this.session;
    this.answer = new AnswerView(this.queue, this.journal, this.keys);
    const people = new People(
      session,
      conflict => {
        this.answer.decide(conflict.item, conflict.answers);
        location.hash = '#answer';
      },
      async uuid => {
        await this.journal.undo(uuid, null);
        toast(t('undo.done'));
      },
    );
    /** @type {Record<string, View>} */
    this.views = {
      answer: this.answer,
      dashboard: new Dashboard(this.live, session),
      map: new MapView(this.live),
      gallery: new Gallery(),
      people,
    };
    this.#bar();
    this.#listen();
  }

  async start() {
    const token = takeLink();
    try {
      await this.#enter(token ? await api.logInByLink(token) : await api.session());
    } catch (error) {
      const refused = error instanceof Refusal && error.status > 0;
      this.#logIn(token && refused ? error.message : refused ? '' : t('state.offline'));
    }
  }

  #listen() {
    window.addEventListener('hashchange', () => this.#show());
    this.journal.addEventListener('change', () => this.#unsent());
    this.journal.addEventListener('login', () => this.#logIn(t('login.again')));
    this.journal.addEventListener('refused', event => {
      const entry = /** @type {CustomEvent<import('./types.d.ts').Entry>} */ (event).detail;
      toast(`${entry.item?.clip ?? ''}: ${entry.error}`, 'warn');
    });
    this.live.addEventListener('item', event => {
      this.queue.left = /** @type {CustomEvent} */ (event).detail.left;
      this.#left();
      this.queue.fill();
    });
    this.live.addEventListener('poll', () => this.queue.fill());
    this.live.addEventListener('state', () => this.#unsent());
    this.live.addEventListener('newer', () => toast(t('page.newer'), 'warn'));
    document.addEventListener('leftchange', () => this.#left());
  }

  #bar() {
    this.links = Object.fromEntries(
      Object.keys(this.views).map(name => [name, h('a', {href: `#${name}`, t: `nav.${name}`})]),
    );
    this.leftCount = h('span', {class: 'count'});
    this.links.answer.removeAttribute('data-t');
    fill(this.links.answer, h('span', {t: 'nav.answer'}), this.leftCount);
    this.unsent = push({class: 'unsent', 'data-state': 'none'}, () => {
      if (this.journal.refused > 0) {
        void showRefused(this.journal);
      } else {
        this.journal.send();
      }
    });
    const tongue = h(
      'select',
      {
        class: 'tongue',
        on: {
          change: () => {
            change({language: /** @type {'en' | 'ko'} */ (tongue.value)});
            this.#speak(tongue.value);
          },
        },
      },
      h('option', {value: 'en', lang: 'en'}, 'English'),
      h('option', {value: 'ko', lang: 'ko'}, '한국어'),
    );
    say(tongue, 'page.language', {}, 'aria-label');
    this.tongue = tongue;
    this.who = h('span', {class: 'who'});
    this.out = push({class: 'round', label: 'login.out'}, () => void this.#logOut(), icon('leave'));
    fill(
      place('bar'),
      h('span', {class: 'brand'}, 'distal'),
      h('nav', {'aria-label': 'distal'}, ...Object.values(this.links)),
      h('span', {class: 'grow'}),
      this.unsent,
      tongue,
      push({class: 'round', label: 'page.theme'}, () => this.#theme(), icon('theme')),
      push({class: 'round', label: 'do.help'}, () => this.keys.help(), icon('keys')),
      this.who,
      this.out,
    );
  }

  /** Light, dark, or as the system has it. */
  #theme() {
    const next = /** @type {const} */ ({auto: 'light', light: 'dark', dark: 'auto'});
    change({theme: next[settings.theme]});
    applyTheme();
    toast(t(`theme.${settings.theme}`));
  }

  /** @param {string} tongue */
  #speak(tongue) {
    setLanguage(tongue);
    if (this.tongue) {
      this.tongue.value = language();
    }
    sayAgain(document);
    for (const view of Object.values(this.views)) {
      sayAgain(view.element); // those that are not on screen too
    }
    this.#title();
    this.#unsent();
    this.#left();
  }

  #left() {
    if (this.leftCount) {
      this.leftCount.textContent = this.queue.left > 0 ? String(this.queue.left) : '';
    }
  }

  /** What is not yet with the server, always in sight. */
  #unsent() {
    const {journal, unsent} = this;
    if (!unsent) {
      return;
    }
    const waiting = journal.pending + journal.foreign;
    let state = waiting > 0 ? 'waiting' : 'none';
    let key = waiting > 0 ? 'unsent.some' : 'unsent.none';
    if (!journal.online || !navigator.onLine) {
      state = 'offline';
      key = 'unsent.offline';
    }
    if (journal.refused > 0) {
      state = 'refused';
      key = 'unsent.refused';
    }
    if (unsent.dataset.state !== state && (state === 'offline' || state === 'refused')) {
      announce(t(key, {n: waiting, refused: journal.refused}));
    }
    unsent.dataset.state = state;
    unsent.dataset.count = String(journal.pending);
    fill(
      unsent,
      h('i', {class: 'dot', 'aria-hidden': 'true'}),
      h('span', {class: 'long-text'}, t(key, {n: waiting, refused: journal.refused})),
      h('span', {class: 'short-text', 'aria-hidden': 'true'}, String(waiting || '')),
    );
    unsent.title = t('unsent.title');
  }

  /** Somebody is logged in. @param {Session} session */
  async #enter(session) {
    this.#asking = false;
    this.session = session;
    if (!settings.language && session.language) {
      this.#speak(session.language);
    }
    fill(this.who ?? place('bar'), session.user);
    say(/** @type {HTMLElement} */ (this.who), `role.${session.role}`, {}, 'title');
    document.body.dataset.state = 'in';
    if (this.links) {
      this.links.map.hidden = session.role === 'annotator'; // it shows what others answered
    }
    if (this.#user && this.#user !== session.user) {
      this.queue.stop();
    }
    this.#user = session.user;
    await this.journal
      .use(session.user)
      .catch(error => toast(t('journal.failed', {why: String(error)}), 'warn'));
    try {
      this.answer.useClasses(await api.classes());
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), 'warn');
    }
    this.#at = '';
    this.#show();
    this.queue.start();
    this.live.start();
  }

  async #logOut() {
    if (this.journal.pending > 0 && !confirm(t('unsent.leave'))) {
      return;
    }
    await api.logOut().catch(() => undefined);
    this.queue.stop();
    this.#user = '';
    this.#logIn('');
  }

  #show() {
    if (!this.session) {
      return;
    }
    const wanted = location.hash.slice(1);
    const name = wanted in this.views && !this.links?.[wanted].hidden ? wanted : 'answer';
    if (name === this.#at) {
      return;
    }
    this.views[this.#at]?.leave();
    this.#at = name;
    for (const [other, link] of Object.entries(this.links ?? {})) {
      if (other === name) {
        link.setAttribute('aria-current', 'page');
        link.scrollIntoView({block: 'nearest', inline: 'nearest'});
      } else {
        link.removeAttribute('aria-current');
      }
    }
    fill(place('main'), this.views[name].element);
    this.views[name].enter();
    this.#title();
  }

  #title() {
    document.title = this.#at ? `${t(`nav.${this.#at}`)} · distal` : 'distal';
  }

  /** @param {string} reason shown above the fields */
  #logIn(reason) {
    if (this.#asking) {
      return;
    }
    this.#asking = true;
    this.live.stop();
    this.views[this.#at]?.leave();
    this.#at = '';
    this.session = null;
    document.body.dataset.state = 'out';
    const user = h('input', {
      id: 'user',
      name: 'username',
      autocomplete: 'username',
      required: true,
      autocapitalize: 'none',
      spellcheck: 'false',
    });
    const password = h('input', {
      id: 'password',
      name: 'password',
      type: 'password',
      required: true,
      autocomplete: 'current-password',
    });
    const problem = h('p', {class: 'problem', role: 'alert'}, reason);
    const go = h('button', {type: 'submit', class: 'act primary', t: 'login.go'});
    user.value = this.#user;
    fill(
      place('main'),
      h(
        'form',
        {
          class: 'login',
          on: {
            submit: async (/** @type {Event} */ event) => {
              event.preventDefault();
              go.disabled = true;
              try {
                await this.#enter(await api.logIn(user.value.trim(), password.value));
              } catch (error) {
                const refusal = error instanceof Refusal ? error : null;
                problem.textContent =
                  refusal?.status === 401
                    ? t('login.wrong')
                    : refusal?.status === 429
                      ? t('login.wait', {n: refusal.retry || 60})
                      : refusal && refusal.status > 0
                        ? refusal.message
                        : t('state.offline');
                password.select();
              } finally {
                go.disabled = false;
              }
            },
          },
        },
        h('h1', {}, 'distal'),
        h('p', {class: 'hint', t: 'login.hint'}),
        h('label', {for: 'user'}, h('span', {t: 'login.user'}), user),
        h('label', {for: 'password'}, h('span', {t: 'login.password'}), password),
        problem,
        go,
      ),
    );
    (user.value ? password : user).focus();
  }
}

applyTheme();
setLanguage(settings.language || navigator.language);
const app = new App();
sayAgain(document);
if (app.tongue) {
  app.tongue.value = language();
}
void app.start();

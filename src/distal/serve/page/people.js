// Answers and people: one's own answers, everybody's, agreement, conflicts, users.

import {fill, h, push, say, scroller, toast} from './dom.js';
import {api} from './api.js';
import {t} from './strings.js';

/** @typedef {import('./types.d.ts').Answer} Answer */
/** @typedef {import('./types.d.ts').Conflict} Conflict */
/** @typedef {import('./types.d.ts').Session} Session */
/** @typedef {import('./types.d.ts').User} User */

/** @param {string} name @param {string[]} keys @param {Node[]} rows */
function table(name, keys, rows) {
  return scroller(
    name,
    h(
      'table',
      {},
      h('thead', {}, h('tr', {}, ...keys.map(key => h('th', {scope: 'col', t: key})))),
      h('tbody', {}, ...rows),
    ),
  );
}

/** @param {number | null} value */
function coefficient(value) {
  return value === null ? '–' : value.toFixed(3);
}

/** @param {unknown} error */
function complain(error) {
  toast(error instanceof Error ? error.message : String(error), 'warn');
}

export class People {
  #page = 0;
  #person = '';

  /**
   * @param {() => Session | null} session
   * @param {(conflict: Conflict) => void} decide
   * @param {(uuid: string) => Promise<void>} undo
   */
  constructor(session, decide, undo) {
    this.session = session;
    this.decide = decide;
    this.undo = undo;
    this.mine = h('section', {class: 'card wide'});
    this.conflicts = h('section', {class: 'card wide'});
    this.agreement = h('section', {class: 'card wide'});
    this.answers = h('section', {class: 'card wide'});
    this.users = h('section', {class: 'card wide'});
    this.element = h(
      'div',
      {class: 'people view'},
      h('h1', {t: 'nav.people'}),
      h(
        'div',
        {class: 'cards'},
        this.conflicts,
        this.mine,
        this.answers,
        this.agreement,
        this.users,
      ),
    );
  }

  enter() {
    const role = this.session()?.role;
    const above = role === 'owner' || role === 'adjudicator';
    for (const part of [this.conflicts, this.agreement, this.answers, this.users]) {
      part.hidden = !above;
    }
    const tasks = [this.#mine()];
    if (above) {
      tasks.push(this.#conflicts(), this.#agreement(), this.#answers(), this.#users());
    }
    for (const task of tasks) {
      task.catch(complain);
    }
  }

  leave() {
    fill(this.answers);
  }

  /** @param {Answer} answer */
  #what(answer) {
    if (answer.skipped) {
      return h('em', {t: 'answer.wasSkipped'});
    }
    if (answer.kind === 'ranges') {
      const count = h('span', {});
      say(count, 'range.count', {n: answer.ranges.length});
      return count;
    }
    return h('span', {}, answer.class ?? '');
  }

  /** @param {Answer} answer @param {Node | null} last */
  #row(answer, last) {
    const when = new Date(answer.answered_ms);
    return h(
      'tr',
      {class: answer.undone ? 'gone' : ''},
      h('td', {class: 'mono'}, when.toLocaleString(document.documentElement.lang)),
      h('td', {}, answer.person),
      h('td', {class: 'long'}, answer.clip),
      h('td', {}, this.#what(answer)),
      h('td', {}, answer.unsure && h('span', {class: 'tag', t: 'answer.unsure'}), ' ', answer.note),
      h('td', {class: 'mono'}, `${answer.seconds.toFixed(1)} s`),
      h('td', {}, last),
    );
  }

  static #COLUMNS = [
    'people.when',
    'people.who',
    'people.clip',
    'people.said',
    'people.note',
    'people.seconds',
    'people.state',
  ];

  async #mine() {
    const answers = await api.mine(50);
    fill(
      this.mine,
      h('h2', {t: 'people.mine'}),
      table(
        'people.mine',
        People.#COLUMNS,
        answers.map(answer =>
          this.#row(
            answer,
            answer.undone
              ? h('span', {t: 'people.undone'})
              : answer.used
                ? h('span', {t: 'people.used'})
                : push(
                    {class: 'act'},
                    () => {
                      this.undo(answer.uuid)
                        .then(() => this.#mine())
                        .catch(complain);
                    },
                    h('span', {t: 'answer.undo'}),
                  ),
          ),
        ),
      ),
    );
  }

  async #answers() {
    const {answers, total} = await api.answers({person: this.#person, page: this.#page});
    const turn = (/** @type {number} */ by) => () => {
      this.#page += by;
      this.#answers().catch(complain);
    };
    const count = h('span', {class: 'hint'});
    const first = 50 * this.#page;
    say(count, 'page.range', {
      first: answers.length ? first + 1 : 0,
      last: first + answers.length,
      total,
    });
    const person = h(
      'select',
      {
        id: 'person',
        on: {
          change: () => {
            this.#person = person.value;
            this.#page = 0;
            this.#answers().catch(complain);
          },
        },
      },
      h('option', {value: '', t: 'gallery.all'}),
      ...this.#names.map(name => h('option', {value: name}, name)),
    );
    person.value = this.#person;
    fill(
      this.answers,
      h('h2', {t: 'people.all'}),
      h(
        'div',
        {class: 'filters'},
        h('label', {for: 'person'}, h('span', {t: 'people.who'}), person),
        h('span', {class: 'grow'}),
        count,
        push({class: 'act', disabled: this.#page === 0}, turn(-1), h('span', {t: 'page.earlier'})),
        push(
          {class: 'act', disabled: first + answers.length >= total},
          turn(1),
          h('span', {t: 'page.later'}),
        ),
      ),
      table(
        'people.all',
        People.#COLUMNS,
        answers.map(answer =>
          this.#row(
            answer,
            answer.undone
              ? h('span', {t: 'people.undone'})
              : answer.used
                ? h('span', {t: 'people.used'})
                : null,
          ),
        ),
      ),
    );
  }

  /** @type {string[]} */
  #names = [];

  async #conflicts() {
    const conflicts = await api.conflicts();
    const rows = conflicts.map(conflict =>
      h(
        'tr',
        {},
        h('td', {class: 'long'}, conflict.item.clip),
        h(
          'td',
          {},
          ...conflict.answers.map(answer =>
            h('div', {}, h('b', {}, answer.person), ': ', this.#what(answer)),
          ),
        ),
        h(
          'td',
          {},
          push(
            {class: 'act primary'},
            () => this.decide(conflict),
            h('span', {t: 'conflict.decide'}),
          ),
        ),
      ),
    );
    fill(
      this.conflicts,
      h('h2', {t: 'conflict.title'}),
      rows.length === 0
        ? h('p', {class: 'hint', t: 'conflict.none'})
        : table('conflict.title', ['people.clip', 'people.said', 'people.state'], rows),
    );
  }

  async #agreement() {
    const all = await api.agreement();
    const line = (
      /** @type {string} */ name,
      /** @type {number | null} */ value,
      /** @type {number} */ n,
    ) =>
      h(
        'tr',
        {},
        h('td', {}, name),
        h('td', {class: 'mono'}, coefficient(value)),
        h('td', {class: 'mono'}, n),
      );
    fill(
      this.agreement,
      h('h2', {t: 'agreement.title'}),
      table(
        'agreement.title',
        ['agreement.measure', 'agreement.value', 'agreement.n'],
        [
          line('Krippendorff α', all.krippendorff.alpha, all.krippendorff.n),
          line('Fleiss κ', all.fleiss.kappa, all.fleiss.n),
          ...all.cohen.map(({a, b, kappa, n}) => line(`Cohen κ: ${a} – ${b}`, kappa, n)),
          ...all.intra.map(({person, kappa, n}) =>
            line(`${t('agreement.intra')}: ${person}`, kappa, n),
          ),
        ],
      ),
    );
  }

  async #users() {
    const users = await api.users();
    this.#names = users.map(({name}) => name);
    const owner = this.session()?.role === 'owner';
    fill(
      this.users,
      h('h2', {t: 'user.title'}),
      table(
        'user.title',
        ['user.name', 'user.role', 'user.answers', 'people.state'],
        users.map(user => this.#user(user, owner)),
      ),
      owner && this.#newUser(),
    );
    await this.#answers();
  }

  /** @param {User} user @param {boolean} owner */
  #user(user, owner) {
    const change = (/** @type {object} */ what) => {
      api
        .changeUser(user.name, what)
        .then(() => this.#users())
        .catch(error => {
          complain(error);
          void this.#users();
        });
    };
    const role = roles(user.role);
    role.addEventListener('change', () => change({role: role.value}));
    say(role, 'user.role', {}, 'aria-label');
    return h(
      'tr',
      {class: user.disabled ? 'gone' : ''},
      h('td', {}, user.name),
      h('td', {}, owner ? role : h('span', {t: `role.${user.role}`})),
      h('td', {class: 'mono'}, user.answered),
      h(
        'td',
        {},
        owner &&
          push(
            {class: 'act'},
            () => change({disabled: !user.disabled}),
            h('span', {t: user.disabled ? 'user.enable' : 'user.disable'}),
          ),
      ),
    );
  }

  #newUser() {
    const name = h('input', {id: 'new-name', required: true, autocomplete: 'off', maxlength: 128});
    const password = h('input', {
      id: 'new-password',
      type: 'password',
      required: true,
      minlength: 8,
      autocomplete: 'new-password',
    });
    const role = roles('annotator');
    role.id = 'new-role';
    return h(
      'form',
      {
        class: 'filters',
        on: {
          submit: (/** @type {Event} */ event) => {
            event.preventDefault();
            api
              .addUser({name: name.value.trim(), role: role.value, password: password.value})
              .then(() => this.#users())
              .catch(complain);
          },
        },
      },
      h('label', {for: 'new-name'}, h('span', {t: 'user.name'}), name),
      h('label', {for: 'new-role'}, h('span', {t: 'user.role'}), role),
      h('label', {for: 'new-password'}, h('span', {t: 'login.password'}), password),
      h('button', {class: 'act primary', type: 'submit', t: 'user.add'}),
    );
  }
}

/** @param {string} chosen */
function roles(chosen) {
  const list = h(
    'select',
    {},
    ...['annotator', 'adjudicator', 'owner'].map(role =>
      h('option', {value: role, t: `role.${role}`}),
    ),
  );
  list.value = chosen;
  return list;
}

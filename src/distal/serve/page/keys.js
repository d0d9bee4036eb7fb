// Keys: what each does, a person's own ones, and the dialog that shows and changes them.

import {announce, fill, h, openDialog, push} from './dom.js';
import {change, settings} from './settings.js';
import {t} from './strings.js';

/** @typedef {import('./types.d.ts').ClassInfo} ClassInfo */

/** Action, group, keys. The order is that of the dialog. @type {[string, string, string[]][]} */
const ACTIONS = [
  ['submit', 'answer', ['Enter']],
  ['undo', 'answer', ['u']],
  ['skip', 'answer', ['s']],
  ['next', 'answer', ['n']],
  ['find', 'answer', ['/']],
  ['unsure', 'answer', ['x']],
  ['note', 'answer', ['m']],
  ['guess', 'answer', ['g']],
  ['play', 'player', ['Space']],
  ['frameBack', 'player', [',', 'ArrowLeft']],
  ['frameForward', 'player', ['.', 'ArrowRight']],
  ['manyBack', 'player', ['<', 'Shift+ArrowLeft']],
  ['manyForward', 'player', ['>', 'Shift+ArrowRight']],
  ['shuttleBack', 'player', ['j']],
  ['shuttleStop', 'player', ['k']],
  ['shuttleForward', 'player', ['l']],
  ['slower', 'player', ['-']],
  ['faster', 'player', ['=', '+']],
  ['toStart', 'player', ['Home']],
  ['toEnd', 'player', ['End']],
  ['loop', 'player', ['o']],
  ['rangeStart', 'ranges', ['[']],
  ['rangeEnd', 'ranges', [']']],
  ['rangePrevious', 'ranges', ['ArrowUp']],
  ['rangeNext', 'ranges', ['ArrowDown']],
  ['rangeNone', 'ranges', ['0']],
  ['rangeRemove', 'ranges', ['Delete', 'Backspace']],
  ['rangeBack', 'ranges', ['Ctrl+z']],
  ['zoom', 'ranges', ['z']],
  ['zoomIn', 'ranges', ['Shift+Z']],
  ['zoomOut', 'ranges', ['Shift+X']],
  ['help', 'page', ['?']],
  ['cancel', 'page', ['Escape']],
];

const GROUPS = ['answer', 'player', 'ranges', 'page'];

/**
 * The name of a key: of its letter where the layout is Latin, else of its place, so that Hangul
 * does not take the keys away.
 * @param {KeyboardEvent} event
 */
export function keyName(event) {
  let key = event.key === ' ' ? 'Space' : event.key;
  const letter = /^Key([A-Z])$/.exec(event.code);
  const latin = /^[\x20-\x7e]$/.test(event.key);
  if (!latin && letter) {
    key = event.shiftKey ? letter[1] : letter[1].toLowerCase();
  }
  const digit = /^(?:Digit|Numpad)([0-9])$/.exec(event.code);
  if (digit && (!latin || event.code.startsWith('Numpad'))) {
    key = digit[1];
  }
  if (/^[A-Z]$/.test(key) && !event.shiftKey) {
    key = key.toLowerCase(); // the lock of capitals
  }
  if (/^[a-z]$/.test(key) && event.shiftKey) {
    key = key.toUpperCase();
  }
  const named = key.length > 1 || /^[A-Z]$/.test(key);
  const shift = event.shiftKey && named && key !== 'Shift' ? 'Shift+' : '';
  return (
    (event.ctrlKey || event.metaKey ? 'Ctrl+' : '') + (event.altKey ? 'Alt+' : '') + shift + key
  );
}

/** @param {string} action @returns {string[]} */
export function keysOf(action) {
  return settings.keys[action] ?? ACTIONS.find(([name]) => name === action)?.[2] ?? [];
}

/** @param {string} key for people */
export function spell(key) {
  const words = /** @type {Record<string, string>} */ ({
    ArrowLeft: '←',
    ArrowRight: '→',
    ArrowUp: '↑',
    ArrowDown: '↓',
    Enter: '⏎',
    Escape: 'Esc',
    Delete: 'Del',
    Backspace: '⌫',
    Space: t('key.space'),
  });
  return key
    .split(/\+(?=.)/)
    .map(part => words[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join('+');
}

/** A picture of the first key of an action. @param {string} action */
export function keycap(action) {
  return h('kbd', {'data-action': action}, spell(keysOf(action)[0] ?? ''));
}

/** Writes all pictures of keys again. */
function recap() {
  for (const cap of document.querySelectorAll('kbd[data-action]')) {
    const action = /** @type {HTMLElement} */ (cap).dataset.action ?? '';
    cap.textContent = spell(keysOf(action)[0] ?? '');
  }
  window.dispatchEvent(new Event('keyschange'));
}

/** Key of each class: one's own, the server's, or its place. @param {ClassInfo[]} classes */
export function classKeys(classes) {
  /** @type {Map<string, string>} */
  const keys = new Map();
  const free = ['1', '2', '3', '4', '5', '6', '7', '8', '9'];
  for (const {name, key} of classes) {
    const chosen = settings.classKeys[name] ?? key;
    if (chosen && ![...keys.values()].includes(chosen)) {
      keys.set(name, chosen);
    }
  }
  for (const {name} of classes) {
    const key = free.find(one => ![...keys.values()].includes(one));
    if (!keys.has(name) && key) {
      keys.set(name, key);
    }
  }
  return keys;
}

/** @param {EventTarget | null} target @param {string} key whether the element wants it itself */
function taken(target, key) {
  if (!(target instanceof HTMLElement)) {
    return false;
  }
  if (target instanceof HTMLInputElement && target.type === 'radio') {
    return key === 'Space' || key.startsWith('Arrow');
  }
  if (target.matches('input:not([type=checkbox]), textarea, select, [contenteditable]')) {
    return true;
  }
  return target.matches('button, a, summary, input') && (key === 'Enter' || key === 'Space');
}

/** Hands keys to what is on screen. */
export class Keys {
  /** @type {Record<string, () => void>} */
  #actions = {};
  /** @type {(name: string) => void} */
  #choose = () => undefined;
  /** @type {ClassInfo[]} */
  #classes = [];

  constructor() {
    document.addEventListener('keydown', event => this.#press(event));
  }

  /** @param {Record<string, () => void>} actions replaces those of the last view */
  bind(actions) {
    this.#actions = actions;
  }

  /** @param {ClassInfo[]} classes @param {(name: string) => void} choose */
  bindClasses(classes, choose) {
    this.#classes = classes;
    this.#choose = choose;
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    const key = keyName(event);
    if (
      event.defaultPrevented ||
      document.querySelector('dialog[open]') ||
      taken(event.target, key)
    ) {
      return;
    }
    const action = ACTIONS.find(([name]) => name in this.#actions && keysOf(name).includes(key));
    if (action) {
      event.preventDefault();
      this.#actions[action[0]]();
      return;
    }
    for (const [name, own] of classKeys(this.#classes)) {
      if (own === key && !event.repeat) {
        event.preventDefault();
        this.#choose(name);
        return;
      }
    }
  }

  /** Shows all keys; a click on one and a press of another changes it. */
  help() {
    const rows = h('div', {class: 'keylist'});
    const dialog = h(
      'dialog',
      {class: 'sheet', 'aria-labelledby': 'keys-title'},
      h(
        'header',
        {},
        h('h2', {id: 'keys-title', t: 'keys.title'}),
        push({label: 'close', class: 'quiet'}, () => dialog.close(), '✕'),
      ),
      h('p', {class: 'hint', t: 'keys.hint'}),
      rows,
      h(
        'footer',
        {},
        this.#extras(),
        push({t: 'keys.reset'}, () => {
          change({keys: {}, classKeys: {}});
          recap();
          this.#list(rows);
        }),
      ),
    );
    this.#list(rows);
    openDialog(dialog);
  }

  /** Two settings that belong to the keys. */
  #extras() {
    const atOnce = h('input', {
      type: 'checkbox',
      id: 'at-once',
      on: {
        change: () => change({submitByKey: atOnce.checked}),
      },
    });
    atOnce.checked = settings.submitByKey;
    const stride = h('input', {
      type: 'number',
      id: 'stride',
      min: 2,
      max: 1000,
      on: {
        change: () => change({stride: Math.max(2, Math.round(Number(stride.value)) || 10)}),
      },
    });
    stride.value = String(settings.stride);
    return h(
      'div',
      {class: 'extras'},
      h('label', {for: 'at-once'}, atOnce, h('span', {t: 'keys.atOnce'})),
      h('label', {for: 'stride'}, h('span', {t: 'keys.stride'}), stride),
    );
  }

  /** @param {HTMLElement} rows */
  #list(rows) {
    const parts = GROUPS.map(group =>
      h(
        'section',
        {},
        h('h3', {t: `keys.${group}`}),
        h(
          'dl',
          {},
          ...ACTIONS.filter(action => action[1] === group).flatMap(([name]) => [
            h(
              'dt',
              {},
              ...keysOf(name).map((key, i) =>
                this.#cap(spell(key), pressed => {
                  const own = [...keysOf(name)];
                  own[i] = pressed;
                  this.#set(name, own);
                  this.#list(rows);
                }),
              ),
            ),
            h('dd', {t: `do.${name}`}),
          ]),
        ),
      ),
    );
    const keys = classKeys(this.#classes);
    const classes =
      this.#classes.length === 0
        ? null
        : h(
            'section',
            {},
            h('h3', {t: 'keys.classes'}),
            h(
              'dl',
              {},
              ...this.#classes.flatMap(({name}) => [
                h(
                  'dt',
                  {},
                  this.#cap(spell(keys.get(name) ?? '·'), pressed => {
                    change({classKeys: {...settings.classKeys, [name]: pressed}});
                    recap();
                    this.#list(rows);
                  }),
                ),
                h('dd', {}, name),
              ]),
            ),
          );
    fill(rows, ...parts, classes);
  }

  /** Gives an action keys; another action that had one of them loses it.
   * @param {string} name @param {string[]} own */
  #set(name, own) {
    const keys = {...settings.keys, [name]: own};
    for (const [other] of ACTIONS) {
      const rest = keysOf(other).filter(key => !own.includes(key));
      if (other !== name && rest.length < keysOf(other).length) {
        keys[other] = rest;
      }
    }
    change({keys});
    recap();
  }

  /** @param {string} text @param {(key: string) => void} taken */
  #cap(text, taken) {
    const cap = h('button', {type: 'button', class: 'cap'}, text);
    cap.addEventListener('click', () => {
      cap.classList.add('waits');
      cap.textContent = '…';
      announce(t('keys.press'));
      cap.focus();
      cap.addEventListener(
        'blur',
        () => {
          cap.classList.remove('waits');
          cap.textContent = text;
        },
        {once: true},
      );
    });
    cap.addEventListener('keydown', event => {
      if (
        cap.classList.contains('waits') &&
        !['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)
      ) {
        event.preventDefault();
        event.stopPropagation();
        if (event.key !== 'Escape') {
          taken(keyName(event));
        } else {
          cap.blur();
        }
      }
    });
    return cap;
  }
}

// Elements. Text from data enters the page here, as text nodes alone.

import {t} from './strings.js';

/** @typedef {{key: string, values: Record<string, string | number>}} Said */
/** @typedef {Node | string | number | null | undefined | false} Child */

/** @type {WeakMap<Element, Map<string, Said>>} */
const said = new WeakMap();

/**
 * Gives an element (or one of its attributes) a text of the table; it follows the language.
 * @param {Element} element
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 * @param {string} [attribute] instead of the text
 */
export function say(element, key, values = {}, attribute = '') {
  const texts = said.get(element) ?? new Map();
  texts.set(attribute, {key, values});
  said.set(element, texts);
  element.setAttribute('data-t', '');
  write(element, attribute, t(key, values));
}

/** @param {Element} element @param {string} attribute @param {string} text */
function write(element, attribute, text) {
  if (attribute) {
    element.setAttribute(attribute, text);
  } else {
    element.textContent = text;
  }
}

/** Writes all texts again after a change of language. @param {ParentNode} root */
export function sayAgain(root) {
  for (const element of root.querySelectorAll('[data-t]')) {
    for (const [attribute, {key, values}] of said.get(element) ?? []) {
      write(element, attribute, t(key, values));
    }
  }
}

/**
 * An element. Properties: `t` text of the table, `label` tooltip and accessible name of the table,
 * `on` listeners, everything else an attribute (true: present, false: absent).
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Record<string, any>} [properties]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === 't') {
      say(element, value);
    } else if (name === 'label') {
      say(element, value, {}, 'aria-label');
      say(element, value, {}, 'title');
    } else if (name === 'on') {
      for (const [event, listener] of Object.entries(value)) {
        element.addEventListener(event, /** @type {EventListener} */ (listener));
      }
    } else if (value === true) {
      element.setAttribute(name, '');
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  element.append(...shown(children));
  return element;
}

/** @param {Child[]} children @returns {(Node | string)[]} */
function shown(children) {
  const list = [];
  for (const child of children) {
    if (child !== null && child !== undefined && child !== false) {
      list.push(typeof child === 'number' ? String(child) : child);
    }
  }
  return list;
}

/** Replaces what an element holds. @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
}

const ICONS = {
  play: 'M7 4v16l13-8z',
  pause: 'M6 4h4v16H6zM14 4h4v16h-4z',
  back: 'M17 5v14l-9-7zM5 5h2v14H5z',
  forward: 'M7 5v14l9-7zM17 5h2v14h-2z',
  loop:
    'M17 3l4 4-4 4V8H8a4 4 0 0 0-4 4H2a6 6 0 0 1 6-6h9z' +
    'M7 21l-4-4 4-4v3h9a4 4 0 0 0 4-4h2a6 6 0 0 1-6 6H7z',
  theme: 'M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20zm0 2v16a8 8 0 0 1 0-16z',
  keys: 'M3 6h18v12H3zM6 9v2h2V9zm4 0v2h2V9zm4 0v2h2V9zM7 14v2h10v-2z',
  leave: 'M4 4h9v2H6v12h7v2H4zM15 7l5 5-5 5v-4H9v-2h6z',
  nearer: 'M11 4h2v7h7v2h-7v7h-2v-7H4v-2h7z',
  farther: 'M4 11h16v2H4z',
  whole: 'M4 4h6v2H6v4H4zm10 0h6v6h-2V6h-4zM4 14h2v4h4v2H4zm14 0h2v6h-6v-2h4z',
  undo: 'M9 5L3 11l6 6v-4h5a4 4 0 0 1 0 8h-1v2h1a6 6 0 0 0 0-12H9z',
};

/** A drawing of a button. @param {keyof typeof ICONS} name */
export function icon(name) {
  const space = 'http://www.w3.org/2000/svg';
  const picture = document.createElementNS(space, 'svg');
  picture.setAttribute('viewBox', '0 0 24 24');
  picture.setAttribute('aria-hidden', 'true');
  picture.setAttribute('class', 'icon');
  const path = document.createElementNS(space, 'path');
  path.setAttribute('d', ICONS[name]);
  path.setAttribute('fill-rule', 'evenodd');
  picture.append(path);
  return picture;
}

/**
 * A button; after a click by pointer the keys go to the page again.
 * @param {Record<string, any>} properties
 * @param {() => void} action
 * @param {...Child} children
 */
export function push(properties, action, ...children) {
  const element = h('button', {type: 'button', ...properties}, ...children);
  element.addEventListener('click', event => {
    action();
    if (event.detail > 0) {
      element.blur();
    }
  });
  return element;
}

let quiet = 0;

/** Tells a screen reader. @param {string} text */
export function announce(text) {
  const place = document.getElementById('announce');
  if (place) {
    // The same text twice is read twice only if the node changes.
    place.textContent = text + (++quiet % 2 ? '\u200b' : '');
  }
}

/**
 * A short message at the edge of the page, read aloud too.
 * @param {string} text
 * @param {'info' | 'warn'} [tone]
 */
export function toast(text, tone = 'info') {
  const place = document.getElementById('toasts');
  const note = h('div', {class: `toast ${tone}`}, text);
  place?.append(note);
  announce(text);
  setTimeout(() => note.remove(), tone === 'warn' ? 8000 : 3500);
}

/**
 * What may be wider than its place: it scrolls, by keys too.
 * @param {string} key its name
 * @param {...Child} children
 */
export function scroller(key, ...children) {
  const element = h('div', {class: 'scroll', role: 'region', tabindex: 0}, ...children);
  say(element, key, {}, 'aria-label');
  return element;
}

/** Opens a modal dialog and removes it when it closes. @param {HTMLDialogElement} dialog */
export function openDialog(dialog) {
  document.body.append(dialog);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.showModal();
}

/** @param {number} seconds @param {number} [digits] */
export function clock(seconds, digits = 2) {
  const whole = Math.max(0, seconds);
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
  const head = hours ? `${hours}:${String(minutes).padStart(2, '0')}` : String(minutes);
  return `${head}:${rest}`;
}

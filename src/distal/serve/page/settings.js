// What a person set for this browser, kept in localStorage.

/** @typedef {import('./types.d.ts').Settings} Settings */

const PLACE = 'distal.settings';

/** @type {Settings} */
const DEFAULTS = {
  theme: 'auto',
  language: '',
  keys: {},
  classKeys: {},
  rate: 1,
  stride: 10,
  submitByKey: false,
};

/** @returns {Settings} */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(PLACE) ?? '{}');
    return {...DEFAULTS, ...kept};
  } catch {
    return {...DEFAULTS}; // no storage, or another program's text in it
  }
}

export const settings = read();

/** Changes settings and keeps them. @param {Partial<Settings>} change */
export function change(change) {
  Object.assign(settings, change);
  try {
    localStorage.setItem(PLACE, JSON.stringify(settings));
  } catch {
    // A browser that keeps nothing still works until it is closed.
  }
}

/** Light or dark, as set or as the system has it. */
export function applyTheme() {
  const root = document.documentElement;
  if (settings.theme === 'auto') {
    delete root.dataset.theme;
  } else {
    root.dataset.theme = settings.theme;
  }
  window.dispatchEvent(new Event('themechange'));
}

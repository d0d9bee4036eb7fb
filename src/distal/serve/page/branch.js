// A branch of a study: the same study under another name, with other options.

import {fill, h, openDialog, push, say} from './dom.js';
import {api} from './api.js';
import {match} from './classes.js';

/** @typedef {import('./types.d.ts').Study} Study */
/** @typedef {import('./types.d.ts').StudyOption} StudyOption */

const SHOWN = 60; // options at once; the field finds the others

/** What a person changes, and the form for it. */
class Form {
  /** @type {Map<string, string>} Values that differ, by key. */
  changed = new Map();
  #shown = 0;

  /** @param {StudyOption[]} options @param {string} name proposed */
  constructor(options, name) {
    this.options = options;
    this.name = h('input', {
      id: 'branch-name',
      required: true,
      maxlength: 60,
      pattern: '[a-z0-9][a-z0-9_\\-]*',
      autocomplete: 'off',
      spellcheck: 'false',
    });
    this.name.value = name;
    say(this.name, 'branch.name.rule', {}, 'title');
    this.find = h('input', {
      id: 'branch-find',
      type: 'search',
      autocomplete: 'off',
      spellcheck: 'false',
      on: {input: () => this.draw()},
    });
    this.start = h('input', {id: 'branch-start', type: 'checkbox'});
    this.start.checked = true;
    this.rows = h('div', {class: 'options'});
    this.count = h('p', {class: 'hint', role: 'status'});
    this.problem = h('p', {class: 'problem', role: 'alert'});
    this.draw();
  }

  /** Changed options first, then those that the field finds. */
  draw() {
    const query = this.find.value.trim();
    const found = this.options
      .filter(({key}) => !this.changed.has(key) && (!query || match(key, query) > 0.2))
      .slice(0, SHOWN);
    const changed = this.options.filter(({key}) => this.changed.has(key));
    fill(this.rows, ...[...changed, ...found].map((option, i) => this.#row(option, i)));
    this.#shown = found.length + changed.length;
    this.#tell();
  }

  #tell() {
    const {size: n} = this.changed;
    say(this.count, 'branch.count', {shown: this.#shown, total: this.options.length, n});
  }

  /** @param {StudyOption} option @param {number} i */
  #row({key, value}, i) {
    const id = `branch-option-${i}`;
    const input = h('input', {
      id,
      spellcheck: 'false',
      autocomplete: 'off',
      on: {
        change: () => {
          if (input.value === value) {
            this.changed.delete(key);
          } else {
            this.changed.set(key, input.value);
          }
          row.classList.toggle('changed', this.changed.has(key));
          this.#tell();
        },
      },
    });
    input.value = this.changed.get(key) ?? value;
    const row = h('label', {for: id}, h('span', {class: 'mono'}, key), input);
    row.classList.toggle('changed', this.changed.has(key));
    return row;
  }
}

/** A name that no study has. @param {string} name @param {string[]} taken */
export function freeName(name, taken) {
  const base = name
    .toLowerCase()
    .replace(/[^a-z0-9_-]+/g, '-')
    .replace(/^[-_]+/, '')
    .replace(/-\d+$/, '')
    .slice(0, 55);
  for (let n = 2; ; ++n) {
    const free = `${base || 'branch'}-${n}`;
    if (!taken.includes(free)) {
      return free;
    }
  }
}

/**
 * Asks what the branch changes, and makes it.
 * @param {string} study
 * @param {string[]} taken names of studies
 * @param {(study: Study) => void} made
 */
export async function openBranch(study, taken, made) {
  const form = new Form(await api.options(study), freeName(study, taken));
  const go = h('button', {type: 'submit', class: 'act primary', t: 'branch.go'});
  const title = h('h2', {id: 'branch-title'});
  say(title, 'branch.title', {study});
  const send = async (/** @type {Event} */ event) => {
    event.preventDefault();
    go.disabled = true;
    form.problem.textContent = '';
    try {
      const options = Object.fromEntries(form.changed);
      const name = form.name.value.trim();
      made(await api.branch(study, {name, options, start: form.start.checked}));
      dialog.close();
    } catch (error) {
      form.problem.textContent = error instanceof Error ? error.message : String(error);
      go.disabled = false;
    }
  };
  const dialog = h(
    'dialog',
    {class: 'sheet branching', 'aria-labelledby': 'branch-title'},
    h(
      'form',
      {on: {submit: send}},
      h(
        'header',
        {},
        title,
        push({label: 'close', class: 'quiet'}, () => dialog.close(), '✕'),
      ),
      h('p', {class: 'hint', t: 'branch.hint'}),
      h(
        'div',
        {class: 'filters'},
        h('label', {for: 'branch-name'}, h('span', {t: 'user.name'}), form.name),
        h('label', {for: 'branch-find'}, h('span', {t: 'branch.find'}), form.find),
      ),
      form.count,
      form.rows,
      form.problem,
      h(
        'footer',
        {},
        h(
          'label',
          {for: 'branch-start', class: 'check'},
          form.start,
          h('span', {t: 'branch.start'}),
        ),
        go,
      ),
    ),
  );
  openDialog(dialog);
  form.name.select();
}

/** Text of the dashboard for a branch. @param {Study} study @returns {HTMLElement | null} */
export function branchOf(study) {
  if (!study.branch_of) {
    return null;
  }
  const text = h('span', {class: 'hint'});
  say(text, 'branch.of', {study: study.branch_of});
  return text;
}

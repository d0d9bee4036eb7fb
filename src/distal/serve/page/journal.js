// Answers are written here before they are sent, and sent until the server has them. The journal
// is an IndexedDB of this browser; all tabs share it, and one tab at a time sends.

import {api, Refusal} from './api.js';

/** @typedef {import('./types.d.ts').Entry} Entry */
/** @typedef {import('./types.d.ts').Draft} Draft */
/** @typedef {import('./types.d.ts').Item} Item */
/** @typedef {import('./types.d.ts').NewAnswer} NewAnswer */

const KEPT = 100; // acknowledged entries that stay, for undo
const LEASE_MS = 10000; // of the sending tab, where the browser has no locks
const TAB = uuid();

/** A random UUID, version 4. crypto.randomUUID exists in secure contexts alone. */
export function uuid() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, byte => byte.toString(16).padStart(2, '0')).join('');
  return [
    hex.slice(0, 8),
    hex.slice(8, 12),
    hex.slice(12, 16),
    hex.slice(16, 20),
    hex.slice(20),
  ].join('-');
}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function result(request) {
  return new Promise((done, fail) => {
    request.onsuccess = () => done(request.result);
    request.onerror = () => fail(request.error);
  });
}

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
function finished(transaction) {
  return new Promise((done, fail) => {
    transaction.oncomplete = () => done();
    transaction.onabort = () => fail(transaction.error);
    transaction.onerror = () => fail(transaction.error);
  });
}

/** @returns {Promise<IDBDatabase>} */
function open() {
  const request = indexedDB.open('distal', 1);
  request.onupgradeneeded = () => {
    const base = request.result;
    base
      .createObjectStore('journal', {keyPath: 'seq', autoIncrement: true})
      .createIndex('uuid', 'uuid');
    base.createObjectStore('drafts', {keyPath: 'id'});
    base.createObjectStore('lease', {keyPath: 'id'});
  };
  return result(request);
}

/**
 * Events: `change` (counts differ), `refused` (detail: Entry), `login` (the session ended),
 * `acknowledged` (detail: {entry, reply}).
 */
export class Journal extends EventTarget {
  /** @type {Promise<IDBDatabase>} */
  #base;
  #user = '';
  #sending = false;
  #again = false;
  #writing = 0;
  #wait = 500;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {BroadcastChannel | null} */
  #others = null;

  pending = 0;
  refused = 0;
  foreign = 0; // unsent answers of another user of this browser
  online = true;
  /** @type {Set<number>} Items whose answers are not yet with the server. */
  items = new Set();

  constructor() {
    super();
    this.#base = open();
    if ('BroadcastChannel' in window) {
      this.#others = new BroadcastChannel('distal.journal');
      this.#others.onmessage = () => void this.#count();
    }
    window.addEventListener('online', () => this.send());
    document.addEventListener('visibilitychange', () => this.send());
    window.addEventListener('beforeunload', event => {
      if (this.pending > 0) {
        event.preventDefault();
        event.returnValue = '';
      }
    });
  }

  /** Whose answers are written and sent from now on. @param {string} user */
  async use(user) {
    this.#user = user;
    await this.#count();
    this.send();
  }

  /**
   * Writes an answer; it is durable in the browser when the promise holds.
   * @param {Item} item @param {NewAnswer} body @returns {Promise<string>} uuid
   */
  async put(item, body) {
    const id = uuid();
    this.items.add(item.id);
    await this.#add({
      op: 'put',
      uuid: id,
      user: this.#user,
      body,
      item,
      at: Date.now(),
      state: 'pending',
      error: '',
      undone: false,
    });
    return id;
  }

  /** Writes that an answer is undone. @param {string} id @param {Item | null} item */
  async undo(id, item) {
    const base = await this.#base;
    const change = base.transaction('journal', 'readwrite', {durability: 'strict'});
    const rows = change.objectStore('journal');
    for (const entry of /** @type {Entry[]} */ (await result(rows.index('uuid').getAll(id)))) {
      rows.put({...entry, undone: true});
    }
    await finished(change);
    await this.#add({
      op: 'undo',
      uuid: id,
      user: this.#user,
      body: null,
      item,
      at: Date.now(),
      state: 'pending',
      error: '',
      undone: false,
    });
  }

  /** An undo was refused: the answer stands. @param {string} id */
  async #stands(id) {
    const base = await this.#base;
    const change = base.transaction('journal', 'readwrite', {durability: 'strict'});
    const rows = change.objectStore('journal');
    for (const entry of /** @type {Entry[]} */ (await result(rows.index('uuid').getAll(id)))) {
      rows.put({...entry, undone: false});
    }
    await finished(change);
  }

  /** Newest answer of this browser that stands. @returns {Promise<Entry | undefined>} */
  async newest() {
    const entries = await this.#all();
    return entries
      .reverse()
      .find(
        entry =>
          entry.op === 'put' &&
          entry.user === this.#user &&
          !entry.undone &&
          entry.state !== 'refused',
      );
  }

  /** Answers whose undo is not yet with the server. @returns {Promise<Set<string>>} */
  async undoing() {
    const entries = await this.#all();
    return new Set(
      entries
        .filter(entry => entry.op === 'undo' && entry.state === 'pending')
        .map(entry => entry.uuid),
    );
  }

  /** @returns {Promise<Entry[]>} */
  async refusals() {
    return (await this.#all()).filter(entry => entry.state === 'refused');
  }

  /** Forgets refused entries, once the person has seen them. */
  async dismiss() {
    const base = await this.#base;
    const change = base.transaction('journal', 'readwrite');
    const rows = change.objectStore('journal');
    for (const entry of /** @type {Entry[]} */ (await result(rows.getAll()))) {
      if (entry.state === 'refused') {
        rows.delete(/** @type {number} */ (entry.seq));
      }
    }
    await finished(change);
    await this.#changed();
  }

  /** @param {number} item @returns {Promise<Draft | undefined>} */
  async draft(item) {
    const base = await this.#base;
    const row = await result(
      base.transaction('drafts').objectStore('drafts').get(`${this.#user}/${item}`),
    );
    return row?.draft;
  }

  /** @param {number} item @param {Draft | null} draft null: none any more */
  async keepDraft(item, draft) {
    const base = await this.#base;
    const change = base.transaction('drafts', 'readwrite');
    const id = `${this.#user}/${item}`;
    if (draft) {
      change.objectStore('drafts').put({id, draft, at: Date.now()});
    } else {
      change.objectStore('drafts').delete(id);
    }
    await finished(change);
  }

  /** Sends what is unsent, now and again until it is acknowledged. */
  send() {
    if (this.#sending) {
      this.#again = true;
    } else if (this.#user) {
      this.#sending = true;
      clearTimeout(this.#timer);
      this.#exclusively(() => this.#drain())
        .catch(() => this.#later(this.#wait))
        .finally(() => {
          this.#sending = false;
          if (this.#again) {
            this.#again = false;
            this.send();
          }
        });
    }
  }

  /** @returns {Promise<Entry[]>} in order of writing */
  async #all() {
    const base = await this.#base;
    return result(base.transaction('journal').objectStore('journal').getAll());
  }

  /** @param {Entry} entry */
  async #add(entry) {
    // It counts as unsent from the key on, not from the end of its writing.
    ++this.#writing;
    ++this.pending;
    this.dispatchEvent(new Event('change'));
    try {
      const base = await this.#base;
      const change = base.transaction('journal', 'readwrite', {durability: 'strict'});
      change.objectStore('journal').add(entry);
      await finished(change);
    } finally {
      --this.#writing;
      await this.#changed();
    }
    this.send();
  }

  /** @param {Entry} entry */
  async #rewrite(entry) {
    const base = await this.#base;
    const change = base.transaction('journal', 'readwrite', {durability: 'strict'});
    const rows = change.objectStore('journal');
    const now = /** @type {Entry | undefined} */ (
      await result(rows.get(/** @type {number} */ (entry.seq)))
    );
    rows.put({...entry, undone: now?.undone ?? entry.undone});
    await finished(change);
    await this.#changed();
  }

  async #changed() {
    this.#others?.postMessage('change');
    await this.#count();
  }

  async #count() {
    const entries = await this.#all();
    const pending = entries.filter(entry => entry.state === 'pending');
    const mine = pending.filter(entry => entry.user === this.#user);
    this.pending = mine.length + this.#writing;
    this.foreign = pending.length - mine.length;
    this.refused = entries.filter(entry => entry.state === 'refused').length;
    this.items = new Set(
      mine.filter(entry => entry.op === 'put' && !entry.undone).map(entry => entry.item?.id ?? 0),
    );
    this.dispatchEvent(new Event('change'));
  }

  /** Runs in one tab at a time. @param {() => Promise<void>} work */
  async #exclusively(work) {
    if (navigator.locks) {
      await navigator.locks.request('distal.journal', {ifAvailable: true}, async lock => {
        if (lock) {
          await work();
        } else {
          this.#later(1000);
        }
      });
    } else if (await this.#lease()) {
      await work();
      await this.#endLease();
    } else {
      this.#later(1000);
    }
  }

  /** Takes the row of the sending tab, where it is free or old. */
  async #lease() {
    const base = await this.#base;
    const change = base.transaction('lease', 'readwrite');
    const rows = change.objectStore('lease');
    const row = await result(rows.get('sender'));
    const free = !row || row.tab === TAB || row.until < Date.now();
    if (free) {
      rows.put({id: 'sender', tab: TAB, until: Date.now() + LEASE_MS});
    }
    await finished(change);
    return free;
  }

  async #endLease() {
    const base = await this.#base;
    const change = base.transaction('lease', 'readwrite');
    change.objectStore('lease').delete('sender');
    await finished(change);
  }

  async #drain() {
    for (const entry of await this.#all()) {
      if (entry.state !== 'pending' || entry.user !== this.#user) {
        continue;
      }
      if (!navigator.locks && !(await this.#lease())) {
        return;
      }
      if (!(await this.#deliver(entry))) {
        return;
      }
    }
    await this.#prune();
  }

  /** @param {Entry} entry @returns {Promise<boolean>} whether the next one may go */
  async #deliver(entry) {
    try {
      const reply =
        entry.op === 'put'
          ? await api.put(entry.uuid, /** @type {NewAnswer} */ (entry.body))
          : await api.undo(entry.uuid);
      this.#reached(true);
      this.#wait = 500;
      await this.#rewrite({...entry, state: 'sent'});
      this.dispatchEvent(new CustomEvent('acknowledged', {detail: {entry, reply}}));
      return true;
    } catch (error) {
      if (!(error instanceof Refusal)) {
        throw error;
      }
      return this.#failed(entry, error);
    }
  }

  /** @param {Entry} entry @param {Refusal} error @returns {Promise<boolean>} */
  async #failed(entry, error) {
    this.#reached(error.status !== 0);
    if (error.status === 401) {
      this.dispatchEvent(new Event('login'));
      return false;
    }
    if (error.code === 'csrf') {
      await api.session().catch(() => undefined);
      this.#later(this.#wait);
      return false;
    }
    const final = [400, 403, 404, 409, 413, 415, 422].includes(error.status);
    if (!final) {
      this.#later(Math.max(this.#wait, 1000 * error.retry));
      this.#wait = Math.min(2 * this.#wait, 15000);
      return false;
    }
    if (entry.op === 'undo' && error.status === 404) {
      await this.#rewrite({...entry, state: 'sent'}); // it never stood
      return true;
    }
    if (entry.op === 'undo') {
      await this.#stands(entry.uuid);
    }
    const refused = {...entry, state: /** @type {const} */ ('refused'), error: error.message};
    await this.#rewrite(refused);
    this.dispatchEvent(new CustomEvent('refused', {detail: refused}));
    return true;
  }

  /** @param {boolean} reached */
  #reached(reached) {
    if (reached !== this.online) {
      this.online = reached;
      this.dispatchEvent(new Event('change'));
    }
  }

  /** @param {number} ms */
  #later(ms) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.send(), ms);
  }

  async #prune() {
    const sent = (await this.#all()).filter(entry => entry.state === 'sent');
    if (sent.length <= 2 * KEPT) {
      return;
    }
    const base = await this.#base;
    const change = base.transaction('journal', 'readwrite');
    for (const entry of sent.slice(0, -KEPT)) {
      change.objectStore('journal').delete(/** @type {number} */ (entry.seq));
    }
    await finished(change);
  }
}

// Requests to the server. Every path of ../openapi.json that the page needs is asked here.

/** @typedef {import('./types.d.ts').Session} Session */
/** @typedef {import('./types.d.ts').NewAnswer} NewAnswer */

const ROOT = new URL('api/v1/', document.baseURI);

/** A refusal of the server; status 0 means that it was not reached. */
export class Refusal extends Error {
  /**
   * @param {number} status @param {string} code @param {string} message
   * @param {number} [retry] seconds
   */
  constructor(status, code, message, retry = 0) {
    super(message);
    this.status = status;
    this.code = code;
    this.retry = retry;
  }
}

/**
 * Whether the same request may be granted later: the server was not reached, is busy or still makes
 * what was asked for, or somebody has to log in again first.
 * @param {Refusal} refusal
 */
export function isPassing({status}) {
  return [0, 401, 429, 503].includes(status);
}

let csrf = '';

/** @param {Response} response @returns {Promise<Refusal>} */
async function refusal(response) {
  const retry = Number(response.headers.get('Retry-After') ?? 0);
  try {
    const {error} = await response.json();
    return new Refusal(response.status, String(error.code), String(error.message), retry);
  } catch {
    return new Refusal(response.status, 'unknown', `HTTP ${response.status}`, retry);
  }
}

/**
 * @param {string} method
 * @param {string} path relative to /api/v1/
 * @param {object} [body]
 * @param {{keepalive?: boolean, timeout?: number, stop?: AbortSignal, cache?: RequestCache}} [options]
 * @returns {Promise<Response>}
 */
async function send(method, path, body, options = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  if (method !== 'GET') {
    headers['X-CSRF-Token'] = csrf;
  }
  if (body !== undefined) {
    headers['Content-Type'] = 'application/json';
  }
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), options.timeout ?? 20000);
  options.stop?.addEventListener('abort', () => stop.abort(), {once: true});
  try {
    const response = await fetch(new URL(path, ROOT), {
      method,
      headers,
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: 'same-origin',
      cache: options.cache ?? 'no-store',
      keepalive: options.keepalive ?? false,
      signal: stop.signal,
    });
    if (!response.ok) {
      throw await refusal(response);
    }
    return response;
  } catch (error) {
    if (error instanceof Refusal) {
      throw error;
    }
    throw new Refusal(0, 'offline', error instanceof Error ? error.message : String(error));
  } finally {
    clearTimeout(timer);
  }
}

/**
 * @param {string} method @param {string} path @param {object} [body]
 * @returns {Promise<any>} what the server said, undefined for nothing
 */
async function ask(method, path, body) {
  const response = await send(method, path, body);
  return response.status === 204 ? undefined : response.json();
}

/** @param {Record<string, string | number | null | undefined>} values */
function query(values) {
  const pairs = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== '') {
      pairs.set(name, String(value));
    }
  }
  const text = pairs.toString();
  return text ? `?${text}` : '';
}

/** @param {Promise<Session>} answer @returns {Promise<Session>} */
async function entered(answer) {
  const session = await answer;
  csrf = session.csrf;
  return session;
}

const name = encodeURIComponent;

export const api = {
  /** @returns {Promise<Session>} */
  session: () => entered(ask('GET', 'session')),
  /** @param {string} user @param {string} password @returns {Promise<Session>} */
  logIn: (user, password) => entered(ask('POST', 'session', {user, password})),
  /** @param {string} token @returns {Promise<Session>} */
  logInByLink: token => entered(ask('POST', 'session/link', {token})),
  logOut: () => ask('DELETE', 'session'),

  /** @returns {Promise<import('./types.d.ts').User[]>} */
  users: async () => (await ask('GET', 'users')).users,
  /** @param {{name: string, role: string, password: string}} user */
  addUser: user => ask('POST', 'users', user),
  /** @param {string} user @param {object} change */
  changeUser: (user, change) => ask('PATCH', `users/${name(user)}`, change),

  /** @returns {Promise<import('./types.d.ts').Study[]>} */
  studies: async () => (await ask('GET', 'studies')).studies,
  /** @param {string} study @returns {Promise<import('./types.d.ts').StudyDetail>} */
  study: study => ask('GET', `studies/${name(study)}`),
  /** @param {string} study @param {'start' | 'pause' | 'stop'} what */
  steer: (study, what) => ask('POST', `studies/${name(study)}/${what}`),
  /** What a branch may change. @param {string} study
   * @returns {Promise<import('./types.d.ts').StudyOption[]>} */
  options: async study => (await ask('GET', `studies/${name(study)}/options`)).options,
  /**
   * @param {string} study
   * @param {{name: string, options: Record<string, string>, start: boolean}} branch
   * @returns {Promise<import('./types.d.ts').Study>}
   */
  branch: (study, branch) => ask('POST', `studies/${name(study)}/branch`, branch),
  /** @param {string} study @param {'pca' | 'umap'} method
   * @returns {Promise<import('./types.d.ts').StudyMap>} */
  map: (study, method) => ask('GET', `studies/${name(study)}/map${query({method})}`),
  /** @param {string} study @param {number} id @returns {Promise<import('./types.d.ts').MapClip>} */
  mapClip: (study, id) => ask('GET', `studies/${name(study)}/map/${id}`),
  /** @param {string} [study] @returns {Promise<import('./types.d.ts').ClassInfo[]>} */
  classes: async study => (await ask('GET', `classes${query({study})}`)).classes,

  /**
   * @param {number} count
   * @param {number[]} after
   * @returns {Promise<import('./types.d.ts').NextReply>}
   */
  next: (count, after) => ask('POST', 'items/next', {count, after}),
  /** @param {number} id @returns {Promise<import('./types.d.ts').Item>} */
  item: id => ask('GET', `items/${id}`),
  /** @param {number} id @returns {Promise<import('./types.d.ts').Why>} */
  why: id => ask('GET', `items/${id}/why`),
  /** @param {number} id @returns {Promise<{id: number, lease_until_ms: number}>} */
  renew: id => ask('POST', `items/${id}/renew`),
  /** @param {number} id */
  release: id => send('POST', `items/${id}/release`, undefined, {keepalive: true}),
  /**
   * @param {{study?: string, round?: string, state?: string, page?: number}} which
   * @returns {Promise<{items: import('./types.d.ts').GalleryItem[], total: number, page: number}>}
   */
  gallery: which => ask('GET', `items${query(which)}`),

  /**
   * @param {string} uuid
   * @param {NewAnswer} answer
   * @returns {Promise<{uuid: string, state: string}>}
   */
  put: (uuid, answer) => ask('PUT', `answers/${uuid}`, answer),
  /** @param {string} uuid @returns {Promise<import('./types.d.ts').Undone>} */
  undo: uuid => ask('DELETE', `answers/${uuid}`),
  /** @param {number} count @returns {Promise<import('./types.d.ts').Answer[]>} */
  mine: async count => (await ask('GET', `answers/mine${query({count})}`)).answers,
  /**
   * @param {{person?: string, page?: number}} which
   * @returns {Promise<{answers: import('./types.d.ts').Answer[], total: number, page: number}>}
   */
  answers: which => ask('GET', `answers${query(which)}`),
  /** @returns {Promise<import('./types.d.ts').Conflict[]>} */
  conflicts: async () => (await ask('GET', 'conflicts')).conflicts,
  /** @param {string} [study] @returns {Promise<import('./types.d.ts').Agreement>} */
  agreement: study => ask('GET', `agreement${query({study})}`),

  /**
   * Times of frames as doubles, of the whole video or of a part of it.
   * @param {string} url of Video.frames
   * @param {{start?: number, end?: number}} part
   */
  async frames(url, part) {
    const where = new URL(url, document.baseURI);
    where.searchParams.set('format', 'f64');
    if (part.start !== undefined) {
      where.searchParams.set('start', String(part.start));
    }
    if (part.end !== undefined) {
      where.searchParams.set('end', String(part.end));
    }
    const response = await send('GET', where.href, undefined, {timeout: 120000});
    const bytes = await response.arrayBuffer();
    const times = doubles(bytes);
    const first = Number(response.headers.get('X-First-Frame') ?? 0);
    const total = Number(response.headers.get('X-Total-Frames') ?? first + times.length);
    return {times, first, total};
  },

  /** @param {string} video @returns {Promise<import('./types.d.ts').Pieces>} */
  pieces: video => ask('GET', `media/${name(video)}/pieces`),
  /** @param {string} video @param {number} number @param {AbortSignal} stop */
  async piece(video, number, stop) {
    const response = await send('GET', `media/${name(video)}/pieces/${number}`, undefined, {
      stop,
      cache: 'default',
    });
    return response.arrayBuffer();
  },

  /** Whether a file can be had now. @param {string} url */
  async ready(url) {
    await send('HEAD', new URL(url, document.baseURI).href);
  },

  /**
   * @param {string} video
   * @param {number} start
   * @param {number} end
   * @param {number} count
   * @param {number} height
   */
  stripUrl: (video, start, end, count, height) =>
    new URL(
      `media/${name(video)}/strip.jpg` +
        query({start: round(start), end: round(end), count, height}),
      ROOT,
    ).href,
  /** @param {string} study @param {string} format */
  exportUrl: (study, format) => new URL(`export${query({study, format})}`, ROOT).href,
  eventsUrl: () => new URL('events', ROOT).href,
};

/** @param {number} seconds */
function round(seconds) {
  return Math.round(seconds * 1e6) / 1e6;
}

/** Little-endian doubles, on any machine. @param {ArrayBuffer} bytes */
function doubles(bytes) {
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
  const count = Math.floor(bytes.byteLength / 8);
  if (little) {
    return new Float64Array(bytes, 0, count);
  }
  const view = new DataView(bytes);
  return Float64Array.from({length: count}, (_, i) => view.getFloat64(8 * i, true));
}

// The queue and the pieces of a long video without a browser: what they ask of the server is answered here.
//
//     node --test tests/page/queue_test.mjs

import assert from 'node:assert/strict';
import {test} from 'node:test';

class Element extends EventTarget {
  currentTime = 0;
  load() {}
  pause() {}
  remove() {}
  removeAttribute() {}
}

class Buffer extends EventTarget {
  appended = 0;
  appendBuffer() {
    this.appended += 1;
    setTimeout(() => this.dispatchEvent(new Event('updateend')));
  }
}

class Media extends EventTarget {
  readyState = 'open';
  buffer = new Buffer();
  constructor() {
    super();
    Media.last = this;
    setTimeout(() => this.dispatchEvent(new Event('sourceopen')));
  }
  addSourceBuffer() {
    return this.buffer;
  }
  endOfStream() {
    this.readyState = 'ended';
  }
}

globalThis.document = Object.assign(new EventTarget(), {
  baseURI: 'http://page/',
  createElement: () => new Element(),
});
globalThis.window = new EventTarget();
globalThis.Image = class {};
globalThis.MediaSource = Media;
globalThis.setInterval = () => 0; // the renewal of leases, which would keep this process alive
URL.createObjectURL = () => 'blob:';
URL.revokeObjectURL = () => {};

let answer = () => new Response('{}');
globalThis.fetch = async url => answer(new URL(url).pathname);

const refused = status =>
  new Response(JSON.stringify({error: {code: 'x', message: String(status)}}), {status});

const {Queue} = await import('../../src/distal/serve/page/queue.js');
const {Pieces} = await import('../../src/distal/serve/page/pieces.js');

const item = id => ({
  id,
  kind: 'clip',
  start_s: 0,
  end_s: 1,
  video: {id: 'aa', duration_s: 2, proxy: 'p', frames: 'f'},
});

function journal() {
  return Object.assign(new EventTarget(), {items: new Set(), draft: async () => undefined});
}

test('a view that is left and opened again shows what waits in front', async () => {
  answer = path =>
    path.endsWith('/items/next') ? Response.json({items: [], left: 0}) : refused(410);
  const queue = new Queue(journal());
  queue.start();
  queue.show(item(1), null);
  queue.show(item(2), null); // 1 waits in front
  queue.rest(false);
  assert.equal(queue.current, null);
  queue.wake();
  assert.equal(queue.current?.item.id, 1);
  queue.stop();
});

/** Plays one piece from a server that answers these statuses in turn, the last one for good. */
async function played(...statuses) {
  answer = () => {
    const status = statuses.length > 1 ? statuses.shift() : statuses[0];
    return status === 200 ? new Response(new Uint8Array(4)) : refused(status);
  };
  const pieces = new Pieces(new Element(), 'aa', {starts: [0], duration_s: 2, type: 'video/mp4'});
  const media = Media.last;
  let failed = false;
  pieces.addEventListener('failed', () => {
    failed = true;
  });
  for (let i = 0; i < 300 && !failed && media.buffer.appended === 0; ++i) {
    await new Promise(done => setTimeout(done, 20));
  }
  pieces.close();
  return failed ? 'failed' : media.buffer.appended;
}

test('a piece is asked for again after a log-in, and where it was cleared away', async () => {
  assert.equal(await played(401, 503, 200), 1);
  assert.equal(await played(404, 404, 200), 1);
});

test('a piece that is refused for good ends the video', async () => {
  assert.equal(await played(403), 'failed');
  assert.equal(await played(404), 'failed');
});

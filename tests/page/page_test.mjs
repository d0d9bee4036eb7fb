// The page of distal serve in a real browser, against a server that runs already:
//   node page_test.mjs ADDRESS USER PASSWORD [--chromium PATH] [--clips N] [--steps N]
//     [--shots DIR] [--painted] [--host NAME]
// The server must have at least N + 12 open clips of at least five frames for the user. With an
// open recording (an item of kind ranges) anywhere in its queue, the test labels that too.
// --painted: every frame shows its number in 12 squares, bit b white for 1, with its centre at
// (28 + 50 b) / 640 of the width and 26 / 360 of the height; the pictures are compared with them.
// --host: NAME in ADDRESS means 127.0.0.1; plain HTTP under a name is no secure context.
// It prints one line a check, and exits with 1 after a failed one.

import fs from 'node:fs';
import {parseArgs} from 'node:util';
import {chromium} from 'playwright-core';

const {values, positionals} = parseArgs({
  allowPositionals: true,
  options: {
    chromium: {type: 'string', default: '/usr/bin/chromium'},
    clips: {type: 'string', default: '30'},
    steps: {type: 'string', default: '40'},
    shots: {type: 'string', default: ''},
    painted: {type: 'boolean', default: false},
    host: {type: 'string', default: ''},
  },
});
const [address, user, password] = positionals;
if (!address || !user || !password) {
  console.error('usage: node page_test.mjs ADDRESS USER PASSWORD [--chromium PATH] [--clips N]');
  process.exit(2);
}
const CLIPS = Number(values.clips);
const STEPS = Number(values.steps);
const WAIT = {timeout: 60000};

let failed = 0;

function check(what, holds, detail = '') {
  console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}${detail === '' ? '' : ` (${detail})`}`);
  failed += holds ? 0 : 1;
}

const browser = await chromium.launch({
  executablePath: values.chromium,
  args: [
    '--no-sandbox',
    '--headless',
    '--disable-background-networking',
    ...(values.host ? [`--host-resolver-rules=MAP ${values.host} 127.0.0.1`] : []),
  ],
});
const context = await browser.newContext({viewport: {width: 1440, height: 900}});
context.setDefaultTimeout(WAIT.timeout);
const page = await context.newPage();
const faults = [];
page.on('pageerror', error => faults.push(error.message));
page.on('dialog', dialog => dialog.accept());

/** A request of the page's own interface, with its session. */
function ask(method, path) {
  return page.evaluate(
    async ([how, where]) => {
      const session = await (await fetch('api/v1/session')).json();
      const answer = await fetch(`api/v1/${where}`, {
        method: how,
        headers: how === 'GET' ? {} : {'X-CSRF-Token': session.csrf},
      });
      return answer.json();
    },
    [method, path],
  );
}

const mine = async () =>
  (await ask('GET', 'answers/mine?count=200')).answers.filter(answer => !answer.undone);
const title = () => page.textContent('.item-title');
const unsent = () => page.getAttribute('.unsent', 'data-count').then(Number);

async function shot(name) {
  if (values.shots) {
    fs.mkdirSync(values.shots, {recursive: true});
    await page.screenshot({path: `${values.shots}/${name}.png`});
  }
}

async function sent() {
  await page.waitForFunction(
    () => document.querySelector('.unsent')?.dataset.count === '0',
    null,
    WAIT,
  );
}

async function picture() {
  await page.waitForFunction(
    () => {
      const video = document.querySelector('.stage video');
      return (
        video && video.readyState >= 2 && document.querySelector('.stage').dataset.frame !== ''
      );
    },
    null,
    WAIT,
  );
}

async function logIn() {
  await page.goto(address);
  await page.waitForSelector('#user', WAIT);
  await page.keyboard.type(user);
  await page.keyboard.press('Tab');
  await page.keyboard.type(password);
  await page.keyboard.press('Enter');
  await page.waitForSelector('.stage video', WAIT);
}

/** Passes whole recordings by, for the checks of clips. */
async function toClip() {
  for (let tries = 0; tries < 5 && (await page.$('.recording')); ++tries) {
    const before = await title();
    await page.keyboard.press('n');
    await page.waitForFunction(
      old => document.querySelector('.item-title').textContent !== old,
      before,
      WAIT,
    );
  }
}

async function answers() {
  const before = (await mine()).length;
  const seen = [];
  const waits = [];
  // From the key to the first screen that has the next item with a picture.
  await page.evaluate(() =>
    document.addEventListener(
      'keydown',
      event => {
        if (event.key !== 'Enter') {
          return;
        }
        const pressed = performance.now();
        const before = document.querySelector('.stage video');
        window.waited = undefined;
        const look = () => {
          const video = document.querySelector('.stage video');
          if (video && video !== before && video.readyState >= 2) {
            window.waited = performance.now() - pressed;
          } else {
            requestAnimationFrame(look);
          }
        };
        requestAnimationFrame(look);
      },
      true,
    ),
  );
  for (let i = 0; i < CLIPS; ++i) {
    await toClip();
    await picture();
    // A person takes longer than the next item needs to be made ready.
    await page.waitForFunction(
      () => Number(document.querySelector('.answer').dataset.ahead) > 0,
      null,
      WAIT,
    );
    const name = await title();
    await page.keyboard.press(String(1 + (i % 2)));
    if (i % 5 === 0) {
      await page.keyboard.press('x');
    }
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      old =>
        document.querySelector('.item-title').textContent !== old &&
        !document.querySelector('.work').hidden,
      name,
      WAIT,
    );
    await page.waitForFunction(() => window.waited !== undefined, null, WAIT);
    waits.push(await page.evaluate(() => window.waited));
    seen.push(name);
  }
  await sent();
  const after = await mine();
  check(
    `${CLIPS} clips are answered by keys alone`,
    after.length === before + CLIPS,
    `${after.length - before}`,
  );
  check('no clip was shown twice', new Set(seen).size === seen.length);
  check('an unsure answer says so', after.filter(answer => answer.unsure).length >= CLIPS / 5);
  check(
    'seconds are counted',
    after.slice(0, CLIPS).every(answer => answer.seconds > 0),
  );
  waits.sort((a, b) => a - b);
  check(
    'the next item is on screen within 100 ms, median',
    waits[CLIPS >> 1] < 100,
    [0.5, 0.95].map(p => `p${100 * p} ${waits[Math.floor(p * CLIPS)].toFixed(0)} ms`).join(', '),
  );
}

async function find() {
  await toClip();
  await page.keyboard.press('/');
  const names = await page.$$eval('.class input', list => list.map(one => one.value));
  const wanted = names[names.length - 1];
  await page.keyboard.type(wanted);
  await page.keyboard.press('Enter');
  const chosen = await page.$eval('.class input:checked', one => one.value);
  check('a class is found by typing', chosen === wanted, chosen);
}

async function frames() {
  await toClip();
  await picture();
  await page.keyboard.press('k');
  const settled = () =>
    page.waitForFunction(
      () => ['proved', 'unproved'].includes(document.querySelector('.stage').dataset.proof),
      null,
      WAIT,
    );
  await settled();
  let proved = 0;
  let right = 0;
  let wrong = 0;
  const keys = ['.', '.', ',', '.', '>', ',', '<', '.'];
  for (let i = 0; i < STEPS; ++i) {
    const before = Number(await page.getAttribute('.stage', 'data-frame'));
    const key = keys[(i * 7 + (i >> 3)) % keys.length];
    const by = {'.': 1, ',': -1, '>': 10, '<': -10}[key];
    await page.keyboard.press(key);
    await settled();
    const after = Number(await page.getAttribute('.stage', 'data-frame'));
    proved += (await page.getAttribute('.stage', 'data-proof')) === 'proved' ? 1 : 0;
    right += after === before + by || (before + by < 0 && after === 0) ? 1 : 0;
    wrong += values.painted && (await painted()) !== after ? 1 : 0;
  }
  console.log(`       in ${await title()}`);
  if (values.painted) {
    check(`${STEPS} steps show the right picture`, wrong === 0, `${wrong} wrong`);
  }
  check(`${STEPS} steps move by as many frames as asked`, right === STEPS, `${right}`);
  check(`${STEPS} steps are proved`, proved === STEPS, `${proved}`);
}

/** The number that the picture on screen shows. */
function painted() {
  return page.evaluate(() => {
    const video = document.querySelector('.stage video');
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 360;
    const context = canvas.getContext('2d', {willReadFrequently: true});
    context.drawImage(video, 0, 0, 640, 360);
    let number = 0;
    for (let bit = 0; bit < 12; ++bit) {
      number |= context.getImageData(28 + 50 * bit, 26, 1, 1).data[0] > 128 ? 1 << bit : 0;
    }
    return number;
  });
}

async function undo() {
  await toClip();
  const name = await title();
  await page.keyboard.press('2');
  await page.keyboard.press('m');
  await page.keyboard.type('smoke <b>');
  await page.keyboard.press('Enter');
  await page.keyboard.press('Enter');
  await sent();
  const before = (await mine()).length;
  await page.reload();
  await page.waitForSelector('.stage video', WAIT);
  await page.keyboard.press('u');
  await page.waitForFunction(
    old => document.querySelector('.item-title').textContent === old,
    name,
    WAIT,
  );
  await sent();
  check('an answer is undone after a reload', (await mine()).length === before - 1);
  check('its note is there again', (await page.inputValue('#note')) === 'smoke <b>');
  check('its class is there again', (await page.$('.class input:checked')) !== null);
  await page.keyboard.press('Enter');
  await sent();
  check('it is answered again', (await mine()).length === before);
}

async function offline() {
  await toClip();
  await picture();
  const before = (await mine()).length;
  await context.setOffline(true);
  for (let i = 0; i < 2; ++i) {
    const name = await title();
    await page.keyboard.press('1');
    await page.keyboard.press('Enter');
    await page.waitForFunction(
      old => document.querySelector('.item-title').textContent !== old,
      name,
      WAIT,
    );
  }
  await page.waitForTimeout(800);
  check('offline, two answers wait', (await unsent()) === 2, `${await unsent()}`);
  check(
    'offline, the page says so',
    (await page.getAttribute('.unsent', 'data-state')) === 'offline',
  );
  await shot('offline');
  await context.setOffline(false);
  await sent();
  check('back again, both are with the server', (await mine()).length === before + 2);
}

/** Answers while the network is away, closes the tab, opens another: nothing is lost. */
async function twoTabs() {
  await toClip();
  const before = (await mine()).length;
  await page.route('**/api/v1/answers/*', route => route.abort());
  await page.keyboard.press('1');
  await page.keyboard.press('Enter');
  await page.waitForFunction(
    () => document.querySelector('.unsent').dataset.count === '1',
    null,
    WAIT,
  );
  const other = await context.newPage();
  await other.goto(address);
  await other.waitForSelector('.stage video', WAIT);
  await other.waitForFunction(
    () => document.querySelector('.unsent').dataset.count === '0',
    null,
    WAIT,
  );
  await sent();
  await other.close();
  await page.unroute('**/api/v1/answers/*');
  check('another tab sends what this one could not', (await mine()).length === before + 1);
}

async function ranges() {
  for (let tries = 0; tries < 4 && !(await page.$('.recording')); ++tries) {
    const before = await title();
    await page.keyboard.press('n');
    await page.waitForFunction(
      old => document.querySelector('.item-title').textContent !== old,
      before,
      WAIT,
    );
  }
  if (!(await page.$('.recording'))) {
    console.log('       no recording near: ranges are not checked');
    return;
  }
  await picture();
  const count = () => page.$$eval('.range-list li', rows => rows.length);
  await page.keyboard.press('Home');
  await page.keyboard.press('1');
  const jump = async times => {
    for (let i = 0; i < times; ++i) {
      await page.keyboard.press('>');
    }
    await page.waitForFunction(
      () => document.querySelector('.stage').dataset.proof === 'proved',
      null,
      WAIT,
    );
  };
  await jump(20);
  await page.keyboard.press('2');
  await jump(20);
  await page.keyboard.press('2');
  check('classes pressed at the changes make ranges', (await count()) === 2, `${await count()}`);
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('z');
  await page.waitForTimeout(400);
  const text = () => page.textContent('.range-list [aria-current] .mono');
  const before = await text();
  const box = await page.locator('canvas.timeline').boundingBox();
  // Zoomed to the range with a margin of 15 %: its end lies at 1.15 / 1.3 of the width.
  const edge = box.x + (box.width * 1.15) / 1.3;
  const y = box.y + box.height - 20;
  await page.mouse.move(edge, y);
  await page.mouse.down();
  await page.mouse.move(edge - box.width * 0.1, y, {steps: 4});
  await page.mouse.move(edge - box.width * 0.2, y, {steps: 4});
  await page.mouse.up();
  await shot('ranges');
  check('an edge is dragged', (await text()) !== before, `${before} to ${await text()}`);
  await page.keyboard.press('Control+z');
  await page.waitForTimeout(100);
  check('the drag is taken back', (await page.textContent('.range-list')).includes(before));
  const answersBefore = (await mine()).length;
  await page.keyboard.press('Enter');
  await sent();
  const newest = (await mine())[0];
  check(
    'the ranges are with the server',
    (await mine()).length === answersBefore + 1 && newest.ranges.length === 2,
    JSON.stringify(newest.ranges),
  );
}

async function dashboard() {
  await page.click('a[href="#dashboard"]');
  await page.waitForSelector('.number b', WAIT);
  const answered = () => page.$eval('.number b', one => Number(one.textContent));
  const before = await answered();
  const other = await context.newPage();
  await other.goto(address);
  await other.waitForSelector('.stage video', WAIT);
  for (let tries = 0; tries < 5 && (await other.$('.recording')); ++tries) {
    await other.keyboard.press('n');
    await other.waitForTimeout(500);
  }
  await other.keyboard.press('1');
  await other.keyboard.press('Enter');
  await page
    .waitForFunction(
      old => Number(document.querySelector('.number b').textContent) > old,
      before,
      WAIT,
    )
    .catch(() => undefined);
  await other.close();
  await shot('dashboard');
  check(
    'the dashboard advances by an answer',
    (await answered()) > before,
    `${before} to ${await answered()}`,
  );
  await page.click('a[href="#answer"]');
}

/** No element of the page leaves the smallest screen, and both languages have every text. */
async function comfort() {
  await page.setViewportSize({width: 360, height: 740});
  const wide = await page.evaluate(() => document.documentElement.scrollWidth);
  check('360 px suffice', wide <= 360, `${wide}`);
  await shot('narrow');
  await page.setViewportSize({width: 1440, height: 900});
  await page.selectOption('.tongue', 'ko');
  check('Korean is spoken', (await page.textContent('[data-do=submit]')).includes('제출'));
  await page.keyboard.press('?');
  await page.waitForSelector('dialog[open]');
  const bare = await page.$$eval('[data-t]', list =>
    list.map(one => one.textContent).filter(text => /^[a-z]+\.[a-zA-Z.]+$/.test(text)),
  );
  check('every text is in the table', bare.length === 0, bare.join(' '));
  await page.keyboard.press('Escape');
  await page.selectOption('.tongue', 'en');
}

try {
  await logIn();
  check(
    'the page logs in',
    true,
    await page.evaluate(() => (window.isSecureContext ? 'secure context' : 'no secure context')),
  );
  await ranges();
  await answers();
  await find();
  await frames();
  await page.keyboard.press('n');
  await frames();
  await undo();
  await offline();
  await twoTabs();
  await dashboard();
  await comfort();
} catch (error) {
  await shot('failed');
  check('no step fails', false, error.message);
}
check('the page raised no error', faults.length === 0, faults.join('; '));
await browser.close();
process.exit(failed > 0 ? 1 : 0);

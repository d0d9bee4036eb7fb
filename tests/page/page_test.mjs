// The page of distal serve in a real browser, against a server that runs on a study nobody has
// answered yet.
//   node page_test.mjs ADDRESS --npm FOLDER [--chromium PATH] [--shots FOLDER] [--steps N] [--seed N]
//     [--videos JSON]
// ADDRESS is the one-time link of the owner. tests/page_test.py makes the study, its videos and a
// recording, and starts the server. Every frame shows its number (steps.mjs). JSON has the name of
// each video, CODING_CLASS_I, by its id. The test prints a line for each check and, at the end, what
// it answered as JSON; it exits with 1 after a check that failed.

import {parseArgs} from 'node:util';
import {Checks, Visitor, WAIT, openBrowser} from './browser.mjs';
import {bareTexts, comfort, tabbed} from './comfort.mjs';
import {randomSteps} from './steps.mjs';
import {branch, map} from './study.mjs';

const CLIPS = 30; // answered by keys alone
const CODED = ['constant', 'variable', 'bframes', 'hevc'];
const PASSWORD = 'correct horse battery';

const {values, positionals} = parseArgs({
  allowPositionals: true,
  options: {
    npm: {type: 'string'},
    chromium: {type: 'string', default: '/usr/bin/chromium'},
    shots: {type: 'string', default: ''},
    steps: {type: 'string', default: '40'},
    seed: {type: 'string', default: '1'},
    videos: {type: 'string', default: '{}'},
  },
});
const [link, secret] = (positionals[0] ?? '').split('#');
if (!secret || !values.npm) {
  console.error('usage: node page_test.mjs ADDRESS#link=TOKEN --npm FOLDER');
  process.exit(2);
}

/** The name of the video of a clip. @param {string} clip */
const nameOf = clip => JSON.parse(values.videos)[clip.split('@')[0]] ?? clip;
const checks = new Checks();
const {browser, axe} = await openBrowser(values.npm, values.chromium);
const owner = await new Visitor(link, values.shots).open(browser);
const ann = await new Visitor(link, values.shots).open(browser);

/** The one-time link logs in once, and does not stay in the address. */
async function ownerEnters() {
  await owner.page.goto(`${link}#${secret}`);
  await owner.page.waitForSelector('body[data-state=in]', WAIT);
  checks.that('the link logs in and leaves the address', !owner.page.url().includes('link='));
  const thief = await new Visitor(link, values.shots).open(browser);
  await thief.page.goto(`${link}#${secret}`);
  await thief.page.waitForSelector('#user', WAIT);
  const problem = await thief.page.textContent('.problem');
  checks.that('the link is used up', problem !== '', problem);
  await comfort(thief, checks, axe, 'login');
  await thief.context.close();
}

/** The owner adds a person, who logs in by keys alone. */
async function annEnters() {
  await owner.go('people');
  await owner.page.fill('#new-name', 'ann');
  await owner.page.fill('#new-password', PASSWORD);
  await owner.page.click('form .primary');
  await owner.page.waitForSelector('td:text-is("ann")', WAIT);
  await ann.page.goto(link);
  await ann.page.waitForSelector('#user', WAIT);
  await ann.page.keyboard.type('ann');
  await ann.press('Tab');
  await ann.page.keyboard.type('wrong password');
  await ann.press('Enter');
  await ann.until(() => document.querySelector('.problem').textContent !== '');
  await ann.page.keyboard.type(PASSWORD); // the wrong one is selected
  await ann.press('Enter');
  await ann.page.waitForSelector('.stage video', WAIT);
  checks.that('a person logs in by keys', (await ann.ask('GET', 'session')).user === 'ann');
}

/** Ranges of a recording: pressed at the changes, dragged, taken back, submitted. */
async function recording() {
  checks.that('a recording is found', await ann.toRecording());
  await ann.picture();
  const {page} = ann;
  const proved = () => ann.until(() => document.querySelector('.stage').dataset.proof === 'proved');
  const jump = async times => {
    await ann.press(...Array(times).fill('>'));
    await proved();
  };
  await ann.press('k', 'Home', '1');
  await jump(20);
  await ann.press('2');
  await jump(20);
  await ann.press('2');
  const rows = () => page.$$eval('.range-list .row', list => list.map(one => one.textContent));
  checks.that(
    'classes pressed at the changes make ranges',
    (await rows()).length === 2,
    await rows(),
  );
  await comfort(ann, checks, axe, 'recording');
  const before = (await rows())[1];
  await ann.press('ArrowUp', 'z');
  await drag(before);
  await ann.press('Control+z');
  await ann.until(text => document.querySelector('.range-list').textContent.includes(text), before);
  checks.that('the drag is taken back', (await rows())[1] === before);
  await drag(before);
  const shown = await rows();
  await ann.press('Enter');
  await ann.sent();
  const stored = (await ann.mine())[0];
  checks.that(
    'the ranges are with the server',
    stored.ranges.length === 2,
    JSON.stringify(stored.ranges),
  );
  const {times} = await ann.ask('GET', `media/${await videoOf(stored.item)}/frames`);
  const edges = stored.ranges.flatMap(({start_s, end_s}) => [start_s, end_s]);
  const onFrames = edges.every(edge => times.some(time => Math.abs(time - edge) < 1e-6));
  checks.that('edges lie on frames', onFrames, `${edges}, shown as ${shown}`);
}

async function videoOf(item) {
  return (await ann.ask('GET', `items/${item}`)).video.id;
}

/** Drags the end of the second range to the left by a fifth of the width. @param {string} before */
async function drag(before) {
  const {page} = ann;
  // Zoomed to the range with a margin of 15 %: its end lies at 1.15 / 1.3 of the width.
  const box = await page.locator('canvas.timeline').boundingBox();
  const edge = box.x + (box.width * 1.15) / 1.3;
  const y = box.y + box.height - 20;
  await page.mouse.move(edge, y);
  await page.mouse.down();
  await page.mouse.move(edge - box.width * 0.1, y, {steps: 4});
  await page.mouse.move(edge - box.width * 0.2, y, {steps: 4});
  await page.mouse.up();
  await ann.until(
    text => !document.querySelector('.range-list').textContent.includes(text),
    before,
  );
  checks.that('an edge is dragged', true);
  await ann.shot('recording-dragged');
}

/** Random steps in a video of each way of coding. */
async function frameTruth() {
  const steps = Number(values.steps);
  for (const [i, coded] of CODED.entries()) {
    const isIt = async () =>
      nameOf(await ann.title()).startsWith(coded) && (await ann.page.$('.recording')) === null;
    checks.that(`a video is there: ${coded}`, await ann.passTo(isIt, 50));
    const found = await randomSteps(ann, steps, Number(values.seed) + i);
    const {wrong, unproved, astray, frames, visited} = found;
    const where = `${nameOf(await ann.title())}, ${visited.size} of ${frames} frames were seen`;
    checks.that(`${coded}, ${steps} steps: ${wrong} wrong pictures`, wrong === 0, where);
    checks.that(
      `${coded}, ${steps} steps: ${astray} end at another frame than asked`,
      astray === 0,
    );
    checks.that(`${coded}, ${steps} steps: ${unproved} are not proved`, unproved === 0);
  }
}

/** The tabulator reaches everything, and what has the focus is seen. */
async function keyboardAlone() {
  await ann.toClip();
  await ann.picture();
  const seen = await tabbed(ann, 60);
  const names = seen.map(({name}) => name);
  const wanted = [
    '#answer',
    '#dashboard',
    '#gallery',
    '#people',
    'find',
    'note',
    'submit',
    'skip',
    'next',
    'undo',
    'unsure',
  ];
  const missing = wanted.filter(one => !names.includes(one));
  checks.that('the tabulator reaches every control', missing.length === 0, missing);
  const unseen = seen.filter(({visible}) => !visible).map(({name}) => name);
  checks.that('what has the focus is seen', unseen.length === 0, unseen.join(', '));
  await ann.page.evaluate(() => document.activeElement?.blur());
  await ann.press('/');
  const classes = await ann.page.$$eval('.class input', list => list.map(one => one.value));
  const wish = classes[classes.length - 1];
  await ann.page.keyboard.type(wish);
  await ann.press('Enter');
  const chosen = await ann.page.$eval('.class input:checked', one => one.value);
  checks.that('a class is found by typing', chosen === wish, chosen);
}

/** Clips are answered by keys alone, each once. */
async function answers() {
  const before = (await ann.mine()).length;
  const seen = [];
  for (let i = 0; i < CLIPS; ++i) {
    await ann.toClip();
    await ann.picture();
    const name = await ann.title();
    await ann.press(String(1 + (i % 2)), ...(i % 5 === 0 ? ['x'] : []), 'Enter');
    await ann.another(name);
    seen.push(name);
  }
  await ann.sent();
  const after = await ann.mine();
  const fresh = after.slice(0, after.length - before);
  checks.that(`${CLIPS} clips are answered by keys alone`, fresh.length === CLIPS, fresh.length);
  checks.that('no clip was shown twice', new Set(seen).size === CLIPS);
  const stored = fresh.map(({clip}) => clip).reverse();
  checks.that('the server has them in this order', String(stored) === String(seen));
  checks.that('an unsure answer says so', fresh.filter(({unsure}) => unsure).length === CLIPS / 5);
  checks.that(
    'seconds are counted',
    fresh.every(({seconds}) => seconds > 0),
  );
}

async function undo() {
  await ann.toClip();
  const name = await ann.title();
  await ann.press('2', 'm');
  await ann.page.keyboard.type('smoke <b>');
  await ann.press('Enter', 'Enter');
  await ann.another(name);
  await ann.sent();
  const before = await ann.mine();
  await ann.page.reload();
  await ann.page.waitForSelector('.stage video', WAIT);
  await ann.press('u');
  await ann.until(old => document.querySelector('.item-title').textContent === old, name);
  await ann.sent();
  const left = await ann.mine();
  checks.that('an answer is undone after a reload', left.length === before.length - 1);
  checks.that('the right one', !left.some(({clip}) => clip === name), name);
  checks.that('its note is there again', (await ann.page.inputValue('#note')) === 'smoke <b>');
  checks.that('its class is there again', (await ann.page.$('.class input:checked')) !== null);
  await ann.press('Enter');
  await ann.another(name);
  await ann.sent();
  const again = await ann.mine();
  checks.that(
    'it is answered again',
    again.length === before.length && again[0].note === 'smoke <b>',
  );
}

/** Without the network: answers wait in the browser, and come to the server once. */
async function offline() {
  await ann.toClip();
  await ann.picture();
  await ann.ahead(2);
  const before = await ann.mine();
  await ann.context.setOffline(true);
  const given = [];
  for (let i = 0; i < 2; ++i) {
    const name = await ann.title();
    given.push(name);
    await ann.press('1', 'Enter');
    await ann.another(name);
  }
  await ann.until(() => {
    const {count, state} = document.querySelector('.unsent').dataset;
    return count === '2' && state === 'offline';
  });
  checks.that('offline, two answers wait, and the page says so', true);
  await ann.shot('offline');
  await ann.context.setOffline(false);
  await ann.sent();
  const after = await ann.mine();
  const clips = after
    .slice(0, 2)
    .map(({clip}) => clip)
    .reverse();
  checks.that('back again, both are with the server', String(clips) === String(given), clips);
  checks.that('neither is there twice', after.length === before.length + 2, after.length);
}

/** A tab that cannot send; another tab of the same person sends for it. */
async function twoTabs() {
  await ann.toClip();
  await ann.picture();
  const before = (await ann.mine()).length;
  const name = await ann.title();
  await ann.page.route('**/api/v1/answers/*', route => route.abort());
  await ann.press('1', 'Enter');
  await ann.until(() => document.querySelector('.unsent').dataset.count === '1');
  const other = await ann.tab();
  await other.goto(link);
  await other.waitForSelector('body[data-state=in]', WAIT);
  await ann.sent();
  await ann.page.unroute('**/api/v1/answers/*');
  await other.close();
  const after = await ann.mine();
  const once = after.length === before + 1 && after[0].clip === name;
  checks.that('another tab sends what this one could not, once', once, after[0].clip);
}

/** What the owner's page shows of the study without a key or a reload. */
const dashboard = {
  answered: () => owner.page.$eval('.number b', one => Number(one.textContent)),
  rounds: () => owner.page.$$eval('.curves tbody tr', rows => rows.length),
};

/** Answers whatever is asked until nothing is open. */
async function answerAll() {
  while (await ann.page.$('.work:not([hidden])')) {
    await ann.toClip();
    await ann.picture();
    const name = await ann.title();
    await ann.press(String(1 + Number(nameOf(name).includes('waves'))), 'Enter');
    await ann.until(
      old =>
        document.querySelector('.work').hidden
          ? document.querySelector('.empty').dataset.state === 'empty'
          : document.querySelector('.item-title').textContent !== old,
      name,
    );
  }
  await ann.sent();
}

/** The owner watches how the study goes on by the answers that another person gives. */
async function watch() {
  await owner.go('dashboard');
  await owner.page.waitForSelector('.number b', WAIT);
  const before = await dashboard.answered();
  await comfort(owner, checks, axe, 'dashboard-waiting');
  await answerAll();
  await owner.until(old => Number(document.querySelector('.number b').textContent) > old, before);
  checks.that(
    'the dashboard counts the answers of others',
    true,
    `from ${before} to ${await dashboard.answered()}`,
  );
  await owner.until(() => document.querySelectorAll('.curves tbody tr').length >= 1);
  checks.that('a curve has its first point by the answers', true, await dashboard.rounds());
  await ann.page.waitForSelector('.work:not([hidden])', WAIT);
  checks.that('the next questions come by themselves', true);
  await answerAll();
  await owner.until(() => document.querySelectorAll('.curves tbody tr').length >= 2);
  await owner.page.waitForSelector('.study-tab .tag.done', WAIT);
  await owner.page.waitForSelector('.chart canvas', WAIT);
  const [{name}] = (await owner.ask('GET', 'studies')).studies;
  const study = await owner.ask('GET', `studies/${name}`);
  const {points} = study.curves[0];
  const cells = await owner.page.$$eval('.curves tbody tr', rows =>
    rows.map(row =>
      [...row.cells]
        .slice(2, 5)
        .map(cell => cell.textContent)
        .join(' '),
    ),
  );
  const wanted = points.map(
    ({round, answers, accuracy}) => `${round} ${answers} ${(100 * accuracy).toFixed(1)} %`,
  );
  checks.that('the page shows the curve of the interface', String(cells) === String(wanted), cells);
  checks.that(
    'its answers are counted',
    (await dashboard.answered()) === study.answered,
    study.answered,
  );
  await comfort(owner, checks, axe, 'dashboard');
  await map(owner, checks, name);
  await comfort(owner, checks, axe, 'map');
  await branch(owner, checks, name);
}

/** The other views, both languages, and the dialog of keys. */
async function views() {
  await owner.go('gallery');
  await owner.page.waitForSelector('.tile img', WAIT);
  await owner.until(() => [...document.images].every(one => one.complete));
  await comfort(owner, checks, axe, 'gallery');
  await owner.page.click('.tile');
  await owner.until(() => document.querySelector('dialog video')?.currentTime > 0.2);
  checks.that('a tile plays its clip', true);
  await owner.shot('gallery-clip');
  await owner.press('Escape');
  await owner.go('people');
  await owner.page.waitForSelector('td:text-is("ann")', WAIT);
  await comfort(owner, checks, axe, 'people');
  await comfort(ann, checks, axe, 'empty');
  await owner.press('?');
  await owner.page.waitForSelector('dialog[open]', WAIT);
  await comfort(owner, checks, axe, 'keys');
  await owner.press('Escape');
}

async function korean() {
  await owner.page.selectOption('.tongue', 'ko');
  const shown = {
    answer: '.empty',
    dashboard: '.card',
    map: '.legend',
    gallery: '.tile',
    people: 'td',
  };
  for (const [name, selector] of Object.entries(shown)) {
    await owner.go(name);
    await owner.page.waitForSelector(selector, WAIT);
    const bare = await bareTexts(owner.page);
    checks.that(`Korean has every text of ${name}`, bare.length === 0, bare);
    await owner.shot(`korean-${name}`);
  }
  const head = await owner.page.textContent('h1');
  checks.that('Korean is spoken', /[가-힣]/.test(head), head);
  checks.that('the page says so', (await owner.page.getAttribute('html', 'lang')) === 'ko');
  await owner.page.selectOption('.tongue', 'en');
}

try {
  await ownerEnters();
  await annEnters();
  await recording();
  await ann.toClip();
  await comfort(ann, checks, axe, 'clip');
  await keyboardAlone();
  await frameTruth();
  await answers();
  await undo();
  await offline();
  await twoTabs();
  await watch();
  await views();
  await korean();
  console.log(JSON.stringify({answers: (await ann.mine()).map(({uuid, item}) => ({uuid, item}))}));
} catch (error) {
  await ann.shot('failed-ann');
  await owner.shot('failed-owner');
  checks.that('no step fails', false, error.stack);
}
for (const visitor of [owner, ann]) {
  checks.that('the page raised no error', visitor.faults.length === 0, visitor.faults.join('; '));
}
console.log(`${checks.count} checks, ${checks.failed} failed`);
await browser.close();
process.exit(checks.failed > 0 ? 1 : 0);

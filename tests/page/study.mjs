// The owner's views of a study: its map and its branches.

import {WAIT} from './browser.mjs';

/** Where the page draws a point of the map: pixels of the screen. */
async function pixelOf(page, {x, y}) {
  const box = await page.locator('.plot').boundingBox();
  const unit = (Math.min(box.width - 2, box.height - 2) / 2) * 0.94;
  return {x: box.x + box.width / 2 + x * unit, y: box.y + box.height / 2 - y * unit};
}

/** The point that is farthest from all others: nothing lies over it. */
function lonely(points) {
  const room = one =>
    Math.min(
      ...points
        .filter(other => other !== one)
        .map(other => Math.hypot(other.x - one.x, other.y - one.y)),
    );
  return points.reduce((best, one) => (room(one) > room(best) ? one : best));
}

const plays = () => document.querySelector('.map-side video')?.currentTime > 0.05;

/**
 * PCA at once, UMAP when it is ready; a point plays its clip when pressed, pointed at, or reached by keys.
 * @param {import('./browser.mjs').Visitor} owner
 * @param {import('./browser.mjs').Checks} checks
 * @param {string} study
 */
export async function map(owner, checks, study) {
  const {page} = owner;
  await owner.go('map');
  await page.waitForSelector('.legend li', WAIT);
  await owner.until(() =>
    document.querySelector('.map [role=status]').textContent.includes('UMAP of'),
  );
  checks.that(
    'the map shows UMAP when it is ready',
    true,
    await page.textContent('.map [role=status]'),
  );
  await page.selectOption('#map-method', 'pca');
  await owner.until(() =>
    document.querySelector('.map [role=status]').textContent.includes('PCA of'),
  );
  const {points, total} = await owner.ask('GET', `studies/${study}/map?method=pca`);
  const counts = await page.$$eval('.legend .mono', list =>
    list.map(one => Number(one.textContent)),
  );
  const sum = counts.reduce((a, b) => a + b, 0);
  checks.that('the map has every clip', sum === points.length && total === points.length, sum);
  await page.waitForTimeout(600); // the points move to their places
  const one = lonely(points);
  const at = await pixelOf(page, one);
  await page.mouse.move(at.x, at.y);
  await owner.until(name => document.querySelector('.map-side h2')?.textContent === name, one.clip);
  await owner.until(plays);
  checks.that('a point plays its clip under the pointer', true, one.clip);
  await page.mouse.move(2, 2);
  await page.focus('.plot');
  await owner.press('ArrowRight');
  await owner
    .until(name => document.querySelector('.map-side h2')?.textContent !== name, one.clip)
    .catch(() => undefined);
  await owner.until(plays);
  const first = await page.textContent('.map-side h2');
  await owner.press('Enter');
  const paused = await page.$eval('.map-side video', video => video.paused);
  checks.that(
    'keys reach a point, play and pause it',
    paused && points.some(({clip}) => clip === first),
    first,
  );
}

/**
 * @param {import('./browser.mjs').Visitor} owner
 * @param {import('./browser.mjs').Checks} checks
 * @param {string} study
 */
export async function branch(owner, checks, study) {
  const {page} = owner;
  await owner.go('dashboard');
  await page.click('[data-focus=branch]');
  await page.waitForSelector('.options input', WAIT);
  const option = async (key, value) => {
    await page.fill('#branch-find', key);
    await page.fill(`.options label:has(span:text-is("${key}")) input`, value);
    await owner.press('Tab');
  };
  await option('student.training.steps', 'many');
  await page.click('.branching .primary');
  await owner.until(() => document.querySelector('.branching .problem').textContent !== '');
  const problem = await page.textContent('.branching .problem');
  checks.that('a wrong option is refused in the form', problem.includes('steps'), problem);
  await owner.shot('branch');
  await option('student.training.steps', '5');
  await page.fill('#branch-name', 'longer');
  await page.uncheck('#branch-start');
  await page.click('.branching .primary');
  await page.waitForSelector('.study-tab b:text-is("longer")', WAIT);
  const {studies} = await owner.ask('GET', 'studies');
  const made = studies.find(({name}) => name === 'longer');
  checks.that(
    'a branch is made',
    made?.branch_of === study && made.state === 'stopped',
    JSON.stringify(made),
  );
}

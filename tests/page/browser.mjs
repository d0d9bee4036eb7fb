// A browser for the tests of the page: checks that are counted, waits by condition, and what a
// person does.

import fs from 'node:fs';
import {createRequire} from 'node:module';
import path from 'node:path';

// A busy machine is slow, and a condition that never holds is a fault.
export const WAIT = {timeout: 300000};

/** Counts checks, and prints one line for each. */
export class Checks {
  failed = 0;
  count = 0;

  /** @param {string} what @param {boolean} holds @param {unknown} [detail] */
  that(what, holds, detail = '') {
    ++this.count;
    this.failed += holds ? 0 : 1;
    const shown = detail === '' ? '' : ` (${detail})`;
    console.log(`${holds ? 'ok    ' : 'FAILED'} ${what}${shown}`);
  }
}

/**
 * Chromium, and axe-core as text.
 * @param {string} npm folder with node_modules
 * @param {string} chromium
 */
export async function openBrowser(npm, chromium) {
  const require = createRequire(path.resolve(npm, 'package.json'));
  const playwright = require('playwright-core');
  const browser = await playwright.chromium.launch({
    executablePath: chromium,
    args: ['--no-sandbox', '--headless', '--disable-background-networking'],
    timeout: WAIT.timeout,
  });
  return {browser, axe: fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8')};
}

/** Somebody at the page: a context of their own, with cookies and a journal. */
export class Visitor {
  /**
   * @param {string} address of the server
   * @param {string} shots folder for pictures of the screen, or ''
   */
  constructor(address, shots) {
    this.address = address;
    this.shots = shots;
    /** @type {string[]} What went wrong in the page. */
    this.faults = [];
  }

  /** @param {import('playwright-core').Browser} browser */
  async open(browser) {
    this.context = await browser.newContext({viewport: {width: 1440, height: 900}});
    this.context.setDefaultTimeout(WAIT.timeout);
    this.page = await this.tab();
    return this;
  }

  async tab() {
    const page = await this.context.newPage();
    page.on('pageerror', error => this.faults.push(error.message));
    page.on('dialog', dialog => dialog.accept());
    return page;
  }

  async press(...keys) {
    for (const key of keys) {
      await this.page.keyboard.press(key);
    }
  }

  /**
   * Waits until a function of the page gives true.
   * @param {Function} condition
   * @param {unknown} [value]
   */
  async until(condition, value = null) {
    await this.page.waitForFunction(condition, value, WAIT);
  }

  /**
   * A request of the page's own interface, with its session.
   * @param {string} method
   * @param {string} path
   */
  ask(method, path) {
    return this.page.evaluate(
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

  /** Own answers that stand, the newest first. */
  async mine() {
    return (await this.ask('GET', 'answers/mine?count=200')).answers.filter(one => !one.undone);
  }

  title() {
    return this.page.textContent('.item-title');
  }

  /** Waits until the item on screen is another than the one with this title. @param {string} old */
  async another(old) {
    await this.until(
      name =>
        document.querySelector('.item-title').textContent !== name &&
        !document.querySelector('.work').hidden,
      old,
    );
  }

  /** Waits until every answer is with the server. */
  async sent() {
    await this.until(() => document.querySelector('.unsent')?.dataset.count === '0');
  }

  /** Waits for a picture whose number is known. */
  async picture() {
    await this.until(() => {
      const video = document.querySelector('.stage video');
      const {frame} = document.querySelector('.stage').dataset;
      return video && video.readyState >= 2 && frame !== undefined && frame !== '';
    });
  }

  /** Waits until as many items are ready behind the one on screen. @param {number} count */
  async ahead(count) {
    await this.until(
      least => Number(document.querySelector('.answer').dataset.ahead) >= least,
      count,
    );
  }

  /** Passes items by until one fits. @param {() => Promise<boolean>} fits @param {number} most */
  async passTo(fits, most) {
    await this.page.waitForSelector('.stage video', WAIT);
    for (let tries = 0; tries < most; ++tries) {
      if (await fits()) {
        return true;
      }
      const old = await this.title();
      await this.press('n');
      await this.another(old);
    }
    return fits();
  }

  toClip() {
    return this.passTo(async () => (await this.page.$('.recording')) === null, 50);
  }

  toRecording() {
    return this.passTo(async () => (await this.page.$('.recording')) !== null, 50);
  }

  async shot(name) {
    if (this.shots) {
      fs.mkdirSync(this.shots, {recursive: true});
      await this.page.screenshot({path: `${this.shots}/${name}.png`});
    }
  }

  /** Shows a view. @param {string} name */
  async go(name) {
    await this.page.evaluate(where => {
      location.hash = where;
    }, name);
    await this.page.waitForSelector(`.view.${name}`, WAIT);
  }
}

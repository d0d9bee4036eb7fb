// What everybody may expect of a view: names for those who do not see it, a visible focus, every
// width, both languages.

const SIZES = {narrow: [360, 740], usual: [1440, 900], large: [3840, 2160]};

/**
 * The rules of axe-core for WCAG 2.2, levels A and AA, in light and dark; no horizontal
 * scrolling from 360 px to 4K.
 * @param {import('./browser.mjs').Visitor} visitor
 * @param {import('./browser.mjs').Checks} checks
 * @param {string} axe its text
 * @param {string} name of what is on screen
 */
export async function comfort(visitor, checks, axe, name) {
  const {page} = visitor;
  for (const colorScheme of ['light', 'dark']) {
    await page.emulateMedia({colorScheme});
    for (const [size, [width, height]] of Object.entries(SIZES)) {
      await page.setViewportSize({width, height});
      await drawn(page);
      const scroll = await page.evaluate(() => document.documentElement.scrollWidth);
      checks.that(
        `${name}, ${size}, ${colorScheme}: nothing scrolls sideways`,
        scroll <= width,
        scroll,
      );
      await visitor.shot(`${name}-${size}-${colorScheme}`);
    }
    await page.setViewportSize({width: 1440, height: 900});
    const faults = await violations(page, axe);
    checks.that(
      `${name}, ${colorScheme}: no rule of axe is broken`,
      faults.length === 0,
      faults.join(' | '),
    );
  }
  await page.emulateMedia({colorScheme: null});
}

/** Two pictures of the screen later what was resized is drawn. */
async function drawn(page) {
  await page.evaluate(
    () => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done))),
  );
}

async function violations(page, axe) {
  if (!(await page.evaluate(() => 'axe' in window))) {
    await page.evaluate(axe);
  }
  const found = await page.evaluate(() =>
    window.axe.run(document, {
      runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'],
      resultTypes: ['violations'],
    }),
  );
  return found.violations.map(
    ({id, nodes}) => `${id}: ${nodes.map(({target}) => target).join(', ')}`,
  );
}

/**
 * Goes through the view by the tabulator alone.
 * @param {import('./browser.mjs').Visitor} visitor
 * @param {number} most keys
 * @returns {Promise<{name: string, visible: boolean}[]>} what has the focus, in order
 */
export async function tabbed(visitor, most) {
  const {page} = visitor;
  await page.evaluate(() => {
    const first = document.createElement('span');
    first.tabIndex = -1;
    document.body.prepend(first);
    first.focus();
    first.remove();
  });
  const seen = [];
  for (let i = 0; i < most; ++i) {
    await page.keyboard.press('Tab');
    const now = await page.evaluate(() => {
      const element = document.activeElement;
      if (!element || element === document.body) {
        return null;
      }
      const shown = element.matches('input[type=radio]') ? element.closest('label') : element;
      const style = getComputedStyle(shown);
      const box = shown.getBoundingClientRect();
      const ring = style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2;
      const inside = box.width > 0 && box.bottom > 0 && box.top < innerHeight;
      const name =
        element.id ||
        element.dataset.do ||
        element.getAttribute('href') ||
        element.getAttribute('aria-label') ||
        element.className ||
        element.tagName;
      return {name: String(name), visible: ring && inside};
    });
    if (now === null) {
      break; // past the last one
    }
    seen.push(now);
  }
  return seen;
}

/**
 * Texts that no table has: the page shows their keys.
 * @param {import('playwright-core').Page} page
 */
export function bareTexts(page) {
  return page.$$eval('[data-t]', list =>
    list.map(one => one.textContent).filter(text => /^[a-z]+\.[a-zA-Z.]+$/.test(text)),
  );
}

// Random steps through a video whose frames show their numbers: is the picture the one that the
// page names? Every frame shows its number in 12 squares: bit b is white for 1, its centre at
// (28 + 50 b) / 640 of the width and 26 / 360 of the height.

/** Numbers in [0, 1): xorshift of 32 bits (Marsaglia 2003). @param {number} seed */
export function randomFrom(seed) {
  let state = (0x9e3779b9 ^ seed) >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

/**
 * Waits until the page says which frame is on screen, and reads the number that is painted
 * there.
 */
function settle() {
  return new Promise(done => {
    const stage = document.querySelector('.stage');
    const video = stage.querySelector('video');
    const canvas = document.createElement('canvas');
    canvas.width = 640;
    canvas.height = 360;
    const context = canvas.getContext('2d', {willReadFrequently: true});
    const look = () => {
      if (!['proved', 'unproved'].includes(stage.dataset.proof)) {
        setTimeout(look, 4);
        return;
      }
      context.drawImage(video, 0, 0, 640, 360);
      let painted = 0;
      for (let bit = 0; bit < 12; ++bit) {
        const [red] = context.getImageData(28 + 50 * bit, 26, 1, 1).data;
        painted |= red > 128 ? 1 << bit : 0;
      }
      done({frame: Number(stage.dataset.frame), proved: stage.dataset.proof === 'proved', painted});
    };
    look();
  });
}

/**
 * Keys by frames, several at once before a picture came, places of the film strip, both ends,
 * and stops while it plays.
 * @param {import('./browser.mjs').Visitor} visitor an item is on screen whose clip is its whole
 * video
 * @param {number} count of steps
 * @param {number} seed
 */
export async function randomSteps(visitor, count, seed) {
  const random = randomFrom(seed);
  const whole = most => Math.floor(random() * most);
  const {page} = visitor;
  await visitor.picture();
  await visitor.press('k', 'End');
  const last = (await page.evaluate(settle)).frame;
  const strip = await page.locator('.strip').boundingBox();
  const by = {',': -1, '.': 1, '<': -10, '>': 10};
  const found = {wrong: 0, unproved: 0, astray: 0, frames: last + 1, visited: new Set()};
  let before = last;
  for (let i = 0; i < count; ++i) {
    const kind = random();
    let expected = -1; // nobody knows
    if (kind < 0.45) {
      const key = [',', '.', '<', '>'][whole(4)];
      await page.keyboard.press(key);
      expected = before + by[key];
    } else if (kind < 0.7) {
      const key = [',', '.'][whole(2)];
      const times = 2 + whole(8);
      for (let k = 0; k < times; ++k) {
        await page.keyboard.press(key);
      }
      expected = before + times * by[key];
    } else if (kind < 0.94) {
      await page.mouse.click(strip.x + random() * strip.width, strip.y + strip.height / 2);
    } else if (kind < 0.96) {
      await page.keyboard.press(random() < 0.5 ? 'Home' : 'End');
    } else {
      await page.keyboard.press(' ');
      await page.waitForTimeout(20 + whole(200));
      await page.keyboard.press('k');
    }
    const now = await page.evaluate(settle);
    found.wrong += now.painted === now.frame ? 0 : 1;
    found.unproved += now.proved ? 0 : 1;
    if (kind < 0.7) {
      found.astray += now.frame === Math.min(last, Math.max(0, expected)) ? 0 : 1;
    }
    found.visited.add(now.frame);
    before = now.frame;
  }
  return found;
}

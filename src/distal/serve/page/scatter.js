// Points on a canvas: drawn, found under a pointer, walked through by the arrow keys.

const NEAR = 14; // pixels around a point that count as the point
const MORPH_MS = 450; // from old places to new ones
const MARGIN = 0.06; // of the picture, around all points
const MOST_ZOOM = 60;

/**
 * @typedef {object} Dot
 * @property {number} id
 * @property {number} x in [-1, 1], to the right
 * @property {number} y in [-1, 1], up
 * @property {string} colour
 * @property {'dot' | 'disc' | 'square'} shape in this order from below to the top
 */

const ORDER = {dot: 0, disc: 1, square: 2};
const RADIUS = {dot: 3, disc: 5, square: 4.5};

/**
 * Events: `over` (detail: Dot or null, under the pointer), `choose` (detail: Dot or null), `act`
 * (Enter).
 */
export class Scatter extends EventTarget {
  /** @type {Dot[]} */
  #dots = [];
  /** @type {Map<number, {x: number, y: number}>} Where the points were before. */
  #old = new Map();
  #since = 0;
  #scale = 1;
  #middle = {x: 0, y: 0};
  /** @type {number | null} */
  #over = null;
  /** @type {number | null} */
  #chosen = null;
  #dirty = false;

  /** @param {HTMLElement} host has the focus and its keys */
  constructor(host) {
    super();
    this.host = host;
    this.canvas = document.createElement('canvas');
    host.append(this.canvas);
    new ResizeObserver(() => this.#fit()).observe(host);
    window.addEventListener('themechange', () => this.draw());
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => this.draw());
    this.canvas.addEventListener('pointerdown', event => this.#grab(event));
    this.canvas.addEventListener('pointermove', event => this.#hover(event));
    this.canvas.addEventListener('pointerleave', () => this.#point(null));
    this.canvas.addEventListener('wheel', event => this.#wheel(event), {passive: false});
    this.canvas.addEventListener('dblclick', () => this.whole());
    host.addEventListener('keydown', event => this.#press(event));
  }

  /** Those that were there before move to their new places. @param {Dot[]} dots */
  use(dots) {
    const calm = matchMedia('(prefers-reduced-motion: reduce)').matches;
    this.#old = new Map(calm ? [] : this.#dots.map(({id, x, y}) => [id, {x, y}]));
    this.#since = performance.now();
    this.#dots = [...dots].sort((a, b) => ORDER[a.shape] - ORDER[b.shape]);
    if (!this.#dots.some(({id}) => id === this.#chosen)) {
      this.#chosen = null;
    }
    this.draw();
  }

  /** @returns {Dot | null} */
  get chosen() {
    return this.#dots.find(({id}) => id === this.#chosen) ?? null;
  }

  /** @param {Dot | null} dot */
  choose(dot) {
    this.#chosen = dot?.id ?? null;
    if (dot) {
      this.#show(dot);
    }
    this.draw();
    this.dispatchEvent(new CustomEvent('choose', {detail: dot}));
  }

  whole() {
    this.#scale = 1;
    this.#middle = {x: 0, y: 0};
    this.draw();
  }

  /**
   * @param {number} factor above 1: nearer
   * @param {{x: number, y: number}} [at] what stays in place
   */
  zoom(factor, at = this.#middle) {
    const scale = Math.min(MOST_ZOOM, Math.max(1, this.#scale * factor));
    const share = this.#scale / scale;
    this.#middle = {
      x: at.x + (this.#middle.x - at.x) * share,
      y: at.y + (this.#middle.y - at.y) * share,
    };
    this.#scale = scale;
    this.#keepInside();
    this.draw();
  }

  /** Draws at the next picture of the screen. */
  draw() {
    if (!this.#dirty) {
      this.#dirty = true;
      requestAnimationFrame(now => {
        this.#dirty = false;
        this.#paint(now);
      });
    }
  }

  #fit() {
    const ratio = devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.host.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.host.clientHeight * ratio));
    this.draw();
  }

  /** Pixels for a unit of the map. */
  get #unit() {
    const least = Math.min(this.host.clientWidth, this.host.clientHeight);
    return Math.max(1, (least / 2) * (1 - MARGIN) * this.#scale);
  }

  /** Of points, above 1 on large screens. */
  get #size() {
    const least = Math.min(this.host.clientWidth, this.host.clientHeight);
    return Math.min(3, Math.max(1, least / 560));
  }

  /** @param {{x: number, y: number}} place @returns {{x: number, y: number}} pixels */
  #pixel({x, y}) {
    return {
      x: this.host.clientWidth / 2 + (x - this.#middle.x) * this.#unit,
      y: this.host.clientHeight / 2 - (y - this.#middle.y) * this.#unit,
    };
  }

  /** @param {number} x pixels @param {number} y */
  #place(x, y) {
    return {
      x: this.#middle.x + (x - this.host.clientWidth / 2) / this.#unit,
      y: this.#middle.y - (y - this.host.clientHeight / 2) / this.#unit,
    };
  }

  #keepInside() {
    const clamp = (/** @type {number} */ value) => Math.min(1, Math.max(-1, value));
    this.#middle = {x: clamp(this.#middle.x), y: clamp(this.#middle.y)};
  }

  /** Moves a point into view. @param {Dot} dot */
  #show(dot) {
    const {x, y} = this.#pixel(dot);
    if (x < 0 || y < 0 || x > this.host.clientWidth || y > this.host.clientHeight) {
      this.#middle = {x: dot.x, y: dot.y};
    }
  }

  /** @param {number} now */
  #paint(now) {
    const context = this.canvas.getContext('2d');
    if (!context) {
      return;
    }
    const ratio = devicePixelRatio || 1;
    const share = Math.min(1, (now - this.#since) / MORPH_MS);
    const eased = 1 - (1 - share) ** 3;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, this.host.clientWidth, this.host.clientHeight);
    const style = getComputedStyle(this.host);
    const size = this.#size;
    const ring = style.getPropertyValue('--surface').trim();
    const text = style.getPropertyValue('--text').trim();
    for (const dot of this.#dots) {
      const old = this.#old.get(dot.id) ?? dot;
      const place = {x: old.x + (dot.x - old.x) * eased, y: old.y + (dot.y - old.y) * eased};
      const marked = dot.id === this.#chosen || dot.id === this.#over;
      stamp(context, this.#pixel(place), dot, {size, ring: marked ? text : ring, marked});
    }
    if (share < 1 && this.#old.size > 0) {
      this.draw();
    }
  }

  /** The nearest point. @param {number} x pixels @param {number} y @returns {Dot | null} */
  #under(x, y) {
    let best = null;
    let least = NEAR * this.#size;
    for (const dot of this.#dots) {
      const at = this.#pixel(dot);
      const far = Math.hypot(at.x - x, at.y - y);
      if (far < least) {
        least = far;
        best = dot;
      }
    }
    return best;
  }

  /** @param {Dot | null} dot */
  #point(dot) {
    if ((dot?.id ?? null) !== this.#over) {
      this.#over = dot?.id ?? null;
      this.canvas.style.cursor = dot ? 'pointer' : '';
      this.draw();
      this.dispatchEvent(new CustomEvent('over', {detail: dot}));
    }
  }

  /** @param {PointerEvent} event */
  #hover(event) {
    if (event.buttons === 0) {
      this.#point(this.#under(event.offsetX, event.offsetY));
    }
  }

  /** A press chooses; a drag moves the map. @param {PointerEvent} event */
  #grab(event) {
    if (event.button !== 0) {
      return;
    }
    this.canvas.setPointerCapture(event.pointerId);
    const from = this.#middle;
    const stop = new AbortController();
    let far = 0;
    this.canvas.addEventListener(
      'pointermove',
      next => {
        const right = next.clientX - event.clientX;
        const down = next.clientY - event.clientY;
        far = Math.max(far, Math.hypot(right, down));
        if (far > 4) {
          this.#middle = {x: from.x - right / this.#unit, y: from.y + down / this.#unit};
          this.#keepInside();
          this.draw();
        }
      },
      {signal: stop.signal},
    );
    for (const end of ['pointerup', 'pointercancel']) {
      this.canvas.addEventListener(
        end,
        () => {
          stop.abort();
          if (far <= 4 && end === 'pointerup') {
            this.choose(this.#under(event.offsetX, event.offsetY));
          }
        },
        {signal: stop.signal},
      );
    }
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    event.preventDefault();
    const at = this.#place(event.offsetX, event.offsetY);
    this.zoom(Math.exp(-event.deltaY * 0.0022), at);
  }

  /** @param {KeyboardEvent} event */
  #press(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) {
      return;
    }
    /** @type {Record<string, () => void>} */
    const keys = {
      ArrowLeft: () => this.#walk(-1, 0),
      ArrowRight: () => this.#walk(1, 0),
      ArrowUp: () => this.#walk(0, 1),
      ArrowDown: () => this.#walk(0, -1),
      '+': () => this.zoom(1.5, this.chosen ?? undefined),
      '=': () => this.zoom(1.5, this.chosen ?? undefined),
      '-': () => this.zoom(1 / 1.5, this.chosen ?? undefined),
      0: () => this.whole(),
      Escape: () => this.choose(null),
      Enter: () => this.dispatchEvent(new Event('act')),
      ' ': () => this.dispatchEvent(new Event('act')),
    };
    if (event.key in keys) {
      event.preventDefault();
      event.stopPropagation();
      keys[event.key]();
    }
  }

  /** To the next point in a direction: near, and not too far aside.
   * @param {number} right @param {number} up */
  #walk(right, up) {
    const from = this.chosen ?? {id: -1, ...this.#middle};
    let best = null;
    let least = Infinity;
    for (const dot of this.#dots) {
      const along = (dot.x - from.x) * right + (dot.y - from.y) * up;
      const aside = Math.abs((dot.x - from.x) * up) + Math.abs((dot.y - from.y) * right);
      const cost = along + 2 * aside;
      if (dot.id !== from.id && (along > 0 || !this.chosen) && cost < least) {
        least = this.chosen ? cost : Math.hypot(along, aside);
        best = dot;
      }
    }
    if (best) {
      this.choose(best);
    }
  }
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number}} at pixels
 * @param {Dot} dot
 * @param {{size: number, ring: string, marked: boolean}} how ring: colour around it
 */
function stamp(context, at, dot, {size, ring, marked}) {
  const radius = size * (RADIUS[dot.shape] + (marked ? 3 : 0));
  context.beginPath();
  if (dot.shape === 'square') {
    context.rect(at.x - radius, at.y - radius, 2 * radius, 2 * radius);
  } else {
    context.arc(at.x, at.y, radius, 0, 2 * Math.PI);
  }
  context.fillStyle = dot.colour;
  context.fill();
  context.lineWidth = size * (marked ? 2.5 : 1);
  context.strokeStyle = ring;
  context.stroke();
}

// Learning curves: uPlot where the build embedded it, else a plain drawing of our own.

import {h, say} from './dom.js';

/** @typedef {import('./types.d.ts').Curve} Curve */
/** @typedef {{x: number, y: number, low: number | null, high: number | null}} Point */
/** @typedef {{name: string, colour: string, points: Point[]}} Line */

const HUES = [212, 28, 152, 340, 264, 52, 184, 4];
const HEIGHT = 280;

/** Mean over the seeds of an arm, round by round. @param {Curve[]} curves @returns {Line[]} */
export function lines(curves) {
  const arms = [...new Set(curves.map(({arm}) => arm))];
  return arms.map((arm, i) => {
    /** @type {Map<number, import('./types.d.ts').CurvePoint[]>} */
    const rounds = new Map();
    for (const curve of curves.filter(one => one.arm === arm)) {
      for (const point of curve.points) {
        rounds.set(point.round, [...(rounds.get(point.round) ?? []), point]);
      }
    }
    const points = [...rounds.entries()]
      .sort((a, b) => a[0] - b[0])
      .map(([, all]) => ({
        x: mean(all.map(({answers}) => answers)) ?? 0,
        y: mean(all.map(({accuracy}) => accuracy)) ?? 0,
        low: mean(all.map(({low}) => low)),
        high: mean(all.map(({high}) => high)),
      }));
    return {name: arm, colour: `hsl(${HUES[i % HUES.length]} 68% 52%)`, points};
  });
}

/** @param {(number | null)[]} values @returns {number | null} null where one is missing */
function mean(values) {
  let sum = 0;
  for (const value of values) {
    if (value === null) {
      return null;
    }
    sum += value;
  }
  return values.length ? sum / values.length : null;
}

/** @type {Promise<any> | null} */
let library = null;

/** uPlot, or null where the build has none. */
function uplot() {
  const place = './uplot.js';
  library ??= import(place)
    .then(module => {
      const sheet = h('link', {rel: 'stylesheet', href: './uplot.css'});
      document.head.append(sheet);
      return module.default;
    })
    .catch(() => null);
  return library;
}

/** Draws curves into a place, and again when its width or the theme changes. */
export class Chart {
  /** @type {Line[]} */
  #lines = [];
  /** @type {any} */
  #plot = null;
  #width = 0;

  constructor() {
    this.element = h('div', {class: 'chart', role: 'img'});
    this.legend = h('ul', {class: 'legend'});
    new ResizeObserver(() => {
      if (this.element.clientWidth !== this.#width) {
        void this.#draw();
      }
    }).observe(this.element);
    window.addEventListener('themechange', () => void this.#draw());
  }

  /** @param {Line[]} list */
  use(list) {
    this.#lines = list;
    const last = list.map(({name, points}) => {
      const point = points[points.length - 1];
      return point ? `${name} ${(100 * point.y).toFixed(1)} %` : name;
    });
    say(this.element, 'chart.read', {lines: last.join(', ')}, 'aria-label');
    this.legend.replaceChildren(
      ...list.map(({name, colour}, i) => {
        const swatch = h('i', {class: 'swatch', 'aria-hidden': 'true'});
        swatch.style.backgroundColor = colour;
        return h('li', {}, swatch, h('span', {}, last[i] ?? name));
      }),
    );
    void this.#draw();
  }

  async #draw() {
    const Plot = await uplot();
    this.#width = this.element.clientWidth;
    if (this.#width < 40) {
      return;
    }
    this.#plot?.destroy();
    this.#plot = null;
    if (Plot && this.#lines.some(({points}) => points.length > 0)) {
      this.element.replaceChildren();
      this.#plot = new Plot(options(this.#lines, this.#width), table(this.#lines), this.element);
    } else {
      this.element.replaceChildren(drawing(this.#lines, this.#width));
    }
  }
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Columns for uPlot: answers, then low, high and mean of each line. @param {Line[]} list */
function table(list) {
  const xs = [...new Set(list.flatMap(({points}) => points.map(({x}) => x)))].sort((a, b) => a - b);
  const column = (/** @type {Line} */ line, /** @type {'y' | 'low' | 'high'} */ what) => {
    const values = new Map(line.points.map(point => [point.x, point[what]]));
    return xs.map(x => values.get(x));
  };
  return [
    xs,
    ...list.flatMap(line => [column(line, 'low'), column(line, 'high'), column(line, 'y')]),
  ];
}

/** @param {Line[]} list @param {number} width */
function options(list, width) {
  const axis = {
    stroke: colour('--muted'),
    grid: {stroke: colour('--line'), width: 1},
    ticks: {stroke: colour('--line')},
    font: '12px system-ui, sans-serif',
  };
  const edge = {stroke: 'transparent', points: {show: false}, spanGaps: true};
  return {
    width,
    height: HEIGHT,
    legend: {show: false},
    cursor: {drag: {x: true, y: false}},
    scales: {
      x: {time: false},
      y: {
        range: (/** @type {any} */ _, /** @type {number} */ low, /** @type {number} */ high) =>
          bounds(low, high),
      },
    },
    axes: [
      axis,
      {
        ...axis,
        size: 54,
        values: (/** @type {any} */ _, /** @type {number[]} */ marks) =>
          marks.map(mark => `${Math.round(100 * mark)} %`),
      },
    ],
    series: [
      {},
      ...list.flatMap(({name, colour: stroke}) => [
        {...edge, label: `${name} low`},
        {...edge, label: `${name} high`},
        {label: name, stroke, width: 2, spanGaps: true, points: {size: 6, fill: stroke}},
      ]),
    ],
    bands: list.map(({colour: fill}, i) => ({
      series: [3 * i + 2, 3 * i + 1],
      fill: fill.replace(')', ' / .16)'),
    })),
  };
}

/** @param {number} low @param {number} high */
function bounds(low, high) {
  return [
    Math.max(0, Math.floor(20 * (low - 0.02)) / 20),
    Math.min(1, Math.ceil(20 * (high + 0.02)) / 20),
  ];
}

/**
 * @param {string} name
 * @param {Record<string, string | number>} attributes
 * @param {...(Node | string)} children
 */
function shape(name, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) {
    element.setAttribute(key, String(value));
  }
  element.append(...children);
  return element;
}

/** The same picture as SVG. @param {Line[]} list @param {number} width */
function drawing(list, width) {
  const points = list.flatMap(line => line.points);
  const [low, high] = bounds(
    Math.min(1, ...points.map(({low: value, y}) => value ?? y)),
    Math.max(0, ...points.map(({high: value, y}) => value ?? y)),
  );
  const least = Math.min(...points.map(({x}) => x), 0);
  const most = Math.max(...points.map(({x}) => x), least + 1);
  const left = 46;
  const x = (/** @type {number} */ value) =>
    left + ((value - least) / (most - least)) * (width - left - 12);
  const y = (/** @type {number} */ value) =>
    HEIGHT - 26 - ((value - low) / (high - low || 1)) * (HEIGHT - 40);
  const picture = shape('svg', {width, height: HEIGHT, viewBox: `0 0 ${width} ${HEIGHT}`});
  for (let k = 0; k <= 4; ++k) {
    const value = low + (k / 4) * (high - low);
    picture.append(
      shape('line', {x1: left, x2: width - 12, y1: y(value), y2: y(value), class: 'grid'}),
      shape(
        'text',
        {x: left - 8, y: y(value) + 4, 'text-anchor': 'end'},
        `${Math.round(100 * value)} %`,
      ),
      shape(
        'text',
        {x: x(least + (k / 4) * (most - least)), y: HEIGHT - 6, 'text-anchor': 'middle'},
        String(Math.round(least + (k / 4) * (most - least))),
      ),
    );
  }
  for (const line of list) {
    const banded = line.points.filter(point => point.low !== null && point.high !== null);
    const path = (/** @type {[number, number][]} */ way) =>
      way.map(([a, b], i) => `${i ? 'L' : 'M'}${a.toFixed(1)} ${b.toFixed(1)}`).join('');
    picture.append(
      shape('path', {
        d: `${path([
          ...banded.map(
            point => /** @type {[number, number]} */ ([x(point.x), y(point.high ?? 0)]),
          ),
          ...[...banded]
            .reverse()
            .map(point => /** @type {[number, number]} */ ([x(point.x), y(point.low ?? 0)])),
        ])}Z`,
        fill: line.colour,
        opacity: 0.16,
      }),
      shape('path', {
        d: path(line.points.map(point => [x(point.x), y(point.y)])),
        fill: 'none',
        stroke: line.colour,
        'stroke-width': 2,
      }),
      ...line.points.map(point =>
        shape('circle', {cx: x(point.x), cy: y(point.y), r: 3, fill: line.colour}),
      ),
    );
  }
  return picture;
}

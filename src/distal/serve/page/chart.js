// Learning curves, drawn by uPlot, which the build embeds (uplot.js, uplot.css, its licence
// uplot.txt).

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

/** @typedef {typeof import('./uplot.js').default} Plot */
/** @typedef {InstanceType<Plot>} Drawn */
/** @typedef {ConstructorParameters<Plot>[0]} Options */
/** @typedef {NonNullable<ConstructorParameters<Plot>[1]>} Table */

/** @type {Promise<Plot> | null} */
let library = null;

/** uPlot, loaded when the first curve is drawn: who answers does not wait for it. */
function uplot() {
  library ??= import('./uplot.js')
    .then(module => {
      document.head.append(h('link', {rel: 'stylesheet', href: './uplot.css'}));
      return module.default;
    })
    .catch(error => {
      library = null; // the server was away: the next drawing asks again
      throw error;
    });
  return library;
}

/** Draws curves into a place, and again when its width or the theme changes. */
export class Chart {
  /** @type {Line[]} */
  #lines = [];
  /** @type {HTMLElement[]} Of the legend, one a line. */
  #values = [];
  /** @type {Drawn | null} */
  #plot = null;
  #width = 0;
  #turn = 0;

  constructor() {
    this.element = h('div', {class: 'chart', role: 'img'});
    this.legend = h('ul', {class: 'legend'});
    new ResizeObserver(() => {
      if (this.element.clientWidth !== this.#width) {
        void this.#draw();
      }
    }).observe(this.element);
    window.addEventListener('themechange', () => void this.#draw());
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', () => void this.#draw());
  }

  /** @param {Line[]} list */
  use(list) {
    this.#lines = list;
    this.#values = list.map(() => h('span', {class: 'mono'}));
    const last = list.map(({name, points}) => `${name} ${spoken(points[points.length - 1])}`);
    say(this.element, 'chart.read', {lines: last.join(', ')}, 'aria-label');
    this.legend.replaceChildren(
      ...list.map(({name, colour}, i) => {
        const swatch = h('i', {class: 'swatch', 'aria-hidden': 'true'});
        swatch.style.backgroundColor = colour;
        return h('li', {}, swatch, h('span', {}, name), this.#values[i]);
      }),
    );
    this.#read(null);
    void this.#draw();
  }

  async #draw() {
    const turn = ++this.#turn;
    const Plot = await uplot().catch(() => null);
    if (turn !== this.#turn || !Plot) {
      return; // a later call draws, or the table below the curves has to do
    }
    this.#width = this.element.clientWidth;
    this.#plot?.destroy();
    this.#plot = null;
    if (this.#width >= 40 && this.#lines.some(({points}) => points.length > 0)) {
      const read = (/** @type {Drawn} */ plot) =>
        this.#read(plot.cursor.idx === null ? null : plot.data[0][plot.cursor.idx ?? 0]);
      this.#plot = new Plot(
        options(this.#lines, this.#width, read),
        table(this.#lines),
        this.element,
      );
    }
  }

  /**
   * Writes values into the legend.
   * @param {number | null} x answers; null: the last of each line
   */
  #read(x) {
    this.#lines.forEach(({points}, i) => {
      const point = x === null ? points[points.length - 1] : points.find(one => one.x === x);
      this.#values[i].textContent = spoken(point);
    });
  }
}

/** @param {Point | undefined} point */
function spoken(point) {
  if (!point) {
    return '–';
  }
  const percent = (/** @type {number} */ value) => (100 * value).toFixed(1);
  const {y, low, high} = point;
  const interval = low === null || high === null ? '' : ` (${percent(low)} – ${percent(high)})`;
  return `${percent(y)} %${interval}`;
}

/** @param {string} name */
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

/** Columns for uPlot: answers, then low, high and mean of each line.
 * @param {Line[]} list @returns {Table} */
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

/**
 * @param {Line[]} list
 * @param {number} width
 * @param {(plot: Drawn) => void} read called when the pointer moves
 * @returns {Options}
 */
function options(list, width, read) {
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
      x: {time: false, range: (_, low, high) => around(low, high)},
      y: {range: (_, low, high) => bounds(low, high)},
    },
    axes: [
      {...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 50000]},
      {
        ...axis,
        size: 54,
        values: (_, marks) => marks.map(mark => `${Math.round(100 * mark)} %`),
      },
    ],
    series: [
      {},
      ...list.flatMap(({name, colour: stroke}) => [
        {...edge, label: `${name} low`},
        {...edge, label: `${name} high`},
        {label: name, stroke, width: 2, spanGaps: true, points: {size: 7, fill: stroke}},
      ]),
    ],
    bands: list.map(({colour: fill}, i) => ({
      series: [3 * i + 2, 3 * i + 1],
      fill: fill.replace(')', ' / .16)'),
    })),
    hooks: {setCursor: [read], draw: [plot => whiskers(plot, list)]},
  };
}

/** The interval of each point: a band shows none where a line has one point.
 * @param {Drawn} plot @param {Line[]} list */
function whiskers(plot, list) {
  const {ctx} = plot;
  ctx.save();
  ctx.lineWidth = 1.5 * (devicePixelRatio || 1);
  for (const line of list) {
    ctx.strokeStyle = line.colour;
    ctx.beginPath();
    for (const {x, low, high} of line.points) {
      if (low !== null && high !== null) {
        const at = plot.valToPos(x, 'x', true);
        ctx.moveTo(at, plot.valToPos(low, 'y', true));
        ctx.lineTo(at, plot.valToPos(high, 'y', true));
      }
    }
    ctx.stroke();
  }
  ctx.restore();
}

/** Room beside the first and the last point.
 * @param {number} low @param {number} high @returns {[number, number]} */
function around(low, high) {
  const room = Math.max(1, 0.03 * (high - low));
  return [low - room, high + room];
}

/** @param {number} low @param {number} high @returns {[number, number]} */
function bounds(low, high) {
  return [
    Math.max(0, Math.floor(20 * (low - 0.02)) / 20),
    Math.min(1, Math.ceil(20 * (high + 0.02)) / 20),
  ];
}

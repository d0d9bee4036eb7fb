// Ranges of a recording: in order, half open, not overlapping. Every function returns a new list.

/** @typedef {import('./types.d.ts').Range} Range */

const TINY = 1e-6;

/**
 * Gives [start, end) a class; null empties it. Equal neighbours become one.
 * @param {readonly Range[]} ranges @param {number} start @param {number} end
 * @param {string | null} name @returns {Range[]}
 */
export function paint(ranges, start, end, name) {
  if (!(end - start > TINY)) {
    return [...ranges];
  }
  /** @type {Range[]} */
  const list = [];
  for (const range of ranges) {
    if (range.end_s <= start + TINY || range.start_s >= end - TINY) {
      list.push(range);
      continue;
    }
    if (range.start_s < start - TINY) {
      list.push({...range, end_s: start});
    }
    if (range.end_s > end + TINY) {
      list.push({...range, start_s: end});
    }
  }
  if (name !== null) {
    list.push({start_s: start, end_s: end, class: name});
  }
  list.sort((a, b) => a.start_s - b.start_s);
  return joined(list);
}

/** @param {Range[]} list @returns {Range[]} */
function joined(list) {
  /** @type {Range[]} */
  const out = [];
  for (const range of list) {
    const last = out[out.length - 1];
    if (last && last.class === range.class && Math.abs(last.end_s - range.start_s) < TINY) {
      out[out.length - 1] = {...last, end_s: range.end_s};
    } else {
      out.push(range);
    }
  }
  return out;
}

/**
 * Moves an edge. A neighbour that touches it comes along; one in the way becomes shorter or goes.
 * @param {readonly Range[]} ranges @param {number} i @param {'start' | 'end'} edge
 * @param {number} to seconds @returns {Range[]}
 */
export function moveEdge(ranges, i, edge, to) {
  const range = ranges[i];
  const from = edge === 'start' ? range.start_s : range.end_s;
  const start = edge === 'start' ? Math.min(to, range.end_s) : range.start_s;
  const end = edge === 'end' ? Math.max(to, range.start_s) : range.end_s;
  if (end - start <= TINY) {
    return [...ranges];
  }
  const touching = edge === 'start' ? ranges[i - 1] : ranges[i + 1];
  let list = ranges.filter((_, k) => k !== i);
  if (touching && Math.abs((edge === 'start' ? touching.end_s : touching.start_s) - from) < TINY) {
    const grown =
      edge === 'start'
        ? {...touching, end_s: Math.max(start, from)}
        : {...touching, start_s: Math.min(end, from)};
    list = list.map(other => (other === touching ? grown : other));
  }
  return paint(list, start, end, range.class);
}

/** @param {readonly Range[]} ranges @param {number} i @returns {Range[]} */
export function removeAt(ranges, i) {
  return ranges.filter((_, k) => k !== i);
}

/** Number of the range at a time, or -1. @param {readonly Range[]} ranges @param {number} time */
export function rangeAt(ranges, time) {
  let low = 0;
  let high = ranges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ranges[middle].start_s <= time + TINY) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  const i = low - 1;
  return i >= 0 && time < ranges[i].end_s - TINY ? i : -1;
}

/**
 * The next or previous edge of the list, from a time on.
 * @param {readonly Range[]} ranges @param {number} time @param {1 | -1} way
 * @returns {number | undefined} number of the range whose start it is
 */
export function neighbour(ranges, time, way) {
  if (way > 0) {
    const i = ranges.findIndex(range => range.start_s > time + TINY);
    return i < 0 ? undefined : i;
  }
  for (let i = ranges.length - 1; i >= 0; --i) {
    if (ranges[i].start_s < time - TINY) {
      return i;
    }
  }
  return undefined;
}

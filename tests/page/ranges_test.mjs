// Ranges of a recording: node --test ranges_test.mjs

import assert from 'node:assert/strict';
import {test} from 'node:test';
import {moveEdge, neighbour, paint, rangeAt, removeAt} from '../../src/distal/serve/page/ranges.js';

const range = (start_s, end_s, name) => ({start_s, end_s, class: name});
const three = [range(0, 2, 'a'), range(2, 5, 'b'), range(6, 8, 'a')];

test('painting cuts what lies beneath', () => {
  assert.deepEqual(paint(three, 1, 3, 'c'), [
    range(0, 1, 'a'),
    range(1, 3, 'c'),
    range(3, 5, 'b'),
    range(6, 8, 'a'),
  ]);
});

test('painting the middle of a range leaves both sides', () => {
  assert.deepEqual(paint([range(0, 9, 'a')], 3, 4, 'b'), [
    range(0, 3, 'a'),
    range(3, 4, 'b'),
    range(4, 9, 'a'),
  ]);
});

test('equal neighbours become one', () => {
  assert.deepEqual(paint([range(0, 2, 'a')], 2, 4, 'a'), [range(0, 4, 'a')]);
});

test('painting nothing empties', () => {
  assert.deepEqual(paint(three, 1, 7, null), [range(0, 1, 'a'), range(7, 8, 'a')]);
});

test('an empty stretch changes nothing', () => {
  assert.deepEqual(paint(three, 4, 4, 'c'), three);
  assert.deepEqual(paint(three, 4, 3, 'c'), three);
});

test('an edge takes a touching neighbour along', () => {
  assert.deepEqual(moveEdge(three, 0, 'end', 1), [
    range(0, 1, 'a'),
    range(1, 5, 'b'),
    range(6, 8, 'a'),
  ]);
  assert.deepEqual(moveEdge(three, 1, 'start', 3)[0], range(0, 3, 'a'));
});

test('an edge shortens what is in its way', () => {
  assert.deepEqual(moveEdge(three, 1, 'end', 7), [
    range(0, 2, 'a'),
    range(2, 7, 'b'),
    range(7, 8, 'a'),
  ]);
});

test('an edge removes what it covers', () => {
  assert.deepEqual(moveEdge(three, 1, 'end', 9), [range(0, 2, 'a'), range(2, 9, 'b')]);
  assert.deepEqual(moveEdge(three, 2, 'start', 1), [range(0, 8, 'a')]);
});

test('an edge does not pass the other edge', () => {
  assert.deepEqual(moveEdge(three, 1, 'end', 1), three);
  assert.deepEqual(moveEdge(three, 1, 'start', 6), three);
});

test('a range is found by time, its end excluded', () => {
  assert.equal(rangeAt(three, 0), 0);
  assert.equal(rangeAt(three, 2), 1);
  assert.equal(rangeAt(three, 5), -1);
  assert.equal(rangeAt(three, 7.9), 2);
  assert.equal(rangeAt([], 1), -1);
});

test('the next and the previous start are found', () => {
  assert.equal(neighbour(three, 2, 1), 2);
  assert.equal(neighbour(three, 6, 1), undefined);
  assert.equal(neighbour(three, 2, -1), 0);
  assert.equal(neighbour(three, 0, -1), undefined);
});

test('a range is removed', () => {
  assert.deepEqual(removeAt(three, 1), [three[0], three[2]]);
});

test('any order of paints keeps ranges ordered, apart and painted last', () => {
  let seed = 7;
  const random = () => (seed = (seed * 1103515245 + 12345) % 2147483648) / 2147483648;
  for (let round = 0; round < 300; ++round) {
    let list = [];
    const second = Array(60).fill(null);
    for (let k = 0; k < 20; ++k) {
      const start = Math.floor(random() * 59);
      const end = start + 1 + Math.floor(random() * (60 - start - 1));
      const name = [null, 'a', 'b', 'c'][Math.floor(random() * 4)];
      list = paint(list, start, end, name);
      second.fill(name, start, end);
    }
    second.forEach((name, i) => assert.equal(list[rangeAt(list, i)]?.class ?? null, name));
    list.slice(1).forEach((one, i) => assert.ok(one.start_s >= list[i].end_s));
  }
});

// The frames of a video by number and by time.

import {api} from './api.js';

/** Part of the index of a video: frame i of it starts at times[i] seconds. */
export class FrameIndex {
  /**
   * @param {Float64Array} times ascending
   * @param {number} first number of times[0] in the whole video
   * @param {number} total frames of the whole video
   * @param {number} duration seconds of the whole video
   */
  constructor(times, first, total, duration) {
    this.times = times;
    this.first = first;
    this.total = total;
    this.duration = duration;
  }

  get length() {
    return this.times.length;
  }

  /** The frame on screen at a time. @param {number} seconds */
  at(seconds) {
    let low = 0;
    let high = this.times.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.times[middle] <= seconds + 1e-6) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return Math.max(0, low - 1);
  }

  /** The frame whose start is nearest. @param {number} seconds */
  nearest(seconds) {
    const before = this.at(seconds);
    const after = Math.min(before + 1, this.times.length - 1);
    const later = Math.abs(this.times[after] - seconds) < Math.abs(this.times[before] - seconds);
    return later ? after : before;
  }

  /** Where frame i ends. @param {number} i */
  end(i) {
    if (i + 1 < this.times.length) {
      return this.times[i + 1];
    }
    const whole = this.first + this.times.length >= this.total;
    return whole ? Math.max(this.duration, this.times[i]) : this.times[i] + this.gap(i);
  }

  /** Seconds between frame i and its nearer neighbour. @param {number} i */
  gap(i) {
    const after = i + 1 < this.times.length ? this.times[i + 1] - this.times[i] : Infinity;
    const before = i > 0 ? this.times[i] - this.times[i - 1] : Infinity;
    const gap = Math.min(after, before);
    return Number.isFinite(gap) && gap > 0 ? gap : 0.04;
  }

  /** The nearest edge between frames, the end of the video included. @param {number} seconds */
  snap(seconds) {
    const i = this.nearest(seconds);
    const end = this.end(this.times.length - 1);
    const last = Math.abs(end - seconds) < Math.abs(this.times[i] - seconds);
    return last && this.first + this.times.length >= this.total ? end : this.times[i];
  }

  /** A time at which a browser shows frame i: its start alone can give the frame before it.
   * @param {number} i @param {number} attempt */
  inside(i, attempt) {
    const length = this.end(i) - this.times[i];
    return this.times[i] + Math.min(0.001 * (1 + attempt), length > 0 ? length / 4 : 0.001);
  }

  /**
   * Whether a time of requestVideoFrameCallback proves frame i.
   * @param {number} i
   * @param {number} seconds
   */
  proves(i, seconds) {
    return Math.abs(this.times[i] - seconds) < Math.min(0.0005, this.gap(i) / 3);
  }
}

/**
 * Loads the index of a video, or of a part of it.
 * @param {import('./types.d.ts').Video} video
 * @param {{start?: number, end?: number}} [part]
 */
export async function loadFrames(video, part = {}) {
  const {times, first, total} = await api.frames(video.frames, part);
  return new FrameIndex(times, first, total, video.duration_s);
}

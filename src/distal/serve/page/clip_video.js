// A small video that plays one clip over and over.

import {h} from './dom.js';

/** @typedef {{video: import('./types.d.ts').Video, start_s: number, end_s: number}} Part */

const AGAIN_MS = 2000; // a copy for browsers may not be made yet

/** Plays a part of a video, which can change. */
export class ClipVideo {
  /** @type {Part | null} */
  #part = null;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #retry;

  constructor() {
    this.element = h('video', {playsinline: true, controls: true, preload: 'auto'});
    this.element.muted = true;
    this.element.addEventListener('timeupdate', () => this.#turn());
    this.element.addEventListener('ended', () => this.#turn());
    this.element.addEventListener('error', () => this.#later());
  }

  /** @param {Part} part @param {string} [picture] shown until the video is there */
  play(part, picture = '') {
    const same = this.#part?.video.proxy === part.video.proxy;
    this.#part = part;
    this.element.poster = picture && new URL(picture, document.baseURI).href;
    if (same && !this.element.error) {
      this.#begin();
    } else {
      this.#open();
    }
  }

  toggle() {
    if (this.element.paused) {
      this.element.play().catch(() => undefined);
    } else {
      this.element.pause();
    }
  }

  stop() {
    this.#part = null;
    clearTimeout(this.#retry);
    this.element.pause();
    this.element.removeAttribute('src');
    this.element.removeAttribute('poster');
    this.element.load();
  }

  #open() {
    clearTimeout(this.#retry);
    if (this.#part) {
      this.element.src = new URL(this.#part.video.proxy, document.baseURI).href;
      this.#begin();
    }
  }

  #begin() {
    if (this.#part) {
      this.element.currentTime = this.#part.start_s + 0.001;
      this.element.play().catch(() => undefined);
    }
  }

  /** Back to the start at the end of the clip. */
  #turn() {
    const {element} = this;
    if (this.#part && (element.ended || element.currentTime >= this.#part.end_s)) {
      const playing = element.ended || !element.paused;
      element.currentTime = this.#part.start_s + 0.001;
      if (playing) {
        element.play().catch(() => undefined);
      }
    }
  }

  #later() {
    clearTimeout(this.#retry);
    if (this.#part) {
      this.#retry = setTimeout(() => this.#open(), AGAIN_MS);
    }
  }
}

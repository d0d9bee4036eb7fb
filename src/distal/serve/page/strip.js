// The film strip of a clip and its surroundings; a pointer on it moves through the video.

import {h} from './dom.js';

/** @typedef {import('./queue.js').Deck} Deck */

export class Strip {
  #from = 0;
  #to = 1;

  /** @param {(seconds: number) => void} seek */
  constructor(seek) {
    this.seek = seek;
    this.before = h('div', {class: 'shade before'});
    this.after = h('div', {class: 'shade after'});
    this.head = h('div', {class: 'head'});
    this.place = h('div', {class: 'pictures'});
    this.element = h('div', {class: 'strip'}, this.place, this.before, this.after, this.head);
    this.element.addEventListener('pointerdown', event => {
      if (event.button === 0) {
        this.element.setPointerCapture(event.pointerId);
        this.#follow(event);
      }
    });
    this.element.addEventListener('pointermove', event => {
      if (this.element.hasPointerCapture(event.pointerId)) {
        this.#follow(event);
      }
    });
  }

  /** @param {Deck} deck */
  use(deck) {
    this.#from = deck.around.start;
    this.#to = Math.max(deck.around.end, this.#from + 1e-3);
    this.place.replaceChildren(deck.strip);
    const left = this.#share(deck.item.start_s);
    const right = this.#share(deck.item.end_s);
    this.before.style.width = `${100 * left}%`;
    this.after.style.left = `${100 * right}%`;
  }

  /** @param {number} time seconds */
  show(time) {
    this.head.style.left = `${100 * Math.min(1, Math.max(0, this.#share(time)))}%`;
  }

  /** @param {number} seconds */
  #share(seconds) {
    return (seconds - this.#from) / (this.#to - this.#from);
  }

  /** @param {PointerEvent} event */
  #follow(event) {
    const box = this.element.getBoundingClientRect();
    const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
    this.seek(this.#from + share * (this.#to - this.#from));
  }
}

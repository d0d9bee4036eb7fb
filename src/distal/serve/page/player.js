// Plays a clip and shows single frames. A frame counts as shown when the browser reports, through
// requestVideoFrameCallback, the time that the index has for it.

/** @typedef {import('./frames.js').FrameIndex} FrameIndex */
/** @typedef {'proved' | 'unproved' | 'moving'} Proof */

const TRIES = 4;
const SILENT_MS = 500; // after `seeked`, without a report of a frame
const PATIENCE_MS = 8000; // for a seek as a whole
export const RATES = [0.25, 0.5, 0.75, 1, 1.5, 2, 3, 4];

/** @param {number} ms @returns {Promise<void>} */
const pause = ms =>
  new Promise(done => {
    setTimeout(done, ms);
  });

/**
 * Seeks and waits for the picture.
 * @param {HTMLVideoElement} video @param {number} seconds
 * @returns {Promise<number | undefined>} the time of the picture; undefined: the browser is silent
 */
function seek(video, seconds) {
  return new Promise(done => {
    const stop = new AbortController();
    let seeked = false;
    /** @type {number | undefined} */
    let time;
    /** @param {number | undefined} value */
    const finish = value => {
      if (!stop.signal.aborted) {
        stop.abort();
        done(value);
      }
    };
    video.addEventListener(
      'seeked',
      () => {
        seeked = true;
        if (time !== undefined) {
          finish(time);
        } else {
          setTimeout(() => finish(time), SILENT_MS);
        }
      },
      {signal: stop.signal},
    );
    setTimeout(() => finish(time), PATIENCE_MS);
    if ('requestVideoFrameCallback' in video) {
      video.requestVideoFrameCallback((_, report) => {
        time = report.mediaTime;
        if (seeked) {
          finish(time);
        }
      });
    }
    video.currentTime = seconds;
  });
}

/**
 * Events: `frame` (another picture or another proof), `state` (playing, speed, loop).
 */
export class Player extends EventTarget {
  /** @type {HTMLVideoElement | null} */
  #video = null;
  /** @type {FrameIndex | null} */
  #frames = null;
  /** @type {number | null} */
  #want = null;
  #busy = false;
  #turn = 0; // grows when something else is asked for
  #reverse = 0;
  #rate = 1;
  /** @type {AbortController} */
  #listening = new AbortController();
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #jump;

  /** @type {{start: number, end: number} | null} Seconds to play over and over. */
  loop = null;
  looping = true;
  /** Frame on screen, in the index. */
  shown = 0;
  /** @type {Proof} */
  proof = 'moving';

  /**
   * @param {HTMLVideoElement} video
   * @param {FrameIndex | null} frames null: not there yet
   * @param {{start: number, end: number} | null} loop
   */
  use(video, frames, loop) {
    this.#listening.abort();
    this.#listening = new AbortController();
    this.#video?.pause();
    clearTimeout(this.#jump);
    ++this.#turn;
    this.#want = null;
    this.#reverse = 0;
    this.#video = video;
    this.#frames = frames;
    this.loop = loop;
    this.shown = frames ? frames.at(video.currentTime) : 0;
    this.proof = 'moving';
    const {signal} = this.#listening;
    for (const event of ['play', 'pause', 'ratechange', 'waiting', 'playing', 'loadeddata']) {
      video.addEventListener(event, () => this.#say('state'), {signal});
    }
    video.addEventListener('ended', () => this.#ended(), {signal});
    video.addEventListener('timeupdate', () => this.#tick(video.currentTime), {signal});
    this.#watch(video, this.#listening);
    video.playbackRate = this.#rate;
    this.#say('state');
    this.#say('frame');
  }

  /** The index came later. @param {FrameIndex} frames */
  index(frames) {
    this.#frames = frames;
    this.shown = frames.at(this.time);
    this.#say('frame');
  }

  drop() {
    this.#listening.abort();
    clearTimeout(this.#jump);
    this.#video?.pause();
    this.#video = null;
    this.#frames = null;
  }

  get frames() {
    return this.#frames;
  }

  get playing() {
    return this.#reverse > 0 || (this.#video !== null && !this.#video.paused);
  }

  get waiting() {
    return this.#video !== null && !this.#video.paused && this.#video.readyState < 3;
  }

  get rate() {
    return this.#reverse > 0 ? -this.#reverse : this.#rate;
  }

  /** Seconds; of the frame on screen where it is known. */
  get time() {
    if (this.#frames && this.#frames.length && !this.playing) {
      return this.#frames.times[this.#want ?? this.shown];
    }
    return this.#video?.currentTime ?? 0;
  }

  play() {
    if (!this.#video) {
      return;
    }
    ++this.#turn;
    this.#reverse = 0;
    this.#want = null;
    this.proof = 'moving';
    this.#video.playbackRate = this.#rate;
    if (this.loop && this.looping && this.time >= this.loop.end - 0.002) {
      this.#toStart();
    }
    this.#video.play().catch(() => undefined);
    this.#say('state');
  }

  pause() {
    if (!this.#video || !this.playing) {
      return;
    }
    ++this.#turn;
    this.#reverse = 0;
    clearTimeout(this.#jump);
    this.#video.pause();
    this.#say('state');
    // What was played is no proof of what is on screen.
    const frames = this.#frames;
    if (frames?.length) {
      this.go(frames.at(this.#video.currentTime));
    }
  }

  toggle() {
    if (this.playing) {
      this.pause();
    } else {
      this.play();
    }
  }

  /** Forward; again: faster. */
  shuttleForward() {
    if (this.#reverse || !this.playing) {
      this.speed(1);
      this.play();
    } else {
      this.speed(Math.min(4, this.#rate * 2));
    }
  }

  /** Backward; again: faster. */
  shuttleBack() {
    const rate = this.#reverse ? Math.min(4, this.#reverse * 2) : 1;
    const running = this.#reverse > 0;
    this.#video?.pause();
    this.#reverse = rate;
    this.#say('state');
    if (!running) {
      void this.#back(++this.#turn);
    }
  }

  /** @param {number} rate .25 to 4 */
  speed(rate) {
    this.#rate = rate;
    if (this.#video) {
      this.#video.playbackRate = rate;
    }
    this.#say('state');
  }

  /** The next of the usual speeds. @param {1 | -1} way */
  shift(way) {
    const list = way > 0 ? RATES : [...RATES].reverse();
    const next = list.find(rate => (way > 0 ? rate > this.#rate : rate < this.#rate));
    this.speed(next ?? this.#rate);
  }

  /** Moves by frames and stops there. @param {number} count */
  step(count) {
    this.go((this.#want ?? this.shown) + count);
  }

  /**
   * Shows a time and stops there, or plays on from there.
   * @param {number} seconds
   * @param {boolean} [on]
   */
  seek(seconds, on = false) {
    if (on && this.playing && this.#video && !this.#reverse) {
      this.#video.currentTime = seconds;
    } else if (this.#frames?.length) {
      this.go(this.#frames.at(seconds));
    } else if (this.#video) {
      this.#video.pause();
      this.#video.currentTime = seconds;
    }
  }

  /** Shows a frame and stops there. @param {number} i */
  go(i) {
    if (!this.#video || !this.#frames?.length) {
      return;
    }
    const target = Math.max(0, Math.min(this.#frames.length - 1, i));
    const stands = target === this.shown && this.proof === 'proved';
    if (stands && this.#want === null && !this.playing) {
      return; // a second seek to the last frame would run into the end of the video
    }
    ++this.#turn;
    if (this.playing) {
      this.#reverse = 0;
      clearTimeout(this.#jump);
      this.#video.pause();
    }
    this.#want = target;
    this.proof = 'moving';
    this.#say('frame');
    if (!this.#busy) {
      void this.#chase();
    }
  }

  /** Waits until no seek is under way. */
  async settled() {
    while (this.#busy) {
      await pause(4);
    }
  }

  /** Shows what is wanted until nothing else is. */
  async #chase() {
    this.#busy = true;
    try {
      while (this.#want !== null) {
        const target = this.#want;
        const turn = this.#turn;
        const proved = await this.#show(target);
        if (turn !== this.#turn) {
          continue; // another frame is wanted, or none
        }
        this.#want = null;
        this.shown = target;
        this.proof = proved ? 'proved' : 'unproved';
        this.#say('frame');
      }
    } finally {
      this.#busy = false;
    }
  }

  /** @param {number} i @returns {Promise<boolean>} whether the frame is proved */
  async #show(i) {
    const video = this.#video;
    const frames = this.#frames;
    const turn = this.#turn;
    if (!video || !frames) {
      return false;
    }
    for (let attempt = 0; attempt < TRIES && turn === this.#turn; ++attempt) {
      if (attempt >= 2) {
        // A picture that is on screen already is not reported again: go away and come back.
        await seek(video, frames.inside(i > 0 ? i - 1 : Math.min(1, frames.length - 1), 0));
      }
      const seen = await seek(video, frames.inside(i, attempt));
      if (seen !== undefined && frames.proves(i, seen)) {
        return true;
      }
    }
    return false;
  }

  /** @param {number} turn */
  async #back(turn) {
    let last = performance.now();
    while (turn === this.#turn && this.#reverse > 0 && this.#frames && this.#video) {
      await pause(15);
      const now = performance.now();
      const begin = this.loop && this.looping ? this.loop.start : this.#frames.times[0];
      let time = this.#frames.times[this.shown] - (this.#reverse * (now - last)) / 1000;
      if (time < begin - 1e-6) {
        time = this.loop && this.looping ? this.loop.end - 0.002 : begin;
      }
      const target = this.#frames.at(time);
      if (target !== this.shown) {
        last = now;
        await seek(this.#video, this.#frames.inside(target, 0));
        if (turn === this.#turn) {
          this.shown = target;
          this.#say('frame');
        }
      } else if (time <= this.#frames.times[0]) {
        this.pause();
      }
    }
  }

  /** @param {HTMLVideoElement} video @param {AbortController} listening */
  #watch(video, listening) {
    if (!('requestVideoFrameCallback' in video)) {
      return;
    }
    const report = (/** @type {number} */ _, /** @type {VideoFrameCallbackMetadata} */ what) => {
      if (!listening.signal.aborted) {
        this.#tick(what.mediaTime);
        video.requestVideoFrameCallback(report);
      }
    };
    video.requestVideoFrameCallback(report);
  }

  /** A picture came while it plays. @param {number} time */
  #tick(time) {
    const video = this.#video;
    if (!video || video.paused || this.#reverse) {
      return;
    }
    if (this.#frames?.length) {
      this.shown = this.#frames.nearest(time);
    }
    this.#say('frame');
    const loop = this.looping ? this.loop : null;
    const left = loop ? loop.end - time : Infinity;
    if (left <= 0) {
      this.#toStart();
    } else if (left < 0.2) {
      clearTimeout(this.#jump);
      const turn = this.#turn;
      this.#jump = setTimeout(
        () => {
          if (turn === this.#turn) {
            this.#toStart();
          }
        },
        Math.max(0, (1000 * left) / video.playbackRate - 4),
      );
    }
  }

  #toStart() {
    clearTimeout(this.#jump);
    if (this.#video && this.loop) {
      this.#video.currentTime = this.loop.start + 0.001;
    }
  }

  #ended() {
    if (this.proof !== 'moving' || this.#want !== null || this.#busy || this.#reverse > 0) {
      return; // a seek to the last frame, and not the end of playing
    }
    if (this.loop && this.looping) {
      this.#toStart();
      this.#video?.play().catch(() => undefined);
    } else {
      this.#say('state');
    }
  }

  /** @param {string} event */
  #say(event) {
    this.dispatchEvent(new Event(event));
  }
}

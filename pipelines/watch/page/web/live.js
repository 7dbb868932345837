/* Live pictures, fetched only while they can be seen.
 *
 * A browser opens six connections to a server, for all its tabs together, and a live picture keeps one
 * busy. So a few pictures are live streams; the others are fetched one after the other, which also
 * follows what the line can take. */

import { request, pathOf, urlOf } from './api.js';
import * as stream from './stream.js';

const STREAMS = 3; // of all tabs together
const WIDTHS = [320, 640, 960, 1280]; // few, so that browsers share an encoder
const LEAST_PAUSE = 200; // ms from one fetched picture of a camera to its next
const PAUSE_WITHOUT = 2000; // ms, while there is no picture

const pictures = new Set();
let own = 0; // streams of this tab, where tabs cannot count them together
let polling = false;

/* Resolves to a function that gives the stream back, or to null if all are taken. */
async function takeStream() {
  if (!navigator.locks) { // needs a secure context
    if (own >= 1) return null;
    own++;
    return () => own--;
  }
  for (let i = 0; i < STREAMS; i++) {
    const release = await new Promise((resolve) => {
      navigator.locks.request(`vitgate-live-${i}`, { ifAvailable: true }, (lock) => {
        if (!lock) return resolve(null);
        return new Promise(resolve);
      });
    });
    if (release) return release;
  }
  return null;
}

class Picture {
  constructor(image, camera) {
    this.image = image;
    this.camera = camera;
    this.inView = false;
    this.mode = 'off';
    this.generation = 0;
    this.due = 0;
    this.noStreamBefore = 0;
    this.onError = () => {
      if (this.mode !== 'live') return;
      this.noStreamBefore = performance.now() + 5000;
      this.stop();
      this.arrange();
    };
    image.addEventListener('error', this.onError);
  }

  /* A stream that runs goes on while the camera is lost for a moment; none is begun then. */
  get wanted() {
    return this.inView && !document.hidden && stream.connected
      && (this.mode === 'live' || stream.cameras.get(this.camera)?.state === 'playing');
  }

  get width() {
    const pixels = this.image.clientWidth * Math.min(devicePixelRatio, 2);
    return WIDTHS.find((width) => width >= pixels) ?? WIDTHS.at(-1);
  }

  async arrange() {
    if (!this.wanted) {
      this.stop();
      return;
    }
    if (this.mode === 'live' || this.mode === 'asks') return;
    if (performance.now() < this.noStreamBefore) {
      this.poll();
      return;
    }
    const before = this.mode;
    const generation = ++this.generation;
    this.mode = 'asks';
    const release = await takeStream();
    if (generation !== this.generation) {
      release?.();
      return;
    }
    this.mode = before;
    if (release) {
      this.release = release;
      this.mode = 'live';
      this.image.src = urlOf(['cameras', this.camera, 'live'], { width: this.width });
    } else {
      this.noStreamBefore = performance.now() + 3000;
      this.poll();
    }
  }

  poll() {
    this.mode = 'poll';
    startPolling();
  }

  /* Keeps what is shown, if it was fetched; a live stream ends only when its source is taken away. */
  stop() {
    this.generation++;
    if (this.mode === 'live') this.image.removeAttribute('src');
    this.release?.();
    this.release = null;
    this.mode = 'off';
  }

  async fetchNext() {
    this.due = performance.now() + LEAST_PAUSE;
    const generation = this.generation;
    try {
      const response = await request('GET',
        pathOf(['cameras', this.camera, 'picture'], { width: this.width }));
      const url = URL.createObjectURL(await response.blob());
      if (generation === this.generation && this.mode === 'poll') this.image.src = url;
      await this.image.decode().catch(() => {});
      URL.revokeObjectURL(url);
    } catch {
      this.due = performance.now() + PAUSE_WITHOUT;
    }
    if (performance.now() > this.noStreamBefore) await this.arrange();
  }
}

async function startPolling() {
  if (polling) return;
  polling = true;
  for (;;) {
    const fetched = [...pictures].filter((picture) => picture.mode === 'poll');
    if (!fetched.length) break;
    const next = fetched.reduce((a, b) => a.due <= b.due ? a : b);
    const pause = next.due - performance.now();
    if (pause > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(pause, LEAST_PAUSE)));
    else await next.fetchNext();
  }
  polling = false;
}

const observer = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const picture = [...pictures].find((one) => one.image === entry.target);
    if (!picture) continue;
    picture.inView = entry.isIntersecting;
    picture.arrange();
  }
}, { rootMargin: '50px' });

function arrangeAll() {
  for (const picture of pictures) picture.arrange();
}

/* Shows a camera in an image until the signal aborts. */
export function showLive(image, camera, signal) {
  const picture = new Picture(image, camera);
  pictures.add(picture);
  observer.observe(image);
  signal.addEventListener('abort', () => {
    observer.unobserve(image);
    pictures.delete(picture);
    image.removeEventListener('error', picture.onError);
    picture.stop();
    image.removeAttribute('src');
  });
}

document.addEventListener('visibilitychange', arrangeAll);
stream.on('cameras', () => {
  for (const picture of pictures) if (picture.wanted !== (picture.mode !== 'off')) picture.arrange();
});
stream.on('connection', (connected) => {
  // A stream of a server that is gone just stands still.
  if (!connected) for (const picture of pictures) picture.stop();
  arrangeAll();
});

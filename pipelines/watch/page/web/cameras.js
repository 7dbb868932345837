/* The view of all cameras: a grid of live pictures. */

import { h, setText } from './dom.js';
import { secondsSince } from './api.js';
import { duration, hue, isNumber, milliseconds, percent, plural, STATES } from './format.js';
import { showLive } from './live.js';
import { hrefOf } from './router.js';
import * as stream from './stream.js';

/* Returns a bar of the compute ratio, with update(). */
export function computeBar() {
  const fill = h('i');
  const text = h('span', { class: 'number' });
  const bar = h('div', { class: 'bar', role: 'meter', 'aria-label': 'Compute ratio', 'aria-valuemin': 0,
    'aria-valuemax': 1, 'aria-valuenow': 0 }, fill);
  const element = h('div', { class: 'compute' }, h('span', { class: 'dim' }, 'Compute'), bar, text);
  element.update = (ratio) => {
    const known = isNumber(ratio) ? Math.min(1, Math.max(0, ratio)) : 0;
    fill.style.width = `${known * 100}%`;
    bar.setAttribute('aria-valuenow', known.toFixed(3));
    setText(text, percent(ratio));
  };
  return element;
}

/* Why and since when a camera has no picture; hidden while it has one. */
export function lostNote() {
  const title = h('strong');
  const reason = h('span');
  const element = h('div', { class: 'gone' }, title, reason);
  element.update = (camera) => {
    const lost = camera.state !== 'playing';
    element.hidden = !lost;
    if (!lost) return;
    const since = camera.waiting_since ? ` for ${duration(secondsSince(camera.waiting_since))}` : '';
    const titles = { connecting: `Connecting${since}`, waiting: `No picture${since}`, ended: 'Ended' };
    setText(title, titles[camera.state] ?? camera.state);
    setText(reason, [camera.last_error,
      camera.attempts ? `${plural(camera.attempts, 'attempt')} failed` : null].filter(Boolean).join(' · '));
  };
  return element;
}

export function stateBadge() {
  const element = h('span', { class: 'badge' });
  element.update = (camera) => {
    element.dataset.state = camera.state;
    setText(element, STATES[camera.state] ?? camera.state);
  };
  return element;
}

/* One line for the whole frame or a look: label, state, score */
function resultLine(isLook) {
  const name = h('span', { class: 'dim' });
  const label = h('span', { class: 'label' });
  const score = h('span', { class: 'number' });
  const element = h('div', { class: 'result' }, isLook ? name : null, label, score);
  element.update = (result) => {
    setText(name, result.name ?? 'Whole frame');
    const text = result.scene_state ?? result.label;
    setText(label, text ?? 'no label');
    label.classList.toggle('none', !text);
    label.style.setProperty('--hue', hue(text));
    // The score is that of the label, which the state need not be.
    setText(score, text && text === result.label && isNumber(result.score) ? percent(result.score) : '');
  };
  return element;
}

/* Lines for the whole frame, if it is classified, and for each look */
export function resultLines() {
  const element = h('div', { class: 'results' });
  let count = -1;
  element.update = (camera) => {
    const looks = camera.looks ?? [];
    const whole = camera.label || camera.scene_state || !looks.length;
    const results = [...whole ? [{ ...camera, name: null }] : [], ...looks];
    if (results.length !== count) {
      count = results.length;
      element.replaceChildren(...results.map(() => resultLine(looks.length > 0)));
    }
    results.forEach((result, i) => element.children[i].update(result));
  };
  return element;
}

/* The mean of the looks stands for a camera whose whole frame is not classified. */
export function computeOf(camera) {
  if (isNumber(camera.compute_ratio) && (camera.compute_ratio > 0 || !camera.looks?.length)) {
    return camera.compute_ratio;
  }
  const known = (camera.looks ?? []).map((look) => look.compute_ratio).filter(isNumber);
  return known.length ? known.reduce((sum, ratio) => sum + ratio, 0) / known.length : null;
}

export function ageText(camera) {
  const age = stream.ageOf(camera);
  return age === null ? 'no frame yet' : `${duration(age)} old`;
}

function tile(name, signal) {
  const image = h('img', { alt: `Live picture of ${name}`, decoding: 'async' });
  const parts = [lostNote(), stateBadge(), resultLines()];
  const [lost, badge, results] = parts;
  const bar = computeBar();
  const rate = h('span');
  const latency = h('span');
  const age = h('span');
  const element = h('li', { class: 'tile' }, h('a', { href: hrefOf(['camera', name]) },
    h('div', { class: 'picture' }, image, lost, badge),
    h('div', { class: 'body' }, h('h2', {}, name), results, bar,
      h('div', { class: 'facts dim number' }, rate, latency, age))));
  element.tick = () => {
    const camera = stream.cameras.get(name);
    if (!camera) return;
    setText(age, ageText(camera));
    lost.update(camera);
  };
  element.update = (camera) => {
    element.dataset.state = camera.state;
    for (const part of parts) part.update(camera);
    bar.update(computeOf(camera));
    setText(rate, isNumber(camera.frames_per_second) ? `${camera.frames_per_second.toFixed(1)} frames/s` : '');
    setText(latency, isNumber(camera.latency_ms) ? milliseconds(camera.latency_ms) : '');
    setText(age, ageText(camera));
  };
  showLive(image, name, signal);
  return element;
}

export const title = () => 'Cameras';

export function open(main, route, signal) {
  const summary = h('p', { class: 'dim', role: 'status' });
  const grid = h('ul', { class: 'grid' });
  const tiles = new Map();
  main.append(h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'Cameras'), summary), grid);

  function update(changed) {
    for (const [name, { element, end }] of tiles) {
      if (stream.cameras.has(name)) continue;
      end.abort();
      element.remove();
      tiles.delete(name);
    }
    for (const { name } of changed) {
      if (tiles.has(name)) continue;
      const end = new AbortController();
      signal.addEventListener('abort', () => end.abort());
      tiles.set(name, { element: tile(name, end.signal), end });
    }
    const wanted = [...stream.cameras.keys()].map((name) => tiles.get(name).element);
    if (wanted.some((element, i) => element !== grid.children[i])) grid.append(...wanted);
    for (const camera of changed) tiles.get(camera.name).element.update(camera);
    const lost = [...stream.cameras.values()].filter((camera) => camera.state === 'waiting').length;
    setText(summary, plural(stream.cameras.size, 'camera') + (lost ? `, ${lost} without a picture` : ''));
  }

  stream.on('cameras', update, signal);
  update([...stream.cameras.values()]);
  const timer = setInterval(() => { for (const { element } of tiles.values()) element.tick(); }, 1000);
  signal.addEventListener('abort', () => clearInterval(timer));
}

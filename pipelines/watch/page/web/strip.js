/* The last hour of a camera or look: label, score, compute ratio and latency over time, on a canvas. */

import { h, setText } from './dom.js';
import { get, pathOf, serverNow } from './api.js';
import { hue, isNumber, milliseconds, minute, percent, time } from './format.js';

const SECONDS = 3600;
const REFRESH = 4000; // ms
const TICK = 600000; // ms between the times on the axis
const ROWS = [
  { key: 'label', title: 'Label', height: 28 },
  { key: 'score', title: 'Score', height: 54, color: '--accent', text: percent, most: () => 1 },
  { key: 'compute_ratio', title: 'Compute', height: 54, color: '--good', text: percent, most: () => 1 },
  { key: 'latency_ms', title: 'Latency', height: 54, color: '--warn', text: milliseconds,
    most: (samples) => niceMaximum(samples) },
];
const GAP = 8;
const TITLE = 14; // above each curve
const AXIS = 18;
const HEIGHT = ROWS.reduce((sum, row) => sum + row.height + GAP, 0) + AXIS;

function niceMaximum(samples) {
  let most = 0;
  for (const sample of samples) if (sample.latency_ms > most) most = sample.latency_ms;
  for (const step of [5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000]) if (most <= step) return step;
  return most || 1;
}

const shown = (sample) => sample.state ?? sample.label;

/* A sample without any value begins a time without frames. */
const isGap = (sample) => !isNumber(sample.score) && !isNumber(sample.compute_ratio) && !isNumber(sample.latency_ms)
  && sample.label === null;

/* Runs of samples with the same label; a gap ends a run. */
function labelRuns(samples, step) {
  const runs = [];
  for (const sample of samples) {
    const last = runs.at(-1);
    if (isGap(sample) || !shown(sample)) continue;
    if (last && last.label === shown(sample) && sample.at - last.to <= 2.5 * step) last.to = sample.at;
    else runs.push({ label: shown(sample), from: sample.at, to: sample.at });
  }
  return runs;
}

/* The text, or its beginning, or nothing, in at most this width */
function fit(pen, text, width) {
  if (pen.measureText(text).width <= width) return text;
  let n = text.length - 1;
  while (n > 0 && pen.measureText(`${text.slice(0, n)}…`).width > width) n--;
  return n >= 3 ? `${text.slice(0, n)}…` : '';
}

class Strip {
  constructor(camera, look) {
    this.path = (seconds) => pathOf(['cameras', camera, 'history'], { seconds, look });
    this.samples = [];
    this.step = 2000;
    this.cursor = null;
    this.canvas = h('canvas', { height: HEIGHT, 'aria-hidden': 'true' });
    this.readout = h('p', { class: 'readout number' });
    this.slider = h('div', { class: 'strip', role: 'slider', tabindex: 0, 'aria-label': 'Time in the last hour',
      'aria-valuemin': 0, 'aria-valuemax': SECONDS, 'aria-valuenow': SECONDS,
      onkeydown: (event) => this.onKey(event),
      onpointermove: (event) => this.onPointer(event),
      onpointerleave: () => this.moveTo(null) }, this.canvas);
    this.element = h('div', {}, this.slider, this.readout);
    this.moveTo(null);
  }

  get end() {
    return serverNow();
  }

  get start() {
    return this.end - SECONDS * 1000;
  }

  take(history) {
    if (history.step_seconds) this.step = history.step_seconds * 1000;
    // The server's clock has been set: the times of all samples have moved.
    const offset = Date.parse(history.end) - performance.now();
    const moved = Math.abs(offset - (this.offset ?? offset)) > this.step;
    this.offset = offset;
    if (moved) {
      this.samples = []; // so that the next load is of the whole hour
      return;
    }
    const fresh = (history.samples ?? []).map((sample) => ({ ...sample, at: Date.parse(sample.time) }));
    if (fresh.length) {
      const from = fresh[0].at;
      this.samples = [...this.samples.filter((sample) => sample.at < from), ...fresh]
        .filter((sample) => sample.at >= this.start - 10000);
    }
    this.draw();
  }

  async load(signal) {
    const newest = this.samples.at(-1)?.at;
    const seconds = newest ? Math.ceil((serverNow() - newest) / 1000) + 10 : SECONDS;
    this.take(await get(this.path(Math.min(SECONDS, Math.max(10, seconds))), signal));
  }

  /* Index of the sample nearest to a time; -1 without any */
  nearest(at) {
    let best = -1;
    this.samples.forEach((sample, i) => {
      if (best < 0 || Math.abs(sample.at - at) < Math.abs(this.samples[best].at - at)) best = i;
    });
    return best;
  }

  onPointer(event) {
    const rect = this.canvas.getBoundingClientRect();
    this.moveTo(this.start + (event.clientX - rect.left) / rect.width * SECONDS * 1000);
  }

  onKey(event) {
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageUp: 30, PageDown: -30,
      Home: -Infinity, End: Infinity }[event.key];
    if (!steps || !this.samples.length) return;
    event.preventDefault();
    const now = this.cursor === null ? this.samples.length - 1 : this.nearest(this.cursor);
    this.moveTo(this.samples[Math.min(this.samples.length - 1, Math.max(0, now + steps))].at);
  }

  moveTo(at) {
    this.cursor = at;
    const i = at === null ? this.samples.length - 1 : this.nearest(at);
    const sample = this.samples[i];
    const near = sample && (isGap(sample) || Math.abs(sample.at - (at ?? this.end)) <= 10 * this.step);
    let text = at === null ? 'Now  nothing recorded' : `${time(at)}  nothing recorded`;
    if (near) {
      const lost = isGap(sample);
      text = `${at === null ? 'Now' : time(sample.at)}  ${lost ? 'no picture' : shown(sample) ?? 'no label'}`
        + (lost || !sample.label || shown(sample) !== sample.label ? '' : ` ${percent(sample.score)}`)
        + (isNumber(sample.compute_ratio) ? `  compute ${percent(sample.compute_ratio)}` : '')
        + (isNumber(sample.latency_ms) ? `  ${milliseconds(sample.latency_ms)}` : '');
    }
    setText(this.readout, text);
    this.slider.setAttribute('aria-valuetext', text);
    this.slider.setAttribute('aria-valuenow', Math.round(((near ? sample.at : this.end) - this.start) / 1000));
    this.draw();
  }

  draw() {
    const width = this.slider.clientWidth;
    if (!width) return;
    const scale = Math.min(devicePixelRatio, 3);
    if (this.canvas.width !== Math.round(width * scale)) {
      this.canvas.width = Math.round(width * scale);
      this.canvas.height = Math.round(HEIGHT * scale);
    }
    const style = getComputedStyle(this.slider);
    const pen = this.canvas.getContext('2d');
    pen.setTransform(scale, 0, 0, scale, 0, 0);
    pen.clearRect(0, 0, width, HEIGHT);
    pen.font = `11px ${style.fontFamily}`;
    pen.textBaseline = 'middle';
    const view = { pen, width, color: (name) => style.getPropertyValue(name), start: this.start,
      dark: matchMedia('(prefers-color-scheme: dark)').matches };
    view.x = (at) => (at - view.start) / (SECONDS * 1000) * width;
    this.drawAxis(view);
    let top = 0;
    for (const row of ROWS) {
      if (row.key === 'label') this.drawLabels(view, top, row.height);
      else this.drawRow(view, row, top);
      top += row.height + GAP;
    }
    this.drawLost(view);
    if (this.cursor !== null) {
      pen.fillStyle = view.color('--text');
      pen.fillRect(Math.round(view.x(this.cursor)), 0, 1, HEIGHT - AXIS);
    }
  }

  drawAxis({ pen, width, color, start, x }) {
    for (let at = Math.ceil(start / TICK) * TICK; at <= start + SECONDS * 1000; at += TICK) {
      pen.fillStyle = color('--line');
      pen.fillRect(Math.round(x(at)), 0, 1, HEIGHT - AXIS);
      const text = minute(at);
      const half = pen.measureText(text).width / 2;
      pen.fillStyle = color('--dim');
      if (x(at) - half > 0 && x(at) + half < width) pen.fillText(text, x(at) - half, HEIGHT - AXIS / 2);
    }
  }

  drawLabels(view, top, height) {
    const { pen, x } = view;
    for (const run of labelRuns(this.samples, this.step)) {
      const left = Math.max(0, x(run.from));
      const wide = Math.max(1, x(run.to + this.step) - left);
      pen.fillStyle = `hsl(${hue(run.label)} 45% ${view.dark ? 32 : 80}%)`;
      pen.fillRect(left, top, wide, height);
      const text = fit(pen, run.label, wide - 10);
      pen.fillStyle = view.color('--text');
      pen.fillText(text, left + 5, top + height / 2);
    }
  }

  drawRow({ pen, width, color, x }, row, top) {
    const most = row.most(this.samples);
    const y = (value) => top + row.height - Math.min(1, value / most) * (row.height - TITLE - 2);
    pen.fillStyle = color('--line');
    pen.fillRect(0, top + row.height, width, 1);
    pen.strokeStyle = color(row.color);
    pen.lineWidth = 1.5;
    pen.beginPath();
    let last = null;
    for (const sample of this.samples) {
      const value = sample[row.key];
      if (!isNumber(value)) {
        last = null;
        continue;
      }
      if (last === null || sample.at - last > 2.5 * this.step) {
        pen.moveTo(x(sample.at), y(value));
        pen.lineTo(x(sample.at) + 1, y(value));
      } else {
        pen.lineTo(x(sample.at), y(value));
      }
      last = sample.at;
    }
    pen.stroke();
    pen.fillStyle = color('--dim');
    pen.fillText(`${row.title} (0 to ${row.text(most)})`, 0, top + TITLE / 2);
  }

  drawLost({ pen, color, x }) {
    pen.fillStyle = color('--bad');
    pen.globalAlpha = 0.18;
    let from = null;
    const end = (to) => {
      if (from !== null) pen.fillRect(x(from), 0, Math.max(1, x(to) - x(from)), HEIGHT - AXIS - GAP);
      from = null;
    };
    for (const sample of this.samples) {
      end(sample.at);
      if (isGap(sample)) from = sample.at;
    }
    end(this.end);
    pen.globalAlpha = 1;
  }
}

/* Returns the strip's element, which keeps itself up to date until the signal aborts. */
export function openStrip(camera, look, signal) {
  const strip = new Strip(camera, look);
  const problem = h('p', { class: 'error', hidden: true });
  strip.element.append(problem);
  const load = async () => {
    try {
      if (!document.hidden) await strip.load(signal);
      if (strip.cursor === null) strip.moveTo(null);
      problem.hidden = true;
    } catch (error) {
      if (signal.aborted) return;
      problem.hidden = !error.status;
      setText(problem, error.message);
    }
  };
  const observer = new ResizeObserver(() => strip.draw());
  observer.observe(strip.slider);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  dark.addEventListener('change', () => strip.draw(), { signal });
  const timer = setInterval(load, REFRESH);
  signal.addEventListener('abort', () => {
    clearInterval(timer);
    observer.disconnect();
  });
  load();
  return strip.element;
}

/* Regions on a picture: those that looks see, and one that the user drags. Shares of the picture, 0 to 1. */

import { h, field, setText } from './dom.js';
import { percent } from './format.js';

const LEAST = 0.02;

function place(element, [x, y, width, height]) {
  Object.assign(element.style, {
    left: `${x * 100}%`, top: `${y * 100}%`, width: `${width * 100}%`, height: `${height * 100}%`,
  });
}

/* Returns a layer over the picture; its update() shows a camera's looks. */
export function looksLayer() {
  const layer = h('div', { class: 'layer', 'aria-hidden': 'true' });
  const boxes = new Map();
  layer.update = (looks) => {
    const names = new Set(looks.map((look) => look.name));
    for (const [name, box] of boxes) {
      if (names.has(name)) continue;
      box.remove();
      boxes.delete(name);
    }
    looks.forEach((look, i) => {
      if (!look.region || !look.name) return;
      let box = boxes.get(look.name);
      if (!box) {
        box = h('div', { class: 'look' }, h('span'));
        boxes.set(look.name, box);
        layer.append(box);
      }
      box.dataset.color = i % 6;
      place(box, look.region);
      const label = look.scene_state ?? look.label;
      setText(box.firstChild,
        look.name + (label ? `: ${label}` : '') + (label && label === look.label ? ` ${percent(look.score)}` : ''));
    });
  };
  return layer;
}

const clamp = (value, least, most) => Math.min(most, Math.max(least, value));

function normalise([x, y, width, height]) {
  const w = clamp(width, LEAST, 1);
  const h2 = clamp(height, LEAST, 1);
  return [clamp(x, 0, 1 - w), clamp(y, 0, 1 - h2), w, h2].map((share) => Math.round(share * 1000) / 1000);
}

/* What the pointer holds at the start of a drag decides how the region follows it. */
function follow(hold, start, from, to) {
  const [x, y, width, height] = start;
  const dx = to.x - from.x;
  const dy = to.y - from.y;
  if (hold === 'inside') return [x + dx, y + dy, width, height];
  let [left, top, right, bottom] = [x, y, x + width, y + height];
  if (hold === 'new') [left, top, right, bottom] = [from.x, from.y, to.x, to.y];
  else {
    if (hold.endsWith('w')) left += dx;
    else right += dx;
    if (hold.startsWith('n')) top += dy;
    else bottom += dy;
  }
  [left, right] = [Math.min(left, right), Math.max(left, right)].map((share) => clamp(share, 0, 1));
  [top, bottom] = [Math.min(top, bottom), Math.max(top, bottom)].map((share) => clamp(share, 0, 1));
  return [left, top, right - left, bottom - top];
}

/* Returns {layer, fields, get value()}: the layer lies over the picture, the fields are the same region as
 * four numbers. */
export function regionPicker(value, onChange = () => {}) {
  let region = normalise(value);
  const box = h('div', { class: 'drag', 'data-hold': 'inside' },
    ['nw', 'ne', 'sw', 'se'].map((corner) => h('i', { class: corner, 'data-hold': corner })));
  const layer = h('div', { class: 'layer picker' }, box);
  const numbers = ['From the left', 'From the top', 'Width', 'Height'].map((name, i) => h('input', {
    type: 'number', min: i < 2 ? 0 : LEAST * 100, max: 100, step: 0.1, required: true, 'aria-label': `${name} in %`,
    onchange: () => {
      const next = [...region];
      next[i] = Number(numbers[i].value) / 100;
      // A position moves the region; a size that reaches beyond the picture is cut.
      if (i >= 2) next[i] = Math.min(next[i], 1 - region[i - 2]);
      set(next);
    },
  }));

  function set(next) {
    region = normalise(next);
    place(box, region);
    numbers.forEach((number, i) => { number.value = (region[i] * 100).toFixed(1).replace(/\.0$/, ''); });
    onChange(region);
  }

  const pointOf = (event) => {
    const rect = layer.getBoundingClientRect();
    return {
      x: clamp((event.clientX - rect.left) / rect.width, 0, 1),
      y: clamp((event.clientY - rect.top) / rect.height, 0, 1),
    };
  };
  layer.addEventListener('pointerdown', (event) => {
    if (event.button) return;
    event.preventDefault();
    const from = pointOf(event);
    const start = region;
    // All of the picture: a drag inside draws a new region, since there is nowhere to move this one.
    const whole = start[2] > 0.99 && start[3] > 0.99;
    let hold = event.target.dataset.hold ?? 'new';
    if (hold === 'inside' && whole) hold = 'new';
    layer.setPointerCapture(event.pointerId);
    const move = (moved) => set(follow(hold, start, from, pointOf(moved)));
    const end = () => {
      layer.removeEventListener('pointermove', move);
      layer.removeEventListener('pointerup', end);
      layer.removeEventListener('pointercancel', end);
    };
    layer.addEventListener('pointermove', move);
    layer.addEventListener('pointerup', end);
    layer.addEventListener('pointercancel', end);
  });

  const fields = h('fieldset', { class: 'numbers' }, h('legend', {}, 'Part of the picture, in %'),
    ['Left', 'Top', 'Width', 'Height'].map((name, i) => field(name, numbers[i])));
  set(region);
  return { layer, fields, set, get value() { return region; } };
}

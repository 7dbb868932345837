/* The view of one camera: a large picture with its looks, the last hour, and settings. */

import { h, select, setText } from './dom.js';
import { ageText, computeBar, computeOf, lostNote, resultLines, stateBadge } from './cameras.js';
import { isNumber, milliseconds } from './format.js';
import { showLive } from './live.js';
import { looksLayer } from './regions.js';
import { go, hrefOf } from './router.js';
import { openSettings } from './settings.js';
import { openStrip } from './strip.js';
import * as stream from './stream.js';

export const title = (route) => route.parts[1];

const hasWhole = (camera) => Boolean(camera.label || camera.scene_state) || !camera.looks?.length;

/* Returns [[name of a look, or "", what to call it]] */
function choicesOf(camera) {
  return [...hasWhole(camera) ? [['', 'Whole frame']] : [],
    ...(camera.looks ?? []).filter((look) => look.name).map((look) => [look.name, look.name])];
}

function facts(camera) {
  return [
    ['Size', camera.width ? `${camera.width} × ${camera.height}` : '–'],
    ['Rate', isNumber(camera.frames_per_second) ? `${camera.frames_per_second.toFixed(1)} frames/s` : '–'],
    ['Latency', milliseconds(camera.latency_ms)],
    ['Newest frame', ageText(camera)],
    ['Frames', String(camera.frames ?? '–')],
    ['Skipped', String(camera.skipped ?? '–')],
    ['Reconnected', String(camera.reconnects ?? '–')],
  ];
}

function factList() {
  const element = h('dl', { class: 'facts-list number' });
  element.update = (camera) => {
    const now = facts(camera);
    if (!element.children.length) {
      element.append(...now.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
    }
    now.forEach(([, value], i) => setText(element.children[i].lastChild, value));
  };
  return element;
}

export function open(main, route, signal) {
  const name = route.parts[1];
  const first = stream.cameras.get(name);
  if (!first) {
    main.append(h('h1', { tabindex: -1 }, name), h('p', {}, 'There is no camera of this name. ',
      h('a', { href: '#/' }, 'All cameras')));
    stream.on('cameras', () => {
      if (!stream.cameras.has(name)) return;
      main.replaceChildren();
      open(main, route, signal);
    }, signal);
    return;
  }
  const image = h('img', { alt: `Live picture of ${name}`, decoding: 'async' });
  const layer = looksLayer();
  const parts = [lostNote(), stateBadge(), resultLines(), factList()];
  const [lost, badge, results, list] = parts;
  const picture = h('div', { class: 'picture large' }, image, layer, lost, badge);
  const bar = computeBar();
  const choices = choicesOf(first);
  const asked = route.query.get('look') ?? '';
  const look = choices.some(([key]) => key === asked) ? asked : choices[0]?.[0] ?? '';
  const chooser = select([], look, { 'aria-label': 'Part of the picture',
    onchange: () => go(['camera', name], chooser.value ? { look: chooser.value } : {}) });
  const of = look ? ` of ${look}` : '';
  main.append(
    h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, name), chooser,
      h('span', { class: 'links' },
        h('a', { href: hrefOf(['events'], { camera: name }) }, 'Events'),
        h('a', { href: hrefOf(['teach', 'new'], { camera: name }) }, 'Teach a state'))),
    h('div', { class: 'camera' },
      h('div', { class: 'camera-main' }, picture,
        h('section', { class: 'panel' }, h('h2', {}, `Last hour${of}`), openStrip(name, look, signal))),
      h('div', { class: 'camera-side' },
        h('section', { class: 'panel' }, h('h2', {}, 'Now'), results, bar, list),
        h('section', { class: 'panel' }, h('h2', {}, `Settings${of}`), openSettings(name, look, signal)))));

  let offered = '';

  /* Looks come and go when the key file is read again. */
  function updateChooser(camera) {
    const now = choicesOf(camera);
    if (JSON.stringify(now) === offered) return;
    offered = JSON.stringify(now);
    chooser.replaceChildren(...now.map(([key, text]) => h('option', { value: key }, text)));
    chooser.value = look;
    chooser.hidden = now.length < 2;
    if (look && chooser.value !== look) go(['camera', name]);
  }

  function update(changed) {
    const camera = changed.find((one) => one.name === name);
    if (!camera) return;
    updateChooser(camera);
    for (const part of parts) part.update(camera);
    bar.update(computeOf(camera));
    layer.update(camera.looks ?? []);
    if (camera.width && camera.height) {
      picture.style.aspectRatio = `${camera.width} / ${camera.height}`;
      picture.style.setProperty('--ratio', camera.width / camera.height);
    }
  }

  update([first]);
  showLive(image, name, signal);
  stream.on('cameras', update, signal);
  const timer = setInterval(() => {
    const camera = stream.cameras.get(name);
    if (!camera) return;
    list.update(camera);
    lost.update(camera);
  }, 1000);
  signal.addEventListener('abort', () => clearInterval(timer));
}

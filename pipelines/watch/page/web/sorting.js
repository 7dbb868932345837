/* Sorts the pictures of a task into its states: by click, or by the keys 1 to 9. */

import { h, attempt, setText } from './dom.js';
import { get, pathOf, put, remove, urlOf } from './api.js';
import { dateTime, isNumber, percent } from './format.js';
import * as stream from './stream.js';

const THUMBS = 60; // shown at once; the next ones follow as these are sorted
const UNSORTED = ''; // tab of pictures without a class
const DOUBTFUL = '?'; // tab of sorted pictures that the model is unsure of

export function openSorting(first, signal) {
  let task = first;
  let pictures = [];
  let tab = { kind: UNSORTED, name: null };
  let shown = null; // id
  let past = []; // {id, class} before each sort
  const checked = new Set(); // doubtful pictures that were confirmed
  let loading = null;
  let again = false;
  let loaded = false;
  const url = (id, width) => urlOf(['teach', task.name, 'pictures', id], { width });
  const pathOfPicture = (id) => pathOf(['teach', task.name, 'pictures', id]);

  const tabs = h('div', { class: 'tabs', role: 'group', 'aria-label': 'Pictures' });
  const image = h('img', { alt: '' });
  const empty = h('p', { class: 'empty' });
  const caption = h('p', { class: 'dim caption', 'aria-live': 'polite' });
  const buttons = h('div', { class: 'actions sort' });
  const thumbs = h('div', { class: 'thumbs', role: 'group', 'aria-label': 'Choose a picture' });
  const frame = h('div', { class: 'picture candidate' }, image, empty);
  const element = h('section', { class: 'panel', 'aria-label': 'Sort pictures' }, tabs, frame, caption, buttons,
    h('p', { class: 'dim keys' }, 'Keys: 1 to 9 sort, 0 discards, U undoes, arrows choose.'), thumbs);

  const camera = stream.cameras.get(task.camera);
  if (camera?.width && camera.height) {
    frame.style.aspectRatio = task.region[2] * camera.width / (task.region[3] * camera.height);
  }

  const isDoubtful = (picture) => picture.class && isNumber(picture.doubtful) && !checked.has(picture.id);
  // "doubtful" is a probability; pictures without it are not doubtful.
  const rank = (picture) => picture.doubtful ?? 2;

  function listOf(which) {
    const list = pictures.filter((picture) => {
      if (which.kind === UNSORTED) return !picture.class;
      if (which.kind === DOUBTFUL) return isDoubtful(picture);
      return picture.class === which.name;
    });
    return which.kind === 'class' ? list : list.sort((a, b) => rank(a) - rank(b));
  }

  const find = (id) => pictures.find((picture) => picture.id === id);

  function tabButton(which, text) {
    const active = which.kind === tab.kind && which.name === tab.name;
    return h('button', { type: 'button', 'aria-pressed': String(active), onclick: () => {
      tab = which;
      shown = null;
      draw();
      [...tabs.children].find((button) => button.getAttribute('aria-pressed') === 'true')?.focus();
    } }, text, ' ', h('span', { class: 'number dim' }, listOf(which).length));
  }

  function drawTabs() {
    const focus = [...tabs.children].indexOf(document.activeElement);
    const doubtful = { kind: DOUBTFUL, name: null };
    tabs.replaceChildren(tabButton({ kind: UNSORTED, name: null }, 'To sort'),
      ...listOf(doubtful).length || tab.kind === DOUBTFUL ? [tabButton(doubtful, 'Check again')] : [],
      ...task.classes.map((one) => tabButton({ kind: 'class', name: one.name }, one.name)));
    if (focus >= 0) tabs.children[Math.min(focus, tabs.children.length - 1)].focus();
  }

  function sayAbout(picture) {
    if (!picture) return '';
    const guess = picture.guess && picture.guess !== picture.class ? `the model says ${picture.guess}` : null;
    return [dateTime(picture.time), picture.class ? `sorted as ${picture.class}` : null, guess,
      isNumber(picture.doubtful) ? `doubtful, ${percent(picture.doubtful)}` : null].filter(Boolean).join(' · ');
  }

  function drawShown(list) {
    const picture = find(shown);
    image.hidden = !picture;
    empty.hidden = Boolean(picture);
    if (picture && image.dataset.id !== picture.id) {
      image.dataset.id = picture.id;
      image.src = url(picture.id, 960);
    }
    image.alt = picture ? `Picture of ${dateTime(picture.time)}` : '';
    setText(empty, !loaded ? '' : tab.kind === UNSORTED
      ? task.message ? task.message : task.collecting ? 'Waiting for pictures that differ from those so far …'
        : 'Nothing to sort. Turn on "Collect pictures" to get more.' : 'No pictures here.');
    setText(caption, sayAbout(picture));
    for (const button of buttons.children) button.disabled = button === undoButton ? !past.length : !picture;
    const next = list[list.indexOf(picture) + 1];
    if (next) new Image().src = url(next.id, 960); // so that it appears at once
  }

  function thumb(picture) {
    return h('button', { type: 'button', class: 'thumb', 'data-id': picture.id, onclick: () => choose(picture.id) },
      h('img', { src: url(picture.id, 160), alt: '', decoding: 'async' }));
  }

  function drawThumbs(list) {
    const wanted = list.slice(0, Math.max(THUMBS, list.indexOf(find(shown)) + 1));
    const old = new Map([...thumbs.children].map((button) => [button.dataset.id, button]));
    const buttonsNow = wanted.map((picture) => old.get(picture.id) ?? thumb(picture));
    if (buttonsNow.length !== old.size || buttonsNow.some((button, i) => button !== thumbs.children[i])) {
      thumbs.replaceChildren(...buttonsNow);
    }
    wanted.forEach((picture, i) => {
      buttonsNow[i].setAttribute('aria-label', sayAbout(picture));
      if (picture.id === shown) buttonsNow[i].setAttribute('aria-current', 'true');
      else buttonsNow[i].removeAttribute('aria-current');
      buttonsNow[i].classList.toggle('doubtful', isNumber(picture.doubtful));
    });
  }

  function draw() {
    const list = listOf(tab);
    if (!list.some((picture) => picture.id === shown)) shown = list[0]?.id ?? null;
    drawTabs();
    drawThumbs(list);
    drawShown(list);
  }

  function choose(id) {
    shown = id;
    draw();
  }

  /* The picture after the shown one, or before it at the end */
  function nextOf(id) {
    const list = listOf(tab);
    const i = list.findIndex((picture) => picture.id === id);
    return (list[i + 1] ?? list[i - 1])?.id ?? null;
  }

  async function sort(name) {
    const picture = find(shown);
    if (!picture) return;
    const before = picture.class;
    const next = nextOf(picture.id);
    picture.class = name;
    checked.add(picture.id);
    past.push({ id: picture.id, class: before });
    // In the tab of its own class it stays.
    if (!listOf(tab).includes(picture)) shown = next;
    draw();
    if (await attempt(() => put(pathOfPicture(picture.id), { class: name }))) return;
    picture.class = before;
    checked.delete(picture.id);
    past = past.filter((entry) => entry.id !== picture.id);
    draw();
  }

  async function discard() {
    const picture = find(shown);
    if (!picture) return;
    const next = nextOf(picture.id);
    const i = pictures.indexOf(picture);
    pictures.splice(i, 1);
    shown = next;
    draw();
    if (await attempt(() => remove(pathOfPicture(picture.id)))) {
      past = past.filter((entry) => entry.id !== picture.id);
      return;
    }
    pictures.splice(i, 0, picture);
    draw();
  }

  async function undo() {
    const last = past.pop();
    const picture = last && find(last.id);
    if (!picture) {
      draw();
      return;
    }
    if (await attempt(() => put(pathOfPicture(picture.id), { class: last.class }))) {
      picture.class = last.class;
      checked.delete(picture.id);
      if (listOf(tab).includes(picture)) shown = picture.id;
    }
    draw();
  }

  function step(by) {
    const list = listOf(tab);
    const i = list.findIndex((picture) => picture.id === shown);
    const next = list[i + by];
    if (next) choose(next.id);
  }

  const undoButton = h('button', { type: 'button', class: 'quiet', onclick: undo }, 'Undo ', h('kbd', {}, 'U'));
  let drawnClasses = '';
  function drawButtons() {
    const names = task.classes.map((one) => one.name);
    if (drawnClasses === JSON.stringify(names)) return;
    drawnClasses = JSON.stringify(names);
    buttons.replaceChildren(...names.map((name, i) => h('button', { type: 'button', class: 'class',
      onclick: () => sort(name) }, name, ' ', i < 9 ? h('kbd', {}, i + 1) : null)),
    h('button', { type: 'button', class: 'quiet', onclick: discard }, 'Discard ', h('kbd', {}, '0')), undoButton);
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || document.querySelector('dialog[open]')) return;
    if (event.target.matches('input, select, textarea')) return;
    const at = '123456789'.indexOf(event.key);
    if (at >= 0 && task.classes[at]) sort(task.classes[at].name);
    else if (event.key === '0' || event.key === 'Delete') discard();
    else if (event.key.toLowerCase() === 'u') undo();
    else if (event.key === 'ArrowRight') step(1);
    else if (event.key === 'ArrowLeft') step(-1);
    else return;
    event.preventDefault();
  }, { signal });

  /* One request at a time; what changes meanwhile is asked for after it. */
  async function load() {
    if (loading) {
      again = true;
      return;
    }
    do {
      again = false;
      loading = get(pathOf(['teach', task.name, 'pictures']), signal);
      try {
        pictures = (await loading).pictures;
        loaded = true;
        draw();
      } catch (error) {
        if (!signal.aborted && error.status) setText(empty, error.message);
      }
      loading = null;
    } while (again && !signal.aborted);
  }

  let seen = '';
  function update(fresh) {
    task = fresh;
    drawButtons();
    draw();
    const now = JSON.stringify([task.classes, task.unsorted, task.job.state]);
    if (now === seen) return;
    seen = now;
    if (task.job.state === 'running') checked.clear(); // a new model has new doubts
    load();
  }

  return { element, update };
}

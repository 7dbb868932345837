/* The view in which states are taught: all tasks, a new one, and one task. */

import { h, attempt, confirm, field, newId, select, setText } from './dom.js';
import { get, patch, pathOf, post, remove } from './api.js';
import { openLesson } from './lesson.js';
import { showLive } from './live.js';
import { regionPicker } from './regions.js';
import { go, hrefOf } from './router.js';
import { openSorting } from './sorting.js';
import * as stream from './stream.js';

const MAX_CLASSES = 9; // as many as there are keys

export const title = (route) => !route.parts[1] ? 'Teach'
  : route.parts[1] === 'new' && route.parts.length === 2 ? 'New state' : route.parts.at(-1);

const hrefOfTask = (name) => hrefOf(['teach', 'task', name]);

/* ---- All tasks ---- */

export function jobText(task) {
  const { job } = task;
  if (job.state === 'running') return 'is taught now';
  if (task.in_use) return 'in use';
  if (job.state === 'failed') return 'teaching failed';
  if (job.state === 'done') return 'taught, not in use';
  return 'not taught yet';
}

function card(task) {
  return h('li', {}, h('a', { class: 'panel card', href: hrefOfTask(task.name) },
    h('h2', {}, task.name), h('p', { class: 'dim' }, task.camera),
    h('ul', { class: 'chips' }, task.classes.map((one) => h('li', {}, `${one.name} `,
      h('span', { class: 'dim number' }, one.pictures)))),
    h('p', { class: 'dim' }, [jobText(task), task.unsorted ? `${task.unsorted} to sort` : null,
      task.collecting ? 'collects pictures' : null].filter(Boolean).join(' · '))));
}

async function openList(main, signal) {
  const list = h('ul', { class: 'cards' });
  const note = h('div', {});
  main.append(h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'Teach'),
    h('a', { class: 'button primary', href: hrefOf(['teach', 'new']) }, 'New state')),
  h('p', { class: 'intro dim' }, 'Teach vitgate what you want to know of a part of a picture: whether a gate is '
    + 'open, whether a bin is out. Sort a few pictures, and the model is ready in seconds.'), note, list);
  const tasks = new Map();
  const show = () => {
    list.replaceChildren(...[...tasks.values()].map(card));
    note.replaceChildren(tasks.size ? '' : h('p', {}, 'Nothing is taught yet.'));
  };
  try {
    for (const task of (await get('/teach', signal)).tasks) tasks.set(task.name, task);
    show();
  } catch (error) {
    if (!signal.aborted) note.replaceChildren(h('p', { class: 'error' }, error.message));
  }
  stream.on('teach', (task) => {
    if (task.deleted) tasks.delete(task.name);
    else tasks.set(task.name, task);
    show();
  }, signal);
}

/* ---- A new task ---- */

/* Inputs for the names of the states; at least two */
function classInputs() {
  const list = h('div', { class: 'class-inputs' });
  const add = h('button', { type: 'button', class: 'quiet', onclick: () => addInput('').focus() }, 'Add a state');
  const legend = newId();

  function number() {
    const rows = [...list.children];
    rows.forEach((row, i) => {
      row.querySelector('input').setAttribute('aria-label', `State ${i + 1}`);
      const button = row.querySelector('button');
      button.setAttribute('aria-label', `Remove state ${i + 1}`);
      button.hidden = rows.length <= 2;
    });
    add.hidden = rows.length >= MAX_CLASSES;
  }

  function addInput(value) {
    const input = h('input', { value, required: true, maxlength: 64, autocomplete: 'off' });
    const row = h('div', { class: 'class-input' }, input, h('button', { type: 'button', class: 'quiet',
      onclick: () => {
        row.remove();
        number();
        add.focus();
      } }, 'Remove'));
    list.append(row);
    number();
    return input;
  }

  addInput('open');
  addInput('closed');
  return {
    element: h('div', { class: 'field', role: 'group', 'aria-labelledby': legend },
      h('span', { id: legend, class: 'legend' }, 'States'), list, add),
    get value() { return [...list.querySelectorAll('input')].map((input) => input.value.trim()); },
  };
}

function openNew(main, route, signal) {
  const names = [...stream.cameras.keys()];
  if (!names.length) {
    main.append(h('h1', { tabindex: -1 }, 'New state'), h('p', {}, 'There is no camera.'));
    return;
  }
  const asked = route.query.get('camera');
  const camera = select(names.map((name) => [name, name]), names.includes(asked) ? asked : names[0],
    { onchange: () => showCamera() });
  const name = h('input', { required: true, maxlength: 64, placeholder: 'gate', autocomplete: 'off' });
  const classes = classInputs();
  const picker = regionPicker([0, 0, 1, 1]);
  const picture = h('div', { class: 'picture large' });
  const problem = h('p', { class: 'error', role: 'alert' });
  const all = h('button', { type: 'button', class: 'quiet', onclick: () => picker.set([0, 0, 1, 1]) },
    'The whole picture');
  let shown = null;

  function showCamera() {
    shown?.abort();
    shown = new AbortController();
    const image = h('img', { alt: `Live picture of ${camera.value}`, draggable: 'false' });
    const { width, height } = stream.cameras.get(camera.value) ?? {};
    picture.style.aspectRatio = width && height ? `${width} / ${height}` : '16 / 9';
    picture.style.setProperty('--ratio', width && height ? width / height : 16 / 9);
    picture.replaceChildren(image, picker.layer);
    showLive(image, camera.value, shown.signal);
  }

  const submit = async (event) => {
    event.preventDefault();
    setText(problem, '');
    try {
      const task = await post('/teach', { name: name.value.trim(), camera: camera.value, region: picker.value,
        classes: classes.value });
      await patch(pathOf(['teach', task.name]), { collecting: true });
      go(['teach', 'task', task.name]);
    } catch (error) {
      setText(problem, error.message);
    }
  };
  signal.addEventListener('abort', () => shown?.abort());
  showCamera();
  main.append(h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'New state')),
    h('form', { class: 'camera', onsubmit: submit },
      h('div', { class: 'camera-main' }, picture,
        h('p', { class: 'dim' }, 'Drag over the part that shows the state, and little else. The smaller it is, '
          + 'the larger the network sees it.')),
      h('div', { class: 'camera-side' }, h('section', { class: 'panel form' }, field('Camera', camera),
        field('Name', name, 'What it is about, such as gate'), classes.element, picker.fields, all, problem,
        h('button', { class: 'primary' }, 'Continue')))));
}

/* ---- One task ---- */

function statesForm(task, change) {
  const input = h('input', { maxlength: 64, autocomplete: 'off', required: true });
  return h('details', {}, h('summary', {}, 'Add a state'), h('form', { class: 'row', onsubmit: async (event) => {
    event.preventDefault();
    const names = [...task().classes.map((one) => one.name), input.value.trim()];
    if (await change({ classes: names })) input.value = '';
  } }, field('Name', input), h('button', {}, 'Add')));
}

async function openTask(main, name, signal) {
  const path = pathOf(['teach', name]);
  const heading = h('h1', { tabindex: -1 }, name);
  main.append(h('div', { class: 'heading' }, heading));
  let task;
  try {
    task = await get(path, signal);
  } catch (error) {
    if (signal.aborted) return;
    main.append(h('p', { class: 'error' }, error.message), h('a', { href: '#/teach' }, 'All states'));
    return;
  }
  const change = (body) => attempt(async () => take(await patch(path, body)));
  const collecting = h('input', { type: 'checkbox', role: 'switch', id: newId(),
    onchange: () => change({ collecting: collecting.checked }).then(() => { collecting.checked = task.collecting; }) });
  const state = h('span', { class: 'dim', role: 'status' });
  const erase = h('button', { type: 'button', class: 'quiet', onclick: async () => {
    const agreed = await confirm(`Delete "${name}" with all its pictures and its model?`, 'Delete');
    if (agreed && await attempt(() => remove(path))) go(['teach']);
  } }, 'Delete');
  const sorting = openSorting(task, signal);
  const lesson = openLesson(task, signal, (fresh) => take(fresh));

  function take(fresh) {
    task = fresh;
    collecting.checked = task.collecting;
    setText(state, `${task.camera} · ${jobText(task)}`);
    sorting.update(task);
    lesson.update(task);
  }

  heading.after(state, h('span', { class: 'links' },
    h('span', { class: 'switch' }, collecting, h('label', { for: collecting.id }, 'Collect pictures')), erase));
  main.append(h('div', { class: 'camera' },
    h('div', { class: 'camera-main' }, sorting.element),
    h('div', { class: 'camera-side' }, lesson.element,
      h('section', { class: 'panel' }, statesForm(() => task, change)))));
  take(task);
  stream.on('teach', (fresh) => {
    if (fresh.name !== name) return;
    if (fresh.deleted) go(['teach']);
    else take(fresh);
  }, signal);
  stream.on('connection', async (connected) => {
    try {
      if (connected) take(await get(path, signal));
    } catch {
      // The stream brings it.
    }
  }, signal);
}

export function open(main, route, signal) {
  if (route.parts[1] === 'new') openNew(main, route, signal);
  else if (route.parts[1] === 'task' && route.parts[2]) openTask(main, route.parts[2], signal);
  else openList(main, signal);
}


/* Teaches the model of a task, shows how good it is, and puts it to use. */

import { h, attempt, setText } from './dom.js';
import { pathOf, post } from './api.js';
import { isNumber, plural } from './format.js';

const ENOUGH = 10; // pictures of a class, as models/teaching.md recommends
const LEAST = 2; // pictures of a class, without which there is nothing to check the fit with

const percentOf = (value) => isNumber(value) ? `${Math.round(value)}%` : '–';

/* Rows are classes, columns what they were taken for. */
function confusionTable(result) {
  const names = result.classes.map((one) => one.label);
  const count = (from, to) => {
    const one = result.classes[from];
    if (from === to) return Math.round(one.right / 100 * one.pictures);
    return (result.confusions ?? []).find((entry) => entry.class === names[from] && entry.taken_for === names[to])
      ?.pictures ?? 0;
  };
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Confusion table' },
    h('table', { class: 'confusion' },
      h('caption', {}, 'Rows: your classes. Columns: what the model said.'),
      h('thead', {}, h('tr', {}, h('td'), names.map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {}, names.map((name, from) => h('tr', {}, h('th', { scope: 'row' }, name),
        names.map((_, to) => {
          const n = count(from, to);
          return h('td', { class: from === to ? 'number right' : n ? 'number wrong' : 'number' }, String(n));
        }))))));
}

function resultView(result) {
  const [low, high] = result.interval ?? [];
  const doubtful = result.doubtful?.length ?? 0;
  return h('div', { class: 'lesson-result' },
    h('p', {}, h('strong', { class: 'big number' }, percentOf(result.top1 ?? result.all_right)),
      ' right in cross-validation', isNumber(low) ? h('span', { class: 'dim' },
        ` (95% interval ${percentOf(low)} to ${percentOf(high)})`) : null),
    confusionTable(result),
    h('p', { class: 'dim' }, [
      `${plural(result.pictures, 'picture')} in ${plural(result.groups, 'group')} of consecutive ones.`,
      isNumber(result.seconds) ? `Took ${result.seconds.toFixed(1)} s.` : null,
      doubtful ? `${plural(doubtful, 'picture')} to check again.` : null,
      result.weakest ? `What would help most: pictures of ${result.weakest} from other times.` : null,
    ].filter(Boolean).join(' ')));
}

function countList() {
  const element = h('ul', { class: 'counts' });
  element.update = (classes) => {
    element.replaceChildren(...classes.map((one) => h('li', {},
      h('span', {}, one.name),
      h('span', { class: 'bar', 'aria-hidden': 'true' },
        h('i', { style: { width: `${Math.min(1, one.pictures / ENOUGH) * 100}%` } })),
      h('span', { class: 'number' }, String(one.pictures)))));
  };
  return element;
}

/* Why it cannot be taught yet, or null */
function obstacle(task) {
  const few = task.classes.filter((one) => one.pictures < LEAST).map((one) => one.name);
  if (!few.length) return null;
  return `Sort at least ${LEAST} pictures into ${few.join(' and ')}. ${ENOUGH} to 20 of each are a good start.`;
}

export function openLesson(first, signal, take) {
  let task = first;
  const path = (action) => pathOf(['teach', task.name, action]);
  const act = (action, done) => () => attempt(async () => {
    const fresh = await post(path(action), {}, signal);
    if (fresh) take(fresh);
  }, done);
  const counts = countList();
  const why = h('p', { class: 'dim' });
  const teach = h('button', { type: 'button', class: 'primary', onclick: act('run') }, 'Teach');
  const cancel = h('button', { type: 'button', onclick: act('cancel') }, 'Cancel');
  const use = h('button', { type: 'button', class: 'primary', onclick: act('use', 'The camera uses the new model.') },
    'Use it');
  const undo = h('button', { type: 'button', onclick: act('undo', 'The model before is back.') }, 'Undo');
  const progress = h('progress', { max: 1, 'aria-label': 'Teaching' });
  const message = h('p', { role: 'status' });
  const result = h('div');
  const used = h('p', { class: 'dim' });
  let shown = null;

  function update(fresh) {
    task = fresh;
    const { job } = task;
    const running = job.state === 'running';
    counts.update(task.classes);
    setText(why, obstacle(task) ?? '');
    teach.disabled = running || Boolean(obstacle(task));
    teach.classList.toggle('primary', job.state !== 'done'); // then the next step is to use it
    setText(teach, job.state === 'none' ? 'Teach' : 'Teach again');
    cancel.hidden = !running;
    progress.hidden = !running;
    if (isNumber(job.progress)) progress.value = job.progress;
    message.className = job.state === 'failed' ? 'error' : 'dim';
    setText(message, job.message ?? '');
    const now = JSON.stringify(job.result ?? null);
    if (now !== shown) {
      shown = now;
      result.replaceChildren(...job.result ? [resultView(job.result)] : []);
    }
    use.hidden = job.state !== 'done';
    undo.hidden = !task.can_undo;
    setText(used, task.in_use ? 'The camera uses a model of this state.' : '');
  }

  const element = h('section', { class: 'panel lesson' }, h('h2', {}, 'Teach'), counts, why,
    h('div', { class: 'actions' }, teach, cancel), progress, message, result,
    h('div', { class: 'actions' }, use, undo), used);
  return { element, update };
}

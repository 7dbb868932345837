/* The view of the system: version, processor, models, memory, disk, broker, messages. */

import { h } from './dom.js';
import { get, secondsSince } from './api.js';
import { bytes, dateTime, duration, plural } from './format.js';
import { hrefOf } from './router.js';

const REFRESH = 3000; // ms

export const title = () => 'System';

function facts(rows) {
  return h('dl', { class: 'facts-list' }, rows.filter(([, value]) => value !== null && value !== undefined)
    .map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

function diskBar(disk) {
  const limit = disk.snapshots_limit_bytes;
  if (!limit) return 'off';
  const share = Math.min(1, disk.snapshots_bytes / limit);
  return h('span', { class: 'inline-bar' }, h('span', { class: 'bar', role: 'meter', 'aria-valuemin': 0,
    'aria-valuemax': limit, 'aria-valuenow': disk.snapshots_bytes,
    'aria-label': 'Snapshots on disk' }, h('i', { style: { width: `${share * 100}%` } })),
  `${bytes(disk.snapshots_bytes)} of ${bytes(limit)}`);
}

function logRows(name, log) {
  if (!log) return [];
  const more = [log.waiting ? `${log.waiting} wait` : null, log.dropped ? `${log.dropped} lost` : null];
  const text = [plural(log.lines ?? 0, 'line'), ...more].filter(Boolean).join(', ');
  return [[name, log.file ? `${text}, in ${log.file}` : text]];
}

function brokerRows(mqtt) {
  if (!mqtt) return [['Broker', 'none']];
  return [
    ['Broker', `${mqtt.host ? `${mqtt.host}: ` : ''}${mqtt.connected ? 'connected' : 'away'}`],
    ['Messages that wait', `${mqtt.queued ?? 0} (${bytes(mqtt.queued_bytes ?? 0)})`],
    mqtt.dropped ? ['Messages lost', String(mqtt.dropped)] : ['', null],
    ['Last error', mqtt.last_error ?? null],
  ];
}

function modelTable(models) {
  if (!models?.length) return h('p', { class: 'dim' }, 'No model is in memory.');
  const head = ['Model', 'Precision', 'Size', 'Classes', 'Cameras'];
  return h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Models' }, h('table', {},
    h('thead', {}, h('tr', {}, head.map((name) => h('th', { scope: 'col' }, name)))),
    h('tbody', {}, models.map((model) => h('tr', {},
      h('th', { scope: 'row', title: model.path }, (model.path ?? '').split('/').at(-1)),
      h('td', {}, model.precision ?? '–'), h('td', { class: 'number' }, bytes(model.bytes)),
      h('td', { class: 'number' }, String(model.classes ?? '–')),
      h('td', {}, (model.cameras ?? []).flatMap((name, i) => [i ? ', ' : '',
        h('a', { href: hrefOf(['camera', name]) }, name)])))))));
}

/* A message, with its time in the browser's time zone */
const messageText = (message) => message.replace(/^(\d{4}-\d\d-\d\dT[\d:.]+Z) /, (all, at) => `${dateTime(at)}  `);

export function open(main, route, signal) {
  const problem = h('p', { class: 'error', hidden: true });
  const program = h('div');
  const storage = h('div');
  const outputs = h('div');
  const models = h('div');
  const lines = h('pre', { class: 'messages', tabindex: 0, role: 'region', 'aria-label': 'Messages' });
  const panel = (name, body, wide) => h('section', { class: wide ? 'panel wide' : 'panel' }, h('h2', {}, name), body);
  const panels = h('div', { class: 'panels system', hidden: true }, panel('Program', program),
    panel('Storage', storage), panel('Outputs', outputs), panel('Models in memory', models, true),
    panel('Messages', lines, true));
  main.append(h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'System')), problem, panels);

  function show(system) {
    program.replaceChildren(facts([
      ['Version', system.version],
      ['Running for', system.since ? duration(secondsSince(system.since)) : null],
      ['Memory', bytes(system.memory_bytes)],
      ['Processor', (system.cpu_features ?? []).join(', ') || 'no special instructions'],
    ]));
    const disk = system.disk ?? {};
    storage.replaceChildren(facts([['Folder', disk.folder ?? null],
      ['Free', bytes(disk.free_bytes)], ['Snapshots', diskBar(disk)]]));
    outputs.replaceChildren(facts([
      ...system.log ? logRows('Log', system.log) : [['Log', 'none']],
      ...logRows('Events', system.events), ...brokerRows(system.mqtt)]));
    models.replaceChildren(modelTable(system.models));
    panels.hidden = false; // only now, so that nothing moves
    const text = (system.messages ?? []).map(messageText).join('\n') || 'No messages.';
    if (lines.textContent !== text) {
      const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < 30;
      lines.textContent = text;
      if (atEnd) lines.scrollTop = lines.scrollHeight;
    }
  }

  async function load() {
    if (document.hidden) return;
    try {
      show(await get('/system', signal));
      problem.hidden = true;
    } catch (error) {
      if (signal.aborted) return;
      problem.textContent = error.message;
      problem.hidden = error.status === 0; // the header says so already
    }
  }

  const timer = setInterval(load, REFRESH);
  signal.addEventListener('abort', () => clearInterval(timer));
  return load();
}

/* The settings of a camera or look as controls that apply at once. */

import { h, attempt, newId, setText } from './dom.js';
import { get, patch, pathOf, post } from './api.js';

const NAMES = {
  compute: 'Compute (the dial)', 'latency-budget': 'Latency budget', threshold: 'Threshold',
  'keep-threshold': 'Threshold to stay', 'unknown-threshold': 'Threshold for unknown',
  'reuse-threshold': 'Reuse threshold', 'change-threshold': 'Change threshold', temporal: 'Temporal reuse',
  'max-age': 'Maximum age of a result',
};
const PAUSE = 150; // ms after the last movement of a slider
const UNITS = { seconds: 's' };

const valueOf = (setting) => setting.value ?? setting.default;

function stepOf(setting) {
  if (setting.kind === 'seconds') return 'any';
  return setting.key.endsWith('reuse-threshold') || setting.key === 'change-threshold' ? 0.001 : 0.01;
}

const round = (value, step) => step === 'any' ? value : Number(value.toFixed(step < 0.01 ? 3 : 2));

/* Returns {element, show()}. tell(value, pause) is called with what the user set; null is the default. */
function control(setting, tell) {
  let pending = false; // what the user set has not been answered yet
  const change = (...given) => {
    pending = true;
    tell(...given);
  };
  const id = newId();
  const help = h('small', { id: `${id}-help` }, setting.help ?? '');
  const state = { disabled: setting.live === false, 'aria-describedby': help.id };
  const name = NAMES[setting.key] ?? setting.key;
  const reset = h('button', { type: 'button', class: 'quiet small', 'aria-label': `${name}: back to the default`,
    onclick: () => change(null) }, 'Default');
  let main;
  let extra = null;
  let show;
  if (setting.kind === 'switch') {
    main = h('input', { id, type: 'checkbox', role: 'switch', ...state, onchange: () => change(main.checked) });
    show = (value) => { main.checked = Boolean(value); };
  } else if (setting.kind === 'choice') {
    main = h('select', { id, ...state, onchange: () => change(main.value) },
      (setting.choices ?? []).map((choice) => h('option', { value: choice }, choice)));
    show = (value) => { main.value = value; };
  } else {
    const step = stepOf(setting);
    const limits = { min: setting.minimum, max: setting.maximum, step };
    main = h('input', { id, type: 'number', ...limits, ...state, onchange: () => {
      if (main.value === '') change(null);
      else if (main.reportValidity()) change(Number(main.value));
    } });
    if (setting.kind === 'ratio') {
      extra = h('input', { type: 'range', ...limits, ...state, 'aria-label': name, oninput: () => {
        main.value = round(Number(extra.value), step);
        change(Number(extra.value), PAUSE);
      } });
    }
    main.placeholder = 'auto';
    show = (value) => {
      main.value = typeof value === 'number' ? round(value, step) : '';
      if (!extra) return;
      // Where the default depends on something else, there is no right place for the slider.
      extra.classList.toggle('unset', typeof value !== 'number');
      extra.value = value ?? (setting.key === 'compute' ? setting.maximum : setting.minimum);
    };
  }
  const unit = UNITS[setting.kind] ? h('span', { class: 'dim' }, UNITS[setting.kind]) : null;
  const element = h('div', { class: `setting ${setting.kind}` },
    h('div', { class: 'setting-head' }, h('label', { for: id }, name), reset),
    h('div', { class: 'setting-body' }, extra, main, unit),
    help);
  let latest = setting;
  // Not while the user moves or types it
  const isBusy = () => extra?.matches(':active') || main.type === 'number' && document.activeElement === main;
  main.addEventListener('blur', () => { if (!pending) show(valueOf(latest)); });
  return { element, show: (fresh, answered) => {
    latest = fresh;
    if (answered) pending = false;
    reset.disabled = fresh.value === null || fresh.value === undefined || fresh.live === false;
    if (!pending && !isBusy()) show(valueOf(fresh));
  } };
}

/* Returns the element with all settings; it fills itself. */
export function openSettings(camera, look, signal) {
  const path = (...more) => pathOf(['cameras', camera, 'settings', ...more], { look });
  const list = h('div', { class: 'settings' });
  const note = h('span', { class: 'dim', role: 'status' });
  const save = h('button', { type: 'button', onclick: () => attempt(async () => {
    await post(path('save'));
    setText(note, 'Written to the key file.');
  }) }, 'Write to the key file');
  const controls = new Map();
  const timers = new Map(); // of the newest change of each key

  /* @key: of the setting that was answered */
  function show(settings, key) {
    for (const setting of settings) controls.get(setting.key)?.show(setting, setting.key === key);
  }

  function change(key, value, pause = 0) {
    clearTimeout(timers.get(key));
    const timer = setTimeout(async () => {
      const done = await attempt(async () => {
        const { settings } = await patch(path(), { [key]: value }, signal);
        show(settings, timers.get(key) === timer ? key : null);
        setText(note, 'Applied, but not in the key file yet.');
      });
      if (!done) get(path(), signal).then(({ settings }) => show(settings, key), () => {});
    }, pause);
    timers.set(key, timer);
  }

  async function fill() {
    try {
      const { settings } = await get(path(), signal);
      for (const setting of settings) {
        controls.set(setting.key, control(setting, (value, pause) => change(setting.key, value, pause)));
      }
      list.replaceChildren(...settings.map((setting) => controls.get(setting.key).element));
      show(settings);
      save.hidden = !settings.length;
    } catch (error) {
      if (!signal.aborted) list.replaceChildren(h('p', { class: 'error' }, error.message));
    }
  }

  fill();
  return h('div', {}, list, h('div', { class: 'actions' }, save, note));
}

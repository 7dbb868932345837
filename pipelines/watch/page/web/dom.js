/* Builds elements. Text is always a text node, never markup. */

const SVG = 'http://www.w3.org/2000/svg';
const PROPERTIES = new Set(['value', 'checked', 'disabled', 'hidden', 'selected', 'className']);

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false && !PROPERTIES.has(name)) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'style') Object.assign(element.style, value); // CSSOM: allowed without inline style
    else if (PROPERTIES.has(name)) element[name] = value;
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

export function h(name, attributes, ...children) {
  return fill(document.createElement(name), attributes, children);
}

export function svg(name, attributes, ...children) {
  return fill(document.createElementNS(SVG, name), attributes, children);
}

/* Sets the text only if it differs, so that a selection and the layout stay. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

let lastId = 0;
export function newId() {
  return `id-${++lastId}`;
}

/* Returns a labelled control, with an optional sentence of help. */
export function field(label, control, help) {
  control.id ||= newId();
  const hint = help ? h('small', { id: `${control.id}-help` }, help) : null;
  if (hint) control.setAttribute('aria-describedby', hint.id);
  return h('div', { class: 'field' }, h('label', { for: control.id }, label), control, hint);
}

export function select(options, value, attributes) {
  const control = h('select', attributes, options.map(([key, text]) =>
    h('option', { value: key, selected: key === value }, text)));
  control.value = value;
  return control;
}

/* Says something in a corner for a few seconds; also to screen readers. */
export function toast(text, kind = 'note') {
  const element = h('div', { class: `toast ${kind}` }, text);
  document.getElementById('toasts').append(element);
  setTimeout(() => element.remove(), kind === 'error' ? 8000 : 4000);
}

/* Runs a change that the user asked for; an error is shown in plain words. Returns whether it worked. */
export async function attempt(change, done) {
  try {
    await change();
    if (done) toast(done);
    return true;
  } catch (error) {
    if (error.name !== 'AbortError') toast(error.message, 'error');
    return false;
  }
}

/* Asks in a dialog. Resolves to whether the user agreed. */
export function confirm(question, action) {
  return new Promise((resolve) => {
    const dialog = h('dialog', { 'aria-label': action, class: 'ask', onclose: () => {
      resolve(dialog.returnValue === 'yes');
      dialog.remove();
    } }, h('p', {}, question), h('form', { method: 'dialog', class: 'actions' },
      h('button', { value: 'no' }, 'Cancel'),
      h('button', { value: 'yes', class: 'danger' }, action)));
    document.body.append(dialog);
    dialog.showModal();
  });
}

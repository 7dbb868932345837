/* The frame of all views: session, connection, and which view is open. */

import { h, setText, toast } from './dom.js';
import { get, remove, setLoggedOutHandler } from './api.js';
import { current, go } from './router.js';
import * as stream from './stream.js';

const VIEWS = {
  cameras: () => import('./cameras.js'), camera: () => import('./camera.js'),
  events: () => import('./events.js'), teach: () => import('./teach.js'),
  system: () => import('./system.js'),
};

const main = document.getElementById('main');
const nav = document.getElementById('nav');
const connection = document.getElementById('connection');
const logOut = document.getElementById('log-out');
let ended = null; // of the open view
let generation = 0;
let started = false;

/* Empties the page. Returns the signal of the next view. */
function endView() {
  ended?.abort();
  ended = new AbortController();
  main.replaceChildren();
  document.querySelectorAll('dialog').forEach((dialog) => dialog.remove());
  return ended.signal;
}

async function openView() {
  const route = current();
  const name = route.parts[0] ?? 'cameras';
  const mine = ++generation;
  for (const link of nav.querySelectorAll('a')) {
    const shown = link.dataset.view === name || name === 'camera' && link.dataset.view === 'cameras';
    if (shown) link.setAttribute('aria-current', 'page');
    else link.removeAttribute('aria-current');
  }
  if (!Object.hasOwn(VIEWS, name) || name === 'camera' && !route.parts[1]) {
    go([]);
    return;
  }
  try {
    const view = await VIEWS[name]();
    if (mine !== generation) return;
    const signal = endView();
    document.title = `${view.title(route)} – vitgate`;
    scrollTo(0, 0);
    view.open(main, route, signal);
    main.querySelector('h1')?.focus({ preventScroll: true });
  } catch (error) {
    if (mine !== generation) return;
    endView();
    main.append(h('h1', { tabindex: -1 }, 'This view cannot be opened'), h('p', {}, error.message),
      h('button', { type: 'button', onclick: openView }, 'Try again'));
  }
}

async function askPassword() {
  started = false;
  generation++;
  stream.stop();
  nav.hidden = true;
  logOut.hidden = true;
  setText(connection, '');
  const login = await import('./login.js');
  endView();
  document.title = `${login.title()} – vitgate`;
  await login.open(main);
  enter();
}

async function begin(session) {
  if (session.password && !session.logged_in) {
    askPassword();
    return;
  }
  started = true;
  nav.hidden = false;
  logOut.hidden = !session.password;
  stream.takeCameras((await get('/cameras')).cameras, true);
  stream.start(session);
  openView();
}

/* Tries until the server answers. */
async function enter() {
  try {
    await begin(await get('/session'));
  } catch (error) {
    if (error.status === 401) {
      askPassword();
      return;
    }
    connection.className = 'connection lost';
    setText(connection, error.status ? error.message : 'The server does not answer. Trying again …');
    setTimeout(enter, 1000);
  }
}

function showConnection(connected) {
  connection.className = connected ? 'connection' : 'connection lost';
  if (started) setText(connection, connected ? 'Connected' : 'The server does not answer. Trying again …');
}

document.getElementById('skip').addEventListener('click', () => {
  (main.querySelector('h1') ?? main).focus();
});
logOut.addEventListener('click', async () => {
  try {
    await remove('/session');
    askPassword();
  } catch (error) {
    toast(error.message, 'error');
  }
});
setLoggedOutHandler(() => { if (started) askPassword(); });
stream.on('logged-out', askPassword);
stream.on('connection', showConnection);
addEventListener('hashchange', () => { if (started) openView(); });
enter();

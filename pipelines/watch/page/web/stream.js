/* The server-sent events: what changes, as it changes. Reconnects by itself. */

import { get, urlOf } from './api.js';

const RETRY = [300, 500, 1000, 2000, 3000]; // ms
const SILENCE = 15000; // ms without anything, after which the connection is checked
const HIDDEN = 60000; // ms in the background, after which the connection is given up

/* Cameras by name, in the server's order. "received" is performance.now() of the newest message. */
export const cameras = new Map();
export let connected = false;

const listeners = new Map();
let source = null;
let attempts = 0;
let timer = null;
let heard = 0;
let version = null;
let running = false;
let hiddenTimer = null;

/* Calls the listener on "cameras" (array of those that changed), "event", "teach", "reload" and
 * "connection" (connected or not), until the signal aborts. */
export function on(type, listener, signal) {
  if (!listeners.has(type)) listeners.set(type, new Set());
  listeners.get(type).add(listener);
  signal?.addEventListener('abort', () => listeners.get(type).delete(listener));
}

function tell(type, data) {
  for (const listener of [...listeners.get(type) ?? []]) listener(data);
}

function setConnected(value) {
  if (connected === value) return;
  connected = value;
  tell('connection', value);
}

/* Seconds since the camera's newest frame */
export function ageOf(camera) {
  if (typeof camera.age_seconds !== 'number') return null;
  return camera.age_seconds + (performance.now() - camera.received) / 1000;
}

export function takeCameras(list, all) {
  if (all) cameras.clear(); // so that they are in the server's order
  const received = performance.now();
  const fresh = list.map((camera) => ({ ...camera, received }));
  for (const camera of fresh) cameras.set(camera.name, camera);
  tell('cameras', fresh);
}

function listen(type, take) {
  source.addEventListener(type, (message) => {
    heard = performance.now();
    if (message.data) take(JSON.parse(message.data));
  });
}

function close() {
  clearTimeout(timer);
  source?.close();
  source = null;
}

function retry() {
  close();
  setConnected(false);
  if (!running) return;
  timer = setTimeout(check, RETRY[Math.min(attempts++, RETRY.length - 1)]);
}

function open() {
  close();
  source = new EventSource(urlOf(['stream']));
  let first = true;
  source.onopen = () => {
    heard = performance.now();
    attempts = 0;
    setConnected(true);
  };
  source.onerror = retry;
  listen('cameras', (data) => {
    takeCameras(data.cameras, first);
    first = false;
  });
  listen('event', (data) => tell('event', data));
  listen('teach', (data) => tell('teach', data));
  listen('reload', async (data) => {
    try {
      takeCameras((await get('/cameras')).cameras, true);
    } catch {
      // The stream reconnects and then sends all cameras.
    }
    tell('reload', data);
  });
}

/* Whether the server is there, and still the one that this page is of */
async function check() {
  try {
    const session = await get('/session');
    if (!running) return;
    if (session.password && !session.logged_in) {
      tell('logged-out');
      return;
    }
    if (version && session.version !== version) {
      location.reload();
      return;
    }
    open();
  } catch {
    retry();
  }
}

async function checkSilence() {
  if (!source || performance.now() - heard < SILENCE) return;
  heard = performance.now();
  try {
    await get('/session');
  } catch {
    retry();
  }
}

function onVisibility() {
  clearTimeout(hiddenTimer);
  if (!running) return;
  if (document.hidden) hiddenTimer = setTimeout(close, HIDDEN);
  else if (!source) check();
}

/* Starts with the session that the server has answered. */
export function start(session) {
  version ??= session.version;
  running = true;
  attempts = 0;
  open();
}

export function stop() {
  running = false;
  close();
  setConnected(false);
}

document.addEventListener('visibilitychange', onVisibility);
// A page that the browser keeps for "back" must not keep its connections.
addEventListener('pagehide', close);
addEventListener('pageshow', (event) => { if (event.persisted && running) check(); });
addEventListener('online', () => { if (running && !connected) { attempts = 0; check(); } });
setInterval(checkSilence, SILENCE / 3);

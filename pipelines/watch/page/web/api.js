/* Calls the server's API; API.md beside this folder documents it. */

const BASE = '/api/v1';
const LIMIT = 20000; // ms

export class ApiError extends Error {
  constructor(message, status, retryAfter) {
    super(message);
    this.status = status;
    this.retryAfter = retryAfter;
  }
}

/* Server time and performance.now() at the same moment: the clocks of browser and server may differ. */
let clock = null;
let onLoggedOut = () => {};

export function setLoggedOutHandler(handler) {
  onLoggedOut = handler;
}

function readClock(response) {
  const date = Date.parse(response.headers.get('Date'));
  if (date) clock = { server: date + 500, here: performance.now() };
}

/* Time of the server, in ms since 1970 */
export function serverNow() {
  return clock ? clock.server + performance.now() - clock.here : Date.now();
}

/* Seconds since a time that the server has sent */
export function secondsSince(date) {
  return Math.max(0, (serverNow() - Date.parse(date)) / 1000);
}

async function readError(response) {
  const retryAfter = Number(response.headers.get('Retry-After')) || null;
  let message = null;
  try {
    message = (await response.json()).error;
  } catch {
    // The answer is not of our server, such as that of a proxy.
  }
  return new ApiError(message || `The server answers ${response.status} ${response.statusText}.`,
    response.status, retryAfter);
}

/* Returns the answer. Throws an ApiError; its status is 0 if the server cannot be reached. */
export async function request(method, path, body, signal) {
  const limit = AbortSignal.timeout(LIMIT);
  let response;
  try {
    response = await fetch(BASE + path, {
      method, cache: 'no-store', credentials: 'same-origin',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit,
    });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError('The server cannot be reached.', 0);
  }
  readClock(response);
  if (response.ok) return response;
  const error = await readError(response);
  if (response.status === 401 && path !== '/session') onLoggedOut();
  throw error;
}

async function json(method, path, body, signal) {
  const response = await request(method, path, body, signal);
  return response.status === 204 ? null : response.json();
}

export const get = (path, signal) => json('GET', path, undefined, signal);
export const post = (path, body = {}, signal) => json('POST', path, body, signal);
export const put = (path, body, signal) => json('PUT', path, body, signal);
export const patch = (path, body, signal) => json('PATCH', path, body, signal);
export const remove = (path, signal) => json('DELETE', path, undefined, signal);

/* Joins parts, which may hold any character, and a query to a path. */
export function pathOf(parts, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined
    && value !== '');
  return parts.map((part) => `/${encodeURIComponent(part)}`).join('')
    + (given.length ? `?${new URLSearchParams(given)}` : '');
}

export const urlOf = (parts, query) => BASE + pathOf(parts, query);

/* Numbers, times and events as text. */

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const MINUTE = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB',
  { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' });
const SHORT_DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });

export const isNumber = (value) => typeof value === 'number' && Number.isFinite(value);
export const percent = (share) => isNumber(share) ? `${Math.round(share * 100)}%` : '–';
export const milliseconds = (value) => isNumber(value)
  ? `${value < 10 ? value.toFixed(1) : Math.round(value)} ms` : '–';
export const time = (date) => TIME.format(new Date(date));
export const minute = (date) => MINUTE.format(new Date(date));
export const day = (date) => DAY.format(new Date(date));
export const plural = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;

export function dateTime(date) {
  return `${SHORT_DAY.format(new Date(date))}, ${TIME.format(new Date(date))}`;
}

/* A length of time, such as "0.4 s", "12 s", "3 min", "2 h 5 min", "4 days" */
export function duration(seconds) {
  if (!isNumber(seconds)) return '–';
  const s = Math.max(0, seconds);
  if (s < 9.95) return `${s.toFixed(1)} s`;
  if (s < 100) return `${Math.round(s)} s`;
  const minutes = Math.round(s / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  return `${Math.round(minutes / 1440)} days`;
}

export function bytes(n) {
  if (!isNumber(n)) return '–';
  const units = ['bytes', 'kB', 'MB', 'GB', 'TB'];
  let i = 0;
  for (; n >= 1000 && i < units.length - 1; i++) n /= 1000;
  return `${i === 0 || n >= 100 ? Math.round(n) : n.toFixed(1)} ${units[i]}`;
}

/* Steady colour of a label: the same on each visit and in each view. */
export function hue(text) {
  let hash = 2166136261;
  for (const character of text ?? '') {
    hash = Math.imul(hash ^ character.codePointAt(0), 16777619);
  }
  return (hash >>> 0) % 360;
}

export const STATES = { connecting: 'Connecting', playing: 'Live', waiting: 'Lost', ended: 'Ended' };

export const EVENTS = {
  appeared: 'Appeared', vanished: 'Vanished', state: 'State', connected: 'Connected',
  waiting: 'No connection', lost: 'Lost', ended: 'Ended',
};

/* What an event is about, beside its kind */
export function detailOf(event) {
  switch (event.event) {
  case 'appeared': return event.label;
  case 'vanished':
    return event.label + (isNumber(event.seconds) ? ` after ${duration(event.seconds)}` : '')
      + (event.reason ? `: ${event.reason}` : '');
  case 'state': return describe(event);
  default: return event.reason ?? '';
  }
}

/* What an event says, without its camera and time */
export function describe(event) {
  const reason = event.reason ? `: ${event.reason}` : '';
  switch (event.event) {
  case 'appeared': return `${event.label} appeared`;
  case 'vanished':
    return `${event.label} vanished`
      + (isNumber(event.seconds) ? ` after ${duration(event.seconds)}` : '') + reason;
  case 'state': return (event.from ? `${event.from} → ${event.to}` : `${event.to}`) + reason;
  case 'connected': return 'Connected';
  case 'waiting': return `Cannot connect${reason}`;
  case 'lost': return `Camera lost${reason}`;
  case 'ended': return `Ended${reason}`;
  default: return `${event.event}${reason}`;
  }
}

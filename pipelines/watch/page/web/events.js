/* The view of events: a list, newest first, that continues as one scrolls. */

import { h, field, select, setText } from './dom.js';
import { get, pathOf, urlOf } from './api.js';
import { day, describe, detailOf, dateTime, EVENTS, isNumber, percent, plural, time } from './format.js';
import { hrefOf, replaceQuery } from './router.js';
import * as stream from './stream.js';

const PAGE = 50;
const FILTERS = ['camera', 'look', 'label', 'event', 'since', 'until'];

export const title = () => 'Events';

const snapshotOf = (event) => urlOf(['events', event.id, 'snapshot']);
const placeOf = (event) => event.look ? `${event.stream_id} · ${event.look}` : event.stream_id;

/* A local time of an input as UTC, or "" */
const toUtc = (local) => local ? new Date(local).toISOString() : '';

/* Whether an event that has just happened belongs into the list */
function matches(event, filter) {
  return (!filter.camera || event.stream_id === filter.camera)
    && (!filter.look || event.look === filter.look)
    && (!filter.event || event.event === filter.event)
    && (!filter.label || event.label === filter.label || event.to === filter.label)
    && (!filter.until || Date.parse(event.wall_clock) < Date.parse(toUtc(filter.until)));
}

function showEvent(event, opener) {
  const at = dateTime(event.wall_clock);
  const facts = [['Camera', event.stream_id], ['Look', event.look], ['Time', at],
    ['Score', isNumber(event.score) ? percent(event.score) : null]].filter(([, value]) => value);
  const dialog = h('dialog', { class: 'event-dialog', 'aria-label': `${describe(event)}, ${at}`,
    onclose: () => {
      dialog.remove();
      opener.focus();
    },
    onclick: (click) => { if (click.target === dialog) dialog.close(); } },
    event.snapshot ? h('img', { src: snapshotOf(event), alt: `Snapshot of ${event.stream_id}, ${at}` }) : null,
    h('div', { class: 'event-dialog-body' }, h('h2', {}, describe(event)),
      h('dl', { class: 'facts-list' }, facts.map(([name, value]) =>
        h('div', {}, h('dt', {}, name), h('dd', {}, value)))),
      h('form', { method: 'dialog', class: 'actions' },
        h('a', { href: hrefOf(['camera', event.stream_id]), onclick: () => dialog.close() }, 'Go to the camera'),
        h('button', {}, 'Close'))));
  document.body.append(dialog);
  dialog.showModal();
}

function row(event) {
  const picture = event.snapshot
    ? h('img', { src: snapshotOf(event), alt: '', loading: 'lazy', decoding: 'async', width: 128, height: 72 })
    : null;
  const button = h('button', { type: 'button', class: 'event', onclick: () => showEvent(event, button) },
    h('span', { class: 'thumb' }, picture),
    h('span', { class: 'event-text' },
      h('span', { class: 'what' }, detailOf(event) || EVENTS[event.event]),
      h('span', { class: 'dim' }, h('span', { class: 'kind', 'data-kind': event.event },
        EVENTS[event.event] ?? event.event),
      placeOf(event), isNumber(event.score) ? ` · ${percent(event.score)}` : '')),
    h('time', { class: 'number dim', datetime: event.wall_clock }, time(event.wall_clock)));
  return h('li', { 'data-id': event.id }, button);
}

function filterForm(filter, change) {
  const names = [...stream.cameras.keys()];
  if (filter.camera && !names.includes(filter.camera)) names.push(filter.camera);
  const looks = [...new Set([...stream.cameras.values()].flatMap((camera) =>
    (camera.looks ?? []).map((look) => look.name).filter(Boolean)))];
  const set = (key) => (event) => change(key, event.target.value);
  const local = (key) => h('input', { type: 'datetime-local', value: filter[key], onchange: set(key) });
  const label = h('input', { type: 'search', value: filter.label, placeholder: 'All', onchange: set('label'),
    autocomplete: 'off', list: 'labels' });
  const form = h('form', { class: 'filters', 'aria-label': 'Filters', onsubmit: (event) => event.preventDefault() },
    field('Camera', select([['', 'All'], ...names.map((name) => [name, name])], filter.camera,
      { onchange: set('camera') })),
    looks.length ? field('Look', select([['', 'All'], ...looks.map((name) => [name, name])], filter.look,
      { onchange: set('look') })) : null,
    field('Label', label),
    field('Event', select([['', 'All'], ...Object.entries(EVENTS)], filter.event, { onchange: set('event') })),
    field('From', local('since')), field('To', local('until')),
    h('button', { type: 'button', class: 'quiet', onclick: () => change(null) }, 'Clear'));
  // On a phone they would take half of the screen.
  const open = innerWidth > 600 || FILTERS.some((key) => filter[key]);
  return h('details', { class: 'filter-box', open }, h('summary', {}, 'Filters'), form);
}

/* What one can choose as label: all that were seen since the view was opened */
const labels = h('datalist', { id: 'labels' });

function learn(...names) {
  for (const name of names) {
    const known = !name || [...labels.children].some((option) => option.value === name);
    if (!known) labels.append(h('option', { value: name }));
  }
}

class EventList {
  constructor(filter, signal) {
    this.filter = filter;
    this.signal = signal;
    this.next = undefined; // id to continue at; null at the end
    this.loading = false;
    this.days = new Map(); // <ol> of each day
    this.ids = new Set();
    this.waiting = []; // events since the list was opened
    this.list = h('div', { class: 'event-list' });
    this.foot = h('div', { class: 'foot dim', role: 'status' });
    this.news = h('button', { type: 'button', class: 'news', onclick: () => this.showNews() });
    this.element = h('div', {}, h('div', { class: 'news-space' }, this.news), this.list, this.foot);
    this.news.hidden = true;
  }

  dayList(event, first) {
    const name = day(event.wall_clock);
    if (!this.days.has(name)) {
      const rows = h('ol', { class: 'events' });
      const section = h('section', { 'aria-label': name }, h('h2', { class: 'day' }, name), rows);
      if (first) this.list.prepend(section);
      else this.list.append(section);
      this.days.set(name, rows);
    }
    return this.days.get(name);
  }

  add(event, first = false) {
    if (this.ids.has(event.id)) return;
    this.ids.add(event.id);
    learn(event.label, event.to);
    const rows = this.dayList(event, first);
    if (first) rows.prepend(row(event));
    else rows.append(row(event));
  }

  take(event) {
    if (!matches(event, this.filter) || this.ids.has(event.id)
      || this.waiting.some((one) => one.id === event.id)) return;
    this.waiting.push(event);
    this.news.hidden = false;
    setText(this.news, `Show ${plural(this.waiting.length, 'new event')}`);
  }

  showNews() {
    for (const event of this.waiting) this.add(event, true);
    this.waiting = [];
    this.news.hidden = true;
    scrollTo({ top: 0 });
    this.list.querySelector('.event')?.focus({ preventScroll: true });
    if (this.ids.size) setText(this.foot, this.next === null ? this.endText() : '');
  }

  endText() {
    return this.ids.size ? `${plural(this.ids.size, 'event')}, that is all.` : 'No events yet.';
  }

  /* Events that were missed while the server could not be reached */
  async catchUp() {
    try {
      const { events } = await get(this.path(), this.signal);
      for (const event of events.reverse()) this.take(event);
    } catch {
      // The next connection tries again.
    }
  }

  path(before) {
    const { since, until, ...rest } = this.filter;
    return pathOf(['events'], { ...rest, since: toUtc(since), until: toUtc(until), before, limit: PAGE });
  }

  async more() {
    if (this.loading || this.next === null) return;
    this.loading = true;
    try {
      const page = await get(this.path(this.next), this.signal);
      for (const event of page.events) this.add(event);
      this.next = page.next ?? null;
      setText(this.foot, this.next === null ? this.endText() : 'Loading …');
    } catch (error) {
      if (this.signal.aborted) return;
      this.foot.replaceChildren(`${error.message} `,
        h('button', { type: 'button', onclick: () => this.more() }, 'Try again'));
    } finally {
      this.loading = false;
    }
    this.observer?.unobserve(this.foot); // so that it reports again if it is still in view
    this.observer?.observe(this.foot);
  }
}

export function open(main, route, signal) {
  const filter = Object.fromEntries(FILTERS.map((key) => [key, route.query.get(key) ?? '']));
  const holder = h('div');
  const forms = h('div');
  let list = null;
  let ended = null;

  function restart() {
    ended?.abort();
    ended = new AbortController();
    list?.observer.disconnect();
    list = new EventList(filter, ended.signal);
    holder.replaceChildren(list.element);
    const current = list;
    list.observer = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) current.more();
    }, { rootMargin: '800px' });
    list.observer.observe(list.foot);
  }

  function change(key, value) {
    if (key) {
      filter[key] = value;
    } else {
      for (const name of FILTERS) filter[name] = '';
      forms.replaceChildren(filterForm(filter, change));
      forms.querySelector('select').focus();
    }
    replaceQuery(Object.fromEntries(Object.entries(filter).filter(([, given]) => given)));
    restart();
  }

  forms.append(filterForm(filter, change));
  main.append(h('div', { class: 'heading' }, h('h1', { tabindex: -1 }, 'Events')), forms, labels,
    holder);
  for (const camera of stream.cameras.values()) {
    for (const one of [camera, ...camera.looks ?? []]) learn(one.label, one.scene_state);
  }
  restart();
  stream.on('event', (event) => list.take(event), signal);
  stream.on('connection', (connected) => { if (connected) list.catchUp(); }, signal);
  signal.addEventListener('abort', () => {
    ended.abort();
    list.observer.disconnect();
  });
}

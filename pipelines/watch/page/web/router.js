/* Views by the address after the "#": #/events?camera=yard */

function decode(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function current() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  return {
    parts: path.split('/').filter(Boolean).map(decode),
    query: new URLSearchParams(query),
  };
}

export function hrefOf(parts, query) {
  const text = new URLSearchParams(query).toString();
  return `#/${parts.map(encodeURIComponent).join('/')}${text ? `?${text}` : ''}`;
}

export function go(parts, query) {
  location.hash = hrefOf(parts, query);
}

/* Changes the query in the address bar, without opening the view again. */
export function replaceQuery(query) {
  history.replaceState(null, '', hrefOf(current().parts, query));
}

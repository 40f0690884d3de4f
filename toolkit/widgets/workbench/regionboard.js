// Ten regions as rows of a table: a tick-box that replaces the region, its name as a button that
// points it out, and what each witness gives it, as a number with a bar. The table is chart and
// text twin in one. Ticks and the region pointed out go to the kernel; all text comes from there.

function cell(tag, text, className) {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function bar(value) {
  const box = cell('td', '', 'dz-bar-cell');
  if (!value) {
    box.textContent = '–';
    return box;
  }
  const track = cell('span', '', 'dz-bar');
  track.setAttribute('aria-hidden', 'true');
  track.style.backgroundPositionX = `${value.zero}%`;
  const between = (className, from, to) => {
    const part = cell('span', '', className);
    part.style.left = `${Math.min(from, to)}%`;
    part.style.width = `${Math.abs(to - from)}%`;
    track.append(part);
  };
  const speaksFor = value.end >= value.zero;
  between(speaksFor ? 'dz-bar-for' : 'dz-bar-against', value.zero, value.end);
  if (value.error) between('dz-bar-error', ...value.error);
  box.append(track, cell('span', value.text, 'dz-bar-text'));
  return box;
}

function render({ model, el, signal }) {
  const table = document.createElement('table');
  table.className = 'dz-board';
  el.append(table);

  function row(item) {
    const made = document.createElement('tr');
    made.dataset.region = item.player;
    const tick = document.createElement('input');
    tick.type = 'checkbox';
    tick.setAttribute('aria-label', item.replace);
    const name = document.createElement('button');
    name.type = 'button';
    name.textContent = item.label;
    const first = document.createElement('td');
    first.append(tick);
    const second = document.createElement('th');
    second.scope = 'row';
    second.append(name);
    made.append(first, second, ...item.values.map(bar));
    return made;
  }
  function mark() {
    for (const made of table.querySelectorAll('tbody tr')) {
      const { region } = made.dataset;
      made.querySelector('input').checked = model.get('ticked').includes(region);
      made.querySelector('input').disabled = !model.get('enabled');
      if (region === model.get('current')) made.setAttribute('aria-current', 'true');
      else made.removeAttribute('aria-current');
    }
  }
  function show() {
    const within = table.contains(document.activeElement) && document.activeElement;
    const { region } = within ? within.closest('tr').dataset : {};
    const kind = within && within.tagName;
    const head = document.createElement('thead');
    const heads = document.createElement('tr');
    for (const text of model.get('heads')) {
      const made = cell('th', text);
      made.scope = 'col';
      heads.append(made);
    }
    head.append(heads);
    const body = document.createElement('tbody');
    body.append(...model.get('rows').map(row));
    table.replaceChildren(head, body);
    table.setAttribute('aria-label', model.get('label'));
    mark();
    if (region) table.querySelector(`tr[data-region="${region}"] ${kind}`)?.focus();
  }
  for (const name of ['rows', 'heads', 'label']) model.on(`change:${name}`, show);
  for (const name of ['ticked', 'enabled', 'current']) model.on(`change:${name}`, mark);
  table.addEventListener('change', () => {
    const ticked = [...table.querySelectorAll('input:checked')];
    model.set('ticked', ticked.map((input) => input.closest('tr').dataset.region));
    model.save_changes();
  }, { signal });
  table.addEventListener('click', (event) => {
    const { region } = event.target.closest('button')?.closest('tr').dataset ?? {};
    if (!region) return;
    model.set('current', model.get('current') === region ? '' : region);
    model.save_changes();
  }, { signal });
  show();
  return () => {
    for (const name of ['rows', 'heads', 'label']) model.off(`change:${name}`, show);
    for (const name of ['ticked', 'enabled', 'current']) model.off(`change:${name}`, mark);
  };
}

export default { render };

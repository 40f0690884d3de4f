// This part: each chart in numbers, as a table on the page and as a file to keep.

// {heads, rows} of a chart; every cell is text as it is shown.

import { allLanes, waterfall } from './charts.js';
import { clock, number } from './numbers.js';
export function chartTable(chart, scenes, state, words) {
  const show = (value, digits) => number(value, digits, words.decimal, { signed: true });
  const at = (seconds) => clock(seconds, 2, words.decimal);
  const name = (region) => (region === 'unsplit' ? words.unsplit : words.regions[region]);
  const who = (scene, person) => (scene.label ? `${scene.label} · ` : '') + person.person;
  if (chart === 'lanes') {
    const rows = allLanes(scenes).flatMap(({ scene, person }) =>
      Array.from(person.times, (t, m) => [who(scene, person), at(t), show(person.logits[m], 3),
        person.logits[m] >= person.threshold ? words.above_word : words.below_word]));
    return { heads: [words.persons, words.time, words.logit, words.against], rows };
  }
  const chosen = scenes.map((scene, side) => ({ scene, person: scene.person(state.persons[side]) }))
    .filter(({ person }) => person?.has_shares);
  if (chart === 'bars') {
    const rows = chosen.flatMap(({ scene, person }) => waterfall(person, scene, person.totals).map((step) =>
      [who(scene, person), { start: words.start_other, total: words.total_whole }[step.key] ?? name(step.key),
        show(step.value, 4)]));
    return { heads: [words.persons, words.region, words.share], rows };
  }
  const rows = chosen.flatMap(({ scene, person }) => Array.from(person.times, (t, m) =>
    [who(scene, person), at(t), ...scene.rows.map((_, r) => show(person.moments[m * 11 + r], 4))]));
  return { heads: [words.persons, words.time, ...(scenes[0]?.rows ?? []).map(name)], rows };
}

export function tableElement(table, caption) {
  const box = document.createElement('div');
  box.className = 'dzp-scroll';
  box.tabIndex = 0;
  box.dataset.lmSuppressShortcuts = 'true';
  box.setAttribute('role', 'group');
  box.setAttribute('aria-label', caption);
  const element = box.appendChild(document.createElement('table'));
  const row = (parent, cells, tag) => {
    const tr = parent.appendChild(document.createElement('tr'));
    for (const cell of cells) {
      const td = tr.appendChild(document.createElement(tag));
      if (tag === 'th') td.scope = 'col';
      td.textContent = cell;
    }
  };
  row(element.appendChild(document.createElement('thead')), table.heads, 'th');
  const body = element.appendChild(document.createElement('tbody'));
  for (const cells of table.rows) row(body, cells, 'td');
  return box;
}

// A spreadsheet must not take a cell for a formula; numbers keep their sign.
function csvOf(table) {
  const cell = (value) => {
    const safe = /^[=@\t\r]|^[+\-](?![\d.])/.test(value) ? `'${value}` : value;
    return `"${safe.replaceAll('\u2212', '-').replaceAll('"', '""')}"`;
  };
  return '\ufeff' + [table.heads, ...table.rows].map((r) => r.map(cell).join(';')).join('\r\n') + '\r\n';
}

export function keep(blob, name) {
  const url = URL.createObjectURL(blob);
  const anchor = Object.assign(document.createElement('a'), { href: url, download: name });
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000); // the browser reads it after the click
}

export async function keepChart(kind, name, markup, table) {
  if (kind === 'csv') keep(new Blob([csvOf(table)], { type: 'text/csv' }), `${name}.csv`);
  if (kind === 'svg') keep(new Blob([markup], { type: 'image/svg+xml' }), `${name}.svg`);
  if (kind !== 'png') return;
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(markup)}`;
  await image.decode();
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [2 * image.naturalWidth, 2 * image.naturalHeight];
  canvas.getContext('2d').drawImage(image, 0, 0, canvas.width, canvas.height);
  canvas.toBlob((blob) => keep(blob, `${name}.png`), 'image/png');
}

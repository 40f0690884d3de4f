// This part: the charts as SVG text. Colours come in as a palette and stand in the text itself, so
// that what is downloaded looks like what is on screen. Nothing is told by colour alone: above the
// threshold is a diamond, for forged points up, stretches are hatched in different ways.

const escapeXml = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

const LANE = 76; // height of one person's lane, pixels
const LANE_GAP = 6;
const RULER = 22;
const ROW = 17; // height of one region's row in the matrix
const FAINTEST = 0.01; // of the largest share; what is less is not drawn

// Where things lie: the same for lanes and matrix, so that one line through both is one moment.
function layout(width, scene, offset) {
  const left = Math.round(Math.min(150, Math.max(84, width * 0.2)));
  const right = width - 12;
  const [start, end] = [scene.start_s, Math.max(scene.end_s, scene.start_s + 1e-3)];
  return {
    width, left, right, start, end,
    x: (seconds) => left + ((seconds - offset - start) / (end - start)) * (right - left),
    time: (x) => start + ((x - left) / (right - left)) * (end - start) + offset,
  };
}

const near = (value) => Math.round(value * 10) / 10;

function svg(width, height, label, ink, body, hidden = '') {
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}"
    viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeXml(label)}"
    font-family="system-ui, sans-serif" font-size="12" ${hidden}>
    <rect width="${width}" height="${height}" fill="${ink.page}"/>${body}</svg>`;
}

function text(x, y, words, ink, more = '') {
  return `<text x="${near(x)}" y="${near(y)}" fill="${ink.ink}" ${more}>${escapeXml(words)}</text>`;
}

const line = (x0, y0, x1, y1, colour, more = '') =>
  `<line x1="${near(x0)}" y1="${near(y0)}" x2="${near(x1)}" y2="${near(y1)}" stroke="${colour}" ${more}/>`;

// Three hatchings that differ in direction and weight, not only in colour.
function hatchings(id, ink) {
  const pattern = (name, side, path, colour, width) =>
    `<pattern id="${id}-${name}" width="${side}" height="${side}" patternUnits="userSpaceOnUse">
      <path d="${path}" stroke="${colour}" stroke-width="${width}" fill="none"/></pattern>`;
  return `<defs>
    ${pattern('forged', 8, 'M-2 10 L10 -2 M-2 2 L2 -2 M6 10 L10 6', ink.for, 2)}
    ${pattern('unseen', 6, 'M0 3 H2', ink.soft, 1.5)}
    ${pattern('abstained', 8, 'M0 0 L8 8 M8 0 L0 8', ink.line, 1)}</defs>`;
}

function ruler(box, y, ink, decimal, offset) {
  const wanted = Math.max(2, Math.floor((box.right - box.left) / 90));
  const steps = ticks(box.start + offset, box.end + offset, wanted);
  const digits = steps.length > 1 && steps[1] - steps[0] < 1 ? 1 : 0;
  return steps.map((t) => {
    const x = box.x(t);
    const anchor = x > box.right - 20 ? 'end' : 'middle';
    return line(x, y, x, y + 4, ink.line) + text(x, y + 16, clock(t, digits, decimal), ink,
      `text-anchor="${anchor}"`);
  }).join('');
}

// Stretches of the copy in which a person is on screen, and what lies between them.
function absences(seen, start, end) {
  const out = [];
  let at = start;
  for (const [a, b] of seen) {
    if (a > at) out.push([at, Math.min(a, end)]);
    at = Math.max(at, b);
  }
  if (at < end) out.push([at, end]);
  return out.filter(([a, b]) => b - a > 0.02);
}

function lane(person, scene, box, top, scale, { id, ink, words, selected }) {
  const { x } = box;
  const bottom = top + LANE;
  const y = (logit) => bottom - 8 - ((logit - scale.low) / (scale.high - scale.low)) * (LANE - 20);
  const clip = (t) => Math.min(box.right, Math.max(box.left, x(t)));
  const band = (a, b, name, more = '') => {
    const [from, to] = [clip(a), clip(b)];
    return to > from
      ? `<rect x="${near(from)}" y="${top}" width="${near(Math.max(2, to - from))}" height="${LANE}"
         fill="url(#${id}-${name})" ${more}/>` : '';
  };
  const [from, to] = [box.time(box.left), box.time(box.right)];
  const parts = [`<rect x="${box.left}" y="${top}" width="${box.right - box.left}" height="${LANE}"
    fill="${ink.panel}" stroke="${selected ? ink.focus : ink.line}"
    stroke-width="${selected ? 2 : 1}"/>`];
  parts.push(...absences(person.seen, from, to).map(([a, b]) => band(a, b, 'unseen')));
  if (person.abstained) parts.push(band(from, to, 'abstained'));
  for (const [a, b] of person.intervals) {
    parts.push(band(a, b, 'forged', 'opacity="0.55"'));
    if (clip(b) > clip(a)) parts.push(line(clip(a), top + 1.5, clip(b), top + 1.5, ink.for, 'stroke-width="3"'));
  }
  parts.push(line(box.left, y(person.threshold), box.right, y(person.threshold), ink.ink,
    'stroke-dasharray="6 4" stroke-width="1.2"'));
  let path = '';
  let marks = '';
  const crowded = person.times.length > (box.right - box.left) / 5;
  for (let m = 0; m < person.times.length; m += 1) {
    const [px, py] = [x(person.times[m]), y(person.logits[m])];
    if (px < box.left - 1 || px > box.right + 1) continue;
    const joined = path && m > 0 && person.stretch[m] === person.stretch[m - 1];
    path += `${joined ? 'L' : 'M'}${near(px)} ${near(py)}`;
    const above = person.logits[m] >= person.threshold;
    if (above) marks += `<path d="M${near(px)} ${near(py - 4)}l4 4-4 4-4-4z" fill="${ink.for}"/>`;
    else if (!crowded) marks += `<circle cx="${near(px)}" cy="${near(py)}" r="2.5" fill="${ink.against}"/>`;
  }
  parts.push(`<path d="${path}" fill="none" stroke="${ink.ink}" stroke-width="1.3"/>`, marks);
  for (const m of person.keys) {
    const px = x(person.times[m]);
    if (px >= box.left && px <= box.right) {
      const inside = Math.min(box.right - 6, Math.max(box.left + 6, px));
      parts.push(`<path d="M${near(inside - 5)} ${top + 1}h10l-5 8z" fill="${ink.page}"
        stroke="${ink.ink}" stroke-width="1.2"/>`);
    }
  }
  for (const cut of scene.cuts) {
    const px = x(cut);
    if (px >= box.left && px <= box.right) {
      parts.push(line(px, top, px, bottom, ink.soft, 'stroke-dasharray="2 3" stroke-width="1.5"'));
    }
  }
  const sign = person.abstained ? '○' : person.forged ? '▲' : '●';
  const title = (scene.label ? `${scene.label} · ` : '') + fill(words.person, person);
  parts.push(fitted(box.left - 10, top + 20, `${sign} ${title}`, box.left - 12, ink, 600));
  const limit = number(person.threshold, 2, words.decimal, { signed: true });
  parts.push(fitted(box.left - 10, Math.max(top + 38, Math.min(bottom - 4, y(person.threshold) + 4)),
    fill(words.threshold, { value: limit }), box.left - 12, ink));
  if (person.abstained) {
    const wide = words.sign_abstained.length * 7 + 12;
    parts.push(`<rect x="${box.left + 8}" y="${bottom - 26}" width="${wide}" height="18"
      fill="${ink.page}"/>`, text(box.left + 14, bottom - 13, words.sign_abstained, ink));
  }
  return parts.join('');
}

// Text that ends at x and is squeezed, not cut, when it does not fit.
function fitted(x, y, words, room, ink, weight = 400) {
  const size = Math.max(9, Math.min(12, (12 * room) / (words.length * (weight > 500 ? 7.4 : 6.4))));
  return text(x, y, words, ink, `text-anchor="end" font-size="${near(size)}" font-weight="${weight}"`);
}

const allLanes = (scenes) =>
  scenes.flatMap((scene, side) => scene.persons.map((person) => ({ person, scene, side })));

const lanesHeight = (scenes) => allLanes(scenes).length * (LANE + LANE_GAP) + RULER;

// One lane per person, of one scene or of two; offsets say how much later the second one runs.
function lanesSvg(scenes, offsets, width, options) {
  const lanes = allLanes(scenes);
  const values = lanes.flatMap(({ person }) => [...person.logits, person.threshold]);
  const low = Math.min(...values, 0);
  const high = Math.max(...values, low + 1);
  const scale = { low: low - 0.05 * (high - low), high: high + 0.05 * (high - low) };
  const { id, ink, words, selected } = options;
  let body = hatchings(id, ink);
  lanes.forEach(({ person, scene, side }, i) => {
    const box = layout(width, scenes[0], offsets[side]);
    body += lane(person, scene, box, i * (LANE + LANE_GAP), scale,
      { id, ink, words, selected: selected(side, person.person) });
  });
  const foot = lanes.length * (LANE + LANE_GAP) - LANE_GAP;
  body += ruler(layout(width, scenes[0], 0), foot, ink, words.decimal, 0);
  return svg(width, lanesHeight(scenes), fill(words.twin, { chart: words.lanes }), ink, body);
}

// Region × time: in each row what speaks for forged points up, what speaks against points down;
// the longer and the stronger coloured, the more.
function matrixSvg(person, scene, box, { ink, words }) {
  const m = person.times.length;
  const height = scene.rows.length * ROW + RULER;
  let body = '';
  const bins = { for: ['', '', '', ''], against: ['', '', '', ''] };
  const bars = { for: '', against: '' };
  scene.rows.forEach((region, r) => {
    const top = r * ROW;
    const middle = top + ROW / 2;
    body += `<rect x="${box.left}" y="${top}" width="${box.right - box.left}" height="${ROW - 1}" fill="${ink.panel}"/>`;
    // Whose left it is stands in the bars; here there may be no room for it.
    const name = region === 'unsplit' ? words.unsplit : words.regions[region].replace(/ \(.*\)$/, '');
    body += fitted(box.left - 10, top + 12.5, name, box.left - 12, ink);
    for (let k = 0; k < m; k += 1) {
      const value = person.shares[k * 11 + r] / person.largest;
      if (Math.abs(value) < FAINTEST) continue;
      const x0 = Math.max(box.left, box.x(person.starts[k]));
      const x1 = Math.min(box.right, Math.max(box.x(person.ends[k]), x0 + 1));
      if (x1 <= x0) continue;
      const kind = value > 0 ? 'for' : 'against';
      const wide = `h${near(x1 - x0)}`;
      const long = near(Math.max(1, Math.abs(value) * (ROW / 2 - 1)));
      bars[kind] += `M${near(x0)} ${middle}${wide}v${value > 0 ? -long : long}h${-near(x1 - x0)}z`;
      bins[kind][Math.min(3, Math.floor(Math.abs(value) * 4))] +=
        `M${near(x0)} ${top}${wide}v${ROW - 1}h${-near(x1 - x0)}z`;
    }
  });
  for (const kind of ['against', 'for']) {
    bins[kind].forEach((path, i) => {
      if (path) body += `<path d="${path}" fill="${ink[kind]}" opacity="${0.05 + 0.12 * i}"/>`;
    });
    body += `<path d="${bars[kind]}" fill="${ink[kind]}"/>`;
  }
  body += ruler(box, scene.rows.length * ROW, ink, words.decimal, box.time(box.left) - box.start);
  return svg(box.width, height, fill(words.twin, { chart: words.matrix }), ink, body);
}

// The bars for a download; on screen they are buttons.
function barsSvg(rows, { ink, words, width = 640 }) {
  const left = 190;
  const middle = left + (width - left) / 2;
  const reach = (width - left) / 2 - 70;
  const most = Math.max(1e-9, ...rows.flatMap((row) => row.values.map(Math.abs)));
  const tall = 8 + 16 * (rows[0]?.values.length ?? 1);
  let body = '';
  rows.forEach((row, i) => {
    body += fitted(left - 10, i * tall + 17, row.name, left - 14, ink);
    row.values.forEach((value, k) => {
      const long = (Math.abs(value) / most) * reach;
      const y = i * tall + 4 + 16 * k;
      body += `<rect x="${near(value >= 0 ? middle : middle - long)}" y="${y}" width="${near(Math.max(1, long))}" height="13" fill="${value >= 0 ? ink.for : ink.against}" opacity="${k ? 0.65 : 1}"/>`;
      const at = value >= 0 ? middle + long + 6 : middle - long - 6;
      body += text(at, y + 11, number(value, 3, words.decimal, { signed: true }), ink,
        `text-anchor="${value >= 0 ? 'start' : 'end'}"`);
    });
  });
  body += line(middle, 0, middle, rows.length * tall, ink.line);
  return svg(width, rows.length * tall + 4, words.bars, ink, body);
}

// A sign with its meaning, for the legend under the lanes.
function legendSvg(kind, id, ink) {
  const inside = {
    curve: `<path d="M1 11 L8 5 L14 9 L23 4" fill="none" stroke="${ink.ink}" stroke-width="1.3"/>
      <path d="M8 1l4 4-4 4-4-4z" fill="${ink.for}"/><circle cx="15" cy="9" r="2.5" fill="${ink.against}"/>`,
    threshold: line(1, 7, 23, 7, ink.ink, 'stroke-dasharray="6 4" stroke-width="1.2"'),
    key: `<path d="M7 3h10l-5 8z" fill="${ink.page}" stroke="${ink.ink}" stroke-width="1.2"/>`,
    forged: `<rect width="24" height="14" fill="url(#${id}-forged)" opacity="0.55"/>${line(0, 1.5, 24, 1.5, ink.for, 'stroke-width="3"')}`,
    cut: line(12, 0, 12, 14, ink.soft, 'stroke-dasharray="2 3" stroke-width="1.5"'),
    unseen: `<rect width="24" height="14" fill="url(#${id}-unseen)"/>`,
    abstained: `<rect width="24" height="14" fill="url(#${id}-abstained)"/>`,
  }[kind];
  return `<svg width="24" height="14" viewBox="0 0 24 14" aria-hidden="true">${inside}</svg>`;
}

// Drawn here because fonts lack some of these signs.
function iconSvg(name) {
  const path = {
    play: 'M5 2.5v11l9-5.5z', pause: 'M4 2.5h3v11h-3zM9 2.5h3v11h-3z',
    back: 'M10.5 3v10l-7-5z', next: 'M5.5 3v10l7-5z',
    first: 'M2.5 3h2v10h-2zM13 3v10l-7.5-5z', last: 'M11.5 3h2v10h-2zM3 3v10l7.5-5z',
  }[name];
  return `<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="${path}" fill="currentColor"/></svg>`;
}

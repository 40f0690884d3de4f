// This part: the charts as SVG text. Colours come in as a palette and stand in the text itself, so
// that what is downloaded looks like what is on screen. Nothing is told by colour alone: above the
// threshold is a diamond, for forged points up, stretches are hatched in different ways.

import { clock, fill, number, ticks } from './numbers.js';

export const escapeXml = (text) => String(text).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);

export const LANE = 76; // height of one person's lane, pixels
export const LANE_GAP = 6;
const RULER = 22;
export const ROW = 17; // height of one region's row in the matrix
const FAINTEST = 0.04; // of the largest value; what is less is not drawn
const STEPS = 8; // of colour
const PALE = 0.3; // of the colour, where a frame lies below the line

// Where things lie: the same for lanes and matrix, so that one line through both is one moment.
export function layout(width, scene, offset) {
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
    // A stretch that chance could make as well is hatched faintly, under a broken line.
    parts.push(band(a, b, 'forged', `opacity="${person.by_chance ? 0.18 : 0.55}"`));
    const broken = person.by_chance ? ' stroke-dasharray="3 4"' : '';
    if (clip(b) > clip(a)) parts.push(line(clip(a), top + 1.5, clip(b), top + 1.5, ink.for, `stroke-width="3"${broken}`));
  }
  const limit = y(person.threshold);
  parts.push(`<rect x="${box.left}" y="${top}" width="${box.right - box.left}" height="${near(Math.max(0, limit - top))}"
    fill="${ink.for}" opacity="0.08"/>`);
  parts.push(line(box.left, limit, box.right, limit, ink.ink, 'stroke-dasharray="6 4" stroke-width="1.2"'));
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
  const who = fill(words.person, person);
  const room = box.left - 46;
  if (scene.label) parts.push(cut(6, top + 16, scene.label, room, ink));
  parts.push(fitted(6, top + (scene.label ? 33 : 20), `${sign} ${who}`, room, ink, 600, 'start'));
  // The scale: highest, lowest, and the line, each where it is.
  const level = (value, at) => text(box.left - 6, at, number(value, 1, words.decimal, { signed: true }), ink,
    'text-anchor="end" font-size="10"');
  const [highest, lowest] = [Math.max(...person.logits), Math.min(...person.logits)];
  if (person.times.length && Math.abs(y(highest) - limit) > 11) parts.push(level(highest, Math.max(top + 9, y(highest) + 4)));
  if (person.times.length && Math.abs(y(lowest) - limit) > 11) parts.push(level(lowest, Math.min(bottom - 1, y(lowest) + 4)));
  const value = number(person.threshold, 1, words.decimal, { signed: true });
  parts.push(fitted(box.left - 6, Math.max(top + 10, Math.min(bottom - 2, limit + 4)),
    fill(words.threshold, { value }), 40, ink));
  if (person.abstained) {
    const wide = words.sign_abstained.length * 7 + 12;
    parts.push(`<rect x="${box.left + 8}" y="${bottom - 26}" width="${wide}" height="18"
      fill="${ink.page}"/>`, text(box.left + 14, bottom - 13, words.sign_abstained, ink));
  }
  return parts.join('');
}

// Text that ends at x and is squeezed, not cut, when it does not fit.
function fitted(x, y, words, room, ink, weight = 400, anchor = 'end') {
  const size = Math.max(9, Math.min(12, (12 * room) / (words.length * (weight > 500 ? 7.4 : 6.4))));
  return text(x, y, words, ink, `text-anchor="${anchor}" font-size="${near(size)}" font-weight="${weight}"`);
}

// Text from x on; what does not fit is left out at the end, with all of it in the tooltip.
function cut(x, y, words, room, ink) {
  const most = Math.max(3, Math.floor(room / 5.6));
  const shown = words.length > most ? `${words.slice(0, most - 1)}…` : words;
  return `<text x="${near(x)}" y="${near(y)}" fill="${ink.ink}" font-size="11"><title>${escapeXml(words)}</title>${escapeXml(shown)}</text>`;
}

export const allLanes = (scenes) =>
  scenes.flatMap((scene, side) => scene.persons.map((person) => ({ person, scene, side })));

const lanesHeight = (scenes) => allLanes(scenes).length * (LANE + LANE_GAP) + RULER;

// One lane per person, of one scene or of two; offsets say how much later the second one runs.
export function lanesSvg(scenes, offsets, width, options) {
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

// Region × time: what each part of the face adds to the score of each frame, one scale for the whole
// clip. Orange speaks for forged; blue, with a stroke through it, against. Pale below the line.
export function matrixSvg(person, scene, box, { ink, words }) {
  const m = person.times.length;
  const height = scene.rows.length * ROW + RULER;
  let body = '';
  const bins = { for: Array(STEPS + 1).fill(''), against: Array(STEPS + 1).fill('') };
  let strokes = '';
  person.order.forEach((r, place) => {
    const region = scene.rows[r];
    const top = place * ROW;
    body += `<rect x="${box.left}" y="${top}" width="${box.right - box.left}" height="${ROW - 1}" fill="${ink.panel}"/>`;
    body += fitted(box.left - 10, top + 12.5, shortName(region, words), box.left - 12, ink);
    for (let k = 0; k < m; k += 1) {
      const value = person.moments[k * 11 + r] / person.largest;
      if (Math.abs(value) < FAINTEST) continue;
      const x0 = Math.max(box.left, box.x(person.starts[k]));
      const x1 = Math.min(box.right, Math.max(box.x(person.ends[k]), x0 + 1));
      if (x1 <= x0) continue;
      const quiet = person.logits[k] >= person.threshold ? 1 : PALE;
      const step = Math.min(STEPS, Math.max(1, Math.ceil(Math.abs(value) * quiet * STEPS)));
      const wide = `h${near(x1 - x0)}`;
      bins[value > 0 ? 'for' : 'against'][step] += `M${near(x0)} ${top}${wide}v${ROW - 1}h${-near(x1 - x0)}z`;
      if (value < 0 && step > 1) strokes += `M${near(x0)} ${top + ROW / 2}${wide}`;
    }
  });
  for (const kind of ['against', 'for']) {
    bins[kind].forEach((path, step) => {
      if (path) body += `<path d="${path}" fill="${ink[kind]}" opacity="${near(step / STEPS * 100) / 100}"/>`;
    });
  }
  if (strokes) body += `<path d="${strokes}" stroke="${ink.page}" stroke-width="1.5" fill="none"/>`;
  body += ruler(box, scene.rows.length * ROW, ink, words.decimal, box.time(box.left) - box.start);
  return svg(box.width, height, fill(words.twin, { chart: words.matrix }), ink, body);
}

// Whose left it is stands under the bars, once.
export const shortName = (region, words) =>
  (region === 'unsplit' ? words.unsplit : words.regions[region].replace(/ \(.*\)$/, ''));

// How a score comes about: from the reference over what each region adds to the score itself.
// Each step has the place where it starts and ends, in logits.
export function waterfall(person, scene, values) {
  const steps = [{ key: 'start', from: 0, to: person.reference, value: person.reference }];
  let at = person.reference;
  for (const r of person.order) {
    steps.push({ key: scene.rows[r], from: at, to: at + values[r], value: values[r] });
    at += values[r];
  }
  steps.push({ key: 'total', from: 0, to: at, value: at });
  return steps;
}

// The waterfall for a download; on screen its rows are buttons. `all` has one list of steps per side.
export function barsSvg(all, names, limits, { ink, words, width = 640 }) {
  const left = 190;
  const values = [...all.flat().flatMap((step) => [step.from, step.to]), ...limits];
  const [low, high] = [Math.min(...values), Math.max(...values, Math.min(...values) + 1e-6)];
  const x = (value) => left + 8 + ((value - low) / (high - low)) * (width - left - 90);
  const tall = 8 + 16 * all.length;
  let body = '';
  (all[0] ?? []).forEach((step, i) => {
    body += fitted(left - 10, i * tall + 17, names(step.key), left - 14, ink);
    all.forEach((steps, k) => {
      const own = steps.find((other) => other.key === step.key) ?? step;
      const y = i * tall + 4 + 16 * k;
      const [from, to] = [Math.min(x(own.from), x(own.to)), Math.max(x(own.from), x(own.to))];
      const isSum = own.key === 'start' || own.key === 'total';
      const colour = isSum ? ink.soft : own.value >= 0 ? ink.for : ink.against;
      body += `<rect x="${near(from)}" y="${y}" width="${near(Math.max(1, to - from))}" height="13" fill="${colour}" opacity="${k ? 0.65 : 1}"/>`;
      body += text(to + 6, y + 11, number(own.value, 3, words.decimal, { signed: true }), ink);
    });
  });
  const foot = (all[0]?.length ?? 0) * tall;
  limits.forEach((limit) => { body += line(x(limit), 0, x(limit), foot, ink.ink, 'stroke-dasharray="6 4"'); });
  return svg(width, foot + 4, words.bars, ink, body);
}

// A sign with its meaning, for the legend under the lanes.
export function legendSvg(kind, id, ink) {
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
export function iconSvg(name) {
  const path = {
    play: 'M5 2.5v11l9-5.5z', pause: 'M4 2.5h3v11h-3zM9 2.5h3v11h-3z',
    back: 'M10.5 3v10l-7-5z', next: 'M5.5 3v10l7-5z',
    first: 'M2.5 3h2v10h-2zM13 3v10l-7.5-5z', last: 'M11.5 3h2v10h-2zM3 3v10l7.5-5z',
  }[name];
  return `<svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><path d="${path}" fill="currentColor"/></svg>`;
}

// This part: a scene as it comes from Python (player/scene.py), opened up.

// Binary traits arrive as a DataView at any offset; a typed array must start at a multiple of its
// element, so the bytes are copied to an offset of 0.

import { frameAt } from './clock.js';
export const bytesOf = (v) =>
  v instanceof DataView ? new Uint8Array(v.buffer, v.byteOffset, v.byteLength) : new Uint8Array(v);

const LEAST = 2; // logits that have the full colour at least: a quiet clip stays pale
const ARRAYS = { u1: Uint8Array, i4: Int32Array, f4: Float32Array, f8: Float64Array };

// Each person has, with M judged moments and T frames of the copy:
//   times, starts, ends (M) seconds: the moment, and the time that it stands for
//   stretch (M): moments of one number are joined by a line     logits (M)
//   shares (M, 11): the ten regions, then what is not divided, of the video's score; moments
//   (M, 11): the same of the frame's own score       positions (M): in the track
//   strength (M): how strongly a frame's heat map is drawn, one scale for the whole clip
//   frames (M): the frame that shows the moment, -1 = none      rows (T): moment of a frame, or -1
//   boxes (T, 4), squares (T, 3): x, y, width, height and x, y, side in pixels; NaN = not seen
//   map (M, 48, 48): region numbers on the square               heat (M, h, w): see colour.js
export function openScene(raw) {
  const facts = raw.facts;
  const data = bytesOf(raw.data).slice().buffer;
  const array = (name) => {
    const place = facts.arrays[name];
    if (!place) return null;
    const count = place.shape.reduce((a, b) => a * b, 1);
    const values = new ARRAYS[place.type](data, place.at, count);
    return Object.assign(values, { shape: place.shape });
  };
  const pts = array('pts');
  const persons = facts.persons.map((person) => {
    const own = { ...person };
    for (const name of ['times', 'starts', 'ends', 'stretch', 'logits', 'shares', 'moments',
      'strength', 'positions',
      'frames', 'rows', 'boxes', 'squares', 'map', 'heat']) own[name] = array(`${person.person}.${name}`);
    own.largest = own.moments.reduce((most, v) => Math.max(most, Math.abs(v)), LEAST);
    own.totals = facts.players.concat('unsplit').map((_, r) => {
      let sum = 0;
      for (let m = 0; m < own.times.length; m += 1) sum += own.shares[m * 11 + r];
      return sum;
    });
    // The regions that add most come first, in every chart; what is not divided comes last.
    own.order = facts.players.map((_, r) => r).sort((a, b) => own.totals[b] - own.totals[a]);
    own.order.push(facts.players.length);
    return own;
  });
  return {
    ...facts, persons, pts,
    video: raw.video,
    rows: [...facts.players, 'unsplit'],
    last: pts.length - 1,
    end_s: facts.start_s + pts[pts.length - 1],
    person: (name) => persons.find((p) => p.person === name),
    timeOf: (n) => facts.start_s + pts[n],
    frameOf: (seconds) => frameAt(pts, seconds - facts.start_s),
  };
}

// The four numbers, or three, of row n; null where the person is not seen.
export function place(values, n) {
  const wide = values.shape[1];
  return Number.isNaN(values[n * wide]) ? null : values.subarray(n * wide, (n + 1) * wide);
}

// Which region of which person lies at a point of the picture; the smaller face is in front.
export function regionAt(scene, n, x, y) {
  let found = null;
  for (const person of scene.persons) {
    const row = person.rows[n];
    const square = place(person.squares, n);
    if (row < 0 || !square || !person.map) continue;
    const side = person.map.shape[1];
    const u = Math.floor(((x - square[0]) / square[2]) * side);
    const v = Math.floor(((y - square[1]) / square[2]) * side);
    if (u < 0 || v < 0 || u >= side || v >= side) continue;
    const region = scene.players[person.map[(row * side + v) * side + u]];
    if (!found || square[2] < found.size) {
      found = { person: person.person, region, position: person.positions[row], size: square[2] };
    }
  }
  return found;
}

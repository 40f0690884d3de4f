// This part: colours and contour lines. A heat value is a byte: 128 is nothing, above speaks for
// forged, below against. Opacity grows with the size, so the face shows where little is said.

const BLUE = [33, 102, 172]; // the ends of the signed scale, as in figures/pictures.py
const ORANGE = [200, 84, 10];
const CIVIDIS = [[0, 34, 78], [66, 78, 108], [124, 123, 120], [187, 172, 107], [254, 232, 56]];
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];

function along(stops, part) {
  const place = part * (stops.length - 1);
  const k = Math.min(stops.length - 2, Math.floor(place));
  return [0, 1, 2].map((c) => stops[k][c] + (stops[k + 1][c] - stops[k][c]) * (place - k));
}

// 256 RGBA entries for a byte of heat. The one-sided maps leave out what speaks against.
export function heatTable(map) {
  const table = new Uint8ClampedArray(1024);
  for (let byte = 0; byte < 256; byte += 1) {
    const value = Math.max(-1, (byte - 128) / 127);
    const size = map === 'signed' ? Math.abs(value) : Math.max(0, value);
    const colour = map === 'signed' ? (value < 0 ? BLUE : ORANGE)
      : along(map === 'cividis' ? CIVIDIS : VIRIDIS, size);
    table.set([...colour, 255 * size], 4 * byte);
  }
  return table;
}

// The line where a field crosses `level`: pieces [x0, y0, x1, y1] in cells (marching squares).
// Cell centres lie at whole numbers + 0.5; outside the field everything counts as below.
export function contour(field, width, height, level) {
  const at = (x, y) =>
    (x < 0 || y < 0 || x >= width || y >= height ? -Infinity : field[y * width + x]) - level;
  const cut = (a, b) => (Number.isFinite(a) && Number.isFinite(b) ? a / (a - b) : 0.5);
  const pieces = [];
  for (let y = -1; y < height; y += 1) {
    for (let x = -1; x < width; x += 1) {
      const [nw, ne, sw, se] = [at(x, y), at(x + 1, y), at(x, y + 1), at(x + 1, y + 1)];
      const kind = (nw > 0) * 8 + (ne > 0) * 4 + (se > 0) * 2 + (sw > 0);
      if (kind === 0 || kind === 15) continue;
      const north = [x + 0.5 + cut(nw, ne), y + 0.5];
      const south = [x + 0.5 + cut(sw, se), y + 1.5];
      const west = [x + 0.5, y + 0.5 + cut(nw, sw)];
      const east = [x + 1.5, y + 0.5 + cut(ne, se)];
      const lines = {
        1: [west, south], 2: [south, east], 3: [west, east], 4: [north, east],
        5: [west, north, south, east], 6: [north, south], 7: [west, north], 8: [west, north],
        9: [north, south], 10: [west, south, north, east], 11: [north, east], 12: [west, east],
        13: [south, east], 14: [west, south],
      }[kind];
      for (let i = 0; i < lines.length; i += 2) pieces.push([...lines[i], ...lines[i + 1]]);
    }
  }
  return pieces;
}

// The outline of one region in a map of region numbers: blurred first, so that it is not a stair.
export function outline(map, side, region) {
  const inside = Float32Array.from(map, (value) => (value === region ? 1 : 0));
  const blurred = new Float32Array(inside.length);
  for (let y = 0; y < side; y += 1) {
    for (let x = 0; x < side; x += 1) {
      let sum = 0;
      let count = 0;
      for (let v = Math.max(0, y - 1); v <= Math.min(side - 1, y + 1); v += 1) {
        for (let u = Math.max(0, x - 1); u <= Math.min(side - 1, x + 1); u += 1) {
          sum += inside[v * side + u];
          count += 1;
        }
      }
      blurred[y * side + x] = sum / count;
    }
  }
  return contour(blurred, side, side, 0.5);
}

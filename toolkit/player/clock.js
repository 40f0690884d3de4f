// This part: which frame is on screen. Frames are looked up in the table of timestamps of the
// display copy, never computed from a rate, which is wrong as soon as the rate varies.

const TOLERANCE = 1e-3; // seconds; mediaTime is rounded, and frames are never this close

// The frame on screen at time t: the last one whose timestamp is at or before t.
export function frameAt(pts, t) {
  let low = 0;
  let high = pts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (pts[middle] <= t + TOLERANCE) low = middle;
    else high = middle - 1;
  }
  return low;
}

// Where to seek to for frame n: halfway to the next. The timestamp itself can land on frame n - 1.
export const seekTime = (pts, n) =>
  n + 1 < pts.length ? (pts[n] + pts[n + 1]) / 2 : pts[n] + TOLERANCE;

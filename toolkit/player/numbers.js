// The player: video, overlay and linked charts, drawn entirely in the browser.
//
// One ES module, joined from the parts named in toolkit/player/__init__.py, without their imports
// of each other: no build step, no address outside of this file. It has the shape of an anywidget module, a default export
// with render({model, el, signal}), and runs
//   * in JupyterLab and Voila, where `model` is the live widget model (widgets/player.py), and
//   * in a self-contained page, where `model` is a small stand-in (report/playable.py).
// It holds no prose: every word comes from Python (player/words.py) and changes with the language.
//
// This part: numbers and times as the reader's language writes them.

export const fill = (template, values) =>
  String(template).replace(/\{(\w+)\}/g, (whole, key) => (key in values ? values[key] : whole));

// A true minus and the language's decimal sign, as figures.number does in Python.
export function number(value, digits, decimal, { signed = false } = {}) {
  if (!Number.isFinite(value)) return '–';
  let text = value.toFixed(digits);
  if (Number(text) === 0) text = text.replace('-', '');
  else if (signed && value > 0) text = `+${text}`;
  return text.replace('-', '\u2212').replace('.', decimal);
}

// 65.26 s is 1:05.3; rounded first, so that 59.96 s is 1:00.0, as figures.clock does in Python.
export function clock(seconds, digits, decimal) {
  const unit = 10 ** digits;
  const steps = Math.round(Math.abs(seconds) * unit);
  const hours = Math.floor(steps / (3600 * unit));
  const minutes = Math.floor(steps / (60 * unit)) % 60;
  const rest = ((steps % (60 * unit)) / unit).toFixed(digits).padStart(digits ? digits + 3 : 2, '0');
  const head = hours ? `${hours}:${String(minutes).padStart(2, '0')}` : `${minutes}`;
  return `${seconds < 0 ? '\u2212' : ''}${head}:${rest}`.replace('.', decimal);
}

// Round numbers between two ends, about `wanted` of them.
export function ticks(low, high, wanted) {
  const rough = Math.max(high - low, 1e-9) / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 5, 10].find((m) => m * power >= rough * 0.999);
  const out = [];
  for (let i = Math.ceil(low / step - 1e-9); i <= Math.floor(high / step + 1e-9); i += 1) {
    out.push(Number((i * step).toFixed(9)));
  }
  return out;
}

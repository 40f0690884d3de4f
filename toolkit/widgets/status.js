// The line that says what is going on: a live region, which must stay in the page while its text
// changes or a screen reader says nothing. It also sets the language of the panel around it, and
// keeps JupyterLab's one-key shortcuts (a, b, x, d d ...) from firing while the panel has focus.
// Plotly's widget draws before it is in the page and so does not know its width; it is told here.

const PANEL = '.dz-workbench, .dz-inquiry, .dz-forge'; // the nearest: one may stand in another

function guard(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

function fitCharts() {
  requestAnimationFrame(() => window.dispatchEvent(new Event('resize')));
}

// The answer to what was asked comes into view, and stays while the panel grows round it, until the
// user does anything.
const SETTLED_MS = 20_000;

function reveal(panel, signal) {
  if (!panel) return;
  const done = new AbortController();
  const show = () => panel.scrollIntoView({ block: 'start' });
  const sizes = new ResizeObserver(show);
  sizes.observe(panel);
  const late = setTimeout(() => done.abort(), SETTLED_MS);
  done.signal.addEventListener('abort', () => { sizes.disconnect(); clearTimeout(late); });
  for (const name of ['wheel', 'pointerdown', 'keydown', 'touchstart']) {
    document.addEventListener(name, () => done.abort(), { signal: done.signal, capture: true });
  }
  signal?.addEventListener('abort', () => done.abort());
  show();
}

function render({ model, el, signal }) {
  const line = document.createElement('div');
  line.setAttribute('role', 'status');
  line.setAttribute('aria-live', 'polite');
  el.append(line);

  const showText = () => { line.textContent = model.get('text'); };
  const showLanguage = () => { el.closest(PANEL)?.setAttribute('lang', model.get('lang')); };
  model.on('change:text', showText);
  model.on('change:lang', showLanguage);
  const showPanel = () => reveal(el.closest(PANEL), signal);
  model.on('change:reveal', showPanel);
  document.addEventListener('plotlywidget-after-render', fitCharts, { signal });
  showText();

  // the panel is put around this line only after render returns
  const frame = requestAnimationFrame(() => {
    showLanguage();
    el.closest(PANEL)?.addEventListener('keydown', guard, { signal });
  });
  return () => {
    cancelAnimationFrame(frame);
    model.off('change:text', showText);
    model.off('change:lang', showLanguage);
    model.off('change:reveal', showPanel);
  };
}

export default { render };

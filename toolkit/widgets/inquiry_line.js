// The line that says what is going on with the questions: a live region. It also gives the panel
// around it its language, keeps JupyterLab's one-key shortcuts from firing inside, and tells
// Plotly, which draws before it is in the page, to look at its width again.

const PANEL = '.dz-inquiry';

function guard(event) {
  if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
}

function fitCharts() {
  requestAnimationFrame(() => window.dispatchEvent(new Event('resize')));
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
  };
}

export default { render };

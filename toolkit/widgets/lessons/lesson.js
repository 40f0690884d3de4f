// Shows nothing. Keeps JupyterLab's one-key shortcuts (a, b, x, d d ...) from firing while a control
// of a lesson has the focus; they are heard at the document, after this.

const PANELS = '.dz-lesson, .dz-forge';

function guard(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target instanceof Element && event.target.closest(PANELS)) event.stopPropagation();
}

function render({ el, signal }) {
  el.style.display = 'none';
  document.body.addEventListener('keydown', guard, { signal });
}

export default { render };

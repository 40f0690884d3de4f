// The analysed clips as a list of buttons: picture, name, what the detector said, when. Texts come
// from the kernel and are set as text, never as HTML; dates are written as the reader writes them.

function when(seconds, lang) {
  const form = new Intl.DateTimeFormat(lang, { dateStyle: 'medium', timeStyle: 'short' });
  return form.format(new Date(1000 * seconds));
}

function part(tag, className, text) {
  const element = document.createElement(tag);
  element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

function card(item, lang, isOpen) {
  const button = part('button', 'dz-clip');
  button.type = 'button';
  button.dataset.name = item.name;
  if (isOpen) button.setAttribute('aria-current', 'true');
  const picture = item.picture ? part('img', 'dz-clip-face') : part('span', 'dz-clip-face', '?');
  if (item.picture) {
    picture.src = item.picture;
    picture.alt = '';
  } else {
    picture.setAttribute('aria-hidden', 'true');
  }
  const words = part('span', 'dz-clip-words');
  const title = part('span', 'dz-clip-title', item.title);
  title.title = item.title;
  const chip = part('span', `dz-chip dz-chip-${item.kind}`);
  const sign = part('span', '', item.sign);
  sign.setAttribute('aria-hidden', 'true');
  chip.append(sign, ` ${item.said}`);
  const time = part('time', 'dz-clip-when', `${item.detector} · ${when(item.kept_at, lang)}`);
  time.dateTime = new Date(1000 * item.kept_at).toISOString();
  words.append(title, chip, time);
  button.append(picture, words);
  const entry = document.createElement('li');
  entry.append(button);
  return entry;
}

function render({ model, el, signal }) {
  const list = part('ul', 'dz-clips');
  list.setAttribute('role', 'list');  // Safari drops the role of a list without bullets
  el.append(list);

  function show() {
    const focused = list.contains(document.activeElement) && document.activeElement.dataset.name;
    const [lang, open] = [model.get('lang'), model.get('current')];
    list.replaceChildren(...model.get('items').map((i) => card(i, lang, i.name === open)));
    list.setAttribute('aria-label', model.get('label'));
    if (focused) list.querySelector(`[data-name="${CSS.escape(focused)}"]`)?.focus();
  }
  const names = ['items', 'lang', 'current', 'label'].map((n) => `change:${n}`).join(' ');
  model.on(names, show);
  list.addEventListener('click', (event) => {
    const name = event.target.closest('button')?.dataset.name;
    if (name) model.send({ open: name });
  }, { signal });
  show();
  return () => model.off(names, show);
}

export default { render };

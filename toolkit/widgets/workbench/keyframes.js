// The key frames as a list of buttons: the face, the same with the evidence laid over it, and the
// caption. A click says which moment was meant; the one nearest to what is on screen is marked.

function image(source, alt) {
  const picture = document.createElement('img');
  picture.src = source;
  picture.alt = alt;
  return picture;
}

function card(item, alsoAlt) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'dz-key-frame';
  button.dataset.position = item.position;
  button.classList.toggle('dz-comparison', item.is_comparison);
  button.append(image(item.face, item.alt));
  if (item.heat) button.append(image(item.heat, alsoAlt));
  const caption = document.createElement('span');
  caption.textContent = item.caption;
  button.append(caption);
  const entry = document.createElement('li');
  entry.append(button);
  return entry;
}

function render({ model, el, signal }) {
  const list = document.createElement('ul');
  list.className = 'dz-strip';
  list.setAttribute('role', 'list');  // Safari drops the role of a list without bullets
  el.append(list);

  function mark() {
    for (const button of list.querySelectorAll('button')) {
      const isShown = Number(button.dataset.position) === model.get('current');
      if (isShown) button.setAttribute('aria-current', 'true');
      else button.removeAttribute('aria-current');
    }
  }
  function show() {
    list.replaceChildren(...model.get('items').map((i) => card(i, model.get('heat_alt'))));
    list.setAttribute('aria-label', model.get('label'));
    mark();
  }
  model.on('change:items', show);
  model.on('change:current', mark);
  list.addEventListener('click', (event) => {
    const position = event.target.closest('button')?.dataset.position;
    if (position !== undefined) model.send({ position: Number(position) });
  }, { signal });
  show();
  return () => {
    model.off('change:items', show);
    model.off('change:current', mark);
  };
}

export default { render };

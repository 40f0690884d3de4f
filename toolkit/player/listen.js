// This part: what the user's hands do, and what the model says.

import { layout } from './charts.js';
import { clock, fill, number } from './numbers.js';

const DRAG_PX = 4; // less is a click

export function listenToPicture(player, stage) {
  const { canvas } = stage;
  const name = (found) => player.text.regions[found.region];
  canvas.addEventListener('pointermove', (event) => {
    const found = stage.regionUnder(event);
    canvas.style.cursor = found ? 'pointer' : 'default';
    stage.showTip(event, found ? name(found) : '');
    player.hover(found && { person: found.person, region: found.region });
  });
  canvas.addEventListener('pointerleave', () => { stage.tip.hidden = true; player.hover(null); });
  canvas.addEventListener('click', (event) => {
    const found = stage.regionUnder(event);
    if (!found) { player.toggle(); return; }
    player.main.video.pause();
    if (player.active !== found.person) player.choosePerson(found.person);
    player.chooseRegion(found.region);
    player.write();
    player.model.send?.({
      type: 'region', region: found.region, person: found.person, position: found.position,
      frame: stage.shown, side: stage.side,
    });
  });
}

// Hover shows what lies there; press and drag goes there, or marks a stretch of the lane where one
// is asked for. `find` tells what a height stands for.
export function listenToPlot(player, { plot, ghost, tip, marked }, find) {
  let isDragging = false;
  let pressed = null; // where the pointer went down, while a stretch may be marked
  const where = (event) => {
    const around = plot.getBoundingClientRect();
    const [x, y] = [event.clientX - around.left, event.clientY - around.top];
    const found = find(y);
    const box = layout(player.width, player.scenes[0], player.offsets[found.side]);
    return { x, y, around, ...found, time: box.time(x), isInside: x >= box.left && x <= box.right, box };
  };
  const go = (at) => {
    if (at.x < at.box.left) return;
    player.seek(player.scenes[0].frameOf(at.time - player.offsets[at.side]));
  };
  plot.addEventListener('pointerdown', (event) => {
    const at = where(event);
    player.main.video.pause();
    if (at.person && at.person.person !== player.active) player.choosePerson(at.person.person);
    if (at.region) player.chooseRegion(at.region);
    if (marked && player.isMarking && at.x >= at.box.left) pressed = at;
    go(at);
    isDragging = true;
    plot.setPointerCapture(event.pointerId);
  });
  plot.addEventListener('pointermove', (event) => {
    const at = where(event);
    if (isDragging) go(at);
    if (pressed && Math.abs(at.x - pressed.x) > DRAG_PX) player.mark(pressed.time, at.time);
    ghost.hidden = !at.isInside;
    ghost.style.transform = `translateX(${at.x}px)`;
    tip.textContent = tipText(player, at);
    tip.hidden = !tip.textContent;
    const x = Math.max(0, Math.min(at.x + 12, at.around.width - tip.offsetWidth - 4));
    tip.style.transform = `translate(${x}px, ${Math.max(0, at.y - 34)}px)`;
    if (at.region) player.hover({ person: at.person?.person, region: at.region });
    else player.hover(null);
  });
  const end = (event) => {
    if (!isDragging) return;
    isDragging = false;
    player.write();
    // a click goes there and marks nothing
    if (pressed && Math.abs(where(event).x - pressed.x) > DRAG_PX) player.tellMarked();
    pressed = null;
  };
  plot.addEventListener('pointerup', end);
  plot.addEventListener('pointercancel', end);
  plot.addEventListener('pointerleave', () => { ghost.hidden = tip.hidden = true; player.hover(null); });
}

function tipText(player, { person, side, region, time, isInside }) {
  if (!person || !isInside) return region ? player.text.regions[region] : '';
  const { text: words } = player;
  const when = clock(time, 2, words.decimal);
  const m = person.starts.findLastIndex((start) => start <= time);
  if (m < 0 || time > person.ends[m]) return when;
  const show = (value, digits) => number(value, digits, words.decimal, { signed: true });
  if (!region) return `${when}  ${fill(words.evidence, { logit: show(person.logits[m], 2), gap: gapText(player, person, m) })}`;
  const r = player.scenes[side].players.indexOf(region);
  return `${when}  ${fill(words.share_moment, { region: words.regions[region], share: show(person.moments[m * 11 + r], 2) })}`;
}

function gapText(player, person, m) {
  const gap = person.logits[m] - person.threshold;
  return fill(gap >= 0 ? player.text.above : player.text.below,
    { gap: number(Math.abs(gap), 2, player.text.decimal) });
}

export function listen(player) {
  const { figure, model } = player;
  const on = (target, name, action, isCapture = false) => {
    target.addEventListener(name, action, isCapture);
    player.endings.push(() => target.removeEventListener(name, action, isCapture));
  };
  on(figure, 'keydown', (event) => onKey(player, event));
  // A click beside a control gives the player the keys; JupyterLab would take them otherwise.
  on(figure, 'click', (event) => {
    if (!event.target.closest('button, input, select, summary, a, [tabindex="0"]')) {
      figure.focus({ preventScroll: true });
    }
  });
  suppressShortcuts(player);
  player.darkness = matchMedia('(prefers-color-scheme: dark)');
  const retheme = () => player.retheme();
  on(player.darkness, 'change', retheme);
  const themes = new MutationObserver(retheme);
  // The theme's style sheet may come after its name.
  on(document, 'load', (event) => { if (event.target.tagName === 'LINK') retheme(); }, true);
  themes.observe(document.body, { attributes: true, attributeFilter: ['data-jp-theme-name', 'class'] });
  const sizes = new ResizeObserver(() => requestAnimationFrame(() => {
    player.stages.forEach((stage) => stage.resize());
    if (Math.floor(player.lanes.plot.clientWidth) !== player.width) { player.drawCharts(); player.showMoment(); }
  }));
  sizes.observe(figure);
  player.stages.forEach((stage) => sizes.observe(stage.canvas));
  player.endings.push(() => themes.disconnect(), () => sizes.disconnect());
  const changes = {
    frame: () => { if (model.get('frame') !== player.frame) player.seek(model.get('frame')); },
    person: () => {
      const name = model.get('person');
      if (name && name !== player.active) player.choosePerson(name);
    },
    region: () => { if (model.get('region') !== player.state.region) player.chooseRegion(model.get('region')); },
    strings: () => player.retranslate(),
    marking: () => player.showMarked(),
    marked: () => player.showMarked(),
    offset_s: () => { player.offset = model.get('offset_s'); player.drawCharts(); player.follow(player.frame); },
  };
  for (const [name, action] of Object.entries(changes)) {
    model.on(`change:${name}`, action);
    player.endings.push(() => model.off(`change:${name}`, action));
  }
}

// JupyterLab's shortcuts leave alone what carries this mark, each focusable element by itself.
function suppressShortcuts(player) {
  for (const one of [player.figure, ...player.figure.querySelectorAll('button, input, select, summary')]) {
    one.dataset.lmSuppressShortcuts = 'true';
  }
}

// No key leaves the player, but for those with Ctrl, Cmd or Alt.
function onKey(player, event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  event.stopPropagation();
  const { target, key } = event;
  const isSlider = target.matches('input[type=range]') && target !== player.scrub;
  const isPressed = target.matches('button, summary, input[type=checkbox], select');
  const isScrolled = target.matches('.dzp-scroll');
  const keys = {
    Escape: () => {
      if (!player.help.hidden) player.toggleHelp(false);
      else document.activeElement?.blur();
    },
    '?': () => player.toggleHelp(),
    ',': () => player.user(() => player.seek(player.frame - 1)),
    '.': () => player.user(() => player.seek(player.frame + 1)),
    h: () => player.heatBox.click(),
    r: () => player.outlineBox.click(),
    p: () => player.stepPerson(),
  };
  if (player.isMarking) {
    keys['['] = () => player.markFrom(0);
    keys[']'] = () => player.markFrom(1);
  }
  if (!isPressed) keys[' '] = () => player.toggle();
  if (!isSlider && !isScrolled) {
    Object.assign(keys, {
      ArrowLeft: () => (event.shiftKey ? player.stepMoment(-1) : keys[',']()),
      ArrowRight: () => (event.shiftKey ? player.stepMoment(1) : keys['.']()),
      ArrowUp: () => player.stepRegion(-1),
      ArrowDown: () => player.stepRegion(1),
      Home: () => player.user(() => player.seek(0)),
      End: () => player.user(() => player.seek(player.scenes[0].last)),
    });
  }
  const action = keys[key.length === 1 ? key.toLowerCase() : key];
  if (!action || (target.matches('select') && key !== 'Escape')) return; // letters choose there
  event.preventDefault();
  action();
}

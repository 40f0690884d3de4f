// This part: the player itself. It holds what is chosen (frame, person, region), and whatever the
// user touches, all else follows. State for tests and styles stands on the figure as data-*.

import { barsSvg, escapeXml, iconSvg, lanesSvg, layout, legendSvg, matrixSvg, ROW, shortName, waterfall } from './charts.js';
import { frameAt } from './clock.js';
import { heatTable } from './colour.js';
import { make } from './dom.js';
import { listen } from './listen.js';
import { clock, fill, number } from './numbers.js';
import { Panel } from './panel.js';
import { openScene, place } from './scene.js';
import { chartTable, keep, keepChart } from './tables.js';

let made = 0; // makes the ids in a page unique

class Player extends Panel {
  constructor(model, el) {
    super();
    this.model = model;
    this.id = `dzp${(made += 1)}`;
    this.scenes = (model.get('scenes') ?? []).map(openScene);
    this.offset = model.get('offset_s') ?? 0;
    this.state = {
      persons: this.scenes.map((scene) => this.firstPerson(scene)), region: model.get('region') ?? '',
      hover: null, scope: 'whole', heat: true, opacity: 0.7, map: 'signed', outlines: false,
      stretch: false, hold: false, rate: 1,
    };
    this.active = this.state.persons.find((name) => name === model.get('person'))
      ?? this.state.persons.find(Boolean) ?? '';
    this.isAlive = true;
    this.endings = [];
    this.said = [];
    this.figure = make('figure', 'dz-player', el, { tabIndex: -1 });
    this.figure.dataset.sides = this.scenes.length;
    this.figure.hidden = !this.scenes.length;
    if (!this.scenes.length) return;
    this.words = model.get('strings');
    this.nameScenes();
    this.build();
    listen(this);
    this.retheme();
    this.showSelection();
    this.stages.forEach((stage) => stage.load(this.urls[stage.side]));
  }

  firstPerson(scene) {
    const asked = this.model.get('person');
    return scene.person(asked)?.person ?? scene.person(scene.speaks)?.person
      ?? scene.persons[0]?.person ?? '';
  }

  get main() { return this.stages[0]; }
  get frame() { return this.main.target; }
  person(side) { return this.scenes[side].person(this.state.persons[side]); }

  // -- what is said and shown

  nameScenes() {
    this.scenes.forEach((scene, side) => { scene.label = this.words[side].label; });
  }

  retranslate() {
    this.words = this.model.get('strings');
    this.nameScenes();
    this.said.forEach((apply) => apply());
    this.drawCharts();
    this.showMoment();
    this.showSelection();
  }

  // JupyterLab says which theme it has through its colours; a page by itself follows the system.
  retheme() {
    const { figure } = this;
    const paper = getComputedStyle(figure).getPropertyValue('--jp-layout-color1').trim();
    figure.dataset.theme = (paper ? isDark(paper) : this.darkness.matches) ? 'dark' : 'light';
    const style = getComputedStyle(figure);
    const ink = {};
    for (const name of ['ink', 'soft', 'line', 'panel', 'page', 'for', 'against', 'focus']) {
      ink[name] = style.getPropertyValue(`--dzp-${name}`).trim();
    }
    if (!ink.page) { // the style sheet is not there yet, or the figure is not in the page
      requestAnimationFrame(() => this.isAlive && this.retheme());
      return;
    }
    this.ink = ink;
    this.drawCharts();
    this.showMoment();
  }

  chartOptions() {
    return {
      id: this.id, ink: this.ink, words: this.text,
      selected: (side, person) => this.names.length > 1 && this.state.persons[side] === person,
    };
  }

  get offsets() { return this.scenes.map((_, side) => (side ? this.offset : 0)); }

  drawCharts() {
    this.matrices.forEach(({ section }, side) => { section.hidden = !this.person(side)?.has_shares; });
    const width = Math.floor(this.lanes.plot.clientWidth);
    if (!width || !this.ink) return;
    this.width = width;
    this.lanes.drawing.innerHTML = lanesSvg(this.scenes, this.offsets, width, this.chartOptions());
    this.lanes.drawing.firstElementChild.setAttribute('class', 'dzp-lanes');
    this.matrices.forEach((matrix, side) => {
      const person = this.person(side);
      if (matrix.section.hidden) return;
      const box = layout(width, this.scenes[0], this.offsets[side]);
      matrix.drawing.innerHTML = matrixSvg(person, this.scenes[side], box, this.chartOptions());
      const drawn = matrix.drawing.firstElementChild;
      drawn.setAttribute('class', 'dzp-matrix');
      drawn.dataset.side = side;
    });
    this.drawLegend();
    this.showMarked();
  }

  // -- a stretch of the video that the user marks on the lane, where one is asked for

  get isMarking() { return Boolean(this.model.get('marking')); }
  get marked() { return this.model.get('marked') ?? []; }

  mark(one, other) {
    const { start_s: start, end_s: end } = this.scenes[0];
    const inside = (seconds) => Math.round(100 * Math.min(end, Math.max(start, seconds))) / 100;
    this.model.set('marked', [inside(Math.min(one, other)), inside(Math.max(one, other))]);
    this.showMarked();
  }

  tellMarked() { this.model.save_changes(); }

  // The start (0) or the end (1) at the moment on screen: the way without a pointer.
  markFrom(side) {
    const now = this.scenes[0].timeOf(this.frame);
    const [start, end] = this.marked.length ? this.marked : [this.scenes[0].start_s, this.scenes[0].end_s];
    if (side) this.mark(Math.min(start, now), now);
    else this.mark(now, Math.max(now, end));
    this.tellMarked();
  }

  showMarked() {
    const { marked } = this.lanes;
    const [start, end] = this.marked;
    const box = layout(this.width ?? 600, this.scenes[0], 0);
    this.markHint.hidden = !this.isMarking;
    this.figure.dataset.marking = this.isMarking ? '1' : '0';
    marked.hidden = !this.isMarking || !(end > start);
    if (marked.hidden) return;
    marked.style.left = `${box.x(start)}px`;
    marked.style.width = `${Math.max(2, box.x(end) - box.x(start))}px`;
    marked.title = fill(this.text.marked, {
      start: clock(start, 1, this.text.decimal), end: clock(end, 1, this.text.decimal),
    });
  }

  drawLegend() {
    const people = this.scenes.flatMap((s) => s.persons);
    const kinds = ['curve', 'threshold', people.some((p) => p.keys.length) && 'key',
      people.some((p) => p.intervals.length) && 'forged', this.scenes.some((s) => s.cuts.length) && 'cut',
      'unseen', people.some((p) => p.abstained) && 'abstained'].filter(Boolean);
    this.legend.setAttribute('aria-label', this.text.legend);
    this.legend.innerHTML = kinds.map((kind) =>
      `<li>${legendSvg(kind, this.id, this.ink)} ${escapeXml(this.text[`sign_${kind}`])}</li>`).join('');
  }

  // What a frame's score is, in words, and in numbers for the tooltip and for screen readers.
  evidence(side, n) {
    const [scene, person, words] = [this.scenes[side], this.person(side), this.text];
    if (!person) return { text: '', exact: '', judged: '' };
    const row = person.rows[n];
    if (row < 0) {
      const seen = place(person.boxes, n);
      const text = seen ? words.unjudged : words.unseen;
      return { text, exact: text, judged: '' };
    }
    const gap = person.logits[row] - person.threshold;
    const size = number(Math.abs(gap), 2, words.decimal);
    const exact = fill(words.evidence, {
      logit: number(person.logits[row], 2, words.decimal, { signed: true }),
      gap: fill(gap >= 0 ? words.above : words.below, { gap: size }),
    });
    const text = fill(words.this_picture, {
      time: clock(scene.timeOf(n), 1, words.decimal), side: gap >= 0 ? words.is_above : words.is_below,
    });
    const when = clock(person.times[row], 2, words.decimal);
    return { row, text, exact, judged: person.frames[row] === n ? words.judged : fill(words.near, { time: when }) };
  }

  // All that depends on the frame.
  showMoment() {
    if (!this.ink) return;
    const { text: words } = this;
    const n = Math.max(0, this.main.shown);
    const when = clock(this.scenes[0].timeOf(n), 2, words.decimal);
    const where = fill(words.where, { n, last: this.scenes[0].last, time: when });
    const said = this.scenes.map((scene, side) => {
      const at = Math.max(0, this.stages[side].shown);
      return { side, at, ...this.evidence(side, at) };
    });
    this.scrub.value = this.main.target;
    this.time.textContent = when;
    const verdict = (side) => (this.person(side)?.abstained ? `${words.sign_abstained}; ` : '');
    const spoken = said.map(({ side, exact }) => {
      const who = this.state.persons[side] ? fill(words.person, { person: this.state.persons[side] }) : '';
      return [this.scenes[side].label, who, verdict(side) + exact].filter(Boolean).join(': ');
    });
    this.scrub.setAttribute('aria-valuetext', [where, ...spoken].join(', '));
    this.stages.forEach((stage, side) => stage.canvas.setAttribute('aria-label', spoken[side] || words.figure));
    said.forEach(({ side, at, row, judged, text, exact }) => {
      const { now } = this.stages[side];
      now.evidence.textContent = verdict(side) + text;
      now.evidence.title = exact;
      const place = side ? clock(this.scenes[side].timeOf(at), 2, words.decimal) : where;
      now.judged.textContent = [place, judged].filter(Boolean).join(' · ');
      now.share.textContent = this.shares(side, row);
    });
    const box = layout(this.width ?? 600, this.scenes[0], 0);
    const x = box.x(this.scenes[0].timeOf(n));
    for (const { head } of [this.lanes, ...this.matrices]) head.style.transform = `translateX(${x}px)`;
    if (this.state.scope === 'moment') this.showBars();
    this.figure.dataset.draws = this.stages.reduce((sum, stage) => sum + stage.draws, 0);
    this.figure.dataset.frame = this.main.shown;
  }

  // What the chosen or pointed-at region carries, at a moment and in all.
  shares(side, row) {
    const { text: words } = this;
    const [scene, person] = [this.scenes[side], this.person(side)];
    const region = this.state.hover?.region || this.state.region;
    const r = scene.players.indexOf(region);
    if (!person?.has_shares) return '';
    if (r < 0) return words.hint;
    const show = (value) => number(value, 2, words.decimal, { signed: true });
    const name = words.regions[region];
    const whole = show(person.totals[r]);
    if (!(row >= 0)) return fill(words.share_whole, { region: name, whole });
    return fill(words.share_both, { region: name, whole, moment: show(person.moments[row * 11 + r]) });
  }

  // What each row of a side carries, of the whole video or of the frame on screen; null = nothing.
  divided(side) {
    const person = this.person(side);
    if (!person?.has_shares) return null;
    if (this.state.scope === 'whole') return person.totals;
    const row = person.rows[Math.max(0, this.stages[side].shown)];
    return row < 0 ? null : person.moments.subarray(row * 11, row * 11 + 11);
  }

  waterfalls() {
    return this.scenes.map((scene, side) => {
      const values = this.divided(side);
      return values && waterfall(this.person(side), scene, values);
    });
  }

  showBars() {
    const { scope } = this.state;
    const { text: words } = this;
    const has = this.scenes.map((_, side) => Boolean(this.person(side)?.has_shares));
    const steps = this.waterfalls();
    const limits = this.scenes.map((_, side) => (has[side] ? this.person(side).threshold : null));
    const ends = [...steps.flat().filter(Boolean).flatMap((s) => [s.from, s.to]), ...limits.filter((v) => v !== null)];
    const [low, high] = [Math.min(0, ...ends), Math.max(0, ...ends, Math.min(0, ...ends) + 1e-6)];
    const part = (value) => 100 * (value - low) / (high - low);
    this.noShares.hidden = has.some(Boolean);
    this.barsExtra.hidden = !has.some(Boolean);
    this.sidesNote.hidden = !has.some(Boolean);
    const first = has.indexOf(true);
    this.sidesNote.textContent = first < 0 ? '' : fill(words.sides, {
      value: number(limits[first], 2, words.decimal, { signed: true }),
    });
    this.barRows.forEach(({ region, row, name, fills, limits: marks, values: shown }) => {
      row.hidden = !has.some(Boolean);
      if (region === 'start') name.textContent = this.person(Math.max(0, first))?.reference_kind === 'training_median' ? words.start : words.start_other;
      if (region === 'total') name.textContent = words[`total_${scope}`];
      const texts = fills.map((bar, side) => {
        const step = steps[side]?.find((s) => s.key === region);
        const isSum = region === 'start' || region === 'total';
        bar.className = `dzp-fill ${isSum ? 'dzp-sum' : step?.value < 0 ? 'dzp-against' : 'dzp-for'}`;
        bar.style.left = `${step ? part(Math.min(step.from, step.to)) : 0}%`;
        bar.style.width = `${step ? part(Math.max(step.from, step.to)) - part(Math.min(step.from, step.to)) : 0}%`;
        marks[side].hidden = limits[side] === null;
        marks[side].style.left = `${limits[side] === null ? 0 : part(limits[side])}%`;
        return has[side] ? number(step?.value ?? NaN, 2, words.decimal, { signed: true }) : '';
      });
      shown.textContent = texts.filter(Boolean).join(' | ');
    });
    this.scopes.forEach(([name, made]) => made.setAttribute('aria-pressed', String(name === scope)));
  }

  // The regions that add most come first, as in the chart over time.
  orderBars() {
    const side = Math.max(0, this.scenes.findIndex((_, i) => this.person(i)?.has_shares));
    const order = this.person(side)?.order;
    if (!order) return;
    const wanted = ['start', ...order.map((r) => this.scenes[side].rows[r]), 'total'];
    const now = [...this.barList.children].map((row) => this.barRows.find((b) => b.row === row).region);
    if (String(now) === String(wanted)) return;
    wanted.forEach((region) => this.barList.append(this.barRows.find((b) => b.region === region).row));
  }

  showSelection() {
    const { state, figure } = this;
    this.personButtons.forEach((made) =>
      made.setAttribute('aria-pressed', String(state.persons.includes(made.dataset.person))));
    this.barRows.forEach(({ region, row }) => {
      if (row.tagName !== 'BUTTON') return;
      row.setAttribute('aria-pressed', String(region === state.region));
      row.classList.toggle('dzp-hover', region === state.hover?.region);
    });
    this.matrices.forEach((matrix, side) => {
      const chosen = this.scenes[side].players.indexOf(state.hover?.region || state.region);
      const r = this.person(side)?.order.indexOf(chosen) ?? -1;
      matrix.band.hidden = r < 0 || chosen < 0;
      matrix.band.style.top = `${r * ROW}px`;
      matrix.band.style.height = `${ROW - 1}px`;
    });
    this.stages.forEach((stage, side) => {
      const hovered = state.hover && { person: state.hover.person ?? state.persons[side], region: state.hover.region };
      Object.assign(stage.look, { person: state.persons[side], region: state.region, hover: hovered });
    });
    figure.dataset.person = this.active;
    figure.dataset.region = state.region;
    this.restyle();
    this.orderBars();
    this.showBars();
    this.showMoment();
  }

  restyle() {
    const { state } = this;
    Object.assign(this.look, {
      heat: state.heat, opacity: state.opacity, stretch: state.stretch, table: heatTable(state.map),
      isSigned: state.map === 'signed', outlines: state.outlines,
    });
    this.stages.forEach((stage) => stage.draw());
  }

  showPlaying() {
    const playing = Boolean(this.stages && !this.main.video.paused);
    this.playButton.innerHTML = iconSvg(playing ? 'pause' : 'play');
    this.playButton.setAttribute('aria-label', playing ? this.text.pause : this.text.play);
    this.playButton.title = playing ? this.text.pause : this.text.play;
    this.figure.dataset.playing = playing ? '1' : '0';
  }

  toggleHelp(open = this.help.hidden) {
    this.help.hidden = !open;
    this.keysButton.setAttribute('aria-expanded', String(open));
  }

  toggleMore(open = this.tools.hidden) {
    this.tools.hidden = !open;
    this.moreButton.setAttribute('aria-expanded', String(open));
  }

  // -- what happens

  onReady() {
    if (!this.stages.every((stage) => stage.isReady)) return;
    this.stages.forEach((stage) => stage.resize());
    this.figure.dataset.ready = '1';
    this.seek(this.model.get('frame') ?? 0);
    if (this.scenes.length > 1) this.follow(this.frame);
  }

  onError(stage, message) {
    stage.failed = true;
    this.figure.dataset.error = message;
    stage.trouble.textContent = this.text.cannot_play;
    stage.trouble.hidden = false;
  }

  onFrame(side, n) {
    if (side === 0) this.follow(n);
    this.showMoment();
  }

  onPlay(playing) {
    this.showPlaying();
    if (!playing) {
      this.stages[1]?.video.pause();
      if (this.scenes.length > 1) this.follow(this.main.shown);
      if (this.touched) this.write();
    }
  }

  toggle() {
    const { video } = this.main;
    this.touched = true;
    if (video.paused) video.play().catch(() => this.showPlaying());
    else video.pause();
  }

  // Another frame, without telling the model.
  seek(n) {
    this.main.seek(n);
    this.scrub.value = this.main.target;
    this.showCannotSee();
  }

  // Where there is no picture, charts and numbers follow all the same.
  showCannotSee() {
    this.stages.filter((stage) => stage.failed && stage.wanted !== null)
      .forEach((stage) => stage.present(stage.wanted));
  }

  // The second picture follows the first by time; while both play, its speed is nudged.
  follow(n) {
    const [, second] = this.stages;
    if (!second || this.state.hold || n < 0) return;
    const scene = this.scenes[1];
    const seconds = this.scenes[0].timeOf(n) + this.offset - scene.start_s;
    const isOutside = seconds < -0.05 || seconds > scene.pts[scene.last] + 0.1;
    second.element.dataset.outside = isOutside ? '1' : '0';
    second.trouble.hidden = !isOutside && !second.failed;
    second.trouble.textContent = second.failed ? this.text.cannot_play : this.text.outside;
    if (this.main.video.paused || isOutside) {
      second.video.pause();
      second.seek(frameAt(scene.pts, seconds));
      return;
    }
    const late = second.video.currentTime - seconds;
    if (second.video.paused) second.video.play().catch(() => {});
    if (Math.abs(late) > 0.25) second.video.currentTime = seconds;
    second.video.playbackRate = this.state.rate * Math.min(1.2, Math.max(0.8, 1 - late));
  }

  choosePerson(name) {
    this.active = name;
    this.scenes.forEach((scene, side) => {
      if (scene.person(name)) this.state.persons[side] = name;
    });
    this.drawCharts();
    this.twins.forEach((fillTable) => fillTable());
    this.showSelection();
  }

  chooseRegion(region) {
    this.state.region = region;
    this.showSelection();
  }

  hover(found) {
    const before = this.state.hover;
    if (before?.region === found?.region && before?.person === found?.person) return;
    this.state.hover = found?.region ? found : null;
    this.showSelection();
  }

  // Tell the model; only the view that the user touched does so.
  write() {
    const { model, state } = this;
    model.set('frame', this.frame);
    model.set('person', this.active);
    model.set('region', state.region);
    model.save_changes();
  }

  user(action) {
    this.main.video.pause();
    action();
    this.write();
  }

  // To the next or previous moment that was judged.
  stepMoment(direction) {
    const side = this.scenes.findIndex((scene) => scene.person(this.active));
    if (side < 0) return;
    const { frames, times } = this.person(side);
    const ahead = [...frames.keys()].filter((m) => frames[m] >= 0)
      .map((m) => (side ? this.scenes[0].frameOf(times[m] - this.offset) : frames[m]));
    const found = direction > 0 ? ahead.find((f) => f > this.frame)
      : ahead.findLast((f) => f < this.frame);
    if (found !== undefined) this.user(() => this.seek(found));
  }

  stepPerson() {
    if (!this.names.length) return;
    this.choosePerson(this.names[(this.names.indexOf(this.active) + 1) % this.names.length]);
    this.write();
  }

  stepRegion(direction) {
    const { players } = this.scenes[0];
    const all = this.person(0)?.order.map((r) => players[r]).filter(Boolean) ?? players;
    const at = all.indexOf(this.state.region);
    this.chooseRegion(all[(at + direction + all.length + (at < 0 && direction < 0 ? 1 : 0)) % all.length]);
    this.write();
  }

  async download(chart, kind, side) {
    const options = this.chartOptions();
    const scenes = chart === 'matrix' ? [this.scenes[side]] : this.scenes;
    const persons = chart === 'matrix' ? [this.state.persons[side]] : this.state.persons;
    const table = chartTable(chart, scenes, { persons }, this.text);
    let markup = '';
    if (chart === 'lanes') markup = lanesSvg(this.scenes, this.offsets, 1000, options);
    if (chart === 'matrix') {
      const box = layout(1000, this.scenes[0], this.offsets[side]);
      markup = matrixSvg(this.person(side), this.scenes[side], box, options);
    }
    if (chart === 'bars') {
      const shown = this.waterfalls().filter(Boolean);
      const names = (key) => (key === 'start' ? this.text.start_other
        : key === 'total' ? this.text[`total_${this.state.scope}`] : shortName(key, this.text));
      const limits = this.scenes.map((_, at) => this.person(at)?.threshold).filter(Number.isFinite);
      markup = barsSvg(shown, names, limits, options);
    }
    await keepChart(kind, `doorzicht-${chart}`, markup, table);
  }

  savePicture() {
    const shots = this.stages.map((stage) => stage.snapshot());
    const canvas = document.createElement('canvas');
    canvas.width = shots.reduce((sum, shot) => sum + shot.width, 0);
    canvas.height = Math.max(...shots.map((shot) => shot.height));
    let x = 0;
    for (const shot of shots) {
      canvas.getContext('2d').drawImage(shot, x, 0);
      x += shot.width;
    }
    canvas.toBlob((blob) => keep(blob, `doorzicht-frame-${this.frame}.png`), 'image/png');
  }

  dispose() {
    this.isAlive = false;
    this.endings.forEach((end) => end());
    this.stages?.forEach((stage) => stage.dispose());
    new Set(this.urls).forEach((url) => URL.revokeObjectURL(url));
    this.figure.remove();
  }
}

function isDark(colour) {
  const pen = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
  pen.fillStyle = colour;
  pen.fillRect(0, 0, 1, 1);
  const [r, g, b] = pen.getImageData(0, 0, 1, 1).data;
  return 0.2126 * r + 0.7152 * g + 0.0722 * b < 128;
}

function render({ model, el, signal }) {
  let player = new Player(model, el);
  const show = () => { player.dispose(); player = new Player(model, el); };
  model.on('change:scenes', show);
  const end = () => { model.off('change:scenes', show); player.dispose(); };
  signal?.addEventListener('abort', end);
  return end;
}

export default { render };

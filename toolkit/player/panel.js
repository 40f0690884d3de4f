// This part: what the player is made of. Words are set through closures (`say`), so that another
// language replaces them and nothing else. `Player` says what happens when something is touched.

import { allLanes, iconSvg, LANE, LANE_GAP, ROW, shortName } from './charts.js';
import { heatTable } from './colour.js';
import { make } from './dom.js';
import { listenToPicture, listenToPlot } from './listen.js';
import { fill } from './numbers.js';
import { bytesOf } from './scene.js';
import { Stage } from './stage.js';
import { chartTable, tableElement } from './tables.js';

const RATES = [0.25, 0.5, 1, 2];

export class Panel {
  get text() { return this.words[0]; }

  say(apply) {
    this.said.push(apply);
    apply();
  }

  button(name, parent, icon, key, action) {
    const made = make('button', `dzp-${name}`, parent, { type: 'button' });
    if (icon) made.innerHTML = iconSvg(icon);
    this.say(() => {
      if (icon) made.title = this.text[key];
      if (icon) made.setAttribute('aria-label', this.text[key]);
      else made.textContent = this.text[key];
    });
    made.addEventListener('click', action);
    return made;
  }

  build() {
    const { figure } = this;
    this.say(() => {
      figure.lang = this.text.lang;
      figure.setAttribute('aria-label', this.text.figure);
    });
    const top = make('div', 'dzp-top', figure);
    const main = make('div', 'dzp-main', top);
    this.column = main;
    const aside = make('div', 'dzp-aside', top);
    this.buildPersons(aside);
    this.beside = make('div', '', aside); // what one picture says of the moment; two say it below
    this.buildPictures(make('div', 'dzp-pictures', main));
    this.buildControls(make('div', 'dzp-controls', main));
    this.buildLanes(make('section', 'dzp-chart', main));
    this.buildBars(make('section', 'dzp-chart', aside));
    this.help = this.buildHelp();
    this.matrices = this.scenes.map((scene, side) => this.buildMatrix(scene, side));
  }

  buildPictures(parent) {
    const { state } = this;
    this.look = {
      heat: true, opacity: state.opacity, stretch: false, table: heatTable('signed'), isSigned: true, contours: true,
      outlines: false, person: '', region: '', hover: null,
    };
    this.urls = [];
    this.stages = this.scenes.map((scene, side) => {
      // A comparison within one video sends it once.
      const bytes = bytesOf(scene.video);
      this.urls[side] = bytes.length || !side
        ? URL.createObjectURL(new Blob([bytes], { type: 'video/mp4' })) : this.urls[0];
      const look = side ? Object.create(this.look) : this.look; // the person may differ
      const stage = new Stage(scene, look, {
        ready: () => this.onReady(), frame: (_s, n) => this.onFrame(side, n),
        play: () => side || this.onPlay(true), pause: () => side || this.onPlay(false),
        error: (s, message) => this.onError(s, message),
      });
      stage.side = side;
      const holder = make('div', 'dzp-picture', parent);
      const caption = make('p', 'dzp-label', holder);
      holder.append(stage.element);
      const box = make('div', 'dzp-now', this.scenes.length > 1 ? holder : this.beside);
      stage.now = Object.fromEntries(['evidence', 'judged', 'share'].map((row) =>
        [row, make('p', `dzp-${row}`, box)]));
      const note = make('p', 'dzp-note', holder);
      this.say(() => {
        caption.textContent = this.words[side].label;
        caption.hidden = !this.words[side].label;
        note.textContent = [this.words[side].note, stage.isExact ? '' : this.text.inexact]
          .filter(Boolean).join(' ');
        note.hidden = !note.textContent;
        if (stage.failed) stage.trouble.textContent = this.text.cannot_play;
      });
      listenToPicture(this, stage);
      return stage;
    });
  }

  buildPersons(parent) {
    const group = make('div', 'dzp-persons', parent, { role: 'group' });
    this.say(() => group.setAttribute('aria-label', this.text.persons));
    const names = [...new Set(this.scenes.flatMap((s) => s.persons.map((p) => p.person)))];
    this.personButtons = names.map((name) => {
      const made = make('button', '', group, { type: 'button' });
      made.dataset.person = name;
      this.say(() => {
        made.textContent = fill(this.text.person, { person: name });
        made.title = this.words.map((w) => w.verdicts[name]).filter(Boolean).join(' ');
      });
      made.addEventListener('click', () => { this.choosePerson(name); this.write(); });
      return made;
    });
    this.names = names;
    group.hidden = names.length < 2;
  }

  // A heading with the downloads of a chart beside it.
  heading(parent, chart, side = 0) {
    const row = make('div', 'dzp-heading', parent);
    const title = make('h4', '', row);
    const extra = make('span', 'dzp-extra', row);
    const get = make('span', 'dzp-get', row, { role: 'group' });
    this.say(() => {
      const label = this.scenes.length > 1 && chart === 'matrix' ? this.words[side].label : '';
      title.textContent = [this.text[chart], label].filter(Boolean).join(' · ');
      get.setAttribute('aria-label', this.text.get);
    });
    for (const kind of ['png', 'svg', 'csv']) {
      const made = make('button', '', get, { type: 'button', textContent: kind.toUpperCase() });
      Object.assign(made.dataset, { chart, as: kind });
      this.say(() => {
        const label = fill(this.text.get_as, { chart: this.text[chart], kind: kind.toUpperCase() });
        made.setAttribute('aria-label', label);
        made.title = label;
      });
      made.addEventListener('click', () => this.download(chart, kind, side));
    }
    return extra;
  }

  // A chart in numbers; filled when it is opened, for it can be long.
  twin(parent, chart, side = null) {
    const details = make('details', 'dzp-tables', parent);
    const summary = make('summary', '', details);
    const fillTable = () => {
      details.querySelector('.dzp-scroll')?.remove();
      if (!details.open) return;
      const scenes = side === null ? this.scenes : [this.scenes[side]];
      const persons = side === null ? this.state.persons : [this.state.persons[side]];
      const table = chartTable(chart, scenes, { persons }, this.text);
      details.append(tableElement(table, `${this.text[chart]}: ${this.text.numbers}`));
    };
    details.addEventListener('toggle', fillTable);
    this.say(() => { summary.textContent = this.text.numbers; fillTable(); });
    (this.twins ??= []).push(fillTable);
  }

  buildBars(parent) {
    const extra = this.heading(parent, 'bars');
    this.barsExtra = extra;
    this.scopes = ['whole', 'moment'].map((scope) => {
      const made = this.button(`scope-${scope}`, extra, '', scope, () => {
        this.state.scope = scope;
        this.showBars();
      });
      return [scope, made];
    });
    const list = make('div', 'dzp-bars', parent);
    this.barList = list;
    const keys = ['start', ...this.scenes[0].rows, 'total'];
    this.barRows = keys.map((region) => {
      const isRegion = !['start', 'unsplit', 'total'].includes(region);
      const row = make(isRegion ? 'button' : 'div', `dzp-row dzp-row-${region}`, list);
      if (isRegion) {
        row.type = 'button';
        row.dataset.region = region;
        row.addEventListener('click', () => {
          this.chooseRegion(this.state.region === region ? '' : region);
          this.write();
        });
        row.addEventListener('pointerenter', () => this.hover({ region }));
        row.addEventListener('pointerleave', () => this.hover(null));
      }
      const name = make('span', 'dzp-name', row);
      const bars = make('span', 'dzp-track', row);
      const limits = this.scenes.map(() => make('span', 'dzp-limit', bars));
      const fills = this.scenes.map(() => make('span', 'dzp-fill', bars));
      const values = make('span', 'dzp-value', row);
      if (isRegion || region === 'unsplit') this.say(() => { name.textContent = shortName(region, this.text); });
      return { region, row, name, fills, limits, values };
    });
    this.sidesNote = make('p', 'dzp-note', parent);
    this.noShares = make('p', 'dzp-note', parent);
    this.say(() => { this.noShares.textContent = this.text.no_shares; });
    this.twin(parent, 'bars');
  }

  buildControls(parent) {
    const bar = make('div', 'dzp-bar', parent);
    const go = (frame) => () => this.user(() => this.seek(frame()));
    this.button('first', bar, 'first', 'first', go(() => 0));
    this.button('back', bar, 'back', 'back', go(() => this.frame - 1));
    this.playButton = make('button', 'dzp-play', bar, { type: 'button' });
    this.playButton.addEventListener('click', () => this.toggle());
    this.say(() => this.showPlaying());
    this.button('next', bar, 'next', 'next', go(() => this.frame + 1));
    this.button('last', bar, 'last', 'last', go(() => this.scenes[0].last));
    this.scrub = make('input', 'dzp-scrub', bar, {
      type: 'range', min: 0, max: this.scenes[0].last, step: 1, value: 0,
    });
    this.scrub.addEventListener('input', () => this.seek(Number(this.scrub.value)));
    this.scrub.addEventListener('change', () => this.write());
    this.time = make('output', 'dzp-time', bar);
    this.moreButton = this.button('more', bar, '', 'more', () => this.toggleMore());
    this.keysButton = this.button('keys', bar, '', 'keys', () => this.toggleHelp());
    this.keysButton.setAttribute('aria-expanded', 'false');
    this.tools = make('div', 'dzp-tools', parent, { hidden: this.scenes.length < 2 });
    this.buildTools(this.tools);
    this.toggleMore(!this.tools.hidden);
    this.say(() => this.scrub.setAttribute('aria-label', this.text.scrub));
  }

  buildTools(tools) {
    const { state } = this;
    const speed = this.choice(tools, 'speed', RATES.map((rate) => [String(rate), (words) =>
      fill(words.times, { rate: String(rate).replace('.', words.decimal) })]), '1');
    speed.addEventListener('change', () => {
      state.rate = Number(speed.value);
      this.stages.forEach(({ video }) => { video.playbackRate = state.rate; });
    });
    this.heatBox = this.tickBox(tools, 'heat', true, (on) => { state.heat = on; this.restyle(); });
    const opacity = make('input', 'dzp-opacity', this.field(tools, 'opacity'), {
      type: 'range', min: 0, max: 100, step: 5, value: 70,
    });
    opacity.addEventListener('input', () => {
      state.opacity = Number(opacity.value) / 100;
      this.restyle();
    });
    const map = this.choice(tools, 'map', ['signed', 'cividis', 'viridis'].map((name) =>
      [name, (words) => words[`map_${name}`]]), 'signed');
    map.addEventListener('change', () => { state.map = map.value; this.restyle(); });
    this.outlineBox = this.tickBox(tools, 'outlines', false, (on) => {
      state.outlines = on;
      this.restyle();
    });
    this.tickBox(tools, 'stretch', false, (on) => { state.stretch = on; this.restyle(); });
    if (this.scenes.length > 1) {
      this.holdBox = this.tickBox(tools, 'hold', false, (on) => {
        state.hold = on;
        if (!on) this.follow(this.frame);
      });
    }
    this.button('save', tools, '', 'save_picture', () => this.savePicture());
  }

  field(parent, key) {
    const label = make('label', 'dzp-field', parent);
    const name = make('span', '', label);
    this.say(() => { name.textContent = this.text[key]; });
    return label;
  }

  choice(parent, key, options, value) {
    const select = make('select', `dzp-${key}`, this.field(parent, key));
    for (const [name, words] of options) {
      const option = make('option', '', select, { value: name });
      this.say(() => { option.textContent = words(this.text); });
    }
    select.value = value;
    return select;
  }

  tickBox(parent, key, checked, action) {
    const label = make('label', 'dzp-field', parent);
    const box = make('input', `dzp-${key}`, label, { type: 'checkbox', checked });
    const name = make('span', '', label);
    this.say(() => { name.textContent = this.text[key]; });
    box.addEventListener('change', () => action(box.checked));
    return box;
  }

  buildHelp() {
    const help = make('section', 'dzp-help', this.figure, { hidden: true });
    this.say(() => {
      help.replaceChildren();
      make('h4', '', help, { textContent: this.text.keys });
      const list = make('dl', '', help);
      for (const [key, meaning] of this.text.keys_list) {
        const pair = make('div', '', list);
        make('dt', '', pair, { textContent: key });
        make('dd', '', pair, { textContent: meaning });
      }
      make('p', '', help, { textContent: this.text.hint });
    });
    return help;
  }

  plot(parent) {
    const plot = make('div', 'dzp-plot', parent);
    return {
      plot, drawing: make('div', '', plot), band: make('div', 'dzp-band', plot, { hidden: true }),
      head: make('div', 'dzp-head', plot), ghost: make('div', 'dzp-ghost', plot, { hidden: true }),
      tip: make('div', 'dzp-tip', plot, { hidden: true }),
    };
  }

  buildLanes(parent) {
    parent.hidden = !allLanes(this.scenes).length;
    this.heading(parent, 'lanes');
    this.markHint = make('p', 'dzp-mark-hint', parent, { hidden: true });
    this.say(() => { this.markHint.textContent = this.text.mark_hint; });
    this.lanes = this.plot(parent);
    this.lanes.marked = make('div', 'dzp-marked', this.lanes.plot, { hidden: true });
    this.legend = make('ul', 'dzp-legend', parent);
    this.twin(parent, 'lanes');
    listenToPlot(this, this.lanes, (y) => {
      const every = allLanes(this.scenes);
      const at = Math.max(0, Math.min(every.length - 1, Math.floor(y / (LANE + LANE_GAP))));
      return { side: every[at]?.side ?? 0, person: every[at]?.person, region: null };
    });
  }

  buildMatrix(_scene, side) {
    const section = make('section', 'dzp-chart', this.column);
    this.heading(section, 'matrix', side);
    const matrix = this.plot(section);
    const note = make('p', 'dzp-note', section);
    this.say(() => { note.textContent = this.text.matrix_hint; });
    this.twin(section, 'matrix', side);
    listenToPlot(this, matrix, (y) => {
      const person = this.person(side);
      return { side, person, region: this.scenes[side].players[person?.order[Math.floor(y / ROW)]] ?? null };
    });
    return { ...matrix, section };
  }
}

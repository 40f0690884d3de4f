// This part: one video with its overlay. The overlay is drawn when the browser says which frame it
// presents (requestVideoFrameCallback); everything is drawn in pixels of the display copy.

import { frameAt, seekTime } from './clock.js';
import { contour, outline } from './colour.js';
import { make } from './dom.js';
import { place, regionAt } from './scene.js';

const CONTOUR_LEVEL = 0.35; // of the full colour
const UNSEEN_MS = 400; // how long to wait for the browser to present a frame after a seek
const DARK = '#10151a';
const LIGHT = '#ffffff';

export class Stage {
  // `look` is read at each drawing: {heat, opacity, stretch, table, contours, outlines, person,
  // region, hover}. `on` has the callbacks ready, frame, play, pause and error; each gets this stage.
  constructor(scene, look, on) {
    Object.assign(this, { scene, look, on });
    this.shown = -1;
    this.draws = 0;
    this.alive = true;
    this.wanted = null; // the frame that a running seek is to end at
    this.contours = new Map();
    this.element = document.createElement('div');
    this.element.className = 'dzp-stage';
    this.element.innerHTML = `<div class="dzp-frame"><video muted playsinline preload="auto"
      disablepictureinpicture tabindex="-1" aria-hidden="true"></video>
      <canvas class="dzp-overlay" role="img"></canvas><div class="dzp-tip" hidden></div></div>
      <p class="dzp-trouble" role="alert" hidden></p>`;
    this.video = this.element.querySelector('video');
    this.canvas = this.element.querySelector('canvas');
    this.tip = this.element.querySelector('.dzp-tip');
    this.trouble = this.element.querySelector('.dzp-trouble');
    const frame = this.element.querySelector('.dzp-frame');
    frame.style.aspectRatio = `${scene.width} / ${scene.height}`;
    // At most twice its size, and low enough that the lane under it is on the same screen.
    const tall = 'min(38vh, max(220px, 100vh - 540px))';
    frame.style.maxWidth = `min(${2 * scene.width}px, ${tall} * ${scene.width / scene.height})`;
    this.small = document.createElement('canvas');
    this.isExact = 'requestVideoFrameCallback' in HTMLVideoElement.prototype;
  }

  // A Blob URL can be sought in everywhere; an address whose server knows no ranges cannot.
  load(url) {
    const { video } = this;
    video.onloadeddata = () => { this.isReady = true; this.on.ready(this); };
    video.onerror = () => this.on.error(this, video.error?.message || 'video error');
    video.onseeked = () => {
      clearTimeout(this.late); // this may be told of an earlier seek, during a later one
      if (this.wanted !== null && this.wanted !== this.aimed) this.aim();
      else this.late = setTimeout(() => this.arrive(), UNSEEN_MS);
    };
    video.onplay = () => { this.wanted = null; this.on.play(this); };
    video.onpause = () => this.on.pause(this);
    const step = (_now, meta) => {
      if (!this.alive) return;
      this.present(frameAt(this.scene.pts, this.isExact ? meta.mediaTime : video.currentTime));
      this.again(step);
    };
    this.again(step);
    video.src = url;
  }

  again(step) {
    if (this.isExact) this.video.requestVideoFrameCallback(step);
    else requestAnimationFrame(step);
  }

  present(n) {
    if (n === this.wanted || (!this.video.paused && !this.video.seeking)) this.wanted = null;
    if (n === this.shown) return;
    this.shown = n;
    this.draw();
    this.on.frame(this, n);
  }

  // Where a running seek ends, or what is shown: what a step counts from.
  get target() { return this.wanted ?? Math.max(0, this.shown); }

  seek(n) {
    this.wanted = Math.max(0, Math.min(this.scene.last, n));
    if (!this.video.seeking) this.aim();
  }

  aim() {
    clearTimeout(this.late); // of an earlier seek: it would draw before this one is presented
    this.aimed = this.wanted;
    if (this.aimed === this.shown && this.video.paused) { this.wanted = null; return; }
    this.video.currentTime = seekTime(this.scene.pts, this.aimed);
  }

  // A video that is scrolled away presents nothing, so nothing would follow; once the seek is over,
  // its frame is the one that was aimed at.
  arrive() {
    const { video } = this;
    if (this.alive && this.wanted !== null && this.wanted === this.aimed && !video.seeking && video.paused) {
      this.present(this.aimed);
    }
  }

  dispose() {
    this.alive = false;
    clearTimeout(this.late);
    const { video } = this;
    for (const name of ['onloadeddata', 'onerror', 'onseeked', 'onplay', 'onpause']) video[name] = null;
    video.pause();
    video.removeAttribute('src');
    video.load();
  }

  // -- drawing

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const wide = Math.round(this.canvas.clientWidth * ratio);
    const tall = Math.round(this.canvas.clientHeight * ratio);
    if (!wide || (wide === this.canvas.width && tall === this.canvas.height)) return;
    [this.canvas.width, this.canvas.height] = [wide, tall];
    this.draw();
  }

  draw() {
    if (this.shown < 0) return;
    const { canvas, scene, look } = this;
    const pen = canvas.getContext('2d');
    const scale = canvas.width / scene.width;
    this.pixel = 1 / (canvas.clientWidth / scene.width || 1); // one CSS pixel, in picture pixels
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(scale, 0, 0, canvas.height / scene.height, 0, 0);
    for (const person of scene.persons) {
      const row = person.rows[this.shown];
      const square = place(person.squares, this.shown);
      if (row >= 0 && square) {
        if (look.heat && person.heat) this.drawHeat(pen, person, row, square);
        this.drawRegions(pen, person, row, square);
      }
      const box = place(person.boxes, this.shown);
      if (box) this.drawBox(pen, person, box, row >= 0 && person.frames[row] === this.shown);
    }
    this.draws += 1;
  }

  drawHeat(pen, person, row, [x, y, side]) {
    const [, tall, wide] = person.heat.shape;
    const values = person.heat.subarray(row * tall * wide, (row + 1) * tall * wide);
    if (this.small.width !== wide || this.small.height !== tall) {
      [this.small.width, this.small.height] = [wide, tall];
    }
    const brush = this.small.getContext('2d');
    const image = brush.createImageData(wide, tall);
    for (let i = 0; i < values.length; i += 1) {
      image.data.set(this.look.table.subarray(4 * values[i], 4 * values[i] + 4), 4 * i);
    }
    brush.putImageData(image, 0, 0);
    pen.save();
    const strength = this.look.stretch ? 1 : person.strength[row];
    pen.globalAlpha = this.look.opacity * strength;
    pen.imageSmoothingQuality = 'high';
    pen.drawImage(this.small, x, y, side, side);
    pen.restore();
    const isLoud = this.look.stretch || person.logits[row] >= person.threshold;
    if (this.look.contours && this.look.opacity > 0 && isLoud) {
      const lines = this.lines(`heat ${person.person} ${row}`, () => {
        const field = Float32Array.from(values, (b) => (b - 128) / 127);
        return [contour(field, wide, tall, CONTOUR_LEVEL),
          contour(field.map((v) => -v), wide, tall, CONTOUR_LEVEL)];
      });
      this.stroke(pen, lines[0], x, y, side / wide, side / tall, { over: '#7a2f00', under: LIGHT, width: 1.3 });
      if (this.look.isSigned) {
        this.stroke(pen, lines[1], x, y, side / wide, side / tall,
          { over: '#0f3f73', under: LIGHT, width: 1.3, dash: [4, 3] });
      }
    }
  }

  drawRegions(pen, person, row, [x, y, size]) {
    const { look, scene } = this;
    const side = person.map.shape[1];
    const map = person.map.subarray(row * side * side, (row + 1) * side * side);
    const chosen = person.person === look.person ? look.region : '';
    const hovered = look.hover?.person === person.person ? look.hover.region : '';
    scene.players.forEach((region, r) => {
      const isChosen = region === chosen;
      if (!isChosen && region !== hovered && !(look.outlines && r < scene.players.length - 1)) return;
      const lines = this.lines(`region ${person.person} ${row} ${r}`, () => outline(map, side, r));
      const width = isChosen ? 2.6 : region === hovered ? 2.4 : 1;
      const dash = isChosen || region !== hovered ? [] : [5, 3];
      this.stroke(pen, lines, x, y, size / side, size / side, { over: LIGHT, under: DARK, width, dash });
    });
  }

  // Contours are worked out once per moment; a bounded store, for long videos.
  lines(key, make) {
    let found = this.contours.get(key);
    if (!found) {
      if (this.contours.size > 600) this.contours.clear();
      found = make();
      this.contours.set(key, found);
    }
    return found;
  }

  // A line with an edge of the opposite lightness shows on any picture.
  stroke(pen, pieces, x, y, across, down, { over, under, width, dash = [] }) {
    if (!pieces.length) return;
    const path = new Path2D();
    for (const [x0, y0, x1, y1] of pieces) {
      path.moveTo(x + x0 * across, y + y0 * down);
      path.lineTo(x + x1 * across, y + y1 * down);
    }
    pen.save();
    pen.lineCap = 'round';
    pen.strokeStyle = under;
    pen.lineWidth = (width + 1.6) * this.pixel;
    pen.stroke(path);
    pen.strokeStyle = over;
    pen.lineWidth = width * this.pixel;
    pen.setLineDash(dash.map((d) => d * this.pixel));
    pen.stroke(path);
    pen.restore();
  }

  // A solid box is a frame that was judged; a dashed one lies between two that were.
  drawBox(pen, person, [x, y, wide, tall], isJudged) {
    const isChosen = person.person === this.look.person;
    const { pixel } = this;
    pen.save();
    pen.setLineDash([]);
    pen.strokeStyle = 'rgba(0, 0, 0, 0.6)';
    pen.lineWidth = (isChosen ? 4 : 3) * pixel;
    pen.strokeRect(x, y, wide, tall);
    pen.setLineDash(isJudged ? [] : [6 * pixel, 4 * pixel]);
    pen.strokeStyle = isChosen ? LIGHT : '#d5d9de';
    pen.lineWidth = (isChosen ? 2 : 1.2) * pixel;
    pen.strokeRect(x, y, wide, tall);
    const label = person.person;
    pen.font = `600 ${13 * pixel}px system-ui, sans-serif`;
    const room = pen.measureText(label).width + 10 * pixel;
    const top = y - 20 * pixel >= 0 ? y - 20 * pixel : y;
    pen.fillStyle = isChosen ? LIGHT : 'rgba(16, 21, 26, 0.85)';
    pen.fillRect(x - pixel, top, room, 20 * pixel);
    pen.fillStyle = isChosen ? DARK : LIGHT;
    pen.textBaseline = 'middle';
    pen.fillText(label, x + 4 * pixel, top + 10.5 * pixel);
    pen.restore();
  }

  // -- pointing

  point(event) {
    const around = this.canvas.getBoundingClientRect();
    return [((event.clientX - around.left) / around.width) * this.scene.width,
      ((event.clientY - around.top) / around.height) * this.scene.height];
  }

  regionUnder(event) {
    return this.shown < 0 ? null : regionAt(this.scene, this.shown, ...this.point(event));
  }

  showTip(event, words) {
    this.tip.hidden = !words;
    if (!words) return;
    const around = this.canvas.getBoundingClientRect();
    this.tip.textContent = words;
    const x = Math.min(event.clientX - around.left + 14, around.width - this.tip.offsetWidth - 4);
    const y = Math.min(event.clientY - around.top + 16, around.height - this.tip.offsetHeight - 4);
    this.tip.style.transform = `translate(${Math.max(4, x)}px, ${Math.max(4, y)}px)`;
  }

  // The picture with what lies on it, for a download.
  snapshot() {
    const canvas = document.createElement('canvas');
    [canvas.width, canvas.height] = [this.scene.width, this.scene.height];
    const pen = canvas.getContext('2d');
    pen.drawImage(this.video, 0, 0, canvas.width, canvas.height);
    pen.drawImage(this.canvas, 0, 0, canvas.width, canvas.height);
    return canvas;
  }
}

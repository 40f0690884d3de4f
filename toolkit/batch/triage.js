// The triage page: a table of any length, of which only the rows in view exist, and a chart.
// Rows come as columns (see triage.py); every text of a file is set as text, never as HTML.
"use strict";
(() => {
  const read = (id) => {
    const element = document.getElementById(id), content = JSON.parse(element.textContent);
    element.remove(); // its text is as large as the table
    return content;
  };
  const words = read("words"), data = read("rows"), n = data.n;
  const ROW = 34, AROUND = 8, $ = (id) => document.getElementById(id);
  const make = (tag, text, name) => {
    const element = document.createElement(tag);
    if (text !== undefined && text !== null) element.textContent = text;
    if (name) element.className = name;
    return element;
  };
  const number = (value, digits) => value === null ? "" : value.toLocaleString(
    words.language, {minimumFractionDigits: digits, maximumFractionDigits: digits}
  ).replace("-", "−");

  // --- what a row says

  const over = (i) => data.logit[i] === null ? null : data.logit[i] - data.threshold[i];
  const kind = (i) => data.status[i] ? "none"
    : data.abstained[i] ? "none" : data.forged[i] ? "forged" : "not-forged";
  const SIGNS = {forged: "▲", "not-forged": "●", none: "○"};
  const RANK = {forged: 0, "not-forged": 1, none: 2};
  const outcome = (i) => data.status[i] ? words.statuses[data.status[i]]
    : data.abstained[i] ? words.abstained : words[kind(i) === "forged" ? "forged" : "notForged"];
  const reason = (i) => data.reason[i] < 0 ? "" : data.reasons[data.reason[i]];
  const source = (i) => data.sources[data.source[i]];
  const path = (i) => data.folders[data.folder[i]] + data.name[i];
  const COLUMNS = [ // name, what to sort by, width, alignment
    ["face", null, "4rem", null],
    ["name", (i) => data.name[i], "17rem", "text"],
    ["outcome", (i) => RANK[kind(i)] * 8 + data.status[i], "12.5rem", "text"],
    ["score", (i) => data.logit[i], "8.5rem", null],
    ["over", over, "10rem", null],
    ["source", source, "10rem", "text"],
    ["face_px", (i) => data.face_px[i], "7rem", null],
    ["sharpness", (i) => data.sharpness[i], "8rem", null],
    ["persons", (i) => data.persons[i], "7rem", null],
    ["reason", reason, "16rem", "text"],
  ];

  // --- which rows, in which order

  let order = Uint32Array.from({length: n}, (_, i) => i), chosen = -1, faces = false;
  let sorting = {column: "over", down: true};
  const collator = new Intl.Collator(words.language, {numeric: true});
  const sort = () => {
    const value = COLUMNS.find((c) => c[0] === sorting.column)[1];
    const keys = new Array(n), sign = sorting.down ? -1 : 1;
    for (const i of order) keys[i] = value(i);
    let compare = (a, b) => keys[a] - keys[b];
    const first = order.length ? keys[order[0]] : 0;
    if (typeof first === "string") {
      // each text is ranked once: comparing texts is slow
      const all = [...new Set(order.length === n ? keys : [...order].map((i) => keys[i]))];
      const rank = new Map(all.sort(collator.compare).map((text, place) => [text, place]));
      for (const i of order) keys[i] = rank.get(keys[i]);
    }
    const missing = (i) => keys[i] === null;
    order.sort((a, b) => missing(a) - missing(b)
      || (missing(a) ? a - b : sign * compare(a, b) || a - b));
  };
  const filter = () => {
    const text = $("search").value.trim().toLowerCase(), wanted = $("outcome").value;
    const from = $("source").value;
    const kept = [];
    for (let i = 0; i < n; i++) {
      if (from !== "" && data.source[i] !== +from) continue;
      if (wanted === "abstained" ? data.status[i] || !data.abstained[i]
        : wanted === "forged" || wanted === "not-forged" ? kind(i) !== wanted
          : wanted !== "" && data.status[i] !== +wanted) continue;
      if (text && !path(i).toLowerCase().includes(text)) continue;
      kept.push(i);
    }
    order = Uint32Array.from(kept);
  };

  // --- the table

  const scroll = $("scroll"), body = $("body");
  const space = (height) => {
    const row = make("tr", null, "space"), cell = make("td");
    cell.colSpan = COLUMNS.length;
    cell.style.height = `${height}px`;
    row.ariaHidden = "true";
    row.append(cell);
    return row;
  };
  const picture = (i) => {
    if (!faces || !data.report[i]) return make("span", null, "cover");
    const image = make("img");
    image.src = `${address(i)}/face.jpg`;
    image.alt = "";
    return image;
  };
  const row = (i, place) => {
    const line = make("tr", null, i === chosen ? "chosen" : "");
    line.ariaRowIndex = String(place + 2);
    const cell = (content, name) => {
      const box = make("td", typeof content === "object" ? null : content, name);
      if (typeof content === "object" && content) box.append(content);
      line.append(box);
      return box;
    };
    const name = make("button", data.name[i]);
    name.type = "button";
    name.title = path(i);
    name.onclick = () => choose(i);
    cell(data.status[i] || !data.report[i] ? "" : picture(i));
    cell(name, "text");
    cell(`${SIGNS[kind(i)]} ${outcome(i)}`, `text ${kind(i)}`);
    cell(number(data.logit[i], 2));
    cell(over(i) === null ? "" : (over(i) >= 0 ? "+" : "") + number(over(i), 2));
    cell(source(i), "text");
    cell(number(data.face_px[i], 0));
    cell(number(data.sharpness[i], 0));
    cell(data.persons[i] ?? "");
    cell(reason(i), "text").title = reason(i);
    return line;
  };
  const draw = () => {
    const first = Math.max(0, Math.floor(scroll.scrollTop / ROW) - AROUND);
    // not the height of the frame: that grows with its rows
    const last = Math.min(order.length, first + Math.ceil(innerHeight / ROW) + 2 * AROUND);
    const rows = [space(first * ROW)];
    for (let place = first; place < last; place++) rows.push(row(order[place], place));
    rows.push(space((order.length - last) * ROW));
    body.replaceChildren(...rows);
  };
  const show = () => {
    $("table").ariaRowCount = String(order.length + 1);
    $("shown").textContent = words.shown
      .replace("{n}", number(order.length, 0)).replace("{total}", number(n, 0));
    for (const head of $("heads").children) {
      const is = head.dataset.column === sorting.column;
      head.ariaSort = is ? (sorting.down ? "descending" : "ascending") : null;
      const mark = head.querySelector("span");
      if (mark) mark.textContent = is ? (sorting.down ? " ▼" : " ▲") : "";
    }
    draw();
  };
  const heads = () => {
    for (const [column, value, width, name] of COLUMNS) {
      const head = make("th", null, name);
      head.scope = "col";
      head.style.width = width;
      head.dataset.column = column;
      if (value) {
        const button = make("button", words.columns[column]);
        button.type = "button";
        button.append(make("span"));
        button.onclick = () => {
          const again = sorting.column === column;
          sorting = {column, down: again ? !sorting.down : name !== "text"};
          sort();
          scroll.scrollTop = 0;
          show();
        };
        head.append(button);
      } else head.textContent = words.columns[column];
      $("heads").append(head);
    }
  };

  // --- one clip

  const address = (i) => `clips/${encodeURIComponent(data.report[i])}`;
  // within a Jupyter server this page is at .../files/PATH; notebooks open at .../lab/tree/PATH
  const served = /^(.*?)\/files\/(.*\/)?[^/]*$/.exec(location.pathname);
  const choose = (i) => {
    chosen = i;
    const panel = $("detail"), links = make("div", null, "links"), facts = make("dl");
    panel.hidden = false;
    panel.parentElement.classList.add("open");
    panel.replaceChildren(make("h2", data.name[i]));
    panel.append(make("p", `${SIGNS[kind(i)]} ${outcome(i)}`, kind(i)));
    if (reason(i)) panel.append(make("p", reason(i)));
    if (data.report[i]) {
      const cover = make("button", words.showFace), report = make("a", words.report);
      cover.type = "button";
      cover.onclick = () => {
        const image = make("img");
        image.src = `${address(i)}/face.jpg`;
        image.alt = words.face;
        cover.replaceWith(image);
      };
      report.href = `${address(i)}/report.html`;
      const book = make("a", served ? words.workbench : words.notebook);
      book.href = served
        ? `${served[1]}/lab/tree/${served[2] ?? ""}${address(i)}/workbench.ipynb`
        : `${address(i)}/workbench.ipynb`;
      report.target = book.target = "_blank";
      report.rel = book.rel = "noopener";
      links.append(report, book);
      const code = make("code", `toolkit.Workbench(toolkit.open_analysis(${
        JSON.stringify(`${data.out}/clips/${data.report[i]}`)}))`);
      const copy = make("button", words.copy);
      copy.type = "button";
      copy.onclick = () => {
        getSelection().selectAllChildren(code);
        const done = document.execCommand("copy");
        copy.textContent = done ? words.copied : words.copy;
      };
      panel.append(cover, links, make("p", words.inPython, "note"), code, copy);
    }
    for (const [name, value] of [
      [words.path, path(i)],
      [words.columns.source, source(i)],
      [words.person, data.person[i] ?? ""],
      [words.columns.score, number(data.logit[i], 4)],
      [words.threshold, number(data.threshold[i], 4)],
      [words.duration, data.duration_s[i] === null ? "" : `${number(data.duration_s[i], 1)} s`],
    ]) if (value !== "") facts.append(make("dt", name), make("dd", value));
    panel.append(facts);
    draw();
  };

  // --- the chart

  const POINTS = 3000, SOURCES = 8;
  const COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8a8a00",
    "#999999"];
  const MARKS = ["circle", "diamond", "square", "triangle-up", "cross", "star", "hexagon", "x"];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const chart = () => {
    const axis = $("axis").value, x = data[axis];
    const judged = [...order].filter((i) => x[i] !== null && data.logit[i] !== null);
    const step = Math.max(1, judged.length / POINTS), drawn = [];
    for (let k = 0; k < judged.length; k += step) drawn.push(judged[Math.floor(k)]);
    const count = new Map();
    for (const i of judged) count.set(data.source[i], (count.get(data.source[i]) ?? 0) + 1);
    const top = [...count].sort((a, b) => b[1] - a[1]).slice(0, SOURCES - 1).map((p) => p[0]);
    const place = (i) => { const k = top.indexOf(data.source[i]); return k < 0 ? top.length : k; };
    const traces = [];
    if (step > 1) traces.push(density(judged, x));
    for (let k = 0; k <= top.length; k++) {
      const mine = drawn.filter((i) => place(i) === k);
      if (!mine.length) continue;
      traces.push({
        type: "scatter", mode: "markers", name: k < top.length
          ? `${data.sources[top[k]] || words.noSource} (${number(count.get(top[k]), 0)})`
          : words.others,
        x: mine.map((i) => x[i]), y: mine.map((i) => data.logit[i]), customdata: mine,
        text: mine.map((i) => data.name[i]), hovertemplate: "%{text}<br>%{x:.0f}, %{y:.2f}",
        marker: {color: COLOURS[k], symbol: MARKS[k], size: 8, opacity: .85,
          line: {width: .5, color: css("--ink")}},
      });
    }
    const lines = [...new Set(judged.slice(0, 1000).map((i) => data.threshold[i]))].slice(0, 3);
    $("drawn").textContent = judged.length === 0 ? words.noPoints : step > 1
      ? words.sampled.replace("{n}", number(drawn.length, 0))
        .replace("{total}", number(judged.length, 0)) : "";
    const grid = {gridcolor: css("--line"), zerolinecolor: css("--line")};
    Plotly.react("chart", traces, {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: {color: css("--ink"), family: "system-ui, sans-serif", size: 13},
      margin: {l: 60, r: 20, t: 20, b: 50}, separators: words.language === "nl" ? ",." : ".,",
      xaxis: {...grid, title: {text: words.axes[axis]}},
      yaxis: {...grid, title: {text: words.columns.score}},
      legend: {orientation: "h", y: 1.08}, hovermode: "closest",
      shapes: lines.map((y) => ({type: "line", xref: "paper", x0: 0, x1: 1, y0: y, y1: y,
        line: {color: css("--for"), dash: "dash", width: 1.5}})),
      annotations: lines.map((y) => ({xref: "paper", x: 1, y, yanchor: "bottom", xanchor: "right",
        text: words.line, showarrow: false, font: {color: css("--for")}})),
    }, {responsive: true, displaylogo: false});
  };
  const density = (judged, x) => {
    const range = (values) => {
      let low = Infinity, high = -Infinity;
      for (const v of values) { if (v < low) low = v; if (v > high) high = v; }
      return [low, Math.max(high, low + 1e-9)];
    };
    const [x0, x1] = range(judged.map((i) => x[i]));
    const [y0, y1] = range(judged.map((i) => data.logit[i]));
    const W = 60, H = 40, z = Array.from({length: H}, () => new Array(W).fill(0));
    for (const i of judged) {
      const c = Math.min(W - 1, Math.floor((x[i] - x0) / (x1 - x0) * W));
      const r = Math.min(H - 1, Math.floor((data.logit[i] - y0) / (y1 - y0) * H));
      z[r][c] += 1;
    }
    return {
      type: "heatmap", z: z.map((r) => r.map((v) => v ? Math.log10(1 + v) : null)), hoverinfo: "skip",
      x0: x0 + (x1 - x0) / W / 2, dx: (x1 - x0) / W, y0: y0 + (y1 - y0) / H / 2,
      dy: (y1 - y0) / H, showscale: false, opacity: .55,
      colorscale: [[0, css("--panel")], [1, css("--soft")]],
    };
  };

  // --- begin

  const fill = (select, options) => {
    for (const [value, text] of options) {
      const option = make("option", text);
      option.value = value;
      select.append(option);
    }
  };
  fill($("source"), [["", words.all], ...data.sources.map((s, k) => [k, s || words.noSource])]);
  fill($("outcome"), [["", words.all], ["forged", words.forged], ["not-forged", words.notForged],
    ["abstained", words.abstained], ...[1, 2, 3].map((k) => [k, words.statuses[k]])]);
  fill($("axis"), Object.entries(words.axes));
  let later = 0;
  const again = () => { filter(); sort(); scroll.scrollTop = 0; show(); chart(); };
  $("search").oninput = () => { clearTimeout(later); later = setTimeout(again, 200); };
  $("outcome").onchange = $("source").onchange = again;
  $("axis").onchange = chart;
  $("faces").checked = false;
  $("faces").onchange = () => { faces = $("faces").checked; draw(); };
  $("form").onsubmit = (event) => event.preventDefault();
  scroll.addEventListener("scroll", draw, {passive: true});
  addEventListener("resize", draw);
  heads();
  show(); // the rows come in the order of the first sorting
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", chart);
  addEventListener("DOMContentLoaded", () => setTimeout(() => { // the table first
    chart();
    $("chart").on("plotly_click", (event) => {
      const i = event.points[0]?.customdata;
      if (i !== undefined) choose(i);
    });
    document.documentElement.dataset.ready = "true";
  }));
})();

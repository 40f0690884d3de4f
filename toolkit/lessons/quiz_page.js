// The quiz, for a notebook and for a page of its own: look, answer, hear the detector, see why,
// answer again, see the truth. It holds no prose: every sentence comes with the model, in both
// languages. `model` is a widget model or a stand-in with get, set, save_changes and on.

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const DRAWS = 1024, DIGIT = 133, CHECK_PRIME = 32749n, CHECK_SHIFT = 20261n, CHECK_LENGTH = 3;

function write(number, size) {
  let out = '';
  for (let place = 0; place < size; place += 1) {
    out = ALPHABET[Number(number % 32n)] + out;
    number /= 32n;
  }
  return out;
}

function digitOf(given, players) {
  if (!given || given.second === null) return 0;
  const region = given.region ? 1 + players.indexOf(given.region) : 0;
  return 1 + ((given.first * 3 + given.confidence) * 2 + given.second) * (1 + players.length) + region;
}

export function codeOf(quiz, draw, answers, players) {
  let number = BigInt(quiz) * BigInt(DRAWS) + BigInt(draw);
  let most = 2n ** 25n;
  for (const given of answers) {
    number = number * BigInt(DIGIT) + BigInt(digitOf(given, players));
    most *= BigInt(DIGIT);
  }
  const size = Math.ceil((most - 1n).toString(2).length / 5);
  const check = (number + CHECK_SHIFT) % CHECK_PRIME;
  const text = write(number, size) + write(check, CHECK_LENGTH);
  return text.match(/.{1,5}/g).join('-');
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), (c) => c.charCodeAt(0));
}

// Scrambled, not secret: so that a glance at the source gives nothing away.
export function unscramble(base64, number) {
  const bytes = bytesOf(base64);
  let state = (number * 2654435761 + 12345) >>> 0;
  for (let i = 0; i < bytes.length; i += 1) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] ^= state >>> 24;
  }
  return JSON.parse(new TextDecoder().decode(bytes));
}

function make(tag, options = {}, children = []) {
  const { text, on, ...attributes } = options;
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, '');
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  if (text !== undefined) element.textContent = text;
  for (const [name, listener] of Object.entries(on ?? {})) element.addEventListener(name, listener);
  element.append(...children);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';
let instances = 0;

function render({ model, el }) {
  instances += 1;
  const prefix = `dzq${instances}`;
  const root = make('section', { class: 'dz-quiz' });
  el.append(root);
  let urls = [];
  let say = {};
  let quiz = null;
  let state = null;

  const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
  const t = (key, values = {}) => fill(say[key] ?? key, values);
  const counted = (key, n) => t(n === 1 ? `${key}_one` : key, { n });
  const sentence = (text) => make('p', { text });
  const verdictOf = (isForged) => t(isForged ? 'forged' : 'genuine');

  function fresh() {
    const draw = crypto.getRandomValues(new Uint16Array(1))[0] % DRAWS;
    return { quiz: quiz.number, draw, at: -1, step: 0, answers: quiz.questions.map(() => null) };
  }
  function keep() {
    model.set('state', JSON.parse(JSON.stringify(state)));
    model.save_changes();
  }
  function begin() {
    quiz = model.get('quiz');
    const kept = model.get('state');
    const fits = kept && quiz && kept.quiz === quiz.number && Array.isArray(kept.answers)
      && kept.answers.length === quiz.questions.length;
    state = quiz ? (fits ? JSON.parse(JSON.stringify(kept)) : fresh()) : null;
    show(false);
  }
  function go(change) {
    Object.assign(state, change);
    keep();
    show(true);
  }

  // A video that is still loading would ask for its address once more after it is given up.
  function release() {
    for (const video of root.querySelectorAll('video')) {
      video.removeAttribute('src');
      video.load();
    }
    for (const url of urls) URL.revokeObjectURL(url);
    urls = [];
  }

  function show(moveFocus) {
    release();
    const language = model.get('language');
    if (!quiz || !quiz.questions.length) { root.replaceChildren(); return; }
    say = quiz.strings[language] ?? quiz.strings.en;
    root.lang = language;
    if (state.at < 0) root.replaceChildren(...opening());
    else if (state.at >= quiz.questions.length) root.replaceChildren(...ending());
    else root.replaceChildren(...asking(state.at));
    root.dataset.at = state.at;
    root.dataset.step = state.step;
    if (moveFocus) {
      const heading = root.querySelector('[data-focus]') ?? root.querySelector('h2');
      heading?.focus();
      heading?.scrollIntoView({ block: 'nearest' });
    }
  }

  const heading = (level, text, isFocus = false) =>
    make(level, { text, tabindex: '-1', ...(isFocus ? { 'data-focus': true } : {}) });
  const button = (text, listener, more = {}) =>
    make('button', { type: 'button', text, on: { click: listener }, ...more });

  function opening() {
    const n = quiz.questions.length;
    return [
      heading('h2', t('title')),
      sentence(counted('intro', n)),
      make('ol', {}, ['rule_1', 'rule_2', 'rule_3', 'rule_4'].map((k) => make('li', { text: t(k) }))),
      sentence(t('warning')),
      button(t('start'), () => go({ at: 0, step: 0 }), { class: 'dz-quiz-main' }),
    ];
  }

  function picture(base64, alt) {
    return make('img', { src: `data:image/jpeg;base64,${base64}`, alt, width: 224, height: 224 });
  }
  function titled(base64, caption) {
    return make('figure', {}, [picture(base64, caption), make('figcaption', { text: caption })]);
  }

  function clip(question) {
    const url = URL.createObjectURL(new Blob([bytesOf(question.clip)], { type: 'video/mp4' }));
    urls.push(url);
    const video = make('video', {
      src: url, controls: true, loop: true, playsinline: true, preload: 'auto', 'aria-label': t('clip'),
    });
    video.muted = true;
    const wrong = make('p', { class: 'dz-quiz-wrong', role: 'alert' });
    video.addEventListener('error', () => { wrong.textContent = t('clip_fails'); });
    return [video, wrong];
  }

  function radios(name, legend, options, chosen, onChange) {
    const set = make('fieldset', {}, [make('legend', { text: legend })]);
    for (const [value, label] of options) {
      const input = make('input', {
        type: 'radio', name: `${prefix}-${name}`, value, on: { change: () => onChange(value) },
      });
      input.checked = value === chosen;
      set.append(make('label', {}, [input, ` ${label}`]));
    }
    return set;
  }

  // The face with its regions to click; the list below does the same for keys and screen readers.
  function faceChooser(question, chosen, onChange) {
    const face = picture(question.face, t('face'));
    const svg = document.createElementNS(SVG, 'svg');
    svg.setAttribute('viewBox', '0 0 1 1');
    svg.setAttribute('aria-hidden', 'true');
    const list = make('select', { id: `${prefix}-region` }, [
      make('option', { value: '', text: t('nowhere') }),
      ...quiz.players.filter((p) => question.outlines[p])
        .map((p) => make('option', { value: p, text: t(`region_${p}`) })),
    ]);
    function mark(region) {
      list.value = region ?? '';
      for (const path of svg.children) path.classList.toggle('chosen', path.dataset.region === region);
    }
    // what is drawn later lies on top: the background first, then the boundary, then the parts
    const order = ['background', 'contour',
      ...quiz.players.filter((p) => p !== 'background' && p !== 'contour')];
    for (const region of order) {
      const rings = question.outlines[region];
      if (!rings) continue;
      const path = document.createElementNS(SVG, 'path');
      path.setAttribute('d', rings.map((ring) => `M${ring.map((p) => p.join(',')).join('L')}Z`).join(''));
      path.dataset.region = region;
      const title = document.createElementNS(SVG, 'title');
      title.textContent = t(`region_${region}`);
      path.append(title);
      path.addEventListener('click', () => { mark(region); onChange(region); });
      svg.append(path);
    }
    list.addEventListener('change', () => {
      const region = list.value || null;
      mark(region);
      onChange(region);
    });
    mark(chosen);
    return make('div', { class: 'dz-quiz-face' }, [
      make('div', { class: 'dz-quiz-map' }, [face, svg]),
      make('label', { for: `${prefix}-region`, text: t('where') }), list,
      make('p', { class: 'dz-quiz-note', text: t('where_note') }),
    ]);
  }

  function asking(at) {
    const question = quiz.questions[at];
    const answer = state.answers[at];
    const top = [
      heading('h2', t('question', { k: at + 1, n: quiz.questions.length }), state.step === 0),
      make('div', { class: 'dz-quiz-clip' }, clip(question)),
    ];
    if (state.step === 0) return [...top, ...firstAnswer(at, question)];
    const secret = unscramble(question.secret, quiz.number);
    const body = [yours(answer), ...model_(secret, state.step === 1)];
    if (state.step === 1) {
      body.push(button(t('why'), () => go({ step: 2 }), { class: 'dz-quiz-main' }));
    } else {
      body.push(...explanation(question, secret, state.step === 2));
      body.push(...(state.step === 2 ? secondAnswer(at, answer) : truth(at, answer, secret)));
    }
    return [...top, ...body];
  }

  function firstAnswer(at) {
    const question = quiz.questions[at];
    const given = { first: null, confidence: null, region: null };
    const hint = make('p', { class: 'dz-quiz-note', role: 'status' });
    return [
      radios('first', t('first'), [[0, t('genuine')], [1, t('forged')]], null, (v) => { given.first = v; }),
      radios('sure', t('sure'), [[0, t('sure_0')], [1, t('sure_1')], [2, t('sure_2')]], null,
        (v) => { given.confidence = v; }),
      faceChooser(question, null, (region) => { given.region = region; }),
      button(t('answer'), () => {
        if (given.first === null || given.confidence === null) {
          hint.textContent = t('incomplete');
          return;
        }
        state.answers[at] = { ...given, second: null };
        go({ step: 1 });
      }, { class: 'dz-quiz-main' }),
      hint,
    ];
  }

  function yours(answer) {
    const values = { verdict: verdictOf(answer.first), sure: t(`sure_${answer.confidence}`) };
    const where = answer.region ? ` ${t('you_where', { region: t(`region_${answer.region}`) })}` : '';
    return sentence(t('you_said', values) + where);
  }

  function model_(secret, isFocus) {
    const key = secret.verdict === 'none' ? 'model_none'
      : `model_${secret.verdict}_${secret.isClear ? 'clear' : 'narrow'}`;
    const parts = [heading('h3', t('model'), isFocus), make('p', { class: 'dz-quiz-model', text: t(key) })];
    if (secret.reason) parts.push(sentence(t(`reason_${secret.reason}`)));
    return parts;
  }

  function explanation(question, secret, isFocus) {
    const key = secret.verdict === 'none' ? 'top_no_verdict' : secret.top ? 'top' : 'top_none';
    return [
      heading('h3', t('explanation'), isFocus),
      make('div', { class: 'dz-quiz-pictures' }, [
        titled(question.face, t('face')), titled(secret.heat, t('heat')),
      ]),
      sentence(t(key, { region: secret.top ? t(`region_${secret.top}`) : '' })),
      make('p', { class: 'dz-quiz-note', text: t('heat_note') }),
    ];
  }

  function secondAnswer(at, answer) {
    let second = null;
    const hint = make('p', { class: 'dz-quiz-note', role: 'status' });
    return [
      radios('second', t('second'), [[0, t('genuine')], [1, t('forged')]], null, (v) => { second = v; }),
      button(t('final'), () => {
        if (second === null) { hint.textContent = t('incomplete_second'); return; }
        state.answers[at] = { ...answer, second };
        go({ step: 3 });
      }, { class: 'dz-quiz-main' }),
      hint,
    ];
  }

  function outcome(answer, secret) {
    const forged = Number(secret.kind !== 'genuine');
    const alone = answer.first === forged, together = answer.second === forged;
    const model = secret.verdict === 'none' ? null : Number(secret.verdict === 'forged') === forged;
    if (model === false && alone && !together) return 'misled';
    if (model === false && alone) return 'stood';
    if (model === true && !alone && together) return 'helped';
    if (model === false && !together) return 'all_wrong';
    if (model === false) return 'own_way';
    if (model === null) return together ? 'alone_right' : 'alone_wrong';
    return together ? 'all_right' : 'not_followed';
  }

  function truth(at, answer, secret) {
    const regions = secret.regions.map((r) => t(`region_${r}`)).join(', ');
    const parts = [t(`truth_${secret.kind}`, { regions })];
    if (secret.isCareful) parts.push(t('careful'));
    if (secret.isReshared) parts.push(t('reshared'));
    const shown = [
      heading('h3', t('truth'), true),
      make('p', { class: 'dz-quiz-truth', text: parts.join(' ') }),
    ];
    if (secret.mask) {
      shown.push(make('div', { class: 'dz-quiz-pictures' }, [titled(secret.mask, t('mask'))]));
    }
    if (secret.kind !== 'genuine' && answer.first === 1 && answer.region) {
      shown.push(sentence(t(secret.forgedRegions.includes(answer.region) ? 'where_right' : 'where_wrong')));
    }
    shown.push(make('p', { class: 'dz-quiz-outcome', text: t(`outcome_${outcome(answer, secret)}`) }));
    const isLast = at + 1 === quiz.questions.length;
    shown.push(button(t(isLast ? 'to_result' : 'next'), () => go({ at: at + 1, step: 0 }),
      { class: 'dz-quiz-main' }));
    return shown;
  }

  function ending() {
    const count = { alone: 0, model: 0, together: 0, misled: 0, helped: 0, done: 0, judged: 0 };
    const rows = quiz.questions.map((question, at) => {
      const answer = state.answers[at];
      const secret = unscramble(question.secret, quiz.number);
      const forged = Number(secret.kind !== 'genuine');
      const model = secret.verdict === 'none' ? null : Number(secret.verdict === 'forged');
      const sign = (isRight) => t(isRight ? 'cell_right' : 'cell_wrong');
      const cell = (value) => make('td', {
        text: value === null ? '–' : `${verdictOf(value)} ${sign(value === forged)}`,
      });
      // The detector never says genuine: it calls a clip forged, or it does not.
      const said = make('td', {
        text: model === null ? t('cell_none')
          : `${t(model ? 'cell_called' : 'cell_not_called')} ${sign(model === forged)}`,
      });
      if (answer && answer.second !== null) {
        count.done += 1;
        count.alone += Number(answer.first === forged);
        count.together += Number(answer.second === forged);
        count.model += Number(model === forged);
        count.judged += Number(model !== null);
        const what = outcome(answer, secret);
        count.misled += Number(what === 'misled');
        count.helped += Number(what === 'helped');
      }
      return make('tr', {}, [make('th', { scope: 'row', text: String(at + 1) }),
        make('td', { text: verdictOf(forged) }), cell(answer?.first ?? null), said,
        cell(answer?.second ?? null)]);
    });
    const all = (key) => (key === 'model' ? count.judged : count.done);
    const of = (key) => t('n_of', { n: count[key], of: all(key) });
    const bar = (key) => (['alone', 'model', 'together'].includes(key)
      ? [make('progress', { max: Math.max(1, all(key)), value: count[key], 'aria-hidden': 'true' })] : []);
    const code = codeOf(quiz.number, state.draw, state.answers, quiz.players);
    const copied = make('span', { role: 'status' });
    return [
      heading('h2', t('result'), true),
      make('ul', {}, [['alone', 'you_alone'], ['model', 'model_alone'], ['together', 'you_together'],
        ['misled', 'you_misled'], ['helped', 'you_helped']]
        .map(([key, label]) => make('li', {}, [make('span', { text: `${t(label)}: ${of(key)}` }), ...bar(key)]))),
      heading('h3', t('code')),
      make('p', { class: 'dz-quiz-code', text: code }),
      button(t('copy'), async () => {
        try {
          await navigator.clipboard.writeText(code);
          copied.textContent = t('copied');
        } catch { copied.textContent = t('copy_by_hand'); }
      }),
      copied,
      sentence(t('code_note')),
      make('div', { class: 'dz-quiz-scroll', tabindex: '0', role: 'region', 'aria-label': t('table') }, [
        make('table', {}, [
          make('thead', {}, [make('tr', {}, ['clip_number', 'cell_truth', 'cell_first', 'model', 'cell_second']
            .map((k) => make('th', { scope: 'col', text: t(k) })))]),
          make('tbody', {}, rows)]),
      ]),
      button(t('again'), () => { state = fresh(); keep(); show(true); }),
    ];
  }

  // Keys that mean something in the notebook must not reach it from here; modified ones may.
  root.addEventListener('keydown', (event) => {
    if (!event.ctrlKey && !event.metaKey && !event.altKey) event.stopPropagation();
  });
  const speak = () => show(false);
  model.on('change:quiz', begin);
  model.on('change:language', speak);
  begin();
  return () => {
    model.off?.('change:quiz', begin);
    model.off?.('change:language', speak);
    release();
  };
}

export default { render };

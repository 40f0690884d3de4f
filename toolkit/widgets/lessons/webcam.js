// Pictures from the webcam, for a lesson: they go to the kernel as bytes, never into the widget's
// state, which can be saved with a notebook. The camera is asked for only on a press, and is
// switched off as soon as the pictures are taken, the consent is taken back or the page goes.

const GAP_MS = 250;

function render({ model, el, signal }) {
  const words = () => model.get('words');
  const button = document.createElement('button');
  const video = document.createElement('video');
  const line = document.createElement('p');
  button.type = 'button';
  button.className = 'jupyter-button dz-webcam-button';
  video.muted = true;
  video.playsInline = true;
  video.hidden = true;
  line.setAttribute('role', 'status');
  el.classList.add('dz-webcam');
  el.append(button, video, line);
  let stream = null;
  let taken = 0;

  function show() {
    button.textContent = stream ? words().stop : words().start;
    button.disabled = !model.get('is_allowed');
    video.setAttribute('aria-label', words().video);
  }

  function stop() {
    for (const track of stream?.getTracks() ?? []) track.stop();
    stream = null;
    video.srcObject = null;
    video.hidden = true;
    show();
  }

  async function take(canvas) {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    canvas.getContext('2d').drawImage(video, 0, 0);
    const blob = await new Promise((done) => { canvas.toBlob(done, 'image/jpeg', 0.92); });
    if (!blob || !stream || !model.get('is_allowed')) return;
    taken += 1;
    model.send({ kind: 'picture' }, undefined, [await blob.arrayBuffer()]);
    line.textContent = words().taken.replace('{n}', taken).replace('{of}', model.get('count'));
  }

  async function start() {
    line.textContent = '';
    taken = 0;
    try {
      const wanted = { video: { width: { ideal: 640 }, height: { ideal: 480 } }, audio: false };
      stream = await navigator.mediaDevices.getUserMedia(wanted);
      video.srcObject = stream;
      video.hidden = false;
      await video.play();
    } catch (error) {
      stop();
      line.textContent = `${words().failed} (${error.name})`;
      return;
    }
    show();
    const canvas = document.createElement('canvas');
    while (stream && taken < model.get('count') && model.get('is_allowed')) {
      await take(canvas);
      await new Promise((done) => { setTimeout(done, GAP_MS); });
    }
    stop();
  }

  const follow = () => { if (!model.get('is_allowed')) stop(); else show(); };
  button.addEventListener('click', () => { if (stream) stop(); else start(); });
  model.on('change:words', show);
  model.on('change:is_allowed', follow);
  window.addEventListener('pagehide', stop, { signal });
  show();
  return () => {
    stop();
    model.off('change:words', show);
    model.off('change:is_allowed', follow);
  };
}

export default { render };

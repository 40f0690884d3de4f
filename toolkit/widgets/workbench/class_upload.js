// A button that sends a file in parts, each once the one before has arrived. A file that is too
// large is refused here, before anything of it is sent. All words come from the kernel.
const PART = 1 << 20;

export default {
  render({ model, el }) {
    el.innerHTML = '<label class="dz-class-upload jupyter-button widget-button"><input type="file"><span></span></label>';
    const [input, text] = [el.querySelector('input'), el.querySelector('span')];
    Object.assign(el.querySelector('label').style, { width: 'auto', margin: '2px', position: 'relative' });
    Object.assign(input.style, { position: 'absolute', inset: 0, width: '100%', opacity: 0 });
    const say = (share) => {
      const words = model.get('words');
      text.textContent = share === undefined ? words.choose : `${words.sending} ${share} %`;
    };
    let acknowledge = () => {};
    model.on('msg:custom', (message) => acknowledge(message));
    model.on('change:words', () => say());
    input.accept = 'video/*';
    input.onchange = async () => {
      const [file] = input.files;
      if (!file) return;
      const facts = { name: file.name, size: file.size };
      if (file.size > model.get('limit') || !file.size) {
        model.send({ kind: 'refused', ...facts });
      } else {
        input.disabled = true;
        for (let offset = 0; offset < file.size; offset += PART) {
          say(Math.floor(100 * offset / file.size));
          const part = await file.slice(offset, offset + PART).arrayBuffer();
          const answer = new Promise((resolve) => { acknowledge = resolve; });
          model.send({ kind: 'part', offset, ...facts }, undefined, [part]);
          if (!(await answer).goes_on) break;
        }
        input.disabled = false;
      }
      input.value = '';
      say();
    };
    say();
  },
};

// The smallest front end that has @jupyter-widgets/html-manager and a kernel, as Colab and VS Code do:
// comms go over the server's websocket, and anywidget comes from what stands for a content network.
requirejs(["@jupyter-widgets/html-manager"], ({ HTMLManager, requireLoader }) => {
  const session = String(Math.random()), comms = {}, asked = {}, cells = {};
  let socket = null, made = Promise.resolve(), sent = 0;

  // Jupyter's messages with buffers: how many parts, where each begins, the JSON, the buffers.
  function pack(message, buffers) {
    const parts = [new TextEncoder().encode(JSON.stringify(message)), ...buffers].map((part) => new Uint8Array(part.buffer ?? part, part.byteOffset, part.byteLength));
    const head = new DataView(new ArrayBuffer(4 + 4 * parts.length));
    head.setUint32(0, parts.length);
    parts.reduce((start, part, i) => (head.setUint32(4 + 4 * i, start), start + part.length), head.byteLength);
    return new Blob([head, ...parts]);
  }
  function unpack(data) {
    if (typeof data === "string") return JSON.parse(data);
    const head = new DataView(data), starts = Array.from({ length: head.getUint32(0) }, (_, i) => head.getUint32(4 + 4 * i));
    const [text, ...buffers] = starts.map((start, i) => data.slice(start, starts[i + 1]));
    return { ...JSON.parse(new TextDecoder().decode(text)), buffers: buffers.map((buffer) => new DataView(buffer)) };
  }
  function send(msg_type, content, callbacks, metadata = {}, buffers = []) {
    const header = { msg_id: `${session}-${(sent += 1)}`, msg_type, session, username: "", version: "5.3", date: new Date().toISOString() };
    asked[header.msg_id] = callbacks;
    const message = { header, parent_header: {}, metadata, content, channel: "shell" };
    socket.send(buffers.length ? pack(message, buffers) : JSON.stringify(message));
    return header.msg_id;
  }
  const comm = (comm_id, target_name) => (comms[comm_id] = {
    comm_id,
    open: (data, callbacks, metadata, buffers) => send("comm_open", { comm_id, target_name, data }, callbacks, metadata, buffers),
    send: (data, callbacks, metadata, buffers) => send("comm_msg", { comm_id, data }, callbacks, metadata, buffers),
    close: (data, callbacks, metadata, buffers) => send("comm_close", { comm_id, data }, callbacks, metadata, buffers),
    on_msg(heard) { this.heard = heard; },
    on_close() {},
  });

  class Manager extends HTMLManager {
    async _create_comm(target, id, data, metadata, buffers) {
      const opened = comm(id, target);
      opened.open(data, {}, metadata, buffers);
      return opened;
    }
  }
  const manager = new Manager({ loader: requireLoader });

  async function show(el, data) {
    const widget = data["application/vnd.jupyter.widget-view+json"];
    if (widget) await manager.display_view(manager.create_view(await manager.get_model(widget.model_id)), el);
    else if (data["text/html"]) el.insertAdjacentHTML("beforeend", data["text/html"]);
    else el.append(data["text/plain"]);
  }
  async function take(message) {
    const { header: { msg_type }, content, parent_header: { msg_id } } = message, el = cells[msg_id];
    if (msg_type === "comm_open") await manager.handle_comm_open(comm(content.comm_id, content.target_name), message);
    else if (msg_type === "comm_msg") await comms[content.comm_id]?.heard?.(message);
    else if (msg_type === "status") {
      asked[msg_id]?.iopub?.status?.(message);
      if (content.execution_state === "idle") el?.done();
    } else if (el && content.data) await show(el, content.data);
    else if (msg_type === "stream") el?.append(content.text);
    else if (msg_type === "error") el?.append(`${content.ename}: ${content.evalue}`);
  }
  window.connect = (url) => new Promise((ready) => {
    socket = Object.assign(new WebSocket(url), { binaryType: "arraybuffer", onopen: () => ready() });
    socket.onmessage = ({ data }) => void (made = made.then(() => take(unpack(data))).catch((error) => console.error(error)));
  });
  window.run = (code) => new Promise((done) => {
    const el = document.body.appendChild(document.createElement("section"));
    cells[send("execute_request", { code, silent: false, store_history: true, user_expressions: {}, allow_stdin: false })] = Object.assign(el, { done: () => done(el.textContent) });
  });
  window.ready = true;
});

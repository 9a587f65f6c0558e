// A question: rows that are native radio buttons, in a form that Python wrote. The style sheet shows
// what is said of the checked one, so it all works without this file, which keeps the choice and adds
// keys. It runs in a notebook (`render`, called by anywidget) and in a page without a kernel (`mount`).

const WAYS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };

/**
 * Bring a question's form to life: `chosen` is the value of its radio button to check, `tell` hears
 * of each one that a hand checks. The result checks another one.
 */
export function mount(form, chosen, tell) {
  const radios = [...form.querySelectorAll("input")];
  const put = (value) => radios.forEach((radio) => (radio.checked = radio.value === value));
  const choose = (radio) => (radio.focus(), radio.click());
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("change", ({ target }) => tell(target.value));
  // Arrows only move, so that nobody chooses the answers on the way.
  form.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const here = radios.indexOf(event.target), { length } = radios;
    const lettered = radios.find(({ value }) => value === event.key.toUpperCase());
    if (event.key in WAYS) radios[(here + WAYS[event.key] + length) % length].focus();
    else if (lettered) choose(lettered);
    else if (event.key === "Enter") choose(event.target);
    else return;
    event.preventDefault();
  });
  put(chosen);
  return put;
}

function initialize({ model }) {
  model.on("msg:custom", (_, [font]) => takeMathFont(font));
}

function render({ model, el }) {
  el.innerHTML = model.get("html");
  if (el.querySelector("math")) loadMathFont((kind) => model.send({ kind }));
  const put = mount(el.querySelector("form"), model.get("chosen"), (chosen) => {
    model.set("chosen", chosen); // other views hear
    // A state that changes waits for a busy kernel, and is lost with the tab; a message leaves now.
    model.send({ kind: "chosen", chosen });
  });
  const follow = () => put(model.get("chosen"));
  model.on("change:chosen", follow);
  return () => model.off("change:chosen", follow);
}

export default { initialize, render };

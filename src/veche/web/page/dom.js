// Helpers for the elements of the page. They change only what differs, so that focus, selection and scrolling stay.

export const $ = (id) => document.getElementById(id);

export function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Makes the children of `parent` match `items`, in order. It reuses the nodes of items that are already there. */
export function arrange(parent, items, keyOf, template, fill) {
  const wanted = new Set(items.map(keyOf));
  const held = new Map();
  for (const node of [...parent.children]) {
    if (wanted.has(node.dataset.key)) held.set(node.dataset.key, node);
    else node.remove();
  }
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = keyOf(item);
    const node = held.get(key) ?? template.content.firstElementChild.cloneNode(true);
    node.dataset.key = key;
    fill(node, item);
    if (node === next) next = next.nextElementSibling;
    else parent.insertBefore(node, next);
  }
}

/** Runs `act` when a form is submitted. Its button is disabled meanwhile. `show` gets a refusal as text, or "". */
export function onSubmit(form, act, show) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    show("");
    const button = event.submitter;
    if (button) button.disabled = true;
    try {
      await act(button);
    } catch (refusal) {
      show(refusal.message);
    }
    if (button) button.disabled = false;
  });
}

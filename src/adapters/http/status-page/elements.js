/** Short words for what the page does most. */

/** The element with this id. */
export function find(id) {
  return document.getElementById(id)
}

/** A new element; `attributes` that are no properties of it are set as attributes. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) {
    if (name in element) element[name] = value
    else element.setAttribute(name, value)
  }
  element.append(...children)
  return element
}

/** Sets a text only when it's another: what is read aloud, or selected, is left alone. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text
}

// This part: one way to make an element.

export function make(tag, className, parent, more = {}) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  const { role, ...rest } = more;
  if (role) element.setAttribute('role', role);
  Object.assign(element, rest);
  parent.append(element);
  return element;
}

type Value = string | number | boolean | undefined | null | ((event: never) => void);

/** An element with attributes (`onNAME` is a listener; false and undefined are left out) and children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  tag: Name,
  attributes: Readonly<Record<string, Value>> = {},
  ...children: (Node | string | undefined | null | false)[]
): HTMLElementTagNameMap[Name] {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') {
      node.addEventListener(name.slice(2), value as EventListener);
    } else if (value !== undefined && value !== null && value !== false) {
      node.setAttribute(name, value === true ? '' : String(value));
    }
  }
  node.append(...children.filter((child): child is Node | string => Boolean(child)));
  return node;
}

/** Makes an element; whatever comes from elsewhere is text in it, and never markup. */
export function element<K extends keyof HTMLElementTagNameMap> (
  name: K, attributes: Readonly<Record<string, string>> = {}, ...children: ReadonlyArray<Node | string>): HTMLElementTagNameMap[K] {
  const made = document.createElement(name)
  for (const [attribute, value] of Object.entries(attributes)) made.setAttribute(attribute, value)
  made.append(...children)
  return made
}

/** One that the page has from the start. */
export function byId<E extends HTMLElement = HTMLElement> (id: string): E {
  return document.getElementById(id) as E
}

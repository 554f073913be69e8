// Small helpers that every module of the shell uses.

export const $ = <T extends Element = HTMLElement>(selector: string, root: ParentNode = document) =>
  root.querySelector<T>(selector)

export const $$ = <T extends Element = HTMLElement>(selector: string, root: ParentNode = document) =>
  [...root.querySelectorAll<T>(selector)]

/** Address of one icon of the sprite, as `<use href>` wants it. */
export const iconHref = (name: string) => `${document.documentElement.dataset.icons ?? ''}#${name}`

/** The token that Django wants with every change; it stands in the body's htmx headers. */
export function csrfToken(): string {
  const headers = document.body.getAttribute('hx-headers:inherited')
  return headers ? ((JSON.parse(headers) as Record<string, string>)['X-CSRFToken'] ?? '') : ''
}

/** POST a form as the signed-in person; resolves to the answer, whatever its status. */
export function post(url: string, fields: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'X-CSRFToken': csrfToken(), 'HX-Request': 'true' },
    body: new URLSearchParams(fields),
  })
}

/** Where the event really began: a key pressed inside a shadow root is retargeted at its host. */
export const origin = (event: Event) => event.composedPath()[0] as Element | undefined

/** Whether typing there means text, so that single letters are not commands. */
export function isField(element: Element | undefined): boolean {
  if (!(element instanceof HTMLElement)) return false
  if (element.isContentEditable) return true
  if (element instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'submit', 'range'].includes(element.type)
  return element instanceof HTMLTextAreaElement || element instanceof HTMLSelectElement
}

export function isVisible(element: HTMLElement): boolean {
  return element.checkVisibility({ visibilityProperty: true })
}

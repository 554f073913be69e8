// Ctrl K: find a patient, an accession, a page or an action, and go there.
//
// What the server may show comes from /palette?q=; what this page can do comes from its keyboard map.
import { html, LitElement, nothing, svg } from 'lit'
import { iconHref, origin } from './dom'
import { allKeys, type Key, keycaps, register } from './keys'

interface Item {
  icon: string
  text: string
  detail?: string
  url?: string
  key?: Key
}

interface Group {
  title: string
  items: Item[]
}

const WAIT = 140
const ACTIONS = 6

class IsoPalette extends LitElement {
  static override properties = {
    groups: { state: true },
    query: { state: true },
    at: { state: true },
    state: { state: true },
  }

  declare groups: Group[]
  declare query: string
  declare at: number
  declare state: 'idle' | 'busy' | 'failed'
  private timer = 0
  private request?: AbortController
  private opener: Element | null = null

  constructor() {
    super()
    this.groups = []
    this.query = ''
    this.at = 0
    this.state = 'idle'
  }

  // No shadow root: the palette wears the page's own style sheet.
  protected override createRenderRoot() {
    return this
  }

  private get dialog() {
    return this.querySelector('dialog')
  }

  async show(): Promise<void> {
    if (this.dialog?.open || document.querySelector('dialog[open]')) return
    this.opener = document.activeElement
    this.query = ''
    this.at = 0
    this.groups = this.actions('')
    await this.updateComplete
    this.dialog?.showModal()
    const input = this.querySelector('input')
    if (input) input.value = ''
    input?.focus()
    void this.look('')
  }

  private actions(query: string): Group[] {
    const words = query.toLowerCase()
    const keys = this.open ? [] : allKeys()
    const items = [...new Map(keys.map((k) => [k.label, k])).values()]
      .filter((k) => k.label && k.group !== 'List' && k.keys !== 'Ctrl+K')
      .filter((k) => k.label.toLowerCase().includes(words))
      .slice(0, ACTIONS)
      .map((key): Item => ({ icon: key.group === 'Go to' ? 'right' : 'kbd', text: key.label, key }))
    return items.length ? [{ title: 'Do', items }] : []
  }

  private get open(): boolean {
    return this.dialog?.open ?? false
  }

  private pageActions: Group[] = []

  private onInput(event: InputEvent): void {
    this.query = (event.target as HTMLInputElement).value
    clearTimeout(this.timer)
    this.timer = window.setTimeout(() => void this.look(this.query), WAIT)
  }

  private async look(query: string): Promise<void> {
    this.request?.abort()
    const mine = query.toLowerCase()
    if (!query) this.pageActions = this.groups.filter((g) => g.title === 'Do')
    const own = this.pageActions
      .map((g) => ({ ...g, items: g.items.filter((i) => i.text.toLowerCase().includes(mine)) }))
      .filter((g) => g.items.length)
    const request = new AbortController()
    this.request = request
    this.state = 'busy'
    try {
      const answer = await fetch(`${this.dataset.url}?q=${encodeURIComponent(query)}`, {
        signal: request.signal,
        headers: { Accept: 'application/json' },
      })
      if (!answer.ok) throw new Error(String(answer.status))
      const found = (await answer.json()) as { groups: Group[] }
      this.groups = [...found.groups, ...own]
      this.state = 'idle'
    } catch {
      if (request.signal.aborted) return
      this.groups = own
      this.state = 'failed'
    }
    this.at = 0
  }

  private get items(): Item[] {
    return this.groups.flatMap((g) => g.items)
  }

  private onKey(event: KeyboardEvent): void {
    const count = this.items.length
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault()
      if (count) this.at = (this.at + (event.key === 'ArrowDown' ? 1 : count - 1)) % count
      void this.updateComplete.then(() => this.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' }))
    } else if (event.key === 'Enter') {
      event.preventDefault()
      const item = this.items[this.at]
      if (item) this.choose(item, event)
    }
    event.stopPropagation()
  }

  private choose(item: Item, event: KeyboardEvent | MouseEvent): void {
    this.dialog?.close()
    if (item.url) {
      if (event.ctrlKey || event.metaKey) window.open(item.url, '_blank', 'noopener')
      else location.href = item.url
    } else item.key?.run(event as KeyboardEvent)
  }

  private onClose(): void {
    if (this.opener instanceof HTMLElement) this.opener.focus({ preventScroll: true })
  }

  private marked(text: string) {
    const at = this.query ? text.toLowerCase().indexOf(this.query.toLowerCase()) : -1
    if (at < 0) return text
    const end = at + this.query.length
    return html`${text.slice(0, at)}<mark>${text.slice(at, end)}</mark>${text.slice(end)}`
  }

  private icon(name: string) {
    return html`<svg class="i" aria-hidden="true">${svg`<use href=${iconHref(name)}></use>`}</svg>`
  }

  private row(item: Item, index: number) {
    return html`<li class="menu__i" role="option" id="pal-${index}" aria-selected=${index === this.at}
      @click=${(e: MouseEvent) => this.choose(item, e)} @pointermove=${() => { this.at = index }}>
      ${this.icon(item.icon)}<span class="one">${this.marked(item.text)}
      ${item.detail ? html`<span class="faint">${this.marked(item.detail)}</span>` : nothing}</span>
      ${item.key ? keycaps(item.key.keys) : index === this.at ? html`<kbd>↵</kbd>` : nothing}</li>`
  }

  private empty() {
    if (this.state === 'busy') return nothing
    const words =
      this.state === 'failed'
        ? 'The search did not answer. Try again.'
        : 'Nobody and nothing of that name, number or accession where you may look.'
    return html`<li class="pal__e" role="presentation">${words}</li>`
  }

  protected override render() {
    let index = 0
    return html`<dialog class="pal" aria-label="Find anything" @close=${this.onClose}
      @click=${(e: MouseEvent) => { if (e.target === this.dialog) this.dialog?.close() }}>
      <div class="pal__in">${this.icon('search')}<input type="text" autocomplete="off" spellcheck="false" role="combobox"
        aria-expanded="true" aria-controls="pal-list" aria-autocomplete="list" aria-label="Patient, accession or action"
        aria-activedescendant=${this.items.length ? `pal-${this.at}` : nothing} placeholder="Patient, accession, action"
        @input=${this.onInput} @keydown=${this.onKey}><kbd>Esc</kbd></div>
      <ul class="pal__l" id="pal-list" role="listbox" aria-label="Results">
        ${this.groups.map((g) => html`<li class="menu__t" role="presentation">${g.title}</li>${g.items.map((i) => this.row(i, index++))}`)}
        ${this.items.length ? nothing : this.empty()}
      </ul>
      <div class="pal__f"><span><span class="keys"><kbd>↑</kbd><kbd>↓</kbd></span> move</span><span><kbd>↵</kbd> open</span><span class="sp"></span><span>Looks where you may look. Searches are recorded.</span></div>
    </dialog>`
  }
}

customElements.define('iso-palette', IsoPalette)

export function startPalette(): void {
  const palette = document.querySelector<IsoPalette>('iso-palette')
  if (!palette) return
  const run = () => void palette.show()
  register({ keys: 'Ctrl+K', label: 'Find anything', group: 'Everywhere', run })
  document.addEventListener('click', (event) => {
    if (origin(event)?.closest('[data-do="palette"]')) run()
  })
}

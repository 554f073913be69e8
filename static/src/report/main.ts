// The report page: editors, saving, releasing, texts, tabs.
import { keepClaim } from '../shell/claim'
import { $, $$, csrfToken, origin } from '../shell/dom'
import { register } from '../shell/keys'
import { toast } from '../shell/toasts'
import { Editors, type Section } from './editor'
import { Saving } from './saving'
import { openFields } from './text'

function startTabs(): void {
  const tabs = $$('.rp__side [role="tab"]')
  const choose = (tab: HTMLElement, focus = false) => {
    for (const one of tabs) {
      const on = one === tab
      one.setAttribute('aria-selected', String(on))
      one.tabIndex = on ? 0 : -1
      $(`#${one.getAttribute('aria-controls')}`)?.toggleAttribute('hidden', !on)
    }
    if (focus) tab.focus()
  }
  for (const [i, tab] of tabs.entries()) {
    tab.addEventListener('click', () => choose(tab))
    tab.addEventListener('keydown', (event) => {
      const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key]
      const next = by && tabs[(i + by + tabs.length) % tabs.length]
      if (next) choose(next, true)
    })
  }
}

interface Refusal {
  url?: string
  message?: string
}

/** Runs a releasing command; resolves to the words of a refusal, or leaves for the released report. */
async function command(url: string, fields: Record<string, string>): Promise<string> {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { Accept: 'application/json', 'X-CSRFToken': csrfToken() },
    body: new URLSearchParams(fields),
  }).catch(() => null)
  if (!answer || answer.status >= 500) return 'No answer from the server. Nothing was signed; the text is kept.'
  if (answer.redirected || answer.status === 401) return 'You are signed out. Sign in again in another tab.'
  const body = (await answer.json()) as Refusal
  if (answer.ok && body.url) {
    location.assign(body.url)
    return ''
  }
  return body.message ?? 'Nothing was signed.'
}

function check(ok: boolean, words: string): HTMLLIElement {
  const item = document.createElement('li')
  const mark = document.createElement('span')
  mark.className = 'chk'
  mark.dataset.k = ok ? 'ok' : 'ask'
  mark.innerHTML = '<svg class="i" aria-hidden="true"><use></use></svg>'
  $('use', mark)?.setAttribute('href', `${document.documentElement.dataset.icons}#${ok ? 's-check' : 's-dashed'}`)
  const text = document.createElement('span')
  text.textContent = words
  item.append(mark, text)
  return item
}

function showChecks(sections: Section[]): void {
  const list = $('#checks')
  if (!list) return
  const open = sections.flatMap((s) => openFields(s.text))
  const empty = sections.filter((s) => ['findings', 'impression', 'addendum'].includes(s.key) && !s.text.trim())
  const checks: [boolean, string][] = [
    [!empty.length, empty.length ? `${empty.map((s) => s.title).join(' and ')}: nothing written yet` : 'Findings and impression are written'],
    [!open.length, open.length ? `Still open: ${open.slice(0, 3).join(', ')}` : 'No choice is open'],
  ]
  list.replaceChildren(...checks.map(([ok, words]) => check(ok, words)))
  const count = $('#check-count')
  if (count) count.textContent = `${checks.filter(([ok]) => ok).length} of ${checks.length}`
}

function startEditor(form: HTMLFormElement): void {
  const editors = new Editors(form, () => {
    saving.changed()
    showChecks(editors.sections())
  })
  const saving = new Saving(form, () => editors.sections())
  const signForm = $<HTMLFormElement>('#sign-form')
  const dialog = $<HTMLDialogElement>('#sign-dialog')
  const error = $('#sign-error')
  const refuse = (words: string) => {
    if (!error) return
    error.textContent = words
    error.hidden = !words
  }

  const left = saving.left()
  if (left && left.revision === saving.revision) {
    editors.fill(left.sections)
    toast({ text: 'What this desk had not saved is back in the text.' })
  } else if (left) {
    const note = $('#recovered')
    const words = note && $('[data-recovered-words]', note)
    if (note && words) {
      words.textContent = `From ${new Date(left.at).toLocaleString('en-GB')}: ${left.sections.map((s) => s.text).join(' ').slice(0, 200)}`
      note.hidden = false
    }
  }

  const preliminary = async () => {
    if (!(await saving.flush())) return
    const url = form.action.replace(/draft\/$/, 'preliminary/')
    const words = await command(url, { revision: String(saving.revision) })
    if (words) toast({ text: words, tone: 'attn' })
  }
  const sign = async () => {
    if (dialog?.open || !(await saving.flush())) return
    refuse('')
    dialog?.showModal()
    $<HTMLInputElement>('input[name="reason"], input[type="password"]', dialog ?? document)?.focus()
  }
  signForm?.addEventListener('submit', async (event) => {
    event.preventDefault()
    const button = $('button[type="submit"]', signForm)
    button?.setAttribute('aria-busy', 'true')
    const fields = Object.fromEntries(new FormData(signForm)) as Record<string, string>
    refuse(await command(signForm.action, { ...fields, revision: String(saving.revision) }))
    button?.removeAttribute('aria-busy')
    const password = $<HTMLInputElement>('input[type="password"]', signForm)
    if (password) password.value = ''
    if (error && !error.hidden) password?.focus()
  })
  document.addEventListener('click', (event) => {
    const pressed = origin(event)?.closest<HTMLElement>('[data-do], [data-macro]')
    if (pressed?.dataset.macro) editors.macro(pressed.dataset.macro)
    switch (pressed?.dataset.do) {
      case 'preliminary':
        void preliminary()
        break
      case 'sign':
        void sign()
        break
      case 'close-dialog':
        pressed.closest('dialog')?.close()
        break
      case 'recover':
        if (left) editors.fill(left.sections)
        $('#recovered')?.setAttribute('hidden', '')
        break
      case 'forget':
        saving.forget()
        $('#recovered')?.setAttribute('hidden', '')
        break
    }
  })
  document.addEventListener('report:conflict', (event) => {
    toast({ text: `${(event as CustomEvent<string>).detail} Load the page again to compare them.`, tone: 'crit' })
  })
  register(
    ...Array.from({ length: 9 }, (_, i) => ({
      keys: `Alt+${i + 1}`,
      label: `Section ${i + 1}`,
      group: 'Report',
      when: () => $$('[data-section]').length > i,
      run: () => editors.focus(i),
    })),
  )
  const heartbeat = form.dataset.heartbeat
  if (heartbeat) keepClaim(heartbeat, () => toast({ text: 'This exam is no longer claimed by you.', tone: 'attn' }))
  showChecks(editors.sections())
  editors.focusFirst()
}

startTabs()
const form = $<HTMLFormElement>('#editor')
if (form) startEditor(form)

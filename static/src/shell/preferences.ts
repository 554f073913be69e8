// Choices of the person at the desk: the theme, and whether single letters are commands.
import { $, origin, post } from './dom'
import { toast } from './toasts'

const root = document.documentElement

async function keep(fields: Record<string, string>): Promise<void> {
  const answer = await post(root.dataset.preferences ?? '', fields)
  if (!answer.ok) toast({ text: 'The choice holds on this page only; it could not be kept.', tone: 'attn' })
}

function changeTheme(): void {
  const theme = root.dataset.theme === 'dark' ? 'light' : 'dark'
  root.dataset.theme = theme
  document.dispatchEvent(new CustomEvent('iso:theme', { detail: theme }))
  void keep({ theme })
}

export function startPreferences(): void {
  document.addEventListener('click', (event) => {
    if (origin(event)?.closest('[data-do="theme"]')) changeTheme()
  })
  const single = $<HTMLInputElement>('[data-single-keys]')
  single?.addEventListener('change', () => {
    root.dataset.singleKeys = single.checked ? 'on' : 'off'
    void keep({ single_keys: single.checked ? 'on' : 'off' })
  })
}

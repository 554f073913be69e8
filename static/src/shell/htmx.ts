// The extensions of htmx look for a global; this module must be imported before them.
import htmx from 'htmx.org'

declare global {
  interface Window {
    htmx: typeof htmx
  }
}

window.htmx = htmx

export default htmx

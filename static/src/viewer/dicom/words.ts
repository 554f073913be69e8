/** Names, dates and times in the hospital's words (design/README.md, Words). */

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `19670104` or `1967-01-04` as `04 Jan 1967`; anything else as it came. */
export function dateInWords(da: string): string {
  const digits = da.replaceAll('-', '')
  const match = /^(\d{4})(\d{2})(\d{2})/.exec(digits)
  const month = match && MONTHS[Number(match[2]) - 1]
  return match && month ? `${match[3]} ${month} ${match[1]}` : da
}

/** `093112.5` as `09:31`. */
export function timeInWords(tm: string): string {
  const match = /^(\d{2}):?(\d{2})/.exec(tm)
  return match ? `${match[1]}:${match[2]}` : ''
}

/** PN `OKONKWO^Adaeze^^Dr` as `OKONKWO, Adaeze` (family, given). */
export function personName(pn: string): string {
  const [family = '', given = ''] = (pn.split('=')[0] ?? '').split('^').map((part) => part.trim())
  return [family.toUpperCase(), given].filter(Boolean).join(', ')
}

/** How long before: `1 y 7 m before`, `3 d before`. */
export function timeBefore(earlier: string, later: string): string {
  const [a, b] = [earlier, later].map((d) => d.replaceAll('-', ''))
  if (!a || !b || a.length < 8 || b.length < 8 || a >= b) return ''
  const [from, to] = [a, b].map(
    (d) => new Date(Date.UTC(+d.slice(0, 4), +d.slice(4, 6) - 1, +d.slice(6, 8))),
  ) as [Date, Date]
  const days = Math.round((to.getTime() - from.getTime()) / 86_400_000)
  let months = (to.getUTCFullYear() - from.getUTCFullYear()) * 12 + to.getUTCMonth() - from.getUTCMonth()
  if (to.getUTCDate() < from.getUTCDate()) months -= 1
  if (months < 1) return `${days} d before`
  const years = Math.floor(months / 12)
  return [years ? `${years} y` : '', months % 12 ? `${months % 12} m` : '', 'before'].filter(Boolean).join(' ')
}

/** A number with the true minus sign and at most `digits` decimals. */
export function signed(value: number, digits = 0): string {
  return value.toFixed(digits).replace(/^-0(\.0+)?$/, '0$1').replace('-', '−')
}

// A section's text and the editor's document: the same words in two shapes.
//
// The text is what the server keeps (see `apps/reports/domain.py`): lines, an empty line ends a paragraph,
// `- ` and `1. ` begin an item of a list.
import type { JSONContent } from '@tiptap/core'

const BULLET = /^[ \t]*[-*•][ \t]+/
const NUMBER = /^[ \t]*(\d{1,3})[.)][ \t]+/

type Kind = 'paragraph' | 'bulletList' | 'orderedList'

const kindOf = (line: string): Kind =>
  NUMBER.test(line) ? 'orderedList' : BULLET.test(line) ? 'bulletList' : 'paragraph'

function paragraph(lines: string[]): JSONContent {
  const content = lines.flatMap((line, i) => [
    ...(i ? [{ type: 'hardBreak' }] : []),
    ...(line ? [{ type: 'text', text: line }] : []),
  ])
  return content.length ? { type: 'paragraph', content } : { type: 'paragraph' }
}

function list(kind: Kind, lines: string[]): JSONContent {
  const mark = kind === 'orderedList' ? NUMBER : BULLET
  const items = lines.map((line) => ({ type: 'listItem', content: [paragraph([line.replace(mark, '')])] }))
  if (kind === 'bulletList') return { type: kind, content: items }
  return { type: kind, attrs: { start: Number(NUMBER.exec(lines[0] ?? '')?.[1] ?? 1) }, content: items }
}

export function toDocument(text: string): JSONContent {
  const content: JSONContent[] = []
  for (const block of text.split('\n\n')) {
    let run: string[] = []
    let kind: Kind | null = null
    const flush = () => {
      if (kind && run.length) content.push(kind === 'paragraph' ? paragraph(run) : list(kind, run))
    }
    for (const line of block.split('\n')) {
      const next = kindOf(line)
      if (next !== kind) {
        flush()
        run = []
        kind = next
      }
      run.push(line)
    }
    flush()
  }
  return { type: 'doc', content: content.length ? content : [{ type: 'paragraph' }] }
}

/** What to insert at the cursor: one paragraph joins the line it is put in, more stand for themselves. */
export function toContent(text: string): JSONContent[] {
  const blocks = toDocument(text).content ?? []
  const [only] = blocks
  return blocks.length === 1 && only?.type === 'paragraph' ? (only.content ?? []) : blocks
}

const inline = (node: JSONContent): string =>
  (node.content ?? []).map((n) => (n.type === 'hardBreak' ? '\n' : n.type === 'text' ? (n.text ?? '') : inline(n))).join('')

/** An item is one line: what stood in several of its paragraphs is joined. */
const item = (node: JSONContent): string => (node.content ?? []).map(inline).join(' ').replace(/\n+/g, ' ')

function block(node: JSONContent): string {
  const items = node.content ?? []
  if (node.type === 'bulletList') return items.map((n) => `- ${item(n)}`).join('\n')
  if (node.type === 'orderedList') {
    const start = Number(node.attrs?.start ?? 1)
    return items.map((n, i) => `${start + i}. ${item(n)}`).join('\n')
  }
  return inline(node)
}

export function toText(doc: JSONContent): string {
  return (doc.content ?? [])
    .map(block)
    .join('\n\n')
    .replace(/\n{3,}/g, '\n\n')
    .replace(/^\n+|\n+$/g, '')
}

/** The fields of a template that nobody filled. */
export const openFields = (text: string): string[] => text.match(/\[[^[\]\n]{1,60}\]/g) ?? []

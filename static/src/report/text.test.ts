import { describe, expect, it } from 'vitest'
import { openFields, toDocument, toText } from './text'

describe('a section and its document', () => {
  it.each([
    '',
    'One line.',
    'One line,\nand its second.',
    'First.\n\nSecond.',
    '- one\n- two',
    '1. one\n2. two',
    '3. third\n4. fourth',
    'Seen:\n\n- one\n- two\n\nThen 3.5 cm.',
    'Nodule [size], <b>not</b> bold & so on.',
  ])('keeps %j as it is', (text) => {
    expect(toText(toDocument(text))).toBe(text)
  })

  it('gives lists that stand right under a line a paragraph of their own', () => {
    expect(toText(toDocument('Seen:\n* one\n• two'))).toBe('Seen:\n\n- one\n- two')
  })

  it('takes a measure for no list', () => {
    expect(toDocument('3.5 cm')).toEqual({
      type: 'doc',
      content: [{ type: 'paragraph', content: [{ type: 'text', text: '3.5 cm' }] }],
    })
  })

  it('joins the paragraphs of an item', () => {
    const p = (text: string) => ({ type: 'paragraph', content: [{ type: 'text', text }] })
    const doc = { type: 'doc', content: [{ type: 'bulletList', content: [{ type: 'listItem', content: [p('a'), p('b')] }] }] }
    expect(toText(doc)).toBe('- a b')
  })

  it('finds what is still open', () => {
    expect(openFields('Nodule of [size] mm, [side], [ok\n].')).toEqual(['[size]', '[side]'])
  })
})

import { describe, expect, it } from 'vitest'
import { keyName } from './keys'

const press = (key: string, more: Partial<KeyboardEvent> = {}) =>
  keyName({ key, code: '', ctrlKey: false, metaKey: false, altKey: false, shiftKey: false, ...more } as KeyboardEvent)

describe('the name of a key', () => {
  it.each([
    [press('j'), 'J'],
    [press('J', { shiftKey: true }), 'Shift+J'],
    [press('?', { shiftKey: true, code: 'Slash' }), '?'],
    [press('!', { shiftKey: true, code: 'Digit1' }), 'Shift+1'],
    [press('¡', { altKey: true, code: 'Digit1' }), 'Alt+1'],
    [press('k', { metaKey: true }), 'Ctrl+K'],
    [press('Enter', { ctrlKey: true, shiftKey: true }), 'Ctrl+Shift+Enter'],
    [press(' '), 'Space'],
    [press('F9'), 'F9'],
    [press('ä'), 'Ä'],
  ])('%s is %s', (name, wanted) => expect(name).toBe(wanted))
})

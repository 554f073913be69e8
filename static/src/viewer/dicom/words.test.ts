import { expect, test } from 'vitest'
import { jpegColour } from './jpeg'
import { letters, opposite } from './vectors'
import { dateInWords, personName, signed, timeBefore, timeInWords } from './words'

test('dates, times and names in words', () => {
  expect(dateInWords('19671104')).toBe('04 Nov 1967')
  expect(dateInWords('1967')).toBe('1967')
  expect(timeInWords('093112.5')).toBe('09:31')
  expect(personName('Okonkwo^Adaeze^^Dr=漢')).toBe('OKONKWO, Adaeze')
  expect(signed(-142, 1)).toBe('−142.0')
  expect(signed(-0.04, 1)).toBe('0.0')
})

test('how long before', () => {
  expect(timeBefore('20240819', '20260320')).toBe('1 y 7 m before')
  expect(timeBefore('20260301', '20260320')).toBe('19 d before')
  expect(timeBefore('20250320', '20260320')).toBe('1 y before')
  expect(timeBefore('', '20260320')).toBe('')
})

test('directions as letters', () => {
  expect(letters([1, 0, 0])).toBe('L')
  expect(letters([-0.7, 0, -0.7])).toBe('RF')
  expect(opposite('RF')).toBe('LH')
})

test('what a browser takes a JPEG for', () => {
  const jpeg = (...middle: number[]) => Uint8Array.from([
    0xff, 0xd8, ...middle, 0xff, 0xc0, 0, 17, 8, 0, 1, 0, 1, 3, 82, 0x11, 0, 71, 0x11, 0, 66, 0x11, 0,
  ])
  expect(jpegColour(jpeg())).toEqual({ rgb: true, told: false })
  expect(jpegColour(jpeg(0xff, 0xe0, 0, 7, 74, 70, 73, 70, 0))).toEqual({ rgb: false, told: true })
  expect(jpegColour(Uint8Array.of(1, 2, 3))).toBeUndefined()
})

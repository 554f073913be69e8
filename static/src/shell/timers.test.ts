import { describe, expect, it } from 'vitest'
import { goneWords, leftWords, stopwatchWords } from './timers'

describe('times that run', () => {
  it.each([
    [8 * 60, '0:08'],
    [8 * 60 + 59, '0:08'],
    [-7 * 60, '−0:07'],
    [-20, '−0:00'],
    [22 * 3600 + 40 * 60, '22:40'],
  ])('%i seconds left are %s', (seconds, words) => expect(leftWords(seconds)).toBe(words))

  it.each([
    [59, '0 min'],
    [38 * 60, '38 min'],
    [70 * 60, '1 h 10'],
    [5 * 3600, '5 h'],
    [72 * 3600, '3 d'],
  ])('%i seconds gone are %s', (seconds, words) => expect(goneWords(seconds)).toBe(words))

  it.each([
    [0, '0:00'],
    [11 * 60 + 46, '11:46'],
    [3600 + 5, '1:00:05'],
  ])('a stop watch at %i shows %s', (seconds, words) => expect(stopwatchWords(seconds)).toBe(words))
})

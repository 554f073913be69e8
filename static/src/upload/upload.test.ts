import { describe, expect, it } from 'vitest'
import { fileMeta, isZip } from './part10'
import { Sha256 } from './sha256'

const bytes = (n: number) => Uint8Array.from({ length: n }, (_, i) => (i * 31 + (i >> 8)) & 0xff)

describe('SHA-256 of a stream', () => {
  it.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000, 100_003])('of %i bytes is what the Web Crypto API says', async (n) => {
    const data = bytes(n)
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data))
    const wanted = [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('')
    expect(new Sha256().update(data).hex()).toBe(wanted)
    const pieces = new Sha256()
    for (let at = 0; at < n; at += 37) pieces.update(data.subarray(at, at + 37))
    expect(pieces.hex()).toBe(wanted)
  })
})

function element(number: number, vr: string, value: string): number[] {
  const even = value.length % 2 ? `${value}\0` : value
  return [2, 0, number & 0xff, number >> 8, ...[...vr, ...'\0\0'].map((c) => c.charCodeAt(0)).with(2, even.length), ...[...even].map((c) => c.charCodeAt(0))]
}

describe('the beginning of a file', () => {
  const start = [...new Array(128).fill(0), ...[...'DICM'].map((c) => c.charCodeAt(0))]
  const group = [...element(0x0003, 'UI', '1.2.3'), ...element(0x0010, 'UI', '1.2.840.10008.1.2.1')]

  it('tells where the data set begins, whatever the group length says', () => {
    const file = [...start, ...group, 8, 0, 5, 0, 67, 83, 0, 0]
    expect(fileMeta(Uint8Array.from(file))).toEqual({ offset: start.length + group.length, sop: '1.2.3' })
  })
  it.each([[[]], [start], [[...start, ...element(0x0003, 'UI', '1.2'), 8, 0, 5, 0, 67, 83, 0, 0]], [new Array(300).fill(65)]])(
    'is none of a DICOM file: %#',
    (file) => expect(fileMeta(Uint8Array.from(file as number[]))).toBeNull(),
  )
  it('tells a ZIP', () => {
    expect(isZip(Uint8Array.from([0x50, 0x4b, 3, 4]))).toBe(true)
    expect(isZip(Uint8Array.from([0x50, 0x4b, 1, 2]))).toBe(false)
  })
})

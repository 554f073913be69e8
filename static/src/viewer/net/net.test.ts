import { describe, expect, test } from 'vitest'
import { firstPart, transferSyntaxOf } from './client'
import { Priority, RequestQueue } from './queue'
import { outward } from '../dicom/order'

const bytes = (text: string) => Uint8Array.from(text, (c) => c.charCodeAt(0))

describe('multipart', () => {
  const type = 'multipart/related; type="application/octet-stream"; boundary=abc'
  test('gives the first part without its frame', () => {
    const part = firstPart(type, bytes('--abc\r\nContent-Type: application/octet-stream; transfer-syntax=1.2\r\n\r\n\r\nX--ab\r\n\r\n--abc--'))
    expect([...part.bytes]).toEqual([...bytes('\r\nX--ab\r\n')])
    expect(transferSyntaxOf(part.type)).toBe('1.2')
  })

  test('stops at the second part', () => {
    const body = `--abc\r\nContent-Type: a/b\r\n\r\none\r\n--abc\r\nContent-Type: a/b\r\n\r\n${'two'.repeat(20)}\r\n--abc--`
    expect([...firstPart(type, bytes(body)).bytes]).toEqual([...bytes('one')])
  })

  test('refuses what was cut short', () => {
    expect(() => firstPart(type, bytes('--abc\r\nContent-Type: a/b\r\n\r\nhalf an im'))).toThrow('cut short')
  })
})

describe('queue', () => {
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0))

  test('serves the screen before all that waits, and keeps slots free for it', async () => {
    const queue = new RequestQueue<string>(2, 1)
    const started: string[] = []
    const release: (() => void)[] = []
    const job = (key: string) => () => new Promise<string>((resolve) => {
      started.push(key)
      release.push(() => resolve(key))
    })
    queue.add('rest 1', Priority.Rest, job('rest 1'))
    queue.add('rest 2', Priority.Rest, job('rest 2'))
    queue.add('near', Priority.Near, job('near'))
    expect(started).toEqual(['rest 1'])
    queue.add('seen', Priority.Visible, job('seen'))
    expect(started).toEqual(['rest 1', 'seen'])
    for (const done of release) done()
    await settled()
    expect(started).toEqual(['rest 1', 'seen', 'near'])
  })

  test('raises what is asked for again instead of asking twice', async () => {
    const queue = new RequestQueue<number>(1, 1)
    let calls = 0
    const run = async () => ++calls
    const first = queue.add('a', Priority.Rest, run)
    expect(queue.add('a', Priority.Visible, run)).toBe(first)
    await first
    expect(calls).toBe(1)
  })

  test('forgets what waits and is no longer wanted', async () => {
    const queue = new RequestQueue<string>(1, 1)
    queue.add('running', Priority.Rest, () => new Promise(() => undefined))
    const waiting = queue.add('waiting', Priority.Rest, async () => 'x')
    queue.forget(() => false)
    await expect(waiting).rejects.toThrow('no longer wanted')
    expect(queue.size).toBe(1)
  })
})

test('prefetch goes outward from the image shown', () => {
  expect(outward(2, 5)).toEqual([3, 1, 4, 0])
})

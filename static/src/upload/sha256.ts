// SHA-256 of a stream (FIPS 180-4). The browser's own takes a whole buffer only, and none at all on
// a page that came without TLS, as within a hospital's network.

const K = new Uint32Array(64)
const START = new Uint32Array(8)
{
  // Fractions of the cube roots and square roots of the first primes (FIPS 180-4, 4.2.2 and 5.3.3).
  const fraction = (x: number) => ((x - Math.floor(x)) * 2 ** 32) >>> 0
  for (let n = 2, found = 0; found < 64; n++) {
    let prime = true
    for (let d = 2; d * d <= n; d++) if (n % d === 0) prime = false
    if (!prime) continue
    K[found] = fraction(Math.cbrt(n))
    if (found < 8) START[found] = fraction(Math.sqrt(n))
    found++
  }
}

const rotate = (x: number, by: number) => (x >>> by) | (x << (32 - by))

export class Sha256 {
  private readonly state = new Uint32Array(START)
  private readonly words = new Uint32Array(64)
  private readonly block = new Uint8Array(64)
  private filled = 0
  private length = 0

  update(data: Uint8Array): this {
    this.length += data.length
    let at = 0
    if (this.filled) {
      at = Math.min(64 - this.filled, data.length)
      this.block.set(data.subarray(0, at), this.filled)
      this.filled += at
      if (this.filled < 64) return this
      this.compress(this.block, 0)
      this.filled = 0
    }
    for (; at + 64 <= data.length; at += 64) this.compress(data, at)
    this.block.set(data.subarray(at))
    this.filled = data.length - at
    return this
  }

  /** The digest in hexadecimal; nothing can be added after. */
  hex(): string {
    const bits = this.length * 8
    const padding = new Uint8Array(((this.filled < 56 ? 56 : 120) - this.filled) + 8)
    padding[0] = 0x80
    const view = new DataView(padding.buffer)
    view.setUint32(padding.length - 8, Math.floor(bits / 2 ** 32))
    view.setUint32(padding.length - 4, bits >>> 0)
    this.update(padding)
    return [...this.state].map((word) => word.toString(16).padStart(8, '0')).join('')
  }

  private compress(data: Uint8Array, at: number): void {
    const w = this.words
    const h = this.state
    const word = (i: number) => w[i] as number
    for (let i = 0, p = at; i < 16; i++, p += 4)
      w[i] = ((data[p] as number) << 24) | ((data[p + 1] as number) << 16) | ((data[p + 2] as number) << 8) | (data[p + 3] as number)
    for (let i = 16; i < 64; i++) {
      const x = word(i - 15)
      const y = word(i - 2)
      const s0 = rotate(x, 7) ^ rotate(x, 18) ^ (x >>> 3)
      const s1 = rotate(y, 17) ^ rotate(y, 19) ^ (y >>> 10)
      w[i] = word(i - 16) + s0 + word(i - 7) + s1
    }
    let [a, b, c, d, e, f, g, z] = h as unknown as [number, number, number, number, number, number, number, number]
    for (let i = 0; i < 64; i++) {
      const s1 = rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)
      const t1 = (z + s1 + ((e & f) ^ (~e & g)) + (K[i] as number) + word(i)) | 0
      const s0 = rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0
      z = g
      g = f
      f = e
      e = (d + t1) | 0
      d = c
      c = b
      b = a
      a = (t1 + t2) | 0
    }
    const add = [a, b, c, d, e, f, g, z]
    for (let i = 0; i < 8; i++) h[i] = (h[i] as number) + (add[i] as number)
  }
}

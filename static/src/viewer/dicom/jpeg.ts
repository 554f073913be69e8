/** Which colours a JPEG holds, where nothing in it tells a browser's decoder. */

const SOI = 0xd8
const APP0 = 0xe0
const APP14 = 0xee
const SOS = 0xda
const RGB_IDS = '82,71,66'

/**
 * What a browser will take three components for: RGB only where they are named R, G, B or Adobe's marker says
 * so, else YCbCr. `told` says whether a JFIF or Adobe marker decided it. Undefined when this is no JPEG.
 * Source: ITU-T T.871 (JFIF), T.872 6.5.3 (Adobe).
 */
export function jpegColour(bytes: Uint8Array): { rgb: boolean; told: boolean } | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== SOI) return undefined
  let jfif = false
  let adobe: number | undefined
  for (let at = 2; at + 9 < bytes.length; ) {
    if (bytes[at] !== 0xff) return undefined
    const marker = bytes[at + 1] as number
    const size = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)
    const word = String.fromCharCode(...bytes.subarray(at + 4, at + 9))
    if (marker === APP0 && word.startsWith('JFIF')) jfif = true
    if (marker === APP14 && word === 'Adobe') adobe = bytes[at + 15]
    const frame = marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
    if (frame) {
      const ids = [0, 1, 2].map((i) => bytes[at + 10 + 3 * i]).join()
      if (jfif) return { rgb: false, told: true }
      if (adobe !== undefined) return { rgb: adobe === 0, told: true }
      return { rgb: ids === RGB_IDS, told: false }
    }
    if (marker === SOS) return undefined
    at += 2 + size
  }
  return undefined
}

/** Which frames the browser decodes itself, and which the server must render (FRONTEND.md, Codecs). */

import type { Frame } from './frame'
import { jpegColour } from './jpeg'

export const UNCOMPRESSED = new Set([
  '1.2.840.10008.1.2', '1.2.840.10008.1.2.1', '1.2.840.10008.1.2.2', '1.2.840.10008.1.2.1.99',
  '1.2.840.10008.1.2.1.98',
])
const JPEG_BASELINE = '1.2.840.10008.1.2.4.50'
const DECODED = new Set([
  ...UNCOMPRESSED,
  '1.2.840.10008.1.2.5', // RLE
  JPEG_BASELINE,
  '1.2.840.10008.1.2.4.57', '1.2.840.10008.1.2.4.70', // JPEG lossless
  '1.2.840.10008.1.2.4.80', '1.2.840.10008.1.2.4.81', // JPEG-LS
  '1.2.840.10008.1.2.4.90', '1.2.840.10008.1.2.4.91', // JPEG 2000
  '1.2.840.10008.1.2.4.201', '1.2.840.10008.1.2.4.202', '1.2.840.10008.1.2.4.203', // HTJ2K
  '1.2.840.10008.1.2.4.110', '1.2.840.10008.1.2.4.111', '1.2.840.10008.1.2.4.112', // JPEG XL
  '1.2.840.10008.1.2.8.1', // Deflated Image Frame
])

/** Why the browser should not decode this frame; undefined when it should. */
export function nativeProblem(frame: Frame, transferSyntax: string): string | undefined {
  if (frame.samples > 1 && frame.bitsAllocated > 8) return 'colour of more than 8 bits'
  if (frame.bitsAllocated > 16) return `${frame.bitsAllocated} bits a pixel`
  if (frame.bitsAllocated < 8) return `${frame.bitsAllocated} bit a pixel`
  if (frame.highBit !== frame.bitsStored - 1) return 'pixels are not in the low bits'
  if (frame.paletteElsewhere) return 'palette not sent with the metadata'
  if (frame.lutElsewhere) return 'look-up table not sent with the metadata'
  if (frame.samples === 1 && frame.photometric.startsWith('YBR')) return 'colour space'
  if (!transferSyntax) return undefined
  if (!DECODED.has(transferSyntax)) return `transfer syntax ${transferSyntax}`
  if (UNCOMPRESSED.has(transferSyntax) && /42[02]/.test(frame.photometric)) return 'subsampled colour'
  if (transferSyntax === JPEG_BASELINE && frame.bitsStored > 8) return '12-bit JPEG'
  return undefined
}

const JPEG_2000 = /^1\.2\.840\.10008\.1\.2\.4\.(90|91|201|202|203)$/

/** JPEG 2000 says itself whether samples are signed (SIZ, Ssiz bit 8); undefined when not a codestream. */
export function codestreamSigned(bytes: Uint8Array): boolean | undefined {
  const limit = Math.min(bytes.length - 44, 512)
  for (let i = 0; i < limit; i++) {
    const soc = bytes[i] === 0xff && bytes[i + 1] === 0x4f
    if (soc && bytes[i + 2] === 0xff && bytes[i + 3] === 0x51) return ((bytes[i + 42] as number) & 0x80) !== 0
  }
  return undefined
}

/** Why these bytes would be shown wrongly though their syntax is known; undefined when they would not. */
export function contentProblem(frame: Frame, transferSyntax: string, bytes: Uint8Array): string | undefined {
  if (JPEG_2000.test(transferSyntax) && frame.samples === 1) {
    // A header that contradicts its codestream would wrap its values; the server normalises those.
    const signed = codestreamSigned(bytes)
    if (signed !== undefined && signed !== frame.signed) return 'sign of the JPEG 2000 samples'
  }
  if (transferSyntax === JPEG_BASELINE && frame.samples === 3) {
    const colour = jpegColour(bytes)
    const rgb = frame.photometric === 'RGB'
    if (colour && !colour.told && colour.rgb !== rgb) return 'colour space of the JPEG'
  }
  return undefined
}

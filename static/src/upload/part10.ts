// What a file is, by its beginning; as `read_file_meta` of apps/archive/part10.py reads it.

export const HEAD_BYTES = 64 * 1024
const LONG = new Set(['OB', 'OW', 'UN', 'SQ', 'UT'])

/** Where the data set of a DICOM file begins, and the SOP Instance UID its group 2 names. */
export interface FileMeta {
  offset: number
  sop: string
}

const text = (bytes: Uint8Array) => String.fromCharCode(...bytes)

/** Reads preamble and group 2 (PS3.10 7.1); null where it is no such file. */
export function fileMeta(head: Uint8Array): FileMeta | null {
  if (text(head.subarray(128, 132)) !== 'DICM') return null
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength)
  let sop = ''
  let syntax = false
  let at = 132
  while (at + 8 <= head.length) {
    if (view.getUint16(at, true) !== 2) return syntax ? { offset: at, sop } : null
    const element = view.getUint16(at + 2, true)
    let length = view.getUint16(at + 6, true)
    let start = at + 8
    if (LONG.has(text(head.subarray(at + 4, at + 6)))) {
      if (at + 12 > head.length) return null
      length = view.getUint32(at + 8, true)
      start = at + 12
    }
    if (element === 0x0003) sop = text(head.subarray(start, start + Math.min(length, 64))).replace(/[\0 ]+$/, '')
    if (element === 0x0010) syntax = length > 0
    at = start + length
  }
  return null
}

export const isZip = (head: Uint8Array) => head[0] === 0x50 && head[1] === 0x4b && (head[2] === 3 || head[2] === 5)

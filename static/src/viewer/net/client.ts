/** Requests to our own server: JSON, bytes, multipart. */

export class RequestFailed extends Error {
  readonly status: number

  constructor(status: number) {
    super(status ? `the server answered ${status}` : 'the server did not answer')
    this.status = status
  }
}

async function request(url: string, accept: string, signal?: AbortSignal): Promise<Response> {
  let response: Response
  try {
    response = await fetch(url, { headers: { Accept: accept }, signal, credentials: 'same-origin' })
  } catch (error) {
    if (signal?.aborted) throw error
    throw new RequestFailed(0)
  }
  if (!response.ok) throw new RequestFailed(response.status)
  return response
}

export async function getJson<T>(url: string, accept = 'application/json'): Promise<T> {
  const response = await request(url, accept)
  return response.status === 204 ? ([] as T) : ((await response.json()) as T)
}

export type Part = { type: string; bytes: Uint8Array<ArrayBuffer> }

export async function getBytes(url: string, accept: string, signal?: AbortSignal): Promise<Part> {
  const response = await request(url, accept, signal)
  const type = response.headers.get('Content-Type') ?? ''
  const bytes = new Uint8Array(await response.arrayBuffer())
  return type.startsWith('multipart/') ? firstPart(type, bytes) : { type, bytes }
}

const CR = 13
const LF = 10

/** Where a line break twice in a row ends the headers. */
function endOfHeaders(bytes: Uint8Array, from: number): number {
  for (let i = from; i + 3 < bytes.length; i++) {
    if (bytes[i] === CR && bytes[i + 1] === LF && bytes[i + 2] === CR && bytes[i + 3] === LF) return i + 4
  }
  return -1
}

/** The first part of a multipart/related body. Source: RFC 2046 5.1.1; PS3.18 8.7. */
export function firstPart(contentType: string, bytes: Uint8Array<ArrayBuffer>): Part {
  const boundary = /boundary="?([^";]+)"?/i.exec(contentType)?.[1]
  if (!boundary) throw new Error('multipart answer without a boundary')
  const latin = new TextDecoder('latin1')
  const start = latin.decode(bytes.subarray(0, 1024)).indexOf(`--${boundary}`)
  const head = start < 0 ? -1 : endOfHeaders(bytes, start)
  if (head < 0) throw new Error('multipart answer without a part')
  const headers = latin.decode(bytes.subarray(start, head))
  const type = /content-type:\s*(.+)/i.exec(headers)?.[1]?.trim() ?? ''
  const mark = new TextEncoder().encode(`\r\n--${boundary}`)
  const matches = (at: number) => mark.every((byte, i) => bytes[at + i] === byte)
  let end = bytes.indexOf(CR, head)
  while (end >= 0 && !matches(end)) end = bytes.indexOf(CR, end + 1)
  if (end < 0) throw new Error('multipart answer cut short')
  return { type, bytes: bytes.slice(head, end) }
}

export function transferSyntaxOf(partType: string): string {
  return /transfer-syntax="?([\d.]+)"?/i.exec(partType)?.[1] ?? ''
}

/** Reading the DICOM JSON model (PS3.18 F.2) without naming every tag. */

export type Element = {
  vr: string
  Value?: unknown[]
  InlineBinary?: string
  BulkDataURI?: string
  bytes?: Uint8Array // of the bulk data, once fetched
}
export type Dataset = Record<string, Element>

export function values(ds: Dataset | undefined, tag: string): unknown[] {
  return ds?.[tag]?.Value ?? []
}

export function text(ds: Dataset | undefined, tag: string): string {
  const value = values(ds, tag)[0]
  if (value === undefined || value === null) return ''
  if (typeof value === 'object') return String((value as { Alphabetic?: string }).Alphabetic ?? '')
  return String(value).trim()
}

/** DS and IS may arrive as numbers or as strings (PS3.18 F.2.3 allows both). */
export function numbers(ds: Dataset | undefined, tag: string): number[] {
  return values(ds, tag).filter((v) => v !== null && v !== '').map(Number).filter(Number.isFinite)
}

export function number(ds: Dataset | undefined, tag: string): number | undefined {
  return numbers(ds, tag)[0]
}

export function items(ds: Dataset | undefined, tag: string): Dataset[] {
  return values(ds, tag).filter((v): v is Dataset => typeof v === 'object' && v !== null)
}

export function item(ds: Dataset | undefined, tag: string): Dataset | undefined {
  return items(ds, tag)[0]
}

/** Bytes of an element sent inline or fetched since; undefined when there is only an address. */
export function inlineBytes(element: Element | undefined): Uint8Array | undefined {
  if (element?.bytes) return element.bytes
  if (!element?.InlineBinary) return undefined
  return Uint8Array.from(atob(element.InlineBinary), (c) => c.charCodeAt(0))
}

/** 16-bit words of a look-up table, whether sent as values (US) or inline (OW, little endian). */
export function words(element: Element | undefined): number[] | undefined {
  if (element?.Value?.length) return element.Value.map(Number)
  const bytes = inlineBytes(element)
  if (!bytes) return undefined
  const view = new DataView(bytes.buffer)
  return Array.from({ length: bytes.length >> 1 }, (_, i) => view.getUint16(2 * i, true))
}

/** What an object that is not a picture is called, and what can be done with it (VW14). */

export type Kind = 'image' | 'document' | 'report' | 'other'

const STORAGE = '1.2.840.10008.5.1.4.1.1.'

const NAMES: [prefix: string, name: string, kind: Kind][] = [
  ['104.1', 'PDF document', 'document'],
  ['104.2', 'CDA document', 'other'],
  ['104.3', 'STL model', 'other'],
  ['104.4', 'OBJ model', 'other'],
  ['88.59', 'Key object selection', 'report'],
  ['88.67', 'Dose report', 'report'],
  ['88.', 'Structured report', 'report'],
  ['11.', 'Presentation state', 'other'],
  ['66.1', 'Spatial registration', 'other'],
  ['66.3', 'Deformable registration', 'other'],
  ['66.4', 'Segmentation', 'other'],
  ['66.5', 'Surface segmentation', 'other'],
  ['66.7', 'Segmentation', 'other'],
  ['66', 'Raw data', 'other'],
  ['67', 'Real world value mapping', 'other'],
  ['9.', 'Waveform', 'other'],
  ['481.2', 'Radiotherapy dose', 'other'],
  ['481.3', 'Radiotherapy structures', 'other'],
  ['481.4', 'Radiotherapy treatment record', 'other'],
  ['481.5', 'Radiotherapy plan', 'other'],
  ['481.8', 'Radiotherapy ion plan', 'other'],
  ['4.2', 'MR spectroscopy', 'other'],
  ['30', 'Parametric map', 'other'],
  ['77.1.1.1', 'Video endoscopy', 'other'],
  ['77.1.2.1', 'Video microscopy', 'other'],
  ['77.1.4.1', 'Video photography', 'other'],
  ['77.1.6', 'Whole slide picture', 'other'],
]

const VIDEO = /^1\.2\.840\.10008\.1\.2\.4\.10\d(\.1)?$/

/** Name and kind of an object; `pixels` says whether it has rows and columns. */
export function objectKind(
  sopClass: string, pixels: boolean, transferSyntax: string,
): { name: string; kind: Kind } {
  if (VIDEO.test(transferSyntax)) return { name: 'Video', kind: 'other' }
  const suffix = sopClass.startsWith(STORAGE) ? sopClass.slice(STORAGE.length) : ''
  const known = suffix && NAMES.find(([prefix]) => suffix === prefix
    || (suffix.startsWith(prefix) && (prefix.endsWith('.') || suffix[prefix.length] === '.')))
  if (known) return { name: known[1], kind: known[2] }
  return pixels ? { name: 'Image', kind: 'image' } : { name: 'Object without a picture', kind: 'other' }
}

/** Patient space (PS3.3 C.7.6.2.1): x to the left, y to the back, z to the head, in mm. */

export type Vec3 = readonly [number, number, number]
export type Orientation = { row: Vec3; column: Vec3; normal: Vec3 }

export function vec3(list: number[]): Vec3 | undefined {
  return list.length >= 3 ? [list[0] as number, list[1] as number, list[2] as number] : undefined
}

export function dot(a: Vec3, b: Vec3): number {
  return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

export function cross(a: Vec3, b: Vec3): Vec3 {
  return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
}

export function length(a: Vec3): number {
  return Math.sqrt(dot(a, a))
}

export function addScaled(a: Vec3, b: Vec3, k: number): Vec3 {
  return [a[0] + k * b[0], a[1] + k * b[1], a[2] + k * b[2]]
}

/** Image Orientation (Patient), undefined when its two vectors are not unit and perpendicular. */
export function orientation(cosines: number[]): Orientation | undefined {
  const row = vec3(cosines.slice(0, 3))
  const column = vec3(cosines.slice(3, 6))
  if (!row || !column) return undefined
  const unit = (v: Vec3) => Math.abs(length(v) - 1) < 0.01
  if (!unit(row) || !unit(column) || Math.abs(dot(row, column)) > 0.01) return undefined
  return { row, column, normal: cross(row, column) }
}

/** The anatomical letters a direction points to, strongest first: `A`, `LP`. */
export function letters(direction: Vec3): string {
  const pairs: [number, string, string][] = [
    [direction[0], 'L', 'R'],
    [direction[1], 'P', 'A'],
    [direction[2], 'H', 'F'],
  ]
  return pairs
    .filter(([amount]) => Math.abs(amount) > 0.35)
    .sort((a, b) => Math.abs(b[0]) - Math.abs(a[0]))
    .slice(0, 2)
    .map(([amount, plus, minus]) => (amount > 0 ? plus : minus))
    .join('')
}

const OPPOSITE: Record<string, string> = { L: 'R', R: 'L', A: 'P', P: 'A', H: 'F', F: 'H' }

export function opposite(words: string): string {
  return [...words].map((letter) => OPPOSITE[letter] ?? letter).join('')
}

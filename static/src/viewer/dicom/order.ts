/** Indexes from the nearest to the farthest of `at`, ahead before behind: the order to fetch a stack in. */
export function outward(at: number, count: number): number[] {
  const order: number[] = []
  for (let step = 1; step < count; step++) {
    if (at + step < count) order.push(at + step)
    if (at - step >= 0) order.push(at - step)
  }
  return order
}

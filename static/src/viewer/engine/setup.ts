/** Starting Cornerstone: exact drawing without a graphics card, decoders in workers, memory within limits. */

import { cache, init as initCore, RenderingEngine } from '@cornerstonejs/core'
import { init as initLoader } from '@cornerstonejs/dicom-image-loader'
import './loader'
import './registry'

const GIB = 2 ** 30

/** A quarter of the machine's memory, from 0.25 to 1.5 GiB; browsers that do not tell get 0.75 GiB. */
export function cacheLimit(deviceMemoryGib?: number): number {
  return Math.min(Math.max((deviceMemoryGib ?? 3) / 4, 0.25), 1.5) * GIB
}

export function startEngine(): RenderingEngine {
  initCore({ rendering: { useGenericViewport: true, useCPURendering: true, webGlContextCount: 1 }, debug: {} })
  const cores = navigator.hardwareConcurrency || 2
  initLoader({ maxWebWorkers: Math.min(Math.max(cores - 1, 1), 4) })
  const memory = (navigator as { deviceMemory?: number }).deviceMemory
  cache.setMaxCacheSize(cacheLimit(memory))
  return new RenderingEngine('isocenter')
}

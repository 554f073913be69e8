import { init as initCore } from '@cornerstonejs/core'
import { createImage, init as initLoader } from '@cornerstonejs/dicom-image-loader'

initCore({ rendering: { useGenericViewport: true, useCPURendering: true }, debug: {} })
initLoader({ maxWebWorkers: 2 })
console.info(createImage)

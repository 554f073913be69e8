import { existsSync, readdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { defineConfig } from 'vite'

/** Every `static/src/<page>/main.ts` is an entry of that name; `{% vite "<page>" %}` loads it. */
function entries() {
  const root = resolve(import.meta.dirname, 'static/src')
  const pages = readdirSync(root).filter((page) => existsSync(resolve(root, page, 'main.ts')))
  return Object.fromEntries(pages.map((page) => [page, resolve(root, page, 'main.ts')]))
}

export default defineConfig({
  base: '/static/dist/',
  publicDir: false,
  logLevel: 'error', // the codecs' own "fs externalized" notices are harmless and bury the rest
  worker: { format: 'es' }, // the decoders of @cornerstonejs/dicom-image-loader are module workers
  build: {
    outDir: 'static/dist',
    emptyOutDir: true,
    target: 'es2022',
    manifest: 'manifest.json',
    assetsInlineLimit: 0, // the content security policy has no data: for scripts, styles and fonts
    chunkSizeWarningLimit: 6000,
    rollupOptions: { input: entries() },
  },
  test: { include: ['static/src/**/*.test.ts'], environment: 'node' },
})

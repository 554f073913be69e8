// What every page has: htmx, keys, lists, toasts, palette, live regions, running times.
import '@fontsource-variable/inter/index.css'
import '@fontsource/ibm-plex-mono/400.css'
import './htmx'
import 'htmx.org/dist/ext/hx-sse.js'
import { startForms } from './forms'
import { startKeys } from './keys'
import { startLive } from './live'
import { startPalette } from './palette'
import { startPictures } from './pictures'
import { startPreferences } from './preferences'
import { startRows } from './rows'
import { startSession } from './session'
import { startTimers } from './timers'
import { startToasts } from './toasts'

startPalette()
startRows()
startForms()
startKeys()
startToasts()
startLive()
startPictures()
startPreferences()
startSession()
startTimers()

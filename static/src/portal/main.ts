// The portal: on a wide screen the full report stands open.
import { $$ } from '../shell/dom'

if (innerWidth >= 900) for (const details of $$<HTMLDetailsElement>('[data-open-wide]')) details.open = true

// A picture that cannot be drawn leaves its place: its words stand in the label beside it.
import { $$ } from './dom'

const miss = (image: HTMLImageElement) => image.classList.add('is-missing')

export function startPictures(): void {
  document.addEventListener(
    'error',
    (event) => {
      if (event.target instanceof HTMLImageElement) miss(event.target)
    },
    true,
  )
  for (const image of $$<HTMLImageElement>('img')) if (image.complete && !image.naturalWidth) miss(image)
}

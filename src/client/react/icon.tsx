import type { ReactElement } from 'react'

/* On a grid of 16 × 16. Each shape is another one: none is told from another by its colour. */
const PATHS = {
  live: 'M8 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8Z',
  connecting: 'M8 2.75A5.25 5.25 0 1 1 2.75 8',
  offline: 'M3.5 3.5l9 9M8 2.75a5.25 5.25 0 1 1 0 10.5 5.25 5.25 0 0 1 0-10.5Z',
  active: 'M8 2.75A5.25 5.25 0 1 1 2.75 8',
  done: 'M3.5 8.5l3 3 6-6.5',
  failed: 'M4 4l8 8M12 4l-8 8',
  warning: 'M8 2.5l6 10.5H2L8 2.5ZM8 6.5v3M8 11.2v.1',
} as const

export interface IconProps {
  readonly shape: keyof typeof PATHS
}

/** Says what the text beside it says; so it is for the eye only. */
export function Icon ({ shape }: IconProps): ReactElement {
  return (
    <svg className='realtime-feedback__icon' data-shape={shape} viewBox='0 0 16 16' aria-hidden='true' focusable='false'>
      <path d={PATHS[shape]} />
    </svg>
  )
}

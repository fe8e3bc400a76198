// Whether the time of an answer tells who exists, where it is made even. All at once: nearly all of the time
// is waited.
import t from 'tap'

t.jobs = 8
await import('./even-time/recovery.ts')
await import('./even-time/sign-up.ts')

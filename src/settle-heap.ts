// What a start leaves behind is given back once, when it is over: V8 lets a new process's heap grow to
// several times of what lives in it until the first slow collection has shown how much that is, and keeps all
// of the young generation that the start has filled.
import { executionAsyncResource } from 'node:async_hooks'
import { flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** V8's thorough collection, which makes the young generation small again. */
const THOROUGH = { type: 'major', flavor: 'last-resort' }

/**
 * Frees what only the start needed: compiled modules that are kept for the cache, garbage, and the room that
 * it lay in. Takes some 60 ms of CPU, so: before anybody waits.
 */
export function settleHeap(): void {
  flushCompileCache()
  // Node has no other door to it. The flag is taken back, as V8 reads no cache of modules under another one.
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function') collect(THOROUGH)
}

/** Only so that it is there. */
const kept: { tick: object | undefined } = { tick: undefined }

/**
 * Keeps one of the objects that Node makes for every process.nextTick, ten of them for a request. V8 forgets
 * what such objects look like where a slow collection comes upon none, and makes each of them at several
 * times of the price from then on. To be called before the first slow collection.
 *
 * @returns what is kept, once it is there
 */
export function keepTickShape(): () => object | undefined {
  process.nextTick(() => {
    kept.tick = executionAsyncResource()
  })
  return () => kept.tick
}

// Keeps a value with a request, for as long as the request lives.
import type { FastifyRequest } from 'fastify'

/** A place in every request for one value. */
export interface RequestSlot<Value> {
  get(request: FastifyRequest): Value | undefined
  set(request: FastifyRequest, value: Value): void
}

/**
 * Makes a place of its own in every request. A WeakMap would do the same, but V8 frees its entries only in
 * slow collections: whole requests would pile up until then.
 */
export function createRequestSlot<Value>(): RequestSlot<Value> {
  const name = Symbol('slot')
  return {
    get: request => slotsOf<Value>(request)[name],
    set(request, value) {
      slotsOf<Value>(request)[name] = value
    },
  }
}

function slotsOf<Value>(request: FastifyRequest): Record<symbol, Value | undefined> {
  // Fastify's type has no room for symbols.
  return request as unknown as Record<symbol, Value | undefined>
}

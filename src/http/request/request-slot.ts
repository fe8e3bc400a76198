// Keeps a value with a request, for as long as the request lives.
import type { FastifyRequest } from 'fastify'

/** A place in every request for one value. */
export interface RequestSlot<Value> {
  get(request: FastifyRequest): Value | undefined
  set(request: FastifyRequest, value: Value): void
}

/** Its constructor returns what it is given: a class that extends it adds its private fields to that. */
class Existing {
  constructor(given: object) {
    return given
  }
}

/**
 * Makes a place of its own in every request. A WeakMap would do the same, but V8 frees its entries only in
 * slow collections: whole requests would pile up until then.
 */
export function createRequestSlot<Value>(): RequestSlot<Value> {
  class Slot extends Existing {
    #value: Value | undefined

    static get(request: FastifyRequest): Value | undefined {
      return #value in request ? request.#value : undefined
    }

    static set(request: FastifyRequest, value: Value): void {
      const slot = #value in request ? request : new Slot(request)
      slot.#value = value
    }
  }
  return Slot
}

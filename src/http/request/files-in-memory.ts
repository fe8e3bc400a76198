// Serves files from memory. A client may read as slowly as it likes, and a stream costs buffers of its own
// for each client; a file in memory costs its size once.
import { ReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'

/**
 * Keeps the files that the routes of this scope answer with, once they were read. For a folder whose files
 * never change and fit in memory.
 */
export function keepFilesInMemory(app: FastifyInstance): void {
  // By the file's own path: a request may write it in many ways. Simultaneous requests share one reading.
  const files = new Map<string, Promise<Buffer>>()

  async function read(stream: ReadStream, path: string): Promise<Buffer> {
    try {
      return await buffer(stream)
    } catch (error) {
      files.delete(path)
      throw error
    }
  }

  app.addHook('onRequest', async ({ headers }) => {
    // Part of a file would be a stream. A server may answer a range with the whole file (RFC 9110 §14.2).
    delete headers.range
  })
  app.addHook('onSend', async (_request, _reply, payload) => {
    if (!(payload instanceof ReadStream)) return payload
    const path = String(payload.path)
    const cached = files.get(path)
    if (cached !== undefined) {
      payload.destroy()
      return cached
    }
    const file = read(payload, path)
    files.set(path, file)
    return file
  })
}

// Files that are answered from memory. A client chooses how slowly it takes one, and a stream costs each
// client buffers of its own; a file in memory costs all of them together its size.
import { ReadStream } from 'node:fs'
import { buffer } from 'node:stream/consumers'
import type { FastifyInstance } from 'fastify'

/**
 * Keeps the files that the routes of this scope answer with, once they were read. For a folder whose files
 * never change and fit in memory.
 */
export function keepFilesInMemory(app: FastifyInstance): void {
  // By the file's own path: a request may write it in many ways. All who ask at once wait for one reading.
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
    // Part of a file would be a stream. Whoever asks for one may be given all (RFC 9110 §14.2).
    delete headers.range
  })
  app.addHook('onSend', async (_request, _reply, payload) => {
    if (!(payload instanceof ReadStream)) return payload
    const path = String(payload.path)
    const known = files.get(path)
    if (known !== undefined) {
      payload.destroy()
      return known
    }
    const file = read(payload, path)
    files.set(path, file)
    return file
  })
}

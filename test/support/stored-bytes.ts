// All that a store keeps, as its bytes are: what somebody reads who has taken the disk away.
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Redis } from 'ioredis'

/** The bytes of SQLite's files, or of a dump of Redis that isn't compressed; one character a byte. */
export async function storedIn(url: string): Promise<string> {
  if (!url.startsWith('redis:')) {
    const file = url.replace('sqlite:', '')
    const files = [file, `${file}-wal`].filter(existsSync)
    return files.map(each => readFileSync(each, 'latin1')).join('\n')
  }
  const client = new Redis(url)
  try {
    // A compressed text can't be found.
    await client.config('SET', 'rdbcompression', 'no')
    await client.save()
    const [, dir = ''] = (await client.config('GET', 'dir')) as string[]
    return readFileSync(join(dir, 'dump.rdb'), 'latin1')
  } finally {
    client.disconnect()
  }
}
